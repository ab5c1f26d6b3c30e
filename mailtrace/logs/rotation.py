"""Sets of logs: which is the oldest, and in which year each begins."""

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timezone, tzinfo
from itertools import islice
from typing import Final, NamedTuple

from mailtrace.errors import LogError, LogMovedError
from mailtrace.logs.checkpoint import Checkpoint
from mailtrace.logs.file import LogFile, Reader, decoded
from mailtrace.logs.recognition import candidates
from mailtrace.logs.rotated_names import rotation_set
from mailtrace.logs.survey import NO_PLAN, Survey
from mailtrace.logs.years import Found, Prior, found
from mailtrace.syslog.frame import Frames, Record
from mailtrace.syslog.year import Plan

_HEAD_LINES: Final = 2000
_YEAR_SECONDS: Final = 366 * 86400
_LOOKS: Final = 20
_LOOK_SECONDS: Final = 0.05
_SOON: Final = 2 * 86400
"""Seconds in which a log's last writing follows its last line, where the file's time is not that of a copy."""


class Calendar(NamedTuple):
    """How stamps without year and zone are read."""

    zone: tzinfo
    zone_name: str
    """As it was given; empty for the machine's own."""
    year: int | None = None
    """The year of the oldest log's first line, where it was given."""


class Planned(NamedTuple):
    """A log that is to be read."""

    log: LogFile
    year: int | None
    """Of its first line, where that was given."""
    follows: Checkpoint | None
    """The newest that is known of the logs before it in its rotation set: the calendar goes on from there."""


class _Begin(NamedTuple):
    """When a log begins: in its own year, or in a leap year where its stamps have none."""

    time: datetime
    has_year: bool


def readable(paths: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return those of the paths that can be read, each once, and what is wrong with the others."""
    good, wrong = [], []
    for path in dict.fromkeys(paths):
        try:
            LogFile(path).check()
        except LogError as error:
            wrong.append(str(error))
        else:
            good.append(path)
    return good, wrong


def planned(paths: Sequence[str], calendar: Calendar, checkpoints: Sequence[Checkpoint]) -> list[Planned]:
    """Return the logs to read, oldest content first: those named, and what was rotated away from them unread.

    Raises:
        LogError: one of them cannot be read.
    """
    logs: dict[str, LogFile] = {}
    follows: dict[int, Checkpoint | None] = {}
    for path in paths:
        for log, known in _with_rotated(LogFile(path), checkpoints):
            # Not by path: a rotation may change it at any time.
            kept = id(logs.setdefault(log.path, log))
            follows[kept] = known or follows.get(kept)
    return [Planned(log, year, follows[id(log)]) for log, year in in_order(list(logs.values()), calendar)]


def _with_rotated(log: LogFile, checkpoints: Sequence[Checkpoint]) -> list[tuple[LogFile, Checkpoint | None]]:
    """A log, and the files rotated from it that are to be read too: looked for until no rotation comes between."""
    if not checkpoints or log.is_stream:
        return [(log, None)]
    for _ in range(_LOOKS):
        files = rotation_set(log.path)
        with suppress(LogMovedError):
            found = _chosen(LogFile(log.path), [LogFile(path) for path in files if path != log.path], checkpoints)
            if files == rotation_set(log.path):
                return found
        time.sleep(_LOOK_SECONDS)
    raise LogMovedError(f"{log.path} is being rotated: run again later")


def _chosen(
    log: LogFile, beside: Sequence[LogFile], checkpoints: Sequence[Checkpoint]
) -> list[tuple[LogFile, Checkpoint | None]]:
    """A log, and those of the files beside it that are known or newer than the newest one known."""
    if not beside:
        return [(log, None)]
    ordered = [other for other, _ in in_order([*beside, log], Calendar(timezone.utc, ""))]
    known = [candidates(other, checkpoints) if _head(other) else [] for other in ordered]
    last = max((i for i, found in enumerate(known) if found), default=None)
    if last is None:
        return [(log, None)]
    newest, written = known[last][0], ordered[last].modified
    return [
        (other, None if known[i] else newest)
        for i, other in enumerate(ordered)
        # Newer by what it says or by when it was written: clocks step back, and copies have new times.
        if known[i] or i > last or other.modified > written or other is log
    ]


def in_order(logs: Sequence[LogFile], calendar: Calendar) -> list[tuple[LogFile, int | None]]:
    """Return the logs, oldest content first, each with the year of its first line where the oldest one's was given.

    Raises:
        LogError: one of them cannot be read.
    """
    if len(logs) == 1:
        return [(logs[0], calendar.year)]
    begins = [(_begin(log), log) for log in logs]
    without_year = [begin.time for begin, _ in begins if begin and not begin.has_year]
    if not without_year:
        dated = sorted((begin.time, _written(log), i) for i, (begin, log) in enumerate(begins) if begin)
        return [(begins[i][1], None) for _, _, i in dated] + [
            (log, calendar.year) for begin, log in begins if not begin
        ]
    if calendar.year is not None and (placed := _placed(begins, calendar)):
        return _shifted(placed, calendar.year)
    start = _after_widest_gap(without_year)
    turned = sorted((_turned(begin, start), _written(log), i) for i, (begin, log) in enumerate(begins))
    return [(begins[i][1], _year(begins[i][0], start, calendar.year)) for _, _, i in turned]


class _Placed(NamedTuple):
    """A log, and the instant of its first line."""

    begin: float
    written: float
    log: LogFile
    year: int | None
    """Of its first line, where its stamp has none."""
    is_known: bool = False
    """Whether its lines tell their years."""
    is_copy: bool = False
    """Whether nothing tells its years: it was written long after its last line."""


def _placed(begins: Sequence[tuple[_Begin | None, LogFile]], calendar: Calendar) -> list[_Placed] | None:
    """The logs in order, where lines of any tell their years or the times at which all were written do; else None."""
    placed = []
    for begin, log in begins:
        if begin is None:
            placed.append(_Placed(float("inf"), _written(log), log, None))
        elif begin.has_year:
            placed.append(_Placed(begin.time.timestamp(), log.modified, log, None))
        elif years := found(surveyed(log, calendar.zone), calendar.zone, log.modified, Prior()):
            is_copy = not years.is_known and abs(years.silence) > _SOON
            placed.append(_Placed(years.begin, log.modified, log, years.year, years.is_known, is_copy))
        else:
            return None
    if any(place.is_copy for place in placed) and not any(place.is_known for place in placed):
        return None
    return sorted(placed, key=lambda place: place[:2])


def _shifted(placed: Sequence[_Placed], year: int) -> list[tuple[LogFile, int | None]]:
    """The logs with the years of their first lines, so that the oldest one's is the given one.

    What lines tell stands.
    """
    oldest = next(place for place in placed if place.year is not None)
    shift = 0 if any(place.is_known for place in placed) else year - (oldest.year or 0)
    return [
        (
            place.log,
            year if place.year is None or place is oldest else None if place.is_known else place.year + shift,
        )
        for place in placed
    ]


def years_of(log: LogFile, zone: tzinfo, prior: Prior) -> Found | None:
    """Return the years of all lines of a log; None where none of the first lacks its year.

    Raises:
        LogError: it cannot be read.
    """
    survey = Survey(zone)
    survey.add(decoded(log.head).split("\n"))
    return found(surveyed(log, zone), zone, log.modified, prior) if survey.days else None


def surveyed(log: LogFile, zone: tzinfo, at: Reader | None = None, planned: Plan = NO_PLAN) -> Survey:
    """Return what all lines of a log, or those behind a place in it, tell of their years.

    `planned` is what an earlier run had found of those behind the place.
    """
    survey = Survey(zone, planned)
    # A damaged file is reported when it is read.
    with suppress(LogError), log.open() as reader:
        if at is not None:
            reader.skip_to(at.offset)
            reader.is_skipping = at.is_skipping
        for block in reader.blocks(survey.skip):
            survey.add(block.lines)
        if last := reader.last_line():
            survey.add(last.lines)
    return survey.end()


def _written(log: LogFile) -> float:
    return float("inf") if log.is_stream else log.modified


def _head(log: LogFile) -> bytes:
    """The first bytes of a log; of a damaged one none: that is reported when it is read, and no other waits for it."""
    try:
        return log.head
    except LogMovedError:
        raise
    except LogError:
        return b""


def _begin(log: LogFile) -> _Begin | None:
    """When a log's first dated line was written; None for standard input and for a log without any."""
    if log.is_stream:
        return None
    dated, leap = Frames(timezone.utc, None), Frames(timezone.utc, 2000)
    for line in islice(decoded(_head(log)).split("\n"), _HEAD_LINES):
        for frames in (dated, leap):
            record = frames.record(line)
            if type(record) is Record:
                return _Begin(datetime.fromtimestamp(record.time / 1_000_000, timezone.utc), frames is dated)
    return None


def _after_widest_gap(times: list[datetime]) -> datetime:
    """The first of some times without year: a set of logs is of less than a year, so it begins after the widest gap."""
    times = sorted(set(times))
    gaps = [(times[i] - times[i - 1]).total_seconds() % _YEAR_SECONDS or _YEAR_SECONDS for i in range(len(times))]
    return times[gaps.index(max(gaps))]


def _turned(begin: _Begin | None, start: datetime) -> float:
    """Where a log stands after the oldest: in seconds of a year that begins with that."""
    if begin is None:
        return float("inf")
    time = begin.time.replace(year=2000)
    seconds = (time - start).total_seconds()
    return seconds if seconds >= 0 else seconds + _YEAR_SECONDS


def _year(begin: _Begin | None, start: datetime, year: int | None) -> int | None:
    if begin is None or begin.has_year or year is None:
        return year
    return year + (begin.time < start)
