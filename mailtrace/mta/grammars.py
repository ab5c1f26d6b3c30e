"""Which grammar reads which program's lines."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from mailtrace.mta import mailscanner, postfix, sendmail
from mailtrace.mta.events import Parsed


class Grammar(NamedTuple):
    """How the lines of one MTA are read."""

    mta: str
    parse: Callable[[str, str], Parsed]
    """From the program's name and the line's text."""


_POSTFIX = Grammar("postfix", postfix.parse)
_SENDMAIL = Grammar("sendmail", sendmail.parse)
_MAILSCANNER = Grammar("postfix", mailscanner.parse)


@lru_cache(maxsize=4096)
def grammar_of(program: str) -> Grammar | None:
    """Return the grammar of a program's lines, or None for one that is no part of an MTA."""
    if postfix.is_postfix(program):
        return _POSTFIX
    if program == mailscanner.PROGRAM:
        return _MAILSCANNER
    return _SENDMAIL if sendmail.is_sendmail(program) else None
