"""A grammar's rule: a name, and what it makes of the lines that come to it.

A grammar looks at the program and the first characters of a line, and gives it to exactly one rule. Rules are named so
that every one of them can be shown to have a sample, and a line can be asked which rule took it.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from mailtrace.mta.facts import Ignored, Parsed

ANOTHER_PROGRAM: Final = Ignored("another program")
"""What a grammar says of a line by whose text it is no mail server's."""

Parse: TypeAlias = Callable[[str, str, str], Parsed]
"""Makes of (queue ID, program, rest of the text behind the queue ID) what the line says; raises nothing."""


class Rule(NamedTuple):
    """One shape of line."""

    name: str
    parse: Parse
