"""Estimate the days of logs before they are read, for a store that holds a limited number of days.

The estimate needs the first lines of each file and its modification time, or all lines if stamps have no year. In a
sequence of logs, each ends where the next begins.
"""

from collections.abc import Sequence
from contextlib import suppress
from itertools import islice, zip_longest
from typing import Final

from mailtrace.errors import LogError
from mailtrace.logs.file import LogFile
from mailtrace.logs.rotation import Calendar, in_order, readable
from mailtrace.logs.years import KnownStart, years_of
from mailtrace.syslog.frame import Frames, Record
from mailtrace.syslog.text import decoded

_HEAD_LINES: Final = 2000
_DAY: Final = 86_400
_MAX_DAYS: Final = 366
"""The most days of one log whose stamps have years."""


def days_of(paths: Sequence[str], calendar: Calendar, now: float) -> set[int]:
    """Return the days, counted from 1970 in UTC, of which these logs may have lines; those of a pipe are not known."""
    days: set[int] = set()
    spans: list[tuple[int, int]] = []
    # An error is reported when the log is read.
    with suppress(LogError):
        logs, _ = readable(paths)
        for log, year in in_order([log for log in logs if not log.is_stream], calendar):
            if (span := _first_and_last_day(log, year, calendar, now)) is not None:
                spans.append(span)
    for (first, last), after in zip_longest(spans, spans[1:]):
        ends = [last, *([after[0]] if after and after[0] >= first else [])]
        days.update(range(first, max(first, min(ends)) + 1))
    return days


def _first_and_last_day(log: LogFile, year: int | None, calendar: Calendar, now: float) -> tuple[int, int] | None:
    """Return the first and the last day of a log; None if no line is dated."""
    with log.open() as reader:
        years = years_of(log, reader, calendar.zone, KnownStart(year=year))
    if years is not None:
        return years.begin // _DAY, max(years.begin, years.end) // _DAY
    frames = Frames(calendar.zone, None)
    for line in islice(decoded(log.head).split("\n"), _HEAD_LINES):
        record = frames.record(line)
        if type(record) is Record:
            first = record.time // (_DAY * 1_000_000)
            return first, min(int(min(log.modified, now)) // _DAY, first + _MAX_DAYS)
    return None
