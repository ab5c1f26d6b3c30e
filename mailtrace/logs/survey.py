"""A survey of a log before its lines are dated: the order of its days, and what shows their years."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import timezone, tzinfo
from typing import Final

from mailtrace.errors import LogError
from mailtrace.logs.evidence import Day, DayEvidence, Evidence
from mailtrace.logs.file import Reader
from mailtrace.syslog.frame import Frames, Record
from mailtrace.syslog.local_time import LocalTime
from mailtrace.syslog.prefixes import beginning_of
from mailtrace.syslog.stamp import Stamp, midnight
from mailtrace.syslog.text import decoded
from mailtrace.syslog.year import NO_PLAN, Timeline, YearPlan, instant_of_stamp

_DAY_SECONDS: Final = 86400
_DISORDER: Final = 60 * _DAY_SECONDS
"""Seconds by which a line may step back without being of another year."""
_LONGEST_GAP: Final = 366 * _DAY_SECONDS - _DISORDER
_SEARCHED_LINES: Final = 20
"""Lines of a day that are searched for its year, besides those that may have a message ID with a time."""
_MAX_SEGMENTS: Final = 1000
"""Segments of one survey. A log in good order has one for each year."""
_NOTHING: Final = "\n"
"""In no line: matches none."""


class Segment:
    """Lines that follow each other and are of one year."""

    def __init__(self, day_number: int, first: Day) -> None:
        """Begin with the first line of a day; `day_number` counts the days of the survey from 0."""
        self.day_number = day_number
        self.first = self.last = self.latest = first
        self.year: int | None = None
        """The year that the lines show."""
        self.evidence = Evidence.NONE
        self.has_leap_day = False

    def may_include(self, day: Day, evidence: Evidence, year: int | None) -> bool:
        """Return whether the lines of the next day may be of the same year."""
        if not -_DISORDER <= day.second_of_year - self.latest.second_of_year <= _LONGEST_GAP:
            return False
        return year in (None, self.year) or not (evidence.is_certain and self.evidence.is_certain)

    def add(self, first: Day, last: Day, evidence: Evidence, year: int | None) -> None:
        """Add the lines of a day, by its first and last one."""
        self.last = last
        self.latest = max(self.latest, first, last)
        self.has_leap_day |= first[:2] == (2, 29)
        if evidence < self.evidence:
            self.evidence, self.year = evidence, year


class _StampRecorder(Timeline):
    """Records the stamp of a line, and the time of its wrapper, instead of dating the line."""

    stamp: Stamp | None = None
    wrapper: int | None = None

    def instant(self, stamp: Stamp) -> int | None:
        self.stamp, self.wrapper = stamp, self.wrapper_time
        return None if midnight(stamp.year or 2000, stamp.month, stamp.day) is None else 0

    def without_year(self, month: int, day: int, second: int, offset: int | None = None) -> int | None:
        return self.instant(Stamp(None, month, day, second, 0, offset, 0))


class Survey:
    """The days of a log in the order of its lines, divided into segments of one year each.

    Most lines begin like the line before, up to the hour. They are skipped without being parsed, once the year of their
    day is known or enough lines of that day have been searched.
    """

    def __init__(self, zone: tzinfo, plan: YearPlan = NO_PLAN) -> None:
        """Begin a survey; `plan` has the years of the next days if an earlier run ended before its plan did."""
        self.segments: list[Segment] = []
        self.days = 0
        """The number of days; a day to which the lines step back counts again."""
        self.is_disordered = False
        """Whether some line steps back by more than a day within a segment."""
        self._plan, self._plan_offset = plan, 0
        self._evidence = DayEvidence(LocalTime(zone))
        self._recorder = _StampRecorder(timezone.utc, None)
        self._frames = Frames.dated_by(self._recorder)
        self._first: Day | None = None
        """The first line of the current day; None if no line without a year has been found yet."""
        self._last = Day(1, 1, 0)
        self._dated: int | None = None
        """The instant of the latest line whose stamp has a year, until a line without one follows."""
        self._unsearched = 0
        """Lines of the current day that are still to be searched."""
        self._is_year_known = False
        """Whether no more lines of the current day need to be searched."""
        self._line_start = self._json_member = _NOTHING
        """What further lines of the current day begin with, or contain if they are JSON."""
        self._last_line = self._last_parsed = ""

    def add(self, lines: Iterable[str]) -> None:
        """Add the next lines."""
        last_line = self._last_line
        for line in lines:
            if not (line.startswith(self._line_start) and (self._is_year_known or self._is_skippable(line))):
                self._last_line = last_line
                self._add_line(line)
            last_line = line
        self._last_line = last_line

    def skip(self, lines: bytes) -> bool:
        """Skip a block of whole lines if all are of the current day and none is to be searched; return whether so."""
        start = self._line_start.encode()
        if not lines.startswith(start) or (not self._is_year_known and (self._unsearched > 0 or b"id=<" in lines)):
            return False
        if lines.count(b"\n") != lines.count(b"\n" + start) + 1:
            return False
        self._last_line = decoded(lines[lines.rfind(b"\n", 0, -1) + 1 : -1])
        return True

    def end(self) -> "Survey":
        """Finish the last day, and return the survey itself."""
        if self._first is not None:
            self._end_day(self._first)
        self._first = None
        return self

    @property
    def is_full(self) -> bool:
        """Whether lines were left out, because there are too many segments."""
        return len(self.segments) >= _MAX_SEGMENTS

    @property
    def is_year_known(self) -> bool:
        """Whether there is evidence for the year of the current day, or no line lacks its year."""
        return self._first is None or bool(self._evidence)

    def _is_skippable(self, line: str) -> bool:
        """Return whether a line of the current day need not be searched."""
        return self._unsearched <= 0 and not _may_have_own_message_id(line)

    def _add_line(self, line: str) -> None:
        is_same_day = line[:1] == "{" and self._json_member in line
        if is_same_day and (self._is_year_known or self._is_skippable(line)):
            return
        record = self._parse(line)
        if record is None:
            return
        stamp = self._recorder.stamp
        if stamp is None or stamp.year is not None:
            self._add_dated(record.time // 1_000_000 if stamp is None else instant_of_stamp(stamp))
        else:
            self._add_undated(Day(stamp.month, stamp.day, stamp.second), record, self._recorder.wrapper)
        self._is_year_known = self._evidence.is_conclusive
        self._line_start, self._json_member, self._last_parsed = (
            _line_start(line, stamp),
            _json_member(line, stamp),
            line,
        )
        if self.is_full:
            # Every line begins with the empty text, so that all others are skipped.
            self._line_start, self._is_year_known = "", True

    def _parse(self, line: str) -> Record | None:
        """Return the record of a line. The recorder has its stamp, but not an ISO stamp of the same day as before."""
        self._recorder.stamp = self._recorder.wrapper = None
        self._frames.follow(NO_PLAN)
        record = self._frames.record(line)
        return record if type(record) is Record else None

    def _add_dated(self, instant: int | None) -> None:
        """Add a line whose stamp has a year; None if there is no such date."""
        self._unsearched = 0
        if instant is None:
            return
        self._dated = instant
        if self._first is not None and not self._evidence:
            self._evidence.add_neighbour(self._last, instant)

    def _add_undated(self, day: Day, record: Record, wrapper: int | None) -> None:
        """Add a line whose stamp has no year, and the instant of its wrapper."""
        if self._first is None or day[:2] != self._first[:2]:
            if self._first is not None:
                self._end_day(self._first)
            self._begin_day(day)
        self._last = day
        self._unsearched -= 1
        if wrapper is not None:
            self._evidence.add_wrapper(day, wrapper)
        self._evidence.add_ids(record, day)

    def _begin_day(self, day: Day) -> None:
        self._first = day
        self.days += 1
        self._unsearched = _SEARCHED_LINES
        if self._dated is not None:
            self._evidence.add_neighbour(day, self._dated)
            self._dated = None

    def _end_day(self, first: Day) -> None:
        """Add the current day to its segment, or begin a new segment with it."""
        self._find_last_of(first)
        self._evidence.add(Evidence.PLANNED, self._planned_year(first))
        evidence, year = self._evidence.conclude()
        if not self.segments or not self.segments[-1].may_include(first, evidence, year):
            self.segments.append(Segment(self.days - 1, first))
        segment = self.segments[-1]
        self.is_disordered |= first.second_of_year < segment.last.second_of_year - _DAY_SECONDS
        segment.add(first, self._last, evidence, year)

    def _find_last_of(self, first: Day) -> None:
        """Parse the last line of the current day if it was skipped."""
        if self._last_line is self._last_parsed or not self._parse(self._last_line):
            return
        stamp = self._recorder.stamp
        if stamp and stamp.year is None and (stamp.month, stamp.day) == first[:2]:
            self._last = Day(stamp.month, stamp.day, stamp.second)

    def _planned_year(self, first: Day) -> int | None:
        """Return the current day's year in the plan of an earlier run; None after the end of the plan."""
        changes = self._plan.changes
        if changes and self.days == 1:
            # The plan begins with the day on which the earlier run stopped, which may have no more lines.
            self._plan_offset = int(first[:2] != changes[0][1:3])
        number = self.days - 1 + self._plan_offset
        if number >= self._plan.days:
            return None
        return [change.year for change in changes if change.day_number <= number][-1]


def survey_log(reader: Reader, zone: tzinfo, plan: YearPlan = NO_PLAN) -> Survey:
    """Return a survey of all lines of an open log from the reader's offset on; the reader stays at that offset."""
    survey = Survey(zone, plan)
    # A damaged file is reported when its lines are read.
    with reader.ahead() as ahead, suppress(LogError):
        for block in ahead.blocks(survey.skip):
            survey.add(block.lines)
        if last := ahead.last_line():
            survey.add(last.lines)
    return survey.end()


def _may_have_own_message_id(line: str) -> bool:
    """Return whether a line may have a message ID that begins with a year, as MTAs generate them."""
    at = line.find("id=<")
    return at > 0 and line[at + 4 : at + 6] in ("20", "19")


def _line_start(line: str, stamp: Stamp | None) -> str:
    """Return the start of a line up to the hour, which marks other lines of the day; `_NOTHING` if it does not."""
    if stamp is None:
        return line[:11] if line[4:5] == "-" and line[10:11] in ("T", " ") else _NOTHING
    at = line.find(":", beginning_of(line))
    if line[at - 2 : at + 6] != _clock(stamp):
        return _NOTHING
    start = line[: at - 2]
    return start if stamp.year is None or str(stamp.year) in start else _NOTHING


def _json_member(line: str, stamp: Stamp | None) -> str:
    """Return the name of the JSON member with the stamp, and the stamp up to the hour; `_NOTHING` if there is none.

    Text inside a member cannot imitate it, because JSON escapes the quotes there.
    """
    if stamp is None or stamp.year is not None or line[:1] != "{":
        return _NOTHING
    end = line.find(" " + _clock(stamp)) + 1
    value = line.rfind('"', 0, end)
    name = line.rfind('"', 0, line.rfind('"', 0, value))
    member = line[name:end] if name >= 0 else ""
    return _NOTHING if not member or "-" in member or "\\" in line[name - 1 : end] else member


def _clock(stamp: Stamp) -> str:
    minutes = stamp.second // 60
    return f"{minutes // 60:02}:{minutes % 60:02}:{stamp.second % 60:02}"
