"""How a log is opened: where an earlier run ended, or at its start with the right year."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone, tzinfo
from itertools import chain
from typing import Any, Final

from mailtrace.errors import LogError
from mailtrace.logfiles import Block, LogFile, Reader, decoded
from mailtrace.places import known_place
from mailtrace.sets import Calendar, Planned, year_of
from mailtrace.stores.base import Checkpoint
from mailtrace.syslog import Frames, Record
from mailtrace.zones import zone_of

_DAY: Final = 86400
_GRACE: Final = _DAY
"""By so many seconds may a log's first line be younger than its file, whose clock is another machine's."""
_DISORDER: Final = 60 * _DAY
"""So many seconds behind the latest line of a set is soon after it."""


@dataclass(slots=True)
class Opened:
    """A log that is being read."""

    log: LogFile
    reader: Reader
    frames: Frames
    blocks: Iterator[Block]
    zone: tzinfo
    zone_name: str
    begin: dict[str, Any]
    """The state of the frames at the log's first line: to read it again in the same way."""
    reducer: dict[str, Any]
    """What the reducer had open where an earlier run ended, in this log or in the one before it in its rotation set."""

    def state(self) -> dict[str, Any]:
        """Return what a later run needs to go on, or to read all again."""
        frames = self.frames.state()
        instant = frames["dated"] if frames["latest"] is None else frames["latest"]
        offset = None if instant is None else _offset(self.zone, instant)
        return {"frames": frames, "begin": self.begin, "zone": self.zone_name, "offset": offset}


def opened(
    plan: Planned, calendar: Calendar, known: Collection[Checkpoint], now: float, *, again: bool
) -> Opened | None:
    """Open a log; `again` at its start though it is known. None where there is nothing new in it.

    Raises:
        LogError: it cannot be read, or was read before with another year or zone.
    """
    log = plan.log
    place = known_place(log, known)
    if place is None:
        return _new(plan, calendar, known, now)
    state, reader = place.checkpoint.state, place.reader
    zone, name = _zone(calendar, state)
    _check(plan, calendar, state)
    if not again:
        if reader is None:
            return None
        frames = Frames.resume(zone, state["frames"])
        return Opened(log, reader, frames, reader.blocks(), zone, name, state["begin"], _reducer_state(state))
    if reader is not None:
        reader.close()
    reader = log.open()
    return Opened(log, reader, Frames.resume(zone, state["begin"]), reader.blocks(), zone, name, state["begin"], {})


def _zone(calendar: Calendar, state: dict[str, Any]) -> tuple[tzinfo, str]:
    """The zone that was given, else the one in which the log was read before."""
    name = calendar.zone_name or state["zone"]
    return (calendar.zone if name == calendar.zone_name else zone_of(name)), name


def _reducer_state(state: dict[str, Any]) -> dict[str, Any]:
    """The reducer's part of a checkpoint's state; earlier builds kept only sessions that had logged in."""
    found: dict[str, Any] = state["reducer"] if "reducer" in state else {"sessions": state["logins"]}
    return found


def _left_open(follows: Checkpoint | None, known: Collection[Checkpoint]) -> dict[str, Any]:
    """What the reducer has open at the end of the log before: as of now, for this run may have read on in it."""
    if follows is None:
        return {}
    newest = next((checkpoint for checkpoint in known if checkpoint.log == follows.log), follows)
    return _reducer_state(newest.state)


def _new(plan: Planned, calendar: Calendar, known: Collection[Checkpoint], now: float) -> Opened:
    log, year, follows = plan
    zone, name = (calendar.zone, calendar.zone_name) if follows is None else _zone(calendar, follows.state)
    reader = log.open()
    blocks = reader.blocks()
    if follows is not None and _goes_on(log, zone, follows.state["frames"]):
        frames = Frames.resume(zone, follows.state["frames"])
    else:
        head = [] if log.is_stream else decoded(log.head).split("\n")
        if log.is_stream and (first := next(blocks, None)):
            head, blocks = first.lines, chain([first], blocks)
        frames = Frames(zone, year or year_of(log, head, zone, now))
    return Opened(log, reader, frames, blocks, zone, name, frames.state(), _left_open(follows, known))


def _goes_on(log: LogFile, zone: tzinfo, state: dict[str, Any]) -> bool:
    """Whether the years of a log's set go on in it: not where its first line would be younger than the file.

    An old log that is copied beside newer ones is such a file. Soon after the set's latest line it may seem younger:
    the file's time is then that of another clock.
    """
    if state["year"] is None:
        return False
    frames = Frames.resume(zone, state)
    records = (frames.record(line) for line in decoded(log.head).split("\n"))
    first = next((record.time / 1_000_000 for record in records if type(record) is Record), None)
    limit = max(log.modified + _GRACE, (state["latest"] or 0) + _DISORDER)
    return first is None or first <= limit


def _check(plan: Planned, calendar: Calendar, state: dict[str, Any]) -> None:
    """See that a log's stamps are read as they were before: otherwise its mail would be stored twice, at two times."""
    frames, begin, path = state["frames"], state["begin"], plan.log.path
    without_year = frames["latest"] is not None
    if without_year and begin["latest"] is None and plan.year not in (None, begin["year"]):
        raise LogError(
            f"{path} was read before with the year {begin['year']}, now with {plan.year}:"
            " leave -y out, or index into a new --store"
        )
    instant = frames["latest"] if without_year else frames["dated"]
    if instant is None or (state["zone"] and not calendar.zone_name):
        return
    before, after = state["offset"], _offset(calendar.zone, instant)
    if before != after:
        name = state["zone"] or f"the machine's zone, {_shown(before)}"
        raise LogError(
            f"{path} was read before with --tz {name}, now with"
            f" {calendar.zone_name or 'that'}, {_shown(after)}: say --tz as before, or index into a new --store"
        )


def _offset(zone: tzinfo, instant: int) -> int:
    """Seconds by which the zone is ahead of UTC then."""
    offset = datetime.fromtimestamp(instant, timezone.utc).astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0


def _shown(offset: int) -> str:
    return f"UTC{'-' if offset < 0 else '+'}{abs(offset) // 3600:02}:{abs(offset) // 60 % 60:02}"
