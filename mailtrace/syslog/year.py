"""The instants that time stamps mean: the years and zones that they leave out.

RFC 3164 stamps have neither year nor zone. Lines go forward in time, so the year of the first line gives all others;
and the order of lines tells apart the two passes through the hour that the end of summer time repeats.
"""

from collections.abc import Sequence
from datetime import tzinfo
from time import gmtime
from typing import Any, Final, NamedTuple

from mailtrace.syslog.local_time import LocalTime
from mailtrace.syslog.stamp import Stamp, midnight

_DAY: Final = 86400
_DISORDER: Final = 60 * _DAY
"""Seconds by which a line may step back without being of the next year."""
_HALF_YEAR: Final = 180 * _DAY


def instant_of_stamp(stamp: Stamp) -> int | None:
    """Return the second since 1970 of a stamp with its year, in UTC unless it says its zone."""
    start = None if stamp.year is None else midnight(stamp.year, stamp.month, stamp.day)
    return None if start is None else start + stamp.second - (stamp.offset or 0)


class Turn(NamedTuple):
    """Where the year of a log's lines changes."""

    number: int
    """How many times the day changes before, from where the plan begins."""
    month: int
    day: int
    year: int


class Plan(NamedTuple):
    """The years of lines that have been surveyed."""

    turns: Sequence[Turn]
    """The first is of the first line."""
    days: int
    """How many days the lines are of; where the day steps back, it counts again."""
    limit: float = float("inf")
    """The latest instant of lines behind these."""


class Timeline:
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
        self.told: int | None = None
        """When the next line was written, by what it is wrapped in."""
        self._day = (0, 0)
        self._midnight: int | None = None
        self._year_of_day: int | None = None
        self.follow(Plan((), 0))

    def follow(self, plan: Plan) -> None:
        """Take the years of the next lines from a plan, as far as it goes."""
        self._plan, self._number, self._turn = plan, 0, 0
        self._day = (0, 0)

    def state(self) -> dict[str, Any]:
        """Return what a later run needs to go on."""
        plan = self._rest_of_plan()
        return {"year": self.year, "latest": self.latest, "dated": self._dated, "seen": self._seen, "plan": plan}

    def _rest_of_plan(self) -> list[Any] | None:
        """The plan from the latest day on, as lists."""
        turns, begun = self._plan.turns, self._number - 1
        if begun < 0 or self._number >= self._plan.days:
            return None
        rest = [[turn.number - begun, *turn[1:]] for turn in turns[self._turn :]]
        return [[[0, *self._day, turns[self._turn - 1].year], *rest], self._plan.days - begun]

    def instant(self, stamp: Stamp) -> int | None:
        """Return the second since 1970 of the next line's stamp; None where there is no such date."""
        year = stamp.year
        if year is None:
            day = (stamp.month, stamp.day, stamp.second)
            year = None if self.told is None or self._plan.days else year_before(day, self.told, self._local)
            if year is None:
                return self.without_year(*day, stamp.offset)
        start = midnight(year, stamp.month, stamp.day)
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

        Without a plan, it is the year in which the stamp is nearest to the latest one, but at most 60 days before it.
        `offset` is that of a zone which the stamp names, in seconds east of UTC.
        """
        if (month, day) != self._day:
            if midnight(2000, month, day) is None:
                return None
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
        if (year := self._planned(month, day)) is not None:
            start = midnight(year, month, day)
            if start is not None and self.latest is not None and start < self.latest - _DISORDER:
                self.latest = None
            return start
        if self.latest is None:
            year = self._first_year((month, day, second))
            return None if year is None else midnight(year, month, day)
        is_leap_day = (month, day) == (2, 29)
        year = gmtime(self.latest).tm_year - 1
        for candidate in range(year, year + 4):
            start = midnight(candidate, 3, 1) if is_leap_day else midnight(candidate, month, day)
            if start is None or (instant := self._local.instant(start + second, self.latest)) < self.latest - _DISORDER:
                continue
            return midnight(candidate - (instant > self._plan.limit), month, day)
        return None

    def _planned(self, month: int, day: int) -> int | None:
        """The year of the next day; None behind the plan's end, and where the lines are others than were surveyed."""
        turns, number = self._plan.turns, self._number
        if number >= self._plan.days:
            return None
        self._number += 1
        if self._turn < len(turns) and turns[self._turn].number == number:
            self._turn += 1
            if turns[self._turn - 1][1:3] != (month, day):
                self._plan = Plan((), 0)
                return None
        return turns[self._turn - 1].year

    def _first_year(self, day: tuple[int, int, int]) -> int | None:
        """The year of the first stamp without one: of the dated line before it, unless that is of another than told."""
        if self._seen is None or self.year not in (None, gmtime(self._seen).tm_year):
            return self.year
        return nearest_year(day, self._seen, self._local)


def nearest_year(day: tuple[int, int, int], time: int, local: LocalTime) -> int | None:
    """Return the year in which a month, day and second of the day are nearest to an instant."""
    year = gmtime(time).tm_year
    month, number, second = day
    found = [
        (abs(local.instant(start + second, None) - time), candidate)
        for candidate in range(year - 4, year + 5)
        if (start := midnight(candidate, month, number)) is not None
    ]
    return min(found)[1] if found else None


def year_before(day: tuple[int, int, int], time: int, local: LocalTime) -> int | None:
    """Return the latest year in which a month, day and second are not after an instant, but for a day or two."""
    return nearest_year(day, time - _HALF_YEAR, local)


def year_after(day: tuple[int, int, int], time: int, local: LocalTime) -> int | None:
    """Return the first year in which a month, day and second are not before an instant, but for a day or two."""
    return nearest_year(day, time + _HALF_YEAR, local)
