"""Of which days logs are, told before they are read, for a store that cannot hold any number of days.

An estimate from each file's first lines and its time of modification; where stamps have no year, from all of them.
Where logs follow each other, each ends where the next begins.
"""

from collections.abc import Sequence
from contextlib import suppress
from itertools import islice, zip_longest
from typing import Final

from mailtrace.errors import LogError
from mailtrace.logs.file import LogFile, decoded
from mailtrace.logs.rotation import Calendar, in_order, readable, years_of
from mailtrace.logs.years import Prior
from mailtrace.syslog.frame import Frames, Record

_HEAD_LINES: Final = 2000
_DAY: Final = 86_400
_LONGEST: Final = 366
"""Days of one log whose stamps have years."""


def days_of(paths: Sequence[str], calendar: Calendar, now: float) -> set[int]:
    """Return the days, counted from 1970 in UTC, that these logs may have lines of; a pipe's are not known."""
    days: set[int] = set()
    begins: list[tuple[int, int]] = []
    with suppress(LogError):  # whoever reads it will say so
        logs = [LogFile(path) for path in readable(paths)[0]]
        for log, year in in_order([log for log in logs if not log.is_stream], calendar):
            if (span := _span(log, year, calendar, now)) is not None:
                begins.append(span)
    for (first, last), after in zip_longest(begins, begins[1:]):
        ends = [last, *([after[0]] if after and after[0] >= first else [])]
        days.update(range(first, max(first, min(ends)) + 1))
    return days


def _span(log: LogFile, year: int | None, calendar: Calendar, now: float) -> tuple[int, int] | None:
    """The first and the last day of a log."""
    if years := years_of(log, calendar.zone, Prior(year=year)):
        return years.begin // _DAY, max(years.begin, years.end) // _DAY
    frames = Frames(calendar.zone, None)
    for line in islice(decoded(log.head).split("\n"), _HEAD_LINES):
        record = frames.record(line)
        if type(record) is Record:
            first = record.time // (_DAY * 1_000_000)
            return first, min(int(min(log.modified, now)) // _DAY, first + _LONGEST)
    return None
