"""The instants that time stamps mean: the years and zones that they leave out.

RFC 3164 stamps have neither year nor zone. Lines go forward in time, so the year of the first line gives all others;
and the order of lines tells apart the two passes through the hour that the end of summer time repeats.
"""

from calendar import isleap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from time import gmtime
from typing import Any, Final, NamedTuple

from mailtrace.prefixes import beginning_of
from mailtrace.queue_ids import time_of
from mailtrace.stamps import FIRST_YEAR, Stamp, midnight, stamp_of

_DAY: Final = 86400
_DISORDER: Final = 60 * _DAY
"""Seconds by which a line may step back without being of the next year."""


class LocalTime:
    """The clock on a zone's walls, summer time and all. The zone is any tzinfo."""

    def __init__(self, zone: tzinfo) -> None:
        self.zone = zone
        self._offsets: dict[int, int | None] = {}

    def instant(self, wall: int, latest: int | None) -> int:
        """Return the second since 1970 at which the wall clock showed a time, itself in seconds from 1970.

        In a repeated hour `latest`, the latest instant of the lines before, decides: who goes back is in the second
        pass, and stays there. Times that the clock skips are taken by the offset before.
        """
        day = wall - wall % _DAY
        try:
            offset = self._offsets[day]
        except KeyError:
            offset = self._remember(day)
        return wall - offset if offset is not None else self._near_change(wall, latest)

    def _remember(self, day: int) -> int | None:
        if len(self._offsets) > 1000:
            self._offsets.clear()
        offset = self._offset(day - 10800)
        self._offsets[day] = found = offset if offset == self._offset(day + _DAY + 10800) else None
        return found

    def _offset(self, wall: int) -> int:
        time = datetime(FIRST_YEAR, 1, 1, tzinfo=self.zone) + timedelta(seconds=wall)
        return round((time.utcoffset() or timedelta()).total_seconds())

    def _near_change(self, wall: int, latest: int | None) -> int:
        """An instant on a day on which the offset changes. A zone's own idea of gaps and folds is not asked for."""
        before, after = self._offset(wall - _DAY), self._offset(wall + _DAY)
        found = sorted({wall - offset for offset in (before, after) if self._shows(wall - offset) == wall})
        if len(found) < 2 or latest is None:
            return found[0] if found else wall - before
        disorder = 10 if datetime.fromtimestamp(latest, self.zone).fold else 300
        return found[0] if found[0] >= latest - disorder else found[1]

    def _shows(self, instant: int) -> int:
        time = datetime.fromtimestamp(instant, self.zone).replace(tzinfo=timezone.utc)
        return round(time.timestamp())


class Years:
    """Gives stamps their instants, in the order of the lines; its state is the latest instant so far."""

    def __init__(
        self,
        zone: tzinfo,
        year: int | None,
        latest: int | None = None,
        dated: int | None = None,
        seen: int | None = None,
    ) -> None:
        self._local = LocalTime(zone)
        self.year = year
        """The year of the first stamp without one, later that of the latest; None: such stamps cannot be dated."""
        self.latest = latest
        """The latest instant of the stamps without a year, in seconds since 1970."""
        self._dated = dated
        self._seen = seen
        self._day = (0, 0)
        self._midnight: int | None = None
        self._year_of_day: int | None = None

    def state(self) -> dict[str, Any]:
        """Return what a later run needs to go on."""
        return {"year": self.year, "latest": self.latest, "dated": self._dated, "seen": self._seen}

    def instant(self, stamp: Stamp) -> int | None:
        """Return the second since 1970 of the next line's stamp; None where there is no such date."""
        if stamp.year is None:
            return self.without_year(stamp.month, stamp.day, stamp.second, stamp.offset)
        start = midnight(stamp.year, stamp.month, stamp.day)
        if start is None:
            return None
        wall = start + stamp.second
        self._seen = wall - stamp.offset if stamp.offset is not None else self.local(wall)
        return self._seen

    def local(self, wall: int) -> int:
        """Return the instant of the next line's stamp with a year but without a zone."""
        instant = self._local.instant(wall, self._dated)
        if self._dated is None or instant > self._dated:
            self._dated = instant
        return instant

    def without_year(self, month: int, day: int, second: int, offset: int | None = None) -> int | None:
        """Return the instant of the next line's stamp without year; None where there is no such date in its year.

        `offset` is that of a zone which the stamp names, in seconds east of UTC.

        The year is the one in which the stamp is nearest to the latest one, but at most 60 days before it.
        """
        if (month, day) != self._day:
            self._midnight = self._start_of(month, day, second)
            self._day = (month, day)
            self._year_of_day = None if self._midnight is None else gmtime(self._midnight).tm_year
        if self._midnight is None:
            return None
        wall = self._midnight + second
        instant = self._local.instant(wall, self.latest) if offset is None else wall - offset
        if self.latest is None or instant > self.latest:
            self.latest, self.year = instant, self._year_of_day
        return instant

    def _start_of(self, month: int, day: int, second: int) -> int | None:
        if self.latest is None:
            year = self._first_year((month, day, second))
            return None if year is None else midnight(year, month, day)
        is_leap_day = (month, day) == (2, 29)
        year = gmtime(self.latest).tm_year - 1
        for candidate in range(year, year + 4):
            start = midnight(candidate, 3, 1) if is_leap_day else midnight(candidate, month, day)
            if start is not None and self._local.instant(start + second, self.latest) >= self.latest - _DISORDER:
                return midnight(candidate, month, day)
        return None

    def _first_year(self, day: tuple[int, int, int]) -> int | None:
        """The year of the first stamp without one: of the dated line before it, unless that is of another than told."""
        if self._seen is None or self.year not in (None, gmtime(self._seen).tm_year):
            return self.year
        return _nearest_year(day, self._seen, self._local)


class _Head(NamedTuple):
    """A line without year among a log's first."""

    stamp: Stamp
    turn: int
    """How many times the year has changed since the first of them."""
    line: str


def first_year(head: Sequence[str], last: str | None, modified: float, zone: tzinfo) -> int | None:
    """Return the year of a log's first line where its stamps carry none; None where no line of `head` lacks its year.

    `head` is the log's first lines, some 2000 at most, `last` its last; `modified` is when it was last written, in
    seconds since 1970. A queue ID that carries its time tells the year; otherwise it is the latest in which the last
    line is not after `modified`, with a day of grace.
    """
    lines = list(_turned(head))
    if not lines:
        return None
    local = LocalTime(zone)
    told = _told_by_queue_ids(lines, local)
    if told is None:
        told = _told_by_dated(head, local)
    return told if told is not None else _told_by_last(lines, last, modified, local)


def _turned(head: Iterable[str]) -> Iterator[_Head]:
    latest = None
    for line in head:
        stamp = stamp_of(line, beginning_of(line))
        if stamp is None or stamp.year is not None or midnight(2000, stamp.month, stamp.day) is None:
            continue
        # Years of 366 days, so that 29 February has its place in each.
        place = _of_year(stamp)
        if latest is None:
            latest = place
        turn = -((place - latest + _DISORDER) // (366 * _DAY))
        latest = max(latest, turn * 366 * _DAY + place)
        yield _Head(stamp, turn, line)


def _of_year(stamp: Stamp) -> int:
    """Seconds since the start of a leap year."""
    return (midnight(2000, stamp.month, stamp.day) or 0) - (midnight(2000, 1, 1) or 0) + stamp.second


def _told_by_queue_ids(lines: Sequence[_Head], local: LocalTime) -> int | None:
    """The first line's year by the queue IDs of messages that come in; else by the newest of any."""
    beginnings, others = Counter[int](), Counter[int]()
    for stamp, turn, line in lines:
        time, is_beginning = _queue_id_time(line, stamp.end)
        day = (stamp.month, stamp.day, stamp.second)
        if time is not None and (year := _nearest_year(day, time, local)) is not None:
            (beginnings if is_beginning else others)[year - turn] += 1
    if beginnings:
        return beginnings.most_common(1)[0][0]
    return max(others, default=None)


def _queue_id_time(line: str, at: int) -> tuple[int | None, bool]:
    """The time that a line's queue ID carries, and whether the message begins with this line."""
    head, _, text = line[at:].partition(": ")
    if text.startswith("[ID "):
        text = text.partition("] ")[2]
    queue_id, _, what = text.partition(": ")
    program = head.rpartition(" ")[2].partition("[")[0]
    is_postfix = "/" in program
    time = time_of(queue_id, "postfix" if is_postfix else "sendmail") if len(queue_id) < 32 else None
    return time, what.startswith(("client=", "uid=") if is_postfix else "from=")


def _nearest_year(day: tuple[int, int, int], time: int, local: LocalTime) -> int | None:
    """The year in which a month, day and second are nearest to an instant."""
    year = gmtime(time).tm_year
    month, number, second = day
    found = [
        (abs(local.instant(start + second, None) - time), candidate)
        for candidate in range(year - 4, year + 5)
        if (start := midnight(candidate, month, number)) is not None
    ]
    return min(found)[1] if found else None


def _told_by_dated(head: Sequence[str], local: LocalTime) -> int | None:
    """The first line's year by the first of the others whose stamp has one."""
    for i, line in enumerate(head):
        dated = stamp_of(line, beginning_of(line))
        start = midnight(dated.year, dated.month, dated.day) if dated and dated.year is not None else None
        if dated is None or start is None:
            continue
        before = list(_turned(head[:i])) or list(_turned(head[i:]))[:1]
        stamp, turn, _ = before[-1]
        year = _nearest_year((stamp.month, stamp.day, stamp.second), start + dated.second - (dated.offset or 0), local)
        return None if year is None else year - turn
    return None


def _told_by_last(lines: Sequence[_Head], last: str | None, modified: float, local: LocalTime) -> int | None:
    """The first line's year by the time of the log's last writing."""
    newest = lines[-1]
    stamp = stamp_of(last, beginning_of(last)) if last else None
    if stamp is None or midnight(stamp.year or 2000, stamp.month, stamp.day) is None:
        stamp = newest.stamp
    turns = newest.turn + (_of_year(stamp) < _of_year(newest.stamp) - _DAY)
    if stamp.year is not None:
        return stamp.year - turns
    limit = min(max(0.0, modified), 7e9) + _DAY
    leap_days = {line.turn for line in lines if (line.stamp.month, line.stamp.day) == (2, 29)}
    for year in range(gmtime(limit).tm_year + 1, FIRST_YEAR, -1):
        start = midnight(year, stamp.month, stamp.day)
        if start is None or local.instant(start + stamp.second, None) > limit:
            continue
        if all(isleap(year - turns + turn) for turn in leap_days):
            return year - turns
    return None
