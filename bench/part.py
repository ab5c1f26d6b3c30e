"""What a part of the bench is asked, and what it gives."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Options(NamedTuple):
    """What is to be measured."""

    lines: int = 1_000_000
    """Of each log."""
    rounds: int = 5
    """How often everything is run that is compared."""
    mtas: Sequence[str] = ("postfix", "sendmail", "mixed")
    transactions: int = 10_000_000
    """Of the large store to search."""
    step: int = 1_000_000
    """How many of them are in one log."""
    places: int = 20
    """At how many places each log of known documents is cut."""
    keep: bool = False
    """Whether the stores that were searched stay."""

    @property
    def is_full(self) -> bool:
        """Whether the figures are those that the targets speak of."""
        usual = Options()
        numbers = ("lines", "rounds", "transactions", "places")
        enough = all(getattr(self, name) >= getattr(usual, name) for name in numbers)
        return enough and self.step == usual.step and set(self.mtas) == set(usual.mtas)


class Table(NamedTuple):
    """A table of results, as text."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass
class Part:
    """The results of a part."""

    tables: list[Table] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    """What the targets are compared with, by name."""
    notes: list[str] = field(default_factory=list)


def shown(number: float) -> str:
    """Return a number with three figures."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
