"""What the grammars share: rules, ignored lines, and the words of a next hop that discards mail.

A grammar chooses exactly one rule for a line, by the program and the first characters of the text. Rules have names so
that the tests can show a sample of each, and which rule a line belongs to.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from mailtrace.mta.facts import Ignored, Parsed

ANOTHER_PROGRAM: Final = Ignored("another program")
"""Returned for a line whose text shows that no mail server wrote it."""

Parse: TypeAlias = Callable[[str, str, str], Parsed]
"""A function of (queue ID, program, text after the queue ID) that returns what the line says, and never raises."""

new_tuple: Final = tuple.__new__
"""Makes a named tuple from all its members, in half the time of calling its class: for the lines of every message."""


Said: TypeAlias = tuple[int, tuple[str, str, str], str]
"""The time of a line in microseconds since 1970; its host, program and process ID; its text after the queue ID."""


@dataclass(frozen=True, slots=True)
class Ordinary:
    """How to know the lines of whole, ordinary messages, which take the short way."""

    mta: str
    beginnings: tuple[str, ...]
    """How the lines begin, after the queue ID, that may begin a message."""
    plain: frozenset[str]
    """The first four characters of those that neither begin nor end a message, nor name another one."""
    is_usual: Callable[[str, str, str], bool]
    """Whether such a line is surely the usual beginning of a message: by program, queue ID, and the text after it."""
    client_of: Callable[[str], str]
    """Returns the client in the text of a beginning, if a login may have told more about it; else ""."""
    ignored_reason: Callable[[list[str]], str]
    """Returns why a line is ignored, by its texts before and after each `: `; "" if that is not surely known."""


NOTHING_ORDINARY: Final = Ordinary("", (), frozenset(), lambda *_: False, lambda _: "", lambda _: "")
"""For programs whose lines do not take the short way."""


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
