"""What the grammars share: rules, ignored lines, and the words of a next hop that discards mail.

A grammar chooses exactly one rule for a line, by the program and the first characters of the text. Rules have names so
that the tests can show a sample of each, and which rule a line belongs to.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from mailtrace.mta.facts import Ignored, Parsed

ANOTHER_PROGRAM: Final = Ignored("another program")
"""Returned for a line whose text shows that no mail server wrote it."""

Parse: TypeAlias = Callable[[str, str, str], Parsed]
"""A function of (queue ID, program, text after the queue ID) that returns what the line says, and never raises."""

new_tuple: Final = tuple.__new__
"""Makes a named tuple from all its members, in half the time of calling its class: for the lines of every message."""


class Rule(NamedTuple):
    """One shape of line."""

    name: str
    parse: Parse


def ignoring(reason: str) -> Parse:
    """Return a function that ignores every line for this reason."""
    ignored = Ignored(reason)
    return lambda _queue_id, _program, _rest: ignored


says_discarded: Final = re.compile(r"(?<![\w<@.+-])discarded(?![\w.+-]*@)", re.IGNORECASE).search
"""Finds the word `discarded` in a next hop's reply, except as part of an address or another word."""
