"""Groups as text, JSON and CSV."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

import orjson

from mailtrace.output.documents_csv import csv_line
from mailtrace.output.escape import safe, safe_json
from mailtrace.output.times import duration
from mailtrace.search.groups import Group, Grouping

_BAR: Final = 24
"""Width of the longest bar, in characters."""
_HOUR: Final = len("2011-12-15 15:00")
_ADDRESSES: Final = ("from", "from-domain", "to", "to-domain")


def groups_text(groups: Sequence[Group], grouping: Grouping, *, bars: bool) -> Iterator[str]:
    """Return groups as aligned columns below a heading; `bars` adds a bar chart."""
    counted = "recipients" if grouping.counts_recipients else "transactions"
    most = max((group.number for group in groups), default=1)
    delays = [("median", "p95")] if grouping.has_delays else []
    rows = [(counted, *(head for heads in delays for head in heads))]
    rows += [(str(group.number), *_delays(group, grouping)) for group in groups]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    shown = [grouping.by, *_names(groups, grouping)]
    for row, group, text in zip(rows, [None, *groups], shown, strict=True):
        cells = "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        bar = f"  {_bar(group.number / most) if group else '':<{_BAR}}" if bars else ""
        yield f"{cells}{bar}  {text}\n"


def groups_json(groups: Sequence[Group], grouping: Grouping) -> Iterator[str]:
    """Return groups as one JSON object per line."""
    for group in groups:
        shown: dict[str, Any] = {"by": grouping.by, "value": group.value, "count": group.number}
        if grouping.has_delays:
            shown |= {"median_delay": group.median_delay, "p95_delay": group.p95_delay}
        yield safe_json(orjson.dumps(shown)).decode() + "\n"


def groups_csv(groups: Sequence[Group], grouping: Grouping) -> Iterator[str]:
    """Return groups as CSV with a header."""
    delays = grouping.has_delays
    yield csv_line([grouping.by, "count", *(("median_delay", "p95_delay") if delays else ())])
    for group in groups:
        value = "<>" if group.value == "" and grouping.by in _ADDRESSES else group.value
        yield csv_line([value, group.number, *((group.median_delay, group.p95_delay) if delays else ())])


def _delays(group: Group, grouping: Grouping) -> list[str]:
    if not grouping.has_delays:
        return []
    return ["-" if delay is None else duration(delay) for delay in (group.median_delay, group.p95_delay)]


def _names(groups: Sequence[Group], grouping: Grouping) -> list[str]:
    """The names of the groups; an hour has its UTC offset only if the clock showed it twice."""
    names = [_shown(group, grouping) for group in groups]
    if not grouping.is_of_times:
        return names
    short = [name[:_HOUR] for name in names]
    number = Counter(short)
    return [name if number[begin] > 1 else begin for name, begin in zip(names, short, strict=True)]


def _shown(group: Group, grouping: Grouping) -> str:
    if group.value is None:
        return "-"
    if grouping.is_of_times:
        return safe(group.value.replace("T", " "))
    return safe(group.value) or ("<>" if grouping.by in _ADDRESSES else "''")


def _bar(fraction: float) -> str:
    eighths = max(1, round(fraction * _BAR * 8))
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()
