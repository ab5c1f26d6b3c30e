"""The options and the results of a part of the benchmark."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Options(NamedTuple):
    """The size of a benchmark."""

    lines: int = 1_000_000
    """Lines of each log."""
    rounds: int = 5
    """Rounds of each comparison."""
    mtas: Sequence[str] = ("postfix", "sendmail", "mixed")
    transactions: int = 10_000_000
    """Size of the large store that is searched."""
    step: int = 1_000_000
    """Transactions per log of that store."""
    places: int = 20
    """Number of random cuts of each log that is compared with its truth."""
    keep: bool = False
    """Whether to keep the stores that were searched."""

    @property
    def is_full(self) -> bool:
        """Whether the size is at least the one that the targets are defined for."""
        usual = Options()
        numbers = ("lines", "rounds", "transactions", "places")
        enough = all(getattr(self, name) >= getattr(usual, name) for name in numbers)
        return enough and self.step == usual.step and set(self.mtas) == set(usual.mtas)


class Table(NamedTuple):
    """A table of results; all cells are text."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass
class Part:
    """The results of a part."""

    tables: list[Table] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    """The figures that targets are compared with, by name."""
    notes: list[str] = field(default_factory=list)


def shown(number: float) -> str:
    """Return a number with three significant digits."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
