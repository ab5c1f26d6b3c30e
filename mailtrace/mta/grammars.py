"""Which grammar parses the lines of which program."""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from mailtrace.mta import mailscanner, postfix, sendmail
from mailtrace.mta.facts import Parsed
from mailtrace.mta.postfix import programs, shapes
from mailtrace.mta.rules import ANOTHER_PROGRAM

GRAMMAR_VERSION: Final = 1
"""Raised with every change that makes another document of the same lines."""


class Grammar(NamedTuple):
    """The parser of one MTA's lines."""

    mta: str
    parse: Callable[[str, str], Parsed]
    """Called with the program's name and the line's text."""


def _parse_by_text(program: str, text: str) -> Parsed:
    """Parse a line whose program name does not say whether Postfix wrote it."""
    return postfix.parse(program, text) if shapes.is_postfix_text(text) else ANOTHER_PROGRAM


_POSTFIX: Final = Grammar("postfix", postfix.parse)
_POSTFIX_BY_TEXT: Final = Grammar("postfix", _parse_by_text)
_SENDMAIL: Final = Grammar("sendmail", sendmail.parse)
_MAILSCANNER: Final = Grammar("postfix", mailscanner.parse)


@lru_cache(maxsize=4096)
def grammar_of(program: str) -> Grammar | None:
    """Return the grammar of a program's lines, or None if the program is not part of an MTA."""
    if programs.is_postfix(program):
        return _POSTFIX
    if sendmail.is_sendmail(program):
        return _SENDMAIL
    if program == mailscanner.PROGRAM:
        return _MAILSCANNER
    return _POSTFIX_BY_TEXT if programs.may_be_postfix(program) else None


def parse(program: str, text: str) -> Parsed:
    """Return what a line says by the grammar of its program; None if there is none, or if it is unrecognised."""
    grammar = grammar_of(program)
    return grammar.parse(program, text) if grammar is not None else None
