"""How long the time is that one index holds: a day, a week or a month.

Which index a day's entries are in is a function of the day alone, or an entry could come to be in two of them. So a
change of the period leaves the days as they are of which an index is there, and counts for all others.
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, Final, NamedTuple

DAY: Final = 86_400_000_000
"""Microseconds."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_shape = re.compile(r"(\d{4})\.(?:w(\d\d)|(\d\d)(?:\.(\d\d))?)").fullmatch


class DaySpan(NamedTuple):
    """Days, counted from 1970 in UTC, whose entries are in indices of this period."""

    first: int
    last: int
    period: str


class Periods(NamedTuple):
    """Which period holds for which days."""

    current: str = "day"
    earlier: tuple[DaySpan, ...] = ()
    """Days of which there were indices when the current period was chosen."""

    def of(self, day: int) -> str:
        """Return the period of the index that a day's entries are in."""
        return next((span.period for span in self.earlier if span.first <= day <= span.last), self.current)

    def changed(self, period: str, indices: Iterable[str]) -> "Periods":
        """Return what holds if another period is chosen while there are indices of these names, without prefix."""
        spans = [span for name in indices if (span := day_span_of(name)) is not None and span.period != period]
        mine = [DaySpan(day, day, span.period) for span in spans for day in self._days(span)]
        return Periods(period, tuple(_together(mine)))

    def _days(self, span: DaySpan) -> Iterable[int]:
        return (day for day in range(span.first, span.last + 1) if self.of(day) == span.period)

    def told(self) -> dict[str, Any]:
        """Return this as JSON."""
        return {"period": self.current, **({"earlier": [list(span) for span in self.earlier]} if self.earlier else {})}


def periods_of(meta: dict[str, Any]) -> Periods:
    """Return the periods that `told` gave; days, where nothing was."""
    return Periods(meta.get("period", "day"), tuple(DaySpan(*span) for span in meta.get("earlier", ())))


def _together(spans: Iterable[DaySpan]) -> list[DaySpan]:
    """The same, with neighbours of one period as one."""
    found: list[DaySpan] = []
    for span in sorted(set(spans)):
        if found and found[-1].period == span.period and span.first <= found[-1].last + 1:
            found[-1] = found[-1]._replace(last=max(span.last, found[-1].last))
        else:
            found.append(span)
    return found


@lru_cache(maxsize=4096)
def name_of(day: int, period: str) -> str:
    """Return an index's name without its prefix: `2011.12.15`, `2011.w50` (ISO 8601's weeks) or `2011.12`."""
    date = _EPOCH + timedelta(days=day)
    if period == "day":
        return f"{date:%Y.%m.%d}"
    if period == "month":
        return f"{date:%Y.%m}"
    year, week, _ = date.isocalendar()
    return f"{year:04}.w{week:02}"


def day_span_of(name: str) -> DaySpan | None:
    """Return the days and the period that an index's name without its prefix tells; None where it is none of ours."""
    found = _shape(name)
    if found is None:
        return None
    year, week, month, day = (int(part) if part else 0 for part in found.groups())
    try:
        if week:
            first = _day(datetime.fromisocalendar(year, week, 1))
            return DaySpan(first, first + 6, "week")
        if day:
            return DaySpan(_day(datetime(year, month, day)), _day(datetime(year, month, day)), "day")  # noqa: DTZ001
        after = datetime(year + month // 12, month % 12 + 1, 1)  # noqa: DTZ001 # days alone count
        return DaySpan(_day(datetime(year, month, 1)), _day(after) - 1, "month")  # noqa: DTZ001
    except ValueError:
        return None


def _day(date: datetime) -> int:
    return (date.replace(tzinfo=timezone.utc) - _EPOCH).days
