"""Shell completions for bash, zsh and fish, made from the parsers of the two commands."""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from mailtrace.cli.parser import Parser
from mailtrace.output.rows import AGE, COLUMNS
from mailtrace.search.query import OUTCOMES

ROOT = Path(__file__).parent.parent
_MADE = '# Made by "make docs" from the parser of {}. Do not edit.'
_WORDS = {"outcomes": OUTCOMES, "ever": OUTCOMES}
"""Values of flags whose parser has no list of choices, by the name of the argument."""
_LISTS = {"columns": ("all", *COLUMNS, AGE)}
"""Values of flags that take several with commas between them."""


class Flag(NamedTuple):
    """A flag as shells complete it."""

    spellings: tuple[str, ...]
    about: str
    value: str
    """The name of its value; empty if it has none."""
    words: tuple[str, ...]
    """Its possible values; empty if they cannot be listed."""
    is_list: bool
    """Whether several of these can stand with commas between them."""
    is_file: bool
    repeats: bool


def files(commands: Mapping[str, Parser]) -> dict[Path, str]:
    """Return the files and their contents."""
    found = {}
    for command, parser in commands.items():
        found[ROOT / "completions" / "bash" / command] = bash(command, parser)
        found[ROOT / "completions" / "zsh" / f"_{command}"] = zsh(command, parser)
        found[ROOT / "completions" / "fish" / f"{command}.fish"] = fish(command, parser)
    return found


def flags(parser: Parser) -> Iterator[Flag]:
    """Yield the flags of a parser."""
    formatter = parser._get_formatter()
    for action in parser._actions:
        if action.option_strings and action.help != argparse.SUPPRESS:
            value = "" if action.nargs == 0 else str(action.metavar or action.dest.upper())
            words = tuple(map(str, action.choices or _WORDS.get(action.dest) or _LISTS.get(action.dest) or ()))
            yield Flag(
                tuple(action.option_strings),
                formatter._expand_help(action),
                value,
                words,
                is_list=action.dest in _LISTS,
                is_file=value == "FILE",
                repeats=action.default == [],
            )


def _takes_files(parser: Parser) -> bool:
    return any(action.metavar == "FILE" for action in parser._actions if not action.option_strings)


# bash


def bash(command: str, parser: Parser) -> str:
    """Return a completion function for bash, which needs no other package."""
    known = list(flags(parser))
    name = "_" + command.replace("-", "_")
    cases = [line for flag in known if flag.value for line in _bash_case(flag)]
    spellings = " ".join(spelling for flag in known for spelling in flag.spellings)
    words = ["    else", '        mapfile -t COMPREPLY < <(compgen -f -- "$cur")', "        compopt -o filenames"]
    lines = [
        _MADE.format(command),
        f"{name}() {{",
        "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} before=",
        "    COMPREPLY=()",
        "    # bash takes the = of --flag=value for a word of its own.",
        '    if [[ $cur == "=" ]]; then',
        "        cur=",
        '    elif [[ $prev == "=" ]]; then',
        "        prev=${COMP_WORDS[COMP_CWORD - 2]}",
        "    fi",
        "    case $prev in",
        *cases,
        "    esac",
        "    if [[ $cur == -* ]]; then",
        f'        mapfile -t COMPREPLY < <(compgen -W "{spellings}" -- "$cur")',
        *(words if _takes_files(parser) else ()),
        "    fi",
        "}",
        f"complete -F {name} {command}",
    ]
    return "".join(f"{line}\n" for line in lines)


def _bash_case(flag: Flag) -> Iterator[str]:
    yield f"    {' | '.join(flag.spellings)})"
    if flag.is_list:
        yield '        [[ $cur == *,* ]] && before="${cur%,*},"'
        yield f'        mapfile -t COMPREPLY < <(compgen -P "$before" -W "{" ".join(flag.words)}" -- "${{cur##*,}}")'
        yield "        compopt -o nospace"
    elif flag.words:
        yield f'        mapfile -t COMPREPLY < <(compgen -W "{" ".join(flag.words)}" -- "$cur")'
    elif flag.is_file:
        yield '        mapfile -t COMPREPLY < <(compgen -f -- "$cur")'
        yield "        compopt -o filenames"
    yield "        return"
    yield "        ;;"


# zsh: zshcompsys(1) describes the specifications of _arguments


def zsh(command: str, parser: Parser) -> str:
    """Return a completion function for zsh."""
    specs = [spec for flag in flags(parser) for spec in _zsh_specs(flag)]
    specs.append("'*:FILE:_files'" if _takes_files(parser) else "'*:WORD: '")
    joined = " \\\n    ".join(["_arguments -s -S", *specs])
    return f"#compdef {command}\n{_MADE.format(command)}\n{joined}\n"


def _zsh_specs(flag: Flag) -> Iterator[str]:
    about = _zsh_quoted(flag.about.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]"))
    for spelling in flag.spellings:
        begin = "*" if flag.repeats else f"({' '.join(flag.spellings)})" if len(flag.spellings) > 1 else ""
        sign = "" if not flag.value else "=" if spelling.startswith("--") else "+"
        value = ""
        if flag.value:
            value = f":{'value' if flag.value.startswith('{') else flag.value}:{_zsh_action(flag)}"
        yield f"'{begin}{spelling}{sign}[{about}]{value}'"


def _zsh_action(flag: Flag) -> str:
    if flag.is_list:
        return f"_values -s , column {' '.join(flag.words)}"
    if flag.words:
        return f"({' '.join(flag.words)})"
    return "_files" if flag.is_file else " "


def _zsh_quoted(text: str) -> str:
    return text.replace("'", "'\\''")


# fish


def fish(command: str, parser: Parser) -> str:
    """Return completions for fish."""
    lines = [_MADE.format(command)]
    if not _takes_files(parser):
        lines.append(f"complete -c {command} -f")
    lines += [_fish_line(command, flag) for flag in flags(parser)]
    return "".join(f"{line}\n" for line in lines)


def _fish_line(command: str, flag: Flag) -> str:
    names = [f"-l {one[2:]}" if one.startswith("--") else f"-s {one[1:]}" for one in flag.spellings]
    value = ""
    if flag.is_list:
        words = " ".join(flag.words)
        value = f" -x -a '(__fish_complete_list , \"string split \\' \\' \\'{words}\\'\")'"
    elif flag.words:
        value = f" -x -a '{' '.join(flag.words)}'"
    elif flag.is_file:
        value = " -r -F"
    elif flag.value:
        value = " -x"
    about = flag.about.replace("\\", "\\\\").replace("'", "\\'")
    return f"complete -c {command} {' '.join(names)}{value} -d '{about}'"
