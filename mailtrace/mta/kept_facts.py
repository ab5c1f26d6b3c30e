"""Facts that a store kept without their log lines, as lines of a program of our own.

Stores of version 0.1 kept facts only. Each becomes a line whose text is the fact as JSON, so that old and new
transactions are handled alike. No log has such lines: `grammars.py` does not know the program.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from mailtrace.mta.facts import FACTS, Fact

PROGRAM: Final = "mailtrace/kept-fact"

_NUMBERS: Final = {kind: number for number, kind in enumerate(FACTS)}


def values_of(fact: Fact) -> list[Any]:
    """Return a fact as a list for JSON: the number of its kind (`FACTS`), and its members."""
    return [_NUMBERS[type(fact)], *fact]


def of_values(values: Sequence[Any]) -> Fact:
    """Return the fact of such a list. Members that an older version did not write get their defaults."""
    fact: Fact = FACTS[values[0]](*values[1:])
    return fact


def text_of(values: Sequence[Any]) -> str:
    """Return the text of the line of a fact, from such a list; in ASCII, whatever characters there are."""
    return json.dumps(values, separators=(",", ":"))


def shown(text: str) -> str:
    """Return the text of the line of a fact for people: `Client: client=bob.desktop [10.10.10.10]`."""
    fact = fact_of(text)
    known = (f"{name}={value}" for name, value in zip(fact._fields, fact, strict=True) if value is not None)
    return f"{type(fact).__name__}: {', '.join(known)}"


def fact_of(text: str) -> Fact:
    """Return the fact of a line's text."""
    return of_values(json.loads(text))
