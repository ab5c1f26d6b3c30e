"""An overview as text, for terminals and mail."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from mailtrace.output.overview_sections import (
    KINDS,
    Section,
    delay_classes,
    most,
    number,
    outcomes_of,
    sections,
    title_of,
)
from mailtrace.search.overview import Overview

_BAR: Final = 40
"""Width of the longest bar, in characters."""
_MARKS: Final = {"sent": "#", "waiting": "~", "failed": "x", "other": "."}
"""What a bar consists of, for each of `KINDS`."""
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
    yield _headed(f"Recipients by {name} and outcome")
    yield _legend(overview)
    longest = most(sum(period.outcomes.values()) for period in overview.periods)
    for period in overview.periods:
        parts = [(mark, sum(period.outcomes.get(one, 0) for one in KINDS[kind])) for kind, mark in _MARKS.items()]
        bar = "".join(mark * _length(found, longest) for mark, found in parts)
        yield _bar(_label(period.begin), sum(period.outcomes.values()), bar, len(number(longest)))


def _legend(overview: Overview) -> str:
    found = outcomes_of(overview)
    shown = [(mark, [one for one in KINDS[kind] if one in found]) for kind, mark in _MARKS.items()]
    return "   ".join(f"{mark} {', '.join(outcomes)}" for mark, outcomes in shown if outcomes) + "\n"


def _length(found: int, longest: int) -> int:
    """Return the length of a part of a bar: few of very many are shown too."""
    return max(1, round(found * _BAR / longest)) if found else 0


def _label(begin: str) -> str:
    """Return an hour without its offset, or a day."""
    return begin[:16].replace("T", " ")


def _delays(overview: Overview) -> Iterator[str]:
    if any(overview.delays):
        yield from _bars("Delay of what was sent", list(zip(delay_classes(), overview.delays, strict=True)))


def _bars(title: str, bars: Sequence[tuple[str, int]]) -> Iterator[str]:
    longest = most(number for _, number in bars)
    width = max((len(label) for label, _ in bars), default=0)
    yield _headed(title)
    for label, found in bars:
        yield _bar(f"{label:<{width}}", found, "#" * _length(found, longest), len(number(longest)))


def _bar(label: str, found: int, bar: str, digits: int) -> str:
    return f"{label}  {number(found):>{digits}}  {bar}".rstrip() + "\n"


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
