"""Which logs to read, in which order: rotated files before the log itself, oldest content first.

Files are rotated copies of a log if they have its name with a number (`mail.log.1`) or a date (`mail.log-20261124`,
`mail-20261124.log`, and `mail.log.20261124-031500` as `postfix logrotate` names them), compressed or not.
"""

import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timezone, tzinfo
from itertools import islice
from math import inf
from pathlib import Path
from typing import Final, NamedTuple

from mailtrace.errors import LogError, LogMovedError
from mailtrace.logs.checkpoint import Checkpoint
from mailtrace.logs.file import LogFile
from mailtrace.logs.recognition import candidates
from mailtrace.logs.survey import survey_log
from mailtrace.logs.years import KnownStart, choose_years
from mailtrace.syslog.frame import Frames, Record
from mailtrace.syslog.text import decoded

_HEAD_LINES: Final = 2000
_YEAR_SECONDS: Final = 366 * 86400
_LOOKS: Final = 20
_LOOK_SECONDS: Final = 0.05
_MAX_SILENCE: Final = 2 * 86400
"""Seconds between a log's last line and its modification time, unless the file is a copy."""
_ROTATED: Final = r"[.-]\d[\d.T:-]*"
_COMPRESSED: Final = r"(?:\.(?:gz|bz2|xz|zst))?"


class Calendar(NamedTuple):
    """The time zone, year and host of lines without them, as the user gave them."""

    zone: tzinfo
    zone_name: str
    """The name of the zone; empty for the machine's own."""
    year: int | None = None
    """The year of the first line of the oldest log; None if it was not given."""
    host: str = ""
    """The host of lines that name none; empty if it was not given."""
    own_host: str = ""
    """This machine's name, for lines of Exim's own files if no host was given."""


class Planned(NamedTuple):
    """A log to read."""

    log: LogFile
    year: int | None
    """The year of its first line, if it was given or follows from the given one."""
    follows: Checkpoint | None
    """The newest checkpoint of the logs before it in its rotation set: dating the lines continues from there."""


def readable(paths: Sequence[str]) -> tuple[list[LogFile], list[str]]:
    """Return the logs that can be read, each once, and messages about the others."""
    logs, messages = [], []
    for path in dict.fromkeys(paths):
        log = LogFile(path)
        try:
            log.check()
        except LogError as error:
            messages.append(str(error))
        else:
            logs.append(log)
    return logs, messages


def planned(logs: Sequence[LogFile], calendar: Calendar, checkpoints: Sequence[Checkpoint]) -> list[Planned]:
    """Return the logs to read, oldest content first: the given ones, and files rotated from them with unread lines.

    Raises:
        LogError: one of them cannot be read.
    """
    found: dict[str, LogFile] = {}
    follows: dict[int, Checkpoint | None] = {}
    for given in logs:
        for log, newest in _with_rotated(given, checkpoints):
            # Not by path, which log rotation may change at any time.
            kept = id(found.setdefault(log.path, log))
            follows[kept] = newest or follows.get(kept)
    ordered = in_order(list(found.values()), calendar)
    return [Planned(log, year, follows[id(log)]) for log, year in ordered]


def rotated_from(path: str) -> list[str]:
    """Return the files in a log's folder that were rotated from it, ordered by name."""
    log = Path(path)
    stem, extension = re.escape(log.stem), re.escape(log.suffix)
    pattern = rf"{re.escape(log.name)}(?:{_ROTATED})?{_COMPRESSED}"
    if log.suffix:
        pattern += rf"|{stem}{_ROTATED}{extension}{_COMPRESSED}"
    is_rotated = re.compile(pattern).fullmatch
    try:
        with os.scandir(log.parent) as entries:
            names = [entry.name for entry in entries if is_rotated(entry.name) and entry.is_file()]
    except OSError:
        return []
    folder = path[: len(path) - len(log.name)]
    return sorted(folder + name for name in names if name != log.name)


def _rotation_set(path: str) -> dict[str, int]:
    """Return the paths of a log and of the files rotated from it, each with its inode."""
    found = {}
    for name in (path, *rotated_from(path)):
        with suppress(OSError):
            found[name] = Path(name).stat().st_ino
    return found


def _with_rotated(log: LogFile, checkpoints: Sequence[Checkpoint]) -> list[tuple[LogFile, Checkpoint | None]]:
    """Return a log, and the files rotated from it that have a checkpoint or are newer than the newest with one.

    With each log without a checkpoint comes the newest checkpoint of the set. The folder is listed again until no log
    rotation came between.
    """
    if not checkpoints or log.is_stream:
        return [(log, None)]
    for _ in range(_LOOKS):
        files = _rotation_set(log.path)
        with suppress(LogMovedError):
            rotated = [LogFile(path) for path in files if path != log.path]
            found = _choose(LogFile(log.path) if rotated else log, rotated, checkpoints)
            if files == _rotation_set(log.path):
                return found
        time.sleep(_LOOK_SECONDS)
    raise LogMovedError(f"{log.path} is being rotated: run again later")


def _choose(
    log: LogFile, rotated: Sequence[LogFile], checkpoints: Sequence[Checkpoint]
) -> list[tuple[LogFile, Checkpoint | None]]:
    """Return a log and those of the rotated files that have a checkpoint or are newer than the newest with one.

    Those that cannot be read, but were written since the log was, are returned too: to open one says why.
    """
    if not rotated:
        return [(log, None)]
    paths = {log.path, *(other.path for other in rotated)}
    saved = max((checkpoint.saved for checkpoint in checkpoints if checkpoint.path in paths), default=inf)
    unread = [other for other in rotated if not _head(other) and other.size and other.modified > saved]
    ordered = [other for other, _ in in_order([*rotated, log], Calendar(timezone.utc, ""))]
    known = [candidates(other, checkpoints) if _head(other) else [] for other in ordered]
    last = max((i for i, found in enumerate(known) if found), default=None)
    if last is None:
        return [*((other, None) for other in unread), (log, None)]
    newest, written = known[last][0], ordered[last].modified
    return [
        (other, None if known[i] else newest)
        for i, other in enumerate(ordered)
        # Newer by content or by modification time: clocks step back, and copies have new times.
        if known[i] or i > last or other.modified > written or other is log or other in unread
    ]


def in_order(logs: Sequence[LogFile], calendar: Calendar) -> list[tuple[LogFile, int | None]]:
    """Return the logs, oldest content first, and the year of the first line of each if `calendar` has a year.

    Raises:
        LogError: one of them cannot be read.
    """
    if len(logs) == 1:
        return [(logs[0], calendar.year)]
    begins = [(_begin(log), log) for log in logs]
    without_year = [begin.time for begin, _ in begins if begin and not begin.has_year]
    if not without_year:
        by_time = sorted((begin.time, _modified(log), i) for i, (begin, log) in enumerate(begins) if begin)
        return [(begins[i][1], None) for _, _, i in by_time] + [
            (log, calendar.year) for begin, log in begins if not begin
        ]
    if calendar.year is not None and (dated := _dated(begins, calendar)):
        return _with_years(dated, calendar.year)
    start = _after_widest_gap(without_year)
    by_season = sorted((_since(start, begin), _modified(log), i) for i, (begin, log) in enumerate(begins))
    return [(begins[i][1], _year(begins[i][0], start, calendar.year)) for _, _, i in by_season]


class _Begin(NamedTuple):
    """The first stamp of a log."""

    time: datetime
    """In a leap year if the stamp has no year."""
    has_year: bool


def _head(log: LogFile) -> bytes:
    """Return the first bytes of a log; none of a damaged one, which does not keep the others from being read."""
    try:
        return log.head
    except LogMovedError:
        raise
    except LogError:
        return b""


def _begin(log: LogFile) -> _Begin | None:
    """Return the first stamp of a log; None for standard input, and for a log without any."""
    if log.is_stream:
        return None
    dated, leap = Frames(timezone.utc, None), Frames(timezone.utc, 2000)
    for line in islice(decoded(_head(log)).split("\n"), _HEAD_LINES):
        for frames in (dated, leap):
            record = frames.record(line)
            if type(record) is Record:
                return _Begin(datetime.fromtimestamp(record.time / 1_000_000, timezone.utc), frames is dated)
    return None


def _modified(log: LogFile) -> float:
    return float("inf") if log.is_stream else log.modified


class _DatedLog(NamedTuple):
    """A log with the instant of its first line, by which it is ordered."""

    begin: float
    modified: float
    log: LogFile
    year: int | None
    """The year of the first line if its stamp has none."""
    has_evidence: bool = False
    """Whether its lines show their years."""
    is_copy: bool = False
    """Whether nothing shows its years, not even the modification time, which is long after the last line."""


def _dated(begins: Sequence[tuple[_Begin | None, LogFile]], calendar: Calendar) -> list[_DatedLog] | None:
    """Return the logs in the order of their first lines; None if neither lines nor modification times show years."""
    dated = []
    for begin, log in begins:
        if begin is None:
            dated.append(_DatedLog(float("inf"), _modified(log), log, None))
        elif begin.has_year:
            dated.append(_DatedLog(begin.time.timestamp(), log.modified, log, None))
        else:
            with log.open() as reader:
                years = choose_years(survey_log(reader, calendar.zone), calendar.zone, log.modified, KnownStart())
            if years is None:
                return None
            is_copy = not years.has_evidence and abs(years.silence) > _MAX_SILENCE
            dated.append(_DatedLog(years.begin, log.modified, log, years.first_year, years.has_evidence, is_copy))
    if any(each.is_copy for each in dated) and not any(each.has_evidence for each in dated):
        return None
    return sorted(dated, key=lambda each: each[:2])


def _with_years(dated: Sequence[_DatedLog], year: int) -> list[tuple[LogFile, int | None]]:
    """Return the logs with the years of their first lines, if the oldest one's is `year`.

    The years that lines show are not changed.
    """
    oldest = next(each for each in dated if each.year is not None)
    shift = 0 if any(each.has_evidence for each in dated) else year - (oldest.year or 0)
    return [
        (
            each.log,
            year if each.year is None or each is oldest else None if each.has_evidence else each.year + shift,
        )
        for each in dated
    ]


def _after_widest_gap(times: list[datetime]) -> datetime:
    """Return the first of some times without a year: the one after the widest gap, if they are of less than a year."""
    times = sorted(set(times))
    gaps = [(times[i] - times[i - 1]).total_seconds() % _YEAR_SECONDS or _YEAR_SECONDS for i in range(len(times))]
    return times[gaps.index(max(gaps))]


def _since(start: datetime, begin: _Begin | None) -> float:
    """Return the seconds from the start of the oldest log to that of another one less than a year later."""
    if begin is None:
        return float("inf")
    seconds = (begin.time.replace(year=2000) - start).total_seconds()
    return seconds if seconds >= 0 else seconds + _YEAR_SECONDS


def _year(begin: _Begin | None, start: datetime, year: int | None) -> int | None:
    if begin is None or begin.has_year or year is None:
        return year
    return year + (begin.time < start)
