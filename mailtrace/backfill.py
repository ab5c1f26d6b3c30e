"""Of which days logs are, told before they are read, for a store that cannot hold any number of days.

An estimate from each file's first lines and its time of modification. A log's stamps without a year are of one year at
most, and where logs follow each other each ends where the next begins.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timezone
from itertools import islice, zip_longest
from typing import Final

from mailtrace.errors import LogError
from mailtrace.logfiles import LogFile, decoded
from mailtrace.sets import Calendar, in_order, readable, year_of
from mailtrace.syslog import Frames, Record

_HEAD_LINES: Final = 2000
_DAY: Final = 86_400
_LONGEST: Final = 366
"""Days of one log."""


def days_of(paths: Sequence[str], calendar: Calendar, now: float) -> set[int]:
    """Return the days, counted from 1970 in UTC, that these logs may have lines of; a pipe's are not known."""
    days: set[int] = set()
    begins: list[tuple[int, int]] = []
    with suppress(LogError):  # whoever reads it will say so
        logs = [LogFile(path) for path in readable(paths)[0]]
        for log, year in in_order([log for log in logs if not log.is_stream], calendar):
            if (first := _first_day(log, year, calendar, now)) is not None:
                begins.append((first, int(min(log.modified, now)) // _DAY))
    for (first, written), after in zip_longest(begins, begins[1:]):
        ends = [written, first + _LONGEST, *([after[0]] if after and after[0] >= first else [])]
        days.update(range(first, max(first, min(ends)) + 1))
    return days


def _first_day(log: LogFile, year: int | None, calendar: Calendar, now: float) -> int | None:
    lines = decoded(log.head).split("\n")
    frames = Frames(calendar.zone, year or year_of(log, lines, calendar.zone, now))
    for line in islice(lines, _HEAD_LINES):
        record = frames.record(line)
        if type(record) is Record:
            return int(datetime.fromtimestamp(record.time / 1_000_000, timezone.utc).timestamp()) // _DAY
    return None
