"""How a log is open_log: where an earlier run ended, or at its start with the right year."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone, tzinfo
from typing import Any, Final

from mailtrace.errors import LogError
from mailtrace.logs.checkpoint import Checkpoint
from mailtrace.logs.file import Block, LogFile, Reader, decoded
from mailtrace.logs.recognition import ResumePoint, resume_point
from mailtrace.logs.rotation import Calendar, Planned, surveyed, years_of
from mailtrace.logs.survey import NO_PLAN, Survey
from mailtrace.logs.years import Found, Prior, found
from mailtrace.syslog.frame import Frames
from mailtrace.syslog.timezones import zone_of
from mailtrace.syslog.year import Plan, Turn

_WINDOW: Final = 4 << 20
"""So much of a stream, in bytes, is looked at before its lines are dated, where none tells its year."""
_NO_LINES: Final = Block([], 0, 0)


@dataclass(slots=True)
class OpenLog:
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
    is_known: bool = False
    """Whether an earlier run has read some of it."""
    given_year: int | None = None
    """The first line's, as it was given when the log was first read."""
    note: str = ""
    """A message about the first line's year."""

    def state(self) -> dict[str, Any]:
        """Return what a later run needs to go on, or to read all again."""
        frames = self.frames.state()
        instant = frames["dated"] if frames["latest"] is None else frames["latest"]
        offset = None if instant is None else _offset(self.zone, instant)
        return {
            "frames": frames,
            "begin": self.begin,
            "zone": self.zone_name,
            "offset": offset,
            "given": self.given_year,
        }


def open_log(
    plan: Planned, calendar: Calendar, known: Collection[Checkpoint], now: Callable[[], float], *, from_start: bool
) -> OpenLog | None:
    """Open a log where the last run stopped, or `from_start`; return None if it holds nothing new.

    Raises:
        LogError: it cannot be read, or was read before with another year or zone.
    """
    log = plan.log
    place = resume_point(log, known)
    if place is not None and plan.year is not None and _is_undated(place.checkpoint.state):
        _close(place)
        place = None
    if place is None:
        return _stream(plan, calendar, now) if log.is_stream else _new(plan, calendar, known)
    _check(plan, calendar, place.checkpoint.state)
    if from_start:
        return _again(plan, calendar, place)
    return None if place.reader is None else _resumed(log, calendar, place.checkpoint.state, place.reader)


def _is_undated(state: dict[str, Any]) -> bool:
    """Whether an earlier run dated no line by its stamp, so that the year which is given now may date them."""
    return all(value is None for value in state["frames"].values())


def _close(place: ResumePoint) -> None:
    if place.reader is not None:
        place.reader.close()


def _resumed(log: LogFile, calendar: Calendar, state: dict[str, Any], reader: Reader) -> OpenLog:
    zone, name = _zone(calendar, state)
    frames = Frames.resume(zone, state["frames"])
    latest = state["frames"]["latest"]
    # A log whose stamps have had years so far is not looked through for others.
    if latest is not None:
        survey = surveyed(log, zone, reader, _plan(state["frames"].get("plan")))
        if years := found(survey, zone, log.modified, Prior(latest)):
            frames.follow(years.plan)
    given = state.get("given")
    return OpenLog(log, reader, frames, reader.blocks(), zone, name, state["begin"], _reducer_state(state), True, given)


def _plan(state: Any) -> Plan:
    """The rest of a plan, where a run ended before the log did."""
    return NO_PLAN if state is None else Plan([Turn(*turn) for turn in state[0]], state[1])


def _again(plan: Planned, calendar: Calendar, place: ResumePoint) -> OpenLog:
    _close(place)
    state = place.checkpoint.state
    zone, name = _zone(calendar, state)
    begin = {**state["begin"], "year": state["begin"]["year"] or plan.year}
    frames = Frames.resume(zone, begin)
    prior = Prior(begin["latest"], begin["year"] if begin["latest"] is None else None)
    if years := years_of(plan.log, zone, prior):
        frames.follow(years.plan)
    reader = plan.log.open()
    return OpenLog(plan.log, reader, frames, reader.blocks(), zone, name, begin, {}, True, state.get("given"))


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


def _new(plan: Planned, calendar: Calendar, known: Collection[Checkpoint]) -> OpenLog:
    """A log that begins, in its own year or after those before it in its set."""
    log, year, follows = plan
    zone, name = (calendar.zone, calendar.zone_name) if follows is None else _zone(calendar, follows.state)
    prior, frames = Prior(year=year), Frames(zone, year)
    if follows is not None and follows.state["frames"]["year"] is not None:
        state = follows.state["frames"]
        frames = Frames.resume(zone, state)
        prior = Prior(state["latest"], state["year"] if state["latest"] is None else None)
    note = ""
    if years := years_of(log, zone, prior):
        if prior.latest is None:
            frames = Frames(zone, years.year)
            note = _other_year(log.path, prior.year, years)
        frames.follow(years.plan)
    reader = log.open()
    blocks, left_open = reader.blocks(), _left_open(follows, known)
    return OpenLog(log, reader, frames, blocks, zone, name, frames.state(), left_open, False, year, note)


def _other_year(path: str, given: int | None, years: Found) -> str:
    """The message where lines tell another year than was given."""
    if given in (None, years.year):
        return ""
    return f"{path}: the log is of {years.year}, so -y {given} is not used: the right flag is -y {years.year}"


def _guessed(path: str, year: int) -> str:
    return (
        f"{path}: no line tells the year: using {year} for the first;"
        " if it is wrong, index into a new --store with -y YEAR"
    )


def _stream(plan: Planned, calendar: Calendar, now: Callable[[], float]) -> OpenLog:
    """A log that can be read once only."""
    reader, frames = plan.log.open(), Frames(calendar.zone, plan.year)
    zone, name = calendar.zone, calendar.zone_name
    log = OpenLog(plan.log, reader, frames, iter(()), zone, name, frames.state(), {})
    log.blocks = _dated(log, Prior(year=plan.year), now)
    return log


def _dated(log: OpenLog, prior: Prior, now: Callable[[], float]) -> Iterator[Block]:
    """The blocks of a stream, with their years found just before: of as much as can be held."""
    blocks, window = log.reader.blocks(), [_NO_LINES]
    while window:
        survey = Survey(log.zone)
        window = _window(blocks, survey)
        if not window and log.reader.rest:
            survey.add([decoded(log.reader.rest)])
        years = found(survey.end(), log.zone, now(), prior)
        if years:
            log.frames.follow(years.plan)
            if prior == Prior() and not years.is_known:
                log.note = _guessed(log.reader.path, years.year)
            elif prior.latest is None:
                log.note = _other_year(log.reader.path, prior.year, years)
        yield from window
        latest = log.frames.state()["latest"]
        prior = prior if latest is None else Prior(latest)


def _window(blocks: Iterator[Block], survey: Survey) -> list[Block]:
    """Some of the next blocks: until a line of their last day tells its year, or they are many."""
    window: list[Block] = []
    for block in blocks:
        window.append(block)
        survey.add(block.lines)
        if survey.is_settled or block.end - window[0].end > _WINDOW:
            break
    return window


def _check(plan: Planned, calendar: Calendar, state: dict[str, Any]) -> None:
    """See that a log's stamps are read as they were before: otherwise its mail would be stored twice, at two times."""
    frames, begin, path = state["frames"], state["begin"], plan.log.path
    without_year = frames["latest"] is not None
    if without_year and begin["latest"] is None and plan.year not in (None, begin["year"], state.get("given")):
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
