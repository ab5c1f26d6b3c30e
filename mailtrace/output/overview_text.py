"""An overview as text, for terminals and mail."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from mailtrace.output.overview_sections import Section, delay_classes, most, number, sections, title_of
from mailtrace.search.overview import Overview

_BAR: Final = 40
"""Width of the longest bar, in characters."""
_LONGEST: Final = 160
"""A longer reason is cut."""


def overview_text(overview: Overview) -> Iterator[str]:
    """Return the lines of an overview. Bars are ASCII, because a mail may not tell its character set."""
    title = title_of(overview.span)
    yield f"{title}\n{'=' * len(title)}\n"
    for at, section in enumerate(sections(overview)):
        yield from _table(section)
        if not at:
            yield from _periods(overview)
    yield from _delays(overview)


def _periods(overview: Overview) -> Iterator[str]:
    name = "hour" if overview.span.is_by_hour else "day"
    bars = [(_label(period.begin), sum(period.outcomes.values())) for period in overview.periods]
    yield from _bars(f"Recipients by {name}", bars)


def _label(begin: str) -> str:
    """Return an hour without its offset, or a day."""
    return begin[:16].replace("T", " ")


def _delays(overview: Overview) -> Iterator[str]:
    if any(overview.delays):
        yield from _bars("Delay of what was sent", list(zip(delay_classes(), overview.delays, strict=True)))


def _bars(title: str, bars: Sequence[tuple[str, int]]) -> Iterator[str]:
    longest = most(number for _, number in bars)
    width = max((len(label) for label, _ in bars), default=0)
    digits = len(number(longest))
    yield _headed(title)
    for label, found in bars:
        bar = "#" * (-(-found * _BAR // longest))
        yield f"{label:<{width}}  {number(found):>{digits}}  {bar}".rstrip() + "\n"


def _table(section: Section) -> Iterator[str]:
    yield _headed(section.title)
    rows = [section.heads, *section.rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(section.heads) - 1)]
    for row in rows:
        yield _line(row, widths)


def _line(row: Sequence[str], widths: Iterable[int]) -> str:
    text = row[-1] if len(row[-1]) <= _LONGEST else f"{row[-1][:_LONGEST]}..."
    numbers = [cell.rjust(width) for cell, width in zip(row, widths, strict=False)]
    return "  ".join([*numbers, text]).rstrip() + "\n"


def _headed(title: str) -> str:
    return f"\n{title}\n{'-' * len(title)}\n"
