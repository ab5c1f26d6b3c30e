"""Open a log where an earlier run stopped, or at its start, with the years of its lines."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone, tzinfo
from typing import Any, Final

from mailtrace.errors import LogError
from mailtrace.logs.checkpoint import Checkpoint
from mailtrace.logs.file import Block, LogFile, Reader
from mailtrace.logs.recognition import ResumePoint, resume_point
from mailtrace.logs.rotation import Calendar, Planned
from mailtrace.logs.survey import Survey, survey_log
from mailtrace.logs.years import KnownStart, LogYears, choose_years, years_of
from mailtrace.syslog.frame import Frames
from mailtrace.syslog.text import decoded
from mailtrace.syslog.timezones import zone_of
from mailtrace.syslog.year import NO_PLAN, YearChange, YearPlan

_WINDOW: Final = 4 << 20
"""Bytes of a stream that are surveyed before its lines are dated, if no line shows its year."""
_NO_LINES: Final = Block(b"", 0)


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
    """The state of the frames at the log's first line, to date the lines the same way with `--from-start`."""
    reducer: dict[str, Any]
    """The reducer's state where an earlier run stopped, in this log or in the one before it in its rotation set."""
    is_known: bool = False
    """Whether an earlier run has read some of it."""
    given_year: int | None = None
    """The year of the first line as given by the user when the log was first read."""
    note: str = ""
    """A message about the first line's year."""
    checkpoint: str = ""
    """The log's name in its checkpoint; empty as long as it has none."""
    host: str = ""
    """The host that an earlier run used for lines that name none; empty if there were none."""

    def state(self) -> dict[str, Any]:
        """Return what a later run needs to continue, or to read the log again from its start."""
        frames = self.frames.state()
        instant = frames["dated"] if frames["latest"] is None else frames["latest"]
        offset = None if instant is None else _offset(self.zone, instant)
        return {
            "frames": frames,
            "host": self.host or self.frames.host_of_nameless,
            "begin": self.begin,
            "zone": self.zone_name,
            "offset": offset,
            "given": self.given_year,
        }


def open_log(
    plan: Planned, calendar: Calendar, known: Collection[Checkpoint], now: Callable[[], float], *, from_start: bool
) -> OpenLog | None:
    """Open a log where the last run stopped, or `from_start`; return None if nothing was appended.

    `known` is all checkpoints as of now, `now` the clock, for streams.

    Raises:
        LogError: the log cannot be read, or was indexed with another year or time zone.
    """
    opened = _opened(plan, calendar, known, now, from_start=from_start)
    if opened is not None:
        opened.frames.name_host(calendar.host or opened.host, calendar.own_host)
    return opened


def _opened(
    plan: Planned, calendar: Calendar, known: Collection[Checkpoint], now: Callable[[], float], *, from_start: bool
) -> OpenLog | None:
    log = plan.log
    resume = resume_point(log, known)
    if resume is not None and plan.year is not None and _is_undated(resume.checkpoint.state):
        _close(resume)
        resume = None
    if resume is None:
        return _open_stream(plan, calendar, now) if log.is_stream else _open_new(plan, calendar, known)
    try:
        _check(plan, calendar, resume.checkpoint.state)
    except LogError:
        _close(resume)
        raise
    if not from_start and resume.reader is None:
        return None
    opened = _open_again(plan, calendar, resume) if from_start else _resume(log, calendar, resume)
    opened.checkpoint = resume.checkpoint.log
    return opened


def _is_undated(state: dict[str, Any]) -> bool:
    """Return whether the earlier run dated no line by its stamp, so that the year which is given now may date them."""
    return all(value is None for value in state["frames"].values())


def _close(resume: ResumePoint) -> None:
    if resume.reader is not None:
        resume.reader.close()


def _resume(log: LogFile, calendar: Calendar, resume: ResumePoint) -> OpenLog:
    """Return a log that continues at its checkpoint."""
    state, reader = resume.checkpoint.state, resume.reader
    assert reader is not None
    zone, name = _zone(calendar, state)
    frames = Frames.resume(zone, state["frames"])
    latest = state["frames"]["latest"]
    # If all stamps have had years so far, the new lines need no survey.
    if latest is not None:
        survey = survey_log(reader, zone, _plan(state["frames"].get("plan")))
        if years := choose_years(survey, zone, log.modified, KnownStart(latest)):
            frames.follow(years.plan)
    given = state.get("given")
    return OpenLog(
        log,
        reader,
        frames,
        reader.blocks(),
        zone,
        name,
        state["begin"],
        _reducer_state(state),
        True,
        given,
        host=_host(state),
    )


def _plan(state: Any) -> YearPlan:
    """Return the rest of an earlier run's plan, if that run stopped before the end of the log."""
    return NO_PLAN if state is None else YearPlan([YearChange(*change) for change in state[0]], state[1])


def _open_again(plan: Planned, calendar: Calendar, resume: ResumePoint) -> OpenLog:
    """Return a log that is read again from its start, with the same year and time zone as the first time."""
    _close(resume)
    state = resume.checkpoint.state
    zone, name = _zone(calendar, state)
    begin = {**state["begin"], "year": state["begin"]["year"] or plan.year}
    frames = Frames.resume(zone, begin)
    reader = plan.log.open()
    if years := years_of(plan.log, reader, zone, _start(begin)):
        frames.follow(years.plan)
    return OpenLog(
        plan.log, reader, frames, reader.blocks(), zone, name, begin, {}, True, state.get("given"), host=_host(state)
    )


def _start(frames: dict[str, Any]) -> KnownStart:
    """Return what is known before the first line, from a state of the frames."""
    return KnownStart(frames["latest"], frames["year"] if frames["latest"] is None else None)


def _zone(calendar: Calendar, state: dict[str, Any]) -> tuple[tzinfo, str]:
    """Return the time zone that the user gave, else the one of the earlier run, and its name."""
    name = calendar.zone_name or state["zone"]
    return (calendar.zone if name == calendar.zone_name else zone_of(name)), name


def _host(state: dict[str, Any]) -> str:
    """Return the host that an earlier run used for lines that name none; empty if there were none."""
    found: str = state.get("host", "")
    return found


def _reducer_state(state: dict[str, Any]) -> dict[str, Any]:
    """Return the reducer's part of a checkpoint's state; earlier versions saved only the sessions with a login."""
    found: dict[str, Any] = state["reducer"] if "reducer" in state else {"sessions": state["logins"]}
    return found


def _reducer_state_before(follows: Checkpoint | None, known: Collection[Checkpoint]) -> dict[str, Any]:
    """Return the reducer's state at the end of the log before, in which this run may have read new lines."""
    if follows is None:
        return {}
    newest = next((checkpoint for checkpoint in known if checkpoint.log == follows.log), follows)
    return _reducer_state(newest.state)


def _open_new(plan: Planned, calendar: Calendar, known: Collection[Checkpoint]) -> OpenLog:
    """Return a log without a checkpoint, which begins in its own year or follows another one of its rotation set."""
    log, year, follows = plan
    zone, name = (calendar.zone, calendar.zone_name) if follows is None else _zone(calendar, follows.state)
    start, frames = KnownStart(year=year), Frames(zone, year)
    if follows is not None and follows.state["frames"]["year"] is not None:
        frames, start = Frames.resume(zone, follows.state["frames"]), _start(follows.state["frames"])
    note, reader = "", log.open()
    if years := years_of(log, reader, zone, start):
        if start.latest is None:
            frames = Frames(zone, years.first_year)
            note = _ignored_year(log.path, start.year, years)
        frames.follow(years.plan)
    blocks, reducer = reader.blocks(), _reducer_state_before(follows, known)
    host = "" if follows is None else _host(follows.state)
    return OpenLog(log, reader, frames, blocks, zone, name, frames.state(), reducer, False, year, note, host)


def _ignored_year(path: str, given: int | None, years: LogYears) -> str:
    """Return the message that lines show another year than the user gave; empty if they do not."""
    year = years.first_year
    if given in (None, year):
        return ""
    return f"{path}: the log is of {year}, so -y {given} is ignored: use -y {year}"


def _guessed_year(path: str, year: int) -> str:
    return (
        f"{path}: no line shows the year: using {year} for the first;"
        f" if that is wrong, index the same lines as a file with -y {year}, then with --replace -y YEAR"
    )


def _open_stream(plan: Planned, calendar: Calendar, now: Callable[[], float]) -> OpenLog:
    """Return a log that can be read only once."""
    reader, frames = plan.log.open(), Frames(calendar.zone, plan.year)
    zone, name = calendar.zone, calendar.zone_name
    log = OpenLog(plan.log, reader, frames, iter(()), zone, name, frames.state(), {})
    log.blocks = _surveyed_blocks(log, KnownStart(year=plan.year), now)
    return log


def _surveyed_blocks(log: OpenLog, start: KnownStart, now: Callable[[], float]) -> Iterator[Block]:
    """Return the blocks of a stream, and survey as many as fit into memory before the first of them is dated."""
    blocks, window = log.reader.blocks(), [_NO_LINES]
    while window:
        survey = Survey(log.zone)
        window = _window(blocks, survey)
        if not window and log.reader.partial_line:
            survey.add([decoded(log.reader.partial_line)])
        years = choose_years(survey.end(), log.zone, now(), start)
        if years:
            log.frames.follow(years.plan)
            if start == KnownStart() and not years.has_evidence:
                log.note = _guessed_year(log.reader.path, years.first_year)
            elif start.latest is None:
                log.note = _ignored_year(log.reader.path, start.year, years)
        yield from window
        latest = log.frames.state()["latest"]
        start = start if latest is None else KnownStart(latest)


def _window(blocks: Iterator[Block], survey: Survey) -> list[Block]:
    """Return the next blocks of a stream, until the year of their last day is known or they are `_WINDOW` long."""
    window: list[Block] = []
    for block in blocks:
        window.append(block)
        survey.add(block.lines)
        if survey.is_year_known or block.end - window[0].end > _WINDOW:
            break
    return window


def _check(plan: Planned, calendar: Calendar, state: dict[str, Any]) -> None:
    """Check that lines get the same year, zone and host as in the earlier run; otherwise mail would be stored twice.

    Raises:
        LogError: they do not.
    """
    frames, begin, path = state["frames"], state["begin"], plan.log.path
    without_year = frames["latest"] is not None
    if calendar.host and _host(state) not in ("", calendar.host):
        raise LogError(
            f"{path} was indexed with --host {_host(state)}, now with {calendar.host}:"
            " omit --host, or add --replace to read it again"
        )
    if without_year and begin["latest"] is None and plan.year not in (None, begin["year"], state.get("given")):
        raise LogError(
            f"{path} was indexed with the year {begin['year']}, now with {plan.year}:"
            f" omit -y, or add --replace to read it again with -y {plan.year}"
        )
    instant = frames["latest"] if without_year else frames["dated"]
    if instant is None or (state["zone"] and not calendar.zone_name):
        return
    before, after = state["offset"], _offset(calendar.zone, instant)
    if before != after:
        name = f"--tz {state['zone']}" if state["zone"] else "the machine's time zone"
        now = f"--tz {calendar.zone_name}" if calendar.zone_name else "the machine's time zone"
        raise LogError(
            f"{path} was indexed with {name} ({_shown(before)}), now with {now} ({_shown(after)}):"
            " use the earlier zone with --tz, or add --replace to read it again"
        )


def _offset(zone: tzinfo, instant: int) -> int:
    """Return the seconds by which the zone is ahead of UTC at an instant."""
    offset = datetime.fromtimestamp(instant, timezone.utc).astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0


def _shown(offset: int) -> str:
    return f"UTC{'-' if offset < 0 else '+'}{abs(offset) // 3600:02}:{abs(offset) // 60 % 60:02}"
