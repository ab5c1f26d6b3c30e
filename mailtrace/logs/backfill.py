"""Estimate the days that logs cover before they are read, for a store that has room for only so many days.

The estimate comes from the first lines of each file and its modification time, or from all time stamps if they have no
year. A log ends where the next one begins.
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
"""The most days of one log whose time stamps have years."""


def days_of(paths: Sequence[str], calendar: Calendar, now: float) -> set[int]:
    """Return the days, counted from 1970 in UTC, that these logs may have lines of, except for standard input.

    `now` is in seconds since 1970. Unreadable logs have no days: whoever reads them next reports the error.
    """
    days: set[int] = set()
    spans: list[tuple[int, int]] = []
    with suppress(LogError):
        logs = [LogFile(path) for path in readable(paths)[0]]
        for log, year in in_order([log for log in logs if not log.is_stream], calendar):
            if (span := _span(log, year, calendar, now)) is not None:
                spans.append(span)
    for (first, last), following in zip_longest(spans, spans[1:]):
        ends = [last, *([following[0]] if following and following[0] >= first else [])]
        days.update(range(first, max(first, min(ends)) + 1))
    return days


def _span(log: LogFile, year: int | None, calendar: Calendar, now: float) -> tuple[int, int] | None:
    """Return the first and the last day of a log, counted from 1970 in UTC; None if no line has a known frame."""
    if years := years_of(log, calendar.zone, Prior(year=year)):
        return years.begin // _DAY, max(years.begin, years.end) // _DAY
    frames = Frames(calendar.zone, None)
    for line in islice(decoded(log.head).split("\n"), _HEAD_LINES):
        record = frames.record(line)
        if type(record) is Record:
            first = record.time // (_DAY * 1_000_000)
            return first, min(int(min(log.modified, now)) // _DAY, first + _LONGEST)
    return None
