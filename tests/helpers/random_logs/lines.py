"""Lines of random transactions, and logs that interleave them."""

from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from hypothesis import strategies as st

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
BEGIN = int(datetime(2026, 3, 9, 8, 7, 6, tzinfo=timezone.utc).timestamp())
"""The start of the logs, in seconds since 1970."""
YEAR = "2026"
SECOND = 1_000_000
GAPS = (0, 0, 0, 1, 40_000, SECOND, 3 * SECOND, 400 * SECOND)
"""Microseconds between two lines."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Line(NamedTuple):
    """A log line without its time."""

    tag: str
    """The program and its process ID."""
    text: str
    pause: int = 0
    """Minimum time since the previous line of the log, in microseconds."""


class Unit(NamedTuple):
    """The lines of one message, and of messages made from it, on one host, in order."""

    host: str
    queue_ids: frozenset[str]
    lines: tuple[Line, ...]


class Written(NamedTuple):
    """A line of a log, and the number of its unit."""

    unit: int
    text: str


def iso_stamp(microseconds):
    return (_EPOCH + timedelta(microseconds=microseconds)).isoformat(timespec="microseconds")


def traditional_stamp(microseconds):
    time = _EPOCH + timedelta(seconds=microseconds // SECOND)
    return f"{MONTHS[time.month - 1]} {time.day:2} {time:%H:%M:%S}"


@st.composite
def logs(draw, units, max_units=4):
    """Return random units, and a log that interleaves them in the order of time."""
    made = [draw(units(number)) for number in range(draw(st.integers(1, max_units)))]
    stamp = draw(st.sampled_from([iso_stamp, traditional_stamp]))
    waiting = {number: list(unit.lines) for number, unit in enumerate(made)}
    time, written = BEGIN * SECOND, []
    while waiting:
        number = draw(st.sampled_from(sorted(waiting)))
        line = waiting[number].pop(0)
        time += max(draw(st.sampled_from(GAPS)), line.pause)
        written.append(Written(number, f"{stamp(time)} {made[number].host} {line.tag}: {line.text}"))
        if not waiting[number]:
            del waiting[number]
    return made, written
