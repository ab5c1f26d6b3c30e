"""Groups as text, JSON and CSV."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import orjson

from mailtrace.output.documents_csv import csv_line
from mailtrace.output.escape import safe, safe_json
from mailtrace.output.times import duration, size
from mailtrace.search.groups import OF_TIMES, Group, Grouping

_BAR: Final = 24
"""Width of the longest bar, in characters."""
_HOUR: Final = len("2011-12-15 15:00")
ADDRESSES: Final = ("from", "from-domain", "to", "to-domain")


def groups_text(groups: Sequence[Group], grouping: Grouping, *, bars: bool) -> Iterator[str]:
    """Return groups as aligned columns below a heading; `bars` adds a bar chart."""
    most = max((group.number for group in groups), default=1)
    rows = [(grouping.counted, *_measures(grouping))]
    rows += [(str(group.number), *_measured(group, grouping)) for group in groups]
    names = [grouping.names, *_names(groups, grouping)]
    for cells, group, (*first, last) in zip(_aligned(rows, str.rjust), [None, *groups], _aligned(names), strict=True):
        bar = [f"{_bar(group.number / most) if group else '':<{_BAR}}"] if bars else []
        yield "  ".join([*cells, *bar, *first, last.rstrip()]) + "\n"


def groups_json(groups: Sequence[Group], grouping: Grouping) -> Iterator[str]:
    """Return groups as one JSON object per line; `by` and `value` are arrays if there are two values."""
    for group in groups:
        is_pair = grouping.then is not None
        shown: dict[str, Any] = {
            "by": grouping.names if is_pair else grouping.by,
            "value": (group.value, group.second) if is_pair else group.value,
            "count": group.number,
            **dict(zip(_columns(grouping), _numbers(group, grouping), strict=True)),
        }
        yield safe_json(orjson.dumps(shown)).decode() + "\n"


def groups_csv(groups: Sequence[Group], grouping: Grouping) -> Iterator[str]:
    """Return groups as CSV with a header; a cell is empty if the value is unknown."""
    yield csv_line([*grouping.names, "count", *_columns(grouping)])
    for group in groups:
        values = [
            "<>" if value == "" and name in ADDRESSES else value
            for name, value in zip(grouping.names, (group.value, group.second), strict=False)
        ]
        yield csv_line([*values, group.number, *_numbers(group, grouping)])


def _columns(grouping: Grouping) -> list[str]:
    """The names of the numbers beside the count, in CSV and JSON."""
    return ["median_delay", "p95_delay"] * grouping.has_delays + ["bytes"] * grouping.has_bytes


def _numbers(group: Group, grouping: Grouping) -> list[float | None]:
    delays = [group.median_delay, group.p95_delay] if grouping.has_delays else []
    return [*delays, group.bytes] if grouping.has_bytes else delays


def _measures(grouping: Grouping) -> list[str]:
    """The headings of the numbers beside the count, in text."""
    return ["median", "p95"] * grouping.has_delays + ["bytes"] * grouping.has_bytes


def _measured(group: Group, grouping: Grouping) -> list[str]:
    delays = [group.median_delay, group.p95_delay] if grouping.has_delays else []
    shown = ["-" if delay is None else duration(delay) for delay in delays]
    return [*shown, size(group.bytes or 0)] if grouping.has_bytes else shown


def _names(groups: Sequence[Group], grouping: Grouping) -> list[list[str]]:
    """Return the values of each group; an hour has its UTC offset only if the clock showed it twice."""
    rows = [
        [shown_value(name, value) for name, value in zip(grouping.names, (group.value, group.second), strict=False)]
        for group in groups
    ]
    for at, name in enumerate(grouping.names):
        if name in OF_TIMES:
            hours = Counter(text[:_HOUR] for text in {row[at] for row in rows})
            for row in rows:
                row[at] = row[at] if hours[row[at][:_HOUR]] > 1 else row[at][:_HOUR]
    return rows


def shown_value(name: str, value: str | None) -> str:
    """Return the value of a group as text."""
    if value is None:
        return "(none)"
    if name in OF_TIMES:
        return safe(value.replace("T", " "))
    return safe(value) or ("<>" if name in ADDRESSES else "''")


def _aligned(rows: Sequence[Sequence[str]], pad: Callable[[str, int], str] = str.ljust) -> Iterator[list[str]]:
    """Return rows of cells with columns of equal width."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield [pad(cell, width) for cell, width in zip(row, widths, strict=True)]


def _bar(fraction: float) -> str:
    eighths = max(1, round(fraction * _BAR * 8))
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()
