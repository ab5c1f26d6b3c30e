"""Flags that cannot be combined: an error, so that no flag is silently ignored."""

import argparse
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from mailtrace.cli.config import Value
from mailtrace.errors import UsageError
from mailtrace.search.groups import BY, OF_TIMES


class Conflict(NamedTuple):
    """Two flags, each alone or with one of its values (`--format csv`), and what to do about it."""

    one: str
    other: str
    advice: str = "leave one of them out"


OF_SEARCHES: Final = (
    Conflict("--trace", "--count", "--count counts transactions, not journeys"),
    Conflict("--trace", "--by"),
    Conflict("--trace", "--format csv", "use --format text or --format json"),
    Conflict("--trace", "--format table", "use --format text or --format json"),
    Conflict("--trace", "--columns"),
    Conflict("--trace", "--all-recipients", "--trace shows all recipients"),
    Conflict("--long", "--format csv", "--columns all has every field"),
    Conflict("--long", "--format table", "--long is text: use --format text"),
    Conflict("--long", "--format json", "JSON has every field without --long"),
    Conflict("--long", "--count"),
    Conflict("--long", "--by"),
    Conflict("--by", "--count", "--by counts what --count counts, for each value"),
    Conflict("--count", "-r", "--count has no limit: leave -r out"),
    Conflict("--count", "--oldest-first"),
    Conflict("--count", "--columns"),
    Conflict("--count", "--all-recipients"),
    Conflict("--by", "--columns"),
    Conflict("--by", "--all-recipients"),
    *(
        Conflict("--overview", other)
        for other in ("--by", "--count", "--trace", "--long", "--columns", "--all-recipients", "--oldest-first", "-r")
    ),
    *(Conflict("--overview", f"--format {form}", "use --format text, json or html") for form in ("csv", "table")),
    *(
        Conflict(f"--by {by}", "--oldest-first", "only hours and days have an order in time")
        for by in BY
        if by not in OF_TIMES
    ),
    *(
        Conflict("--lines", other, f"{other} shows no log lines")
        for other in ("--count", "--by", "--overview", "--format csv", "--format table")
    ),
    Conflict("--columns", "--format text", "add --format csv or --format table"),
    Conflict("--columns", "--format json", "JSON has every field: leave --columns out"),
)
OF_THE_INDEXER: Final = (
    *(Conflict("--check", other) for other in ("--explain", "--follow", "--from-start", "-y")),
    *(Conflict("--explain", other) for other in ("--follow", "--from-start")),
    *(
        Conflict("--rebuild", other, "--rebuild reads no log: run it alone")
        for other in ("--check", "--explain", "--follow", "--from-start", "--replace", "-y")
    ),
    *(Conflict("--replace", other) for other in ("--check", "--explain")),
    *(
        Conflict("--jobs", other, f"{other} runs in one process: leave --jobs out")
        for other in ("--check", "--explain", "--follow", "--rebuild")
    ),
    *(
        Conflict("--replace", other, "--replace reads a log once from its start: leave one of them out")
        for other in ("--follow", "--from-start")
    ),
)


def refuse(parser: argparse.ArgumentParser, arguments: argparse.Namespace, conflicts: Iterable[Conflict]) -> None:
    """Raise an error if two of the flags that were given cannot be combined.

    Raises:
        UsageError: they cannot.
    """
    for one, other, advice in conflicts:
        if _is_given(parser, arguments, one) and _is_given(parser, arguments, other):
            origins: Mapping[str, Value] = arguments.origins
            raise UsageError(f"{_named(one, origins)} and {_named(other, origins)} cannot be combined: {advice}")


def _is_given(parser: argparse.ArgumentParser, arguments: argparse.Namespace, flag: str) -> bool:
    name, _, value = flag.partition(" ")
    action = parser._option_string_actions[name]  # noqa: SLF001 # argparse has no public list of flags
    given: Any = getattr(arguments, action.dest)
    if value:
        return value in given if isinstance(given, list) else bool(given == value)
    return given not in (None, False, [], action.default)


def _named(flag: str, origins: Mapping[str, Value]) -> str:
    """A flag, or the setting that stands for it with its source."""
    name, _, value = flag.partition(" ")
    origin = origins.get(name.removeprefix("--"))
    if origin is None or origin.origin in (name, "default"):
        return flag
    return f'{name.removeprefix("--")} = "{value}" ({origin.origin})'
