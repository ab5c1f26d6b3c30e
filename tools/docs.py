"""Write flags, settings and fields from the code into the documentation, and the shell completions.

In README.md, docs/ and man/, generated text stands between the comments `made by "make docs": flags of mailtrace-index`
and `end of generated text`. With --check, nothing is written; the exit status is 1 if a page is out of date.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import sizing

import completions
from mailtrace.cli import index, search_flags
from mailtrace.cli.parser import Parser
from mailtrace.cli.settings import SETTINGS, Setting
from mailtrace.message.fields import DOCUMENT, RECIPIENT_RESULT, Field
from mailtrace.search.query import OUTCOMES

ROOT = Path(__file__).parent.parent
COMMANDS = {"mailtrace-index": index._parser, "mailtrace-search": search_flags.parser}
_USUAL = ("options", "positional arguments")
"""Titles that argparse sets itself."""
_generated = re.compile(
    r'(^(?:<!-- |\.\\" )made by "make docs": (?P<what>[^\n]*?)(?: -->)?\n)'
    r'.*?(^(?:<!-- |\.\\" )end of generated text(?: -->)?$)',
    re.MULTILINE | re.DOTALL,
)


class Flag(NamedTuple):
    """A flag or an argument: its spellings, the name of its value, and its help."""

    spellings: tuple[str, ...]
    value: str
    about: str


class Group(NamedTuple):
    """A group of flags under one title."""

    title: str
    about: str
    flags: list[Flag]


def groups(parser: Parser) -> Iterator[Group]:
    """Yield the groups that --help shows, in the same order."""
    for group in parser._action_groups:
        shown = [action for action in group._group_actions if action.help != argparse.SUPPRESS]
        if shown:
            yield Group(group.title or "", group.description or "", [_flag(parser, action) for action in shown])


def _flag(parser: Parser, action: argparse.Action) -> Flag:
    formatter = parser._get_formatter()
    about = formatter._expand_help(action) if action.help else ""
    if not action.option_strings:
        return Flag((formatter._metavar_formatter(action, action.dest)(1)[0],), "", about)
    value = "" if action.nargs == 0 else formatter._format_args(action, action.dest.upper())
    return Flag(tuple(action.option_strings), value, about)


def flag_of(setting: Setting) -> Flag | None:
    """Return the flag of a setting, or None if it has none."""
    for command, parser in COMMANDS.items():
        if setting.command in ("", command):
            for group in groups(parser()):
                for flag in group.flags:
                    if setting.flag in flag.spellings:
                        return flag
    return None


# Markdown


def _cell(text: str) -> str:
    """Escape text for a Markdown table cell, except code in backquotes."""
    parts = re.split(r"(`[^`]*`)", text.replace("|", "\\|"))
    return "".join(part if part[:1] == "`" else re.sub(r"([<*])", r"\\\1", part) for part in parts)


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _flags_markdown() -> str:
    """Return one table of all flags: those of each command, then those that both share with the same help."""
    found = {command: list(groups(parser())) for command, parser in COMMANDS.items()}
    first, second = ([flag for group in one for flag in group.flags] for one in found.values())
    shared = [flag for flag in first if flag in second]
    rows: list[tuple[str, ...]] = []
    for command, its in found.items():
        rows.append((f"**{command}**", ""))
        rows += [(_spelt(flag), _cell(flag.about)) for group in its for flag in group.flags if flag not in shared]
    rows += [("**both**", ""), *((_spelt(flag), _cell(flag.about)) for flag in shared)]
    return _table(("flag", "what it does"), rows)


def _spelt(flag: Flag) -> str:
    """Return a flag as code, with its value after the last spelling only."""
    *others, last = flag.spellings
    return ", ".join([*(f"`{other}`" for other in others), f"`{last} {flag.value}".rstrip() + "`"])


def _settings_markdown() -> str:
    rows = []
    for setting in SETTINGS:
        flag = flag_of(setting)
        rows.append(
            (
                f"`{setting.name}`",
                f"`{setting.flag}`" if flag else "",
                f"`{setting.environment}`",
                setting.command.removeprefix("mailtrace-") or "both",
                _cell(flag.about if flag else setting.about),
            )
        )
    return _table(("key", "flag", "environment", "command", "what it is"), rows)


def _fields_markdown(fields: tuple[Field, ...]) -> str:
    rows = [
        (f"`{field.name}`", f"{field.kind}{', null' if field.nullable else ''}", _cell(field.about)) for field in fields
    ]
    return _table(("field", "type", "what it is"), rows)


def _sizing_markdown() -> str:
    heads, *rows = sizing.table()
    return _table(heads, rows)


# Manual pages (groff_man(7))


def _roff(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.MULTILINE)


def _flags_roff(command: str) -> str:
    lines = []
    for group in groups(COMMANDS[command]()):
        if group.title not in _USUAL:
            lines.append(f".SS {_roff(group.title)}")
            lines += [_roff(group.about)] * bool(group.about)
        for flag in group.flags:
            spelt = ", ".join(f"\\fB{_roff(one)}\\fR" for one in flag.spellings)
            lines += [".TP", f"{spelt} \\fI{_roff(flag.value)}\\fR" if flag.value else spelt, _roff(flag.about)]
    return "".join(f"{line}\n" for line in lines)


def _settings_roff() -> str:
    kinds = {str: "text", int: "whole number", bool: "true or false"}
    lines = []
    for setting in SETTINGS:
        flag = flag_of(setting)
        about = (flag.about if flag else setting.about).rstrip(".")
        lines += [".TP", f"\\fB{_roff(setting.name)}\\fR ({kinds[setting.kind]})", f"{_roff(about)}."]
        where = f"{setting.environment}, \\fB{_roff(setting.flag)}\\fR" if flag else setting.environment
        lines.append(f"({where}; {_roff(setting.command or 'both commands')})")
    return "".join(f"{line}\n" for line in lines)


def _epilog_roff(command: str) -> str:
    """Return the end of --help, unchanged."""
    return f".EX\n{_roff((COMMANDS[command]().epilog or '').strip())}\n.EE\n"


def _maker(make: Callable[[str], str], command: str) -> Callable[[bool], str]:
    return lambda _: make(command)


MAKERS: dict[str, Callable[[bool], str]] = {
    **{f"flags of {command}": _maker(_flags_roff, command) for command in COMMANDS},
    **{f"the end of {command} --help": _maker(_epilog_roff, command) for command in COMMANDS},
    "flags": lambda _: _flags_markdown(),
    "settings": lambda manual: _settings_roff() if manual else _settings_markdown(),
    "fields of a document": lambda _: _fields_markdown(DOCUMENT),
    "fields of a recipient result": lambda _: _fields_markdown(RECIPIENT_RESULT),
    "sizes of a cluster": lambda _: _sizing_markdown(),
    "outcomes": lambda _: ", ".join(f"`{outcome}`" for outcome in OUTCOMES) + "\n",
}


def filled(text: str, *, manual: bool) -> str:
    """Return the text of a page with its generated parts replaced."""
    return _generated.sub(lambda found: found[1] + MAKERS[found["what"]](manual) + found[3], text)


def pages() -> list[Path]:
    """Return the pages with generated parts."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "man").glob("*.[15]"))]
    return [path for path in found if 'made by "make docs"' in path.read_text()]


def main() -> int:
    """Update the pages, or only check them; return the exit status."""
    check, status = sys.argv[1:] == ["--check"], 0
    wanted = {path: filled(path.read_text(), manual=path.suffix != ".md") for path in pages()}
    wanted |= completions.files({command: parser() for command, parser in COMMANDS.items()})
    for path, after in wanted.items():
        if not path.exists() or path.read_text() != after:
            status = 1 if check else 0
            print(f"{path.relative_to(ROOT)}: {'out of date: run make docs' if check else 'updated'}")
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(after)
    return status


if __name__ == "__main__":
    sys.exit(main())
