"""The instants of time stamps: adds the year and the time zone that stamps leave out.

RFC 3164 stamps have neither year nor zone. Lines go forward in time, so all years follow from that of the first line,
and the order of the lines separates the two passes through the hour that the end of summer time repeats.
"""

from collections.abc import Mapping, Sequence
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
    """Return the second since 1970 of a stamp with a year, in UTC if it has no zone; None if there is no such date."""
    start = None if stamp.year is None else midnight(stamp.year, stamp.month, stamp.day)
    return None if start is None else start + stamp.second - (stamp.offset or 0)


class YearChange(NamedTuple):
    """A day from which on the lines are of another year."""

    day_number: int
    """Counts the days from the beginning of the plan."""
    month: int
    day: int
    year: int


class YearPlan(NamedTuple):
    """The years of lines that have been surveyed."""

    changes: Sequence[YearChange]
    """The first one gives the year of the first line."""
    days: int
    """The number of days; a day to which the lines step back counts again."""
    limit: float = float("inf")
    """The latest instant of the lines after these."""


NO_PLAN: Final = YearPlan((), 0)


class Timeline:
    """Dates the stamps of one log, in the order of its lines; its state is the latest instant so far."""

    def __init__(
        self,
        zone: tzinfo,
        year: int | None,
        latest: int | None = None,
        dated: int | None = None,
        seen: int | None = None,
    ) -> None:
        """Begin with the year of the first stamp without one, or continue with the members of an earlier `state`."""
        self._local = LocalTime(zone)
        self.year = year
        """The year of the latest stamp without one, at first of the first one; None: such stamps cannot be dated."""
        self.latest = latest
        """The latest instant of the stamps without a year, in seconds since 1970."""
        self._dated = dated
        """The latest instant of the stamps with a year but without a zone."""
        self._seen = seen
        """The latest instant of the stamps with a year."""
        self.wrapper_time: int | None = None
        """When a collector received the next line, in seconds since 1970."""
        self._day = (0, 0)
        self._midnight: int | None = None
        self._year_of_day: int | None = None
        self.follow(NO_PLAN)

    def follow(self, plan: YearPlan) -> None:
        """Use a plan for the years of the next lines."""
        self._plan, self._day_number, self._next_change = plan, 0, 0
        self._day = (0, 0)

    def state(self) -> dict[str, Any]:
        """Return what a later run needs to continue, as JSON."""
        plan = self._remaining_plan()
        return {"year": self.year, "latest": self.latest, "dated": self._dated, "seen": self._seen, "plan": plan}

    def position(self) -> dict[str, Any]:
        """Return everything but the zone, to go on from here in another process."""
        return {name: value for name, value in vars(self).items() if name != "_local"}

    def go_to(self, position: Mapping[str, Any]) -> None:
        """Go on from a `position`, of this log or of one in the same zone."""
        vars(self).update(position)

    def depends_on_order(self, instant: int) -> bool:
        """Return whether the lines of the day of an instant must be dated in their order, because the clock changes."""
        return any(self._local.depends_on_order(instant + hours * 3600) for hours in (-14, 0, 14))

    def _remaining_plan(self) -> list[Any] | None:
        """Return the plan from the latest day on, as lists; None after its end."""
        changes, current = self._plan.changes, self._day_number - 1
        if current < 0 or self._day_number >= self._plan.days:
            return None
        later = [[change.day_number - current, *change[1:]] for change in changes[self._next_change :]]
        return [[[0, *self._day, changes[self._next_change - 1].year], *later], self._plan.days - current]

    def instant(self, stamp: Stamp) -> int | None:
        """Return the second since 1970 of the next line's stamp; None if there is no such date."""
        year = stamp.year
        if year is None:
            day = (stamp.month, stamp.day, stamp.second)
            if self.wrapper_time is not None and not self._plan.days:
                year = year_before(day, self.wrapper_time, self._local)
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
        """Return the instant of the next line's stamp without a year; None if there is no such date in its year.

        Without a plan, the year is the first in which the stamp is at most 60 days before the latest one. `offset` is
        that of the stamp's time zone, if it has one, in seconds east of UTC.
        """
        if (month, day) != self._day:
            if midnight(2000, month, day) is None:
                return None
            self._midnight = self._midnight_of(month, day, second)
            self._day = (month, day)
            self._year_of_day = None if self._midnight is None else gmtime(self._midnight).tm_year
        if self._midnight is None:
            return None
        wall = self._midnight + second
        instant = self._local.instant(wall, self.latest) if offset is None else wall - offset
        if self.latest is None or instant > self.latest:
            self.latest, self.year = instant, self._year_of_day
        return instant

    def _midnight_of(self, month: int, day: int, second: int) -> int | None:
        """Return the start of the next day in its year, in seconds from 1970 to that local time."""
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
        """Return the next day's year in the plan; None after its end, or if the lines are not those of the plan."""
        changes, number = self._plan.changes, self._day_number
        if number >= self._plan.days:
            return None
        self._day_number += 1
        if self._next_change < len(changes) and changes[self._next_change].day_number == number:
            self._next_change += 1
            if changes[self._next_change - 1][1:3] != (month, day):
                self._plan = NO_PLAN
                return None
        return changes[self._next_change - 1].year

    def _first_year(self, day: tuple[int, int, int]) -> int | None:
        """Return the year of the first stamp without one: that of a dated line before it, unless `year` differs."""
        if self._seen is None or self.year not in (None, gmtime(self._seen).tm_year):
            return self.year
        return nearest_year(day, self._seen, self._local)


def nearest_year(day: tuple[int, int, int], time: int, local: LocalTime) -> int | None:
    """Return the year in which a month, day and second of the day are nearest to an instant; None if there is none."""
    year = gmtime(time).tm_year
    month, number, second = day
    found = [
        (abs(local.instant(start + second, None) - time), candidate)
        for candidate in range(year - 4, year + 5)
        if (start := midnight(candidate, month, number)) is not None
    ]
    return min(found)[1] if found else None


def year_before(day: tuple[int, int, int], time: int, local: LocalTime) -> int | None:
    """Return the latest year in which a month, day and second are before an instant, or a little after it."""
    return nearest_year(day, time - _HALF_YEAR, local)


def year_after(day: tuple[int, int, int], time: int, local: LocalTime) -> int | None:
    """Return the first year in which a month, day and second are after an instant, or a little before it."""
    return nearest_year(day, time + _HALF_YEAR, local)
