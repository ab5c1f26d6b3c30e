"""A survey of a log's lines before they are dated: the order of their days, and what tells the years.

Queue IDs and message IDs that carry a time tell the year of their line, and so do what the line is wrapped in, and a
neighbour whose stamp has a year.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import timezone, tzinfo
from typing import Final, NamedTuple

from mailtrace.logs.file import decoded
from mailtrace.mta.grammars import grammar_of
from mailtrace.mta.queue_ids import time_in_message_id, time_of
from mailtrace.syslog.frame import Frames, Record
from mailtrace.syslog.local_time import LocalTime
from mailtrace.syslog.prefixes import beginning_of
from mailtrace.syslog.stamp import Stamp, midnight
from mailtrace.syslog.year import Plan, Timeline, instant_of_stamp, nearest_year, year_after, year_before

_DAY: Final = 86400
_DISORDER: Final = 60 * _DAY
"""Seconds by which a line may step back without being of another year."""
_GAP: Final = 366 * _DAY - _DISORDER
_LOOKS: Final = 20
"""So many lines of a day are searched for the year, besides those that may hold a message ID with a time."""
_PROMPT: Final = 2 * _DAY
"""A queue ID's time and the line with which its message begins are no further apart, in whatever zones."""
_QUEUED: Final = 40 * _DAY
"""Few messages wait for longer."""
_MOST: Final = 1000
"""Stretches of one survey: a log in good order has one a year."""

_PLANNED, _OWN, _BEGINNING, _QUEUE, _WRAPPED, _NEIGHBOUR, _OLD, _NOTHING = range(8)
"""What tells a year, the surest first."""
_CERTAIN: Final = _WRAPPED
"""The last of them that is believed against the order of the lines."""
NO_PLAN: Final = Plan((), 0)


class Day(NamedTuple):
    """A month, a day, and the seconds since its midnight."""

    month: int
    day: int
    second: int

    @property
    def place(self) -> int:
        """Seconds since the start of a leap year, in which every day has its place."""
        return (midnight(2000, self.month, self.day) or 0) - 946684800 + self.second


class Stretch:
    """Lines that follow each other and are of one year."""

    def __init__(self, number: int, first: Day) -> None:
        self.number = number
        """How many times the day changed before."""
        self.first = self.last = self.latest = first
        self.year: int | None = None
        """What its lines tell."""
        self.source = _NOTHING
        self.has_leap_day = False

    def fits(self, day: Day, source: int, year: int | None) -> bool:
        """Whether lines of a day can be of the same year."""
        if not -_DISORDER <= day.place - self.latest.place <= _GAP:
            return False
        return year in (None, self.year) or max(source, self.source) > _CERTAIN

    def add(self, first: Day, last: Day, source: int, year: int | None) -> None:
        """Take in lines of a day, and what tells their year."""
        self.last = last
        self.latest = max(self.latest, first, last)
        self.has_leap_day |= first[:2] == (2, 29)
        if source < self.source:
            self.source, self.year = source, year


class _Looked(Timeline):
    """Keeps a line's stamp instead of dating the line."""

    stamp: Stamp | None = None
    wrapped: int | None = None

    def instant(self, stamp: Stamp) -> int | None:
        self.stamp, self.wrapped = stamp, self.told
        return None if midnight(stamp.year or 2000, stamp.month, stamp.day) is None else 0

    def without_year(self, month: int, day: int, second: int, offset: int | None = None) -> int | None:
        return self.instant(Stamp(None, month, day, second, 0, offset, 0))


class Survey:
    """The order of a log's days, and what is known of their years."""

    def __init__(self, zone: tzinfo, planned: Plan = NO_PLAN) -> None:
        """Begin where lines begin; or where a run ended before the end of its plan, which holds for the next days."""
        self._planned, self._begun = planned, 0
        self.stretches: list[Stretch] = []
        self.days = 0
        """How many days the lines are of; where the day steps back, it counts again."""
        self.is_disordered = False
        """Whether some line steps back by more than a day within a stretch."""
        self._local = LocalTime(zone)
        self._looked = _Looked(timezone.utc, None)
        self._frames = Frames.dated_by(self._looked)
        self._prefix, self._before, self._taken = "\n", "", ""
        self._mark = "\n"
        self._first: Day | None = None
        self._last = Day(1, 1, 0)
        self._votes: dict[int, Counter[int]] = defaultdict(Counter)
        self._looks, self._is_told = 0, False
        self._dated: int | None = None

    def add(self, lines: Iterable[str]) -> None:
        """Take in the next lines. Most begin with the same day as the one before, and cost next to nothing."""
        before = self._before
        for line in lines:
            if line.startswith(self._prefix) and (self._is_told or self._is_dull(line)):
                before = line
                continue
            self._before = before
            self._take(line)
            before = line
        self._before = before

    def skip(self, lines: bytes) -> bool:
        """Take in whole lines at once where all are of the same day as the line before; return whether they are."""
        day = self._prefix.encode()
        if not lines.startswith(day) or (not self._is_told and (self._looks > 0 or b"id=<" in lines)):
            return False
        if lines.count(b"\n") != lines.count(b"\n" + day) + 1:
            return False
        self._before = decoded(lines[lines.rfind(b"\n", 0, -1) + 1 : -1])
        return True

    def _is_dull(self, line: str) -> bool:
        """Whether a line of the same day as the one before is not looked at."""
        return self._looks <= 0 and not _may_hold_own_message_id(line)

    @property
    def is_full(self) -> bool:
        """Whether there may be more lines than were looked at."""
        return len(self.stretches) >= _MOST

    @property
    def is_settled(self) -> bool:
        """Whether something tells the year of the latest day, or no line lacks its year."""
        return self._first is None or bool(self._votes)

    def end(self) -> "Survey":
        """Take in that no line follows."""
        if self._first is not None:
            self._end_day(self._first)
        self._first = None
        return self

    def _take(self, line: str) -> None:
        if line[:1] == "{" and self._mark in line and (self._is_told or self._is_dull(line)):
            return
        record = self._look(line)
        if record is None:
            return
        stamp = self._looked.stamp
        if stamp is None or stamp.year is not None:
            self._take_dated(record.time // 1_000_000 if stamp is None else instant_of_stamp(stamp))
        else:
            self._take_day(Day(stamp.month, stamp.day, stamp.second), record)
        self._prefix, self._mark, self._taken = _prefix_of(line, stamp), _mark_of(line, stamp), line
        if self.is_full:
            self._prefix, self._is_told = "", True

    def _look(self, line: str) -> Record | None:
        """A line's record; its stamp is in `_looked`, unless the line has a year and is like the one before."""
        self._looked.stamp = self._looked.wrapped = None
        self._frames.follow(NO_PLAN)
        record = self._frames.record(line)
        return record if type(record) is Record else None

    def _take_dated(self, instant: int | None) -> None:
        self._looks = 0
        if instant is None:
            return
        self._dated = instant
        if self._first is not None and not self._votes:
            self._vote(_NEIGHBOUR, nearest_year(self._last, instant, self._local))

    def _take_day(self, day: Day, record: Record) -> None:
        wrapped = self._looked.wrapped
        if self._first is None or day[:2] != self._first[:2]:
            if self._first is not None:
                self._end_day(self._first)
            self._first = day
            self.days += 1
            self._looks, self._is_told = _LOOKS, False
            if self._dated is not None:
                self._vote(_NEIGHBOUR, nearest_year(day, self._dated, self._local))
                self._dated = None
        self._last = day
        self._looks -= 1
        if wrapped is not None:
            self._vote(_WRAPPED, year_before(day, wrapped, self._local))
        self._search(record, day)

    def _end_day(self, first: Day) -> None:
        if self._before is not self._taken and self._look(self._before) and (stamp := self._looked.stamp):
            last = Day(stamp.month, stamp.day, stamp.second)
            self._last = last if stamp.year is None and last[:2] == first[:2] else self._last
        if (planned := self._planned_year(first)) is not None:
            self._vote(_PLANNED, planned)
        source = min(self._votes, default=_NOTHING)
        votes = self._votes.pop(source, Counter())
        self._votes.clear()
        year = max(votes, key=lambda year: (votes[year], year), default=None)
        if not self.stretches or not self.stretches[-1].fits(first, source, year):
            self.stretches.append(Stretch(self.days - 1, first))
        stretch = self.stretches[-1]
        self.is_disordered |= first.place < stretch.last.place - _DAY
        stretch.add(first, self._last, source, year)

    def _planned_year(self, first: Day) -> int | None:
        turns = self._planned.turns
        if turns and self.days == 1:
            # The plan begins with the day that had begun, of which there may be no more lines.
            self._begun = int(first[:2] != turns[0][1:3])
        number = self.days - 1 + self._begun
        if number >= self._planned.days:
            return None
        return [turn.year for turn in turns if turn.number <= number][-1]

    def _vote(self, source: int, year: int | None) -> None:
        if year is not None:
            self._votes[source][year] += 1

    def _search(self, record: Record, day: Day) -> None:
        """Look for a time in a line's queue ID and message ID."""
        grammar = grammar_of(record.program)
        queue_id, _, what = record.text.partition(": ")
        if grammar is None or len(queue_id) > 32 or not what:
            return
        is_postfix = grammar.mta == "postfix"
        message_id = what.partition("message-id=<" if is_postfix else "msgid=<")[2].partition(">")[0]
        if message_id and (time := time_in_message_id(message_id, queue_id)) is not None:
            self._vote_prompt(_OWN, day, time)
        if (time := time_of(queue_id, grammar.mta)) is None:
            return
        if what.startswith(("client=", "uid=") if is_postfix else "from="):
            self._vote_prompt(_BEGINNING, day, time)
        else:
            self._vote_queued(day, time)

    def _vote_prompt(self, source: int, day: Day, time: int) -> None:
        """A time that is the line's own, or the clock is none."""
        year = nearest_year(day, time, self._local)
        if year is not None and abs(self._instant(day, year) - time) <= _PROMPT:
            self._vote(source, year)
            self._is_told = source == _OWN or self._votes[source][year] > 1

    def _vote_queued(self, day: Day, time: int) -> None:
        """The time at which the message of a line came in: it is no older than a year."""
        year = year_after(day, time, self._local)
        if year is not None:
            is_old = not -_PROMPT <= self._instant(day, year) - time <= _QUEUED
            self._vote(_OLD if is_old else _QUEUE, year)

    def _instant(self, day: Day, year: int) -> int:
        return self._local.instant((midnight(year, day.month, day.day) or 0) + day.second, None)


def _may_hold_own_message_id(line: str) -> bool:
    at = line.find("id=<")
    return at > 0 and line[at + 4 : at + 6] in ("20", "19")


def _prefix_of(line: str, stamp: Stamp | None) -> str:
    """What every further line of the same day begins with, as far as can be told: the line up to its hour."""
    if stamp is None:
        return line[:11] if line[4:5] == "-" and line[10:11] in ("T", " ") else "\n"
    at = line.find(":", beginning_of(line))
    if line[at - 2 : at + 6] != _clock(stamp):
        return "\n"
    prefix = line[: at - 2]
    return prefix if stamp.year is None or str(stamp.year) in prefix else "\n"


def _mark_of(line: str, stamp: Stamp | None) -> str:
    """What every further line of the same day holds where it is JSON: the member's name, and the stamp up to its hour.

    Whoever writes into a member cannot write it: quotes are escaped there.
    """
    if stamp is None or stamp.year is not None or line[:1] != "{":
        return "\n"
    end = line.find(" " + _clock(stamp)) + 1
    value = line.rfind('"', 0, end)
    name = line.rfind('"', 0, line.rfind('"', 0, value))
    mark = line[name:end] if name >= 0 else ""
    return "\n" if not mark or "-" in mark or "\\" in line[name - 1 : end] else mark


def _clock(stamp: Stamp) -> str:
    minutes = stamp.second // 60
    return f"{minutes // 60:02}:{minutes % 60:02}:{stamp.second % 60:02}"
