"""The searches of the benchmark: for each flag, values from the whole time range of a store, and a missing one."""

import json
import re
import subprocess
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from bench.logs import day
from bench.runs import SEARCH

DAYS: Final = 8
"""Days of mail in each log of the store; ten logs are nearly the 90 days of the default retention."""
_TIMES: Final = 5
_SAMPLE: Final = 200
_plain = re.compile(r'[^*?\[\]<>"\\]+').fullmatch


class Kind(NamedTuple):
    """A kind of search."""

    name: str
    arguments: Sequence[str]
    """The arguments, with `{}` for the value."""
    member: str = ""
    """The member of a document or of its first recipient result that gives the value; empty if the search has none."""
    missing: str = ""
    """A value that no document has, so that every day must be searched."""


KINDS: Final = (
    Kind("none: --help", ("--help",)),
    Kind("sender", ("-r", "10", "-f", "{}"), "from", "nobody.at.all@nowhere.example"),
    Kind("recipient", ("-r", "10", "-t", "{}"), "recipient", "nobody.at.all@nowhere.example"),
    Kind("message ID", ("-r", "10", "-m", "{}"), "msgid", "none@nowhere.example"),
    Kind("queue ID", ("-r", "10", "-q", "{}"), "transaction", "4gNONE0000zNONE"),
    Kind("login", ("-r", "10", "--login", "{}"), "login", "nobody.at.all@nowhere.example"),
    Kind("domain of sender", ("-r", "10", "-f", "@{}"), "from domain", "nowhere.example"),
    Kind("domain of recipient", ("-r", "10", "-t", "@{}"), "recipient domain", "nowhere.example"),
    Kind("pattern, newest 10", ("-r", "10", "-f", "*{}*"), "from domain"),
    Kind("pattern, all", ("-f", "*b?b.77@*.test")),
    Kind("count of *bob*", ("--count", "-f", "*bob*")),
    Kind("count of *o*", ("--count", "-f", "*o*")),
    Kind("by outcome, of the first log", ("--by", "outcome", "-d", day(0), "-D", day(DAYS))),
    Kind("by relay, of the first log", ("--by", "relay", "-d", day(0), "-D", day(DAYS))),
)


def answerable() -> list[Kind]:
    """Return the kinds whose flags mailtrace-search has."""
    output = subprocess.run([SEARCH, "--help"], capture_output=True, text=True, check=True).stdout
    flags = set(re.findall(r"(?<!\S)-{1,2}[a-zA-Z][a-z-]*", output))
    return [kind for kind in KINDS if {flag for flag in kind.arguments if _is_flag(flag)} <= flags]


def _is_flag(argument: str) -> bool:
    return argument.startswith("-")


def values(kind: Kind, samples: Iterable[Sequence[dict[str, Any]]]) -> list[str]:
    """Return the values to search for: the first one without special characters of each sample, and the missing one."""
    if not kind.member:
        return [""]
    found = [next(filter(None, (_value(document, kind.member) for document in sample)), None) for sample in samples]
    plain = list(dict.fromkeys(value for value in found if value is not None))
    return [*plain, kind.missing] if kind.missing else plain


def _value(document: dict[str, Any], member: str) -> str | None:
    name, _, part = member.partition(" ")
    value = (document | (document["to"][0] if document["to"] else {})).get(name)
    if not value or value == "NOQUEUE" or not _plain(value):
        return None
    return value.rpartition("@")[2] if part else str(value)


def samples(store: str, days: float) -> list[list[dict[str, Any]]]:
    """Return documents from several times, spread over the time range of a store.

    Raises:
        SystemExit: the store has no documents at one of these times.
    """
    found = [_documents(store, days * (number + 0.5) / _TIMES) for number in range(_TIMES)]
    if not all(found):
        raise SystemExit(f"{store} has no mail for a part of its time range")
    return found


def _documents(store: str, moment: float) -> list[dict[str, Any]]:
    limits = ["-d", day(moment), "-D", day(moment + 0.2), "-r", str(_SAMPLE)]
    command = [SEARCH, "--store", store, "--tz", "UTC", "--format", "json", *limits]
    output = subprocess.run(command, capture_output=True, check=False).stdout
    return [json.loads(line) for line in output.splitlines()]
