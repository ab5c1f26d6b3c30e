"""Which index holds the transactions of a day: one index per day, week or month.

The index of a transaction must depend on its day alone, or it could be stored in two indices. So when the period
changes, days that already have an index keep it, and the new period holds for all other days.
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
    """Days, counted from 1970 in UTC, whose transactions are in indices of this period."""

    first: int
    last: int
    period: str


class Periods(NamedTuple):
    """The period of each day's index."""

    current: str = "day"
    earlier: tuple[DaySpan, ...] = ()
    """Days that had an index when the current period was chosen."""

    def of(self, day: int) -> str:
        """Return the period of the index that holds a day."""
        return next((span.period for span in self.earlier if span.first <= day <= span.last), self.current)

    def changed(self, period: str, indices: Iterable[str]) -> "Periods":
        """Return the periods after a change to `period`, given the names, without prefix, of the existing indices."""
        spans = [span for name in indices if (span := day_span_of(name)) is not None and span.period != period]
        kept = [DaySpan(day, day, span.period) for span in spans for day in self._days(span)]
        return Periods(period, tuple(_joined(kept)))

    def _days(self, span: DaySpan) -> Iterable[int]:
        """Return the days of an index's span that the index holds, rather than one of an earlier period."""
        return (day for day in range(span.first, span.last + 1) if self.of(day) == span.period)

    def to_json(self) -> dict[str, Any]:
        """Return the members of the index template's `_meta` from which `periods_of` restores the periods."""
        return {"period": self.current, **({"earlier": [list(span) for span in self.earlier]} if self.earlier else {})}


def periods_of(meta: dict[str, Any]) -> Periods:
    """Return the periods that `to_json` stored in `_meta`; one index per day by default."""
    return Periods(meta.get("period", "day"), tuple(DaySpan(*span) for span in meta.get("earlier", ())))


def _joined(spans: Iterable[DaySpan]) -> list[DaySpan]:
    """Return the spans in order, with adjacent spans of one period joined."""
    found: list[DaySpan] = []
    for span in sorted(set(spans)):
        if found and found[-1].period == span.period and span.first <= found[-1].last + 1:
            found[-1] = found[-1]._replace(last=max(span.last, found[-1].last))
        else:
            found.append(span)
    return found


@lru_cache(maxsize=4096)
def name_of(day: int, period: str) -> str:
    """Return an index name without its prefix: `2011.12.15`, `2011.w50` (ISO 8601 week) or `2011.12`."""
    date = _EPOCH + timedelta(days=day)
    if period == "day":
        return f"{date:%Y.%m.%d}"
    if period == "month":
        return f"{date:%Y.%m}"
    year, week, _ = date.isocalendar()
    return f"{year:04}.w{week:02}"


def day_span_of(name: str) -> DaySpan | None:
    """Return the days and the period of an index name without its prefix; None if it is not one of mailtrace's."""
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
        after = datetime(year + month // 12, month % 12 + 1, 1)  # noqa: DTZ001 # only the date matters
        return DaySpan(_day(datetime(year, month, 1)), _day(after) - 1, "month")  # noqa: DTZ001
    except ValueError:
        return None


def _day(date: datetime) -> int:
    return (date.replace(tzinfo=timezone.utc) - _EPOCH).days
