"""Time stamps at the start of log lines, and the instants that they mean: the years and zones that they leave out.

RFC 3164 stamps have neither year nor zone. Lines go forward in time, so the year of the first line gives all others;
and the order of lines tells apart the two passes through the hour that the end of summer time repeats.
"""

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone, tzinfo
from time import gmtime
from typing import Any, Final, NamedTuple

_DAY: Final = 86400
_DISORDER: Final = 60 * _DAY
"""Seconds by which a line may step back without being of the next year."""
_HALF_YEAR: Final = 180 * _DAY
_FIRST, _LAST = 1970, 2199

_ABBREVIATIONS: Final = (
    "jan january janv jän jänner ene gen",
    "feb february febr févr fév fevr fev",
    "mar march mär märz mrz mars mrt",
    "apr april avr avril abr",
    "may mai mei mag",
    "jun june juni juin giu",
    "jul july juli juil jui lug",
    "aug august août aoû aout ago agosto",
    "sep september sept set",
    "oct october okt ott out",
    "nov november",
    "dec december dez déc dic",
)
"""What glibc's date(1) writes for a month in English, German, French, Spanish, Italian, Dutch and Portuguese."""


def _as_latin1(name: str) -> str:
    """How a month's name reads where the log is in Latin-1."""
    return name.encode("latin-1").decode("utf-8", "backslashreplace")


MONTHS: Final = {
    spelling: number
    for number, names in enumerate(_ABBREVIATIONS, 1)
    for name in names.split()
    for spelling in (name, _as_latin1(name))
}
"""The number of a month by its name in lower case, without a final dot."""

_TIME: Final = (
    r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:[.,](?P<micro>\d{1,9}))?"
    r"(?:[ ]?(?P<zone>[Zz]|UTC|GMT|[+-]\d\d(?::?\d\d)?))?(?=[ \t]|\Z)"
)
_WEEKDAY: Final = r"(?:[^\s\d]{2,9}[ ]{1,3})?"
_COLOR: Final = r"(?:\x1b\[[\d;]{0,16}m)?"
_prefix = re.compile(
    rf"[\0\ufeff\s]*(?:{_COLOR}[\w.-]{{1,128}}{_COLOR}[ ]{{0,64}}\|{_COLOR}[ ])?{_COLOR}"
    r"(?:(?:\d{1,5}[ ])?<\d{1,3}>)?",
    re.ASCII,
).match
_iso_stamp = re.compile(rf"{_WEEKDAY}(?P<year>\d{{4}})[-/](?P<month>\d\d)[-/](?P<day>\d\d)[Tt ]{_TIME}", re.ASCII).match
_calendar_stamp = re.compile(
    rf"{_WEEKDAY}(?:(?P<year>\d{{4}})[ ]{{1,3}})?"
    r"(?:(?P<month>[^\s\d]\S{2,11})[ ]{1,3}(?P<day>\d{1,2})"
    r"|(?P<day_first>\d{1,2})[ ]{1,3}(?P<month_last>[^\s\d]\S{2,11}))"
    rf"(?:[ ]{{1,3}}(?P<year_second>\d{{4}}))?[ ]{{1,3}}{_TIME}"
    r"(?:[ ]{1,3}(?P<year_last>(?:19|20|21)\d\d)(?=[ ]{1,3}\S{0,255}[^\s:][ ]))?",
    re.ASCII,
).match
_epoch_stamp = re.compile(r"(\d{9,10})(?:\.(\d{1,9}))?(?=[ \t])", re.ASCII).match


class Stamp(NamedTuple):
    """A time stamp as it is written. The date may be none that there is (`Dec 32`)."""

    year: int | None
    month: int
    day: int
    second: int
    """Seconds since midnight."""
    micro: int
    offset: int | None
    """Seconds east of UTC; None where the stamp leaves it open."""
    end: int
    """Where in the line the stamp ends."""


def beginning_of(line: str) -> int:
    """Return where a line begins after NULs, a byte-order mark, docker compose's `name | ` and syslog's `<PRI>`.

    Before that may stand the line's length, as syslog counts it over TCP (RFC 6587).
    """
    found = _prefix(line)
    return found.end() if found else 0


def stamp_of(line: str, at: int = 0) -> Stamp | None:
    """Return the time stamp that stands at a place in a line; None where there is none.

    Understood are RFC 3164's with or without a year before, amid or behind it, in the languages of `MONTHS`; ISO 8601
    with the looseness of journalctl and rsyslog templates; and seconds since 1970 (journalctl -o short-unix).
    """
    if found := _iso_stamp(line, at):
        return _stamp(found, int(found["year"]), int(found["month"]), int(found["day"]))
    if found := _calendar_stamp(line, at):
        month = MONTHS.get((found["month"] or found["month_last"]).lower().rstrip(".,"))
        year = found["year"] or found["year_second"] or found["year_last"]
        if month is None:
            return None
        return _stamp(found, int(year) if year else None, month, int(found["day"] or found["day_first"]))
    if found := _epoch_stamp(line, at):
        year, month, day, hour, minute, second = gmtime(int(found[1]))[:6]
        return Stamp(year, month, day, hour * 3600 + minute * 60 + second, _micro(found[2]), 0, found.end())
    return None


def _stamp(found: re.Match[str], year: int | None, month: int, day: int) -> Stamp:
    hour, minute, second = int(found["hour"]), int(found["minute"]), int(found["second"])
    offset = offset_of(found["zone"])
    if hour > 23 or minute > 59 or second > 60 or abs(offset or 0) > _DAY:
        day = 0
    seconds = hour * 3600 + minute * 60 + second
    return Stamp(year, month, day, seconds, _micro(found["micro"]), offset, found.end())


def _micro(digits: str | None) -> int:
    return int(digits[:6].ljust(6, "0")) if digits else 0


def offset_of(zone: str | None) -> int | None:
    """Return the seconds east of UTC that a stamp's zone (`Z`, `UTC`, `+01`, `-0330`, `+05:45`) says."""
    if not zone:
        return None
    if zone[0] not in "+-":
        return 0
    seconds = int(zone[1:3]) * 3600 + int(zone[3:].lstrip(":") or 0) * 60
    return -seconds if zone[0] == "-" else seconds


def midnight(year: int, month: int, day: int) -> int | None:
    """Return the seconds from 1970 to the start of a day, without regard to zones; None where there is no such day."""
    if not _FIRST <= year <= _LAST:
        return None
    try:
        return (date(year, month, day).toordinal() - 719163) * _DAY
    except (ValueError, OverflowError):
        return None


def instant_of_stamp(stamp: Stamp) -> int | None:
    """Return the second since 1970 of a stamp with its year, in UTC unless it says its zone."""
    start = None if stamp.year is None else midnight(stamp.year, stamp.month, stamp.day)
    return None if start is None else start + stamp.second - (stamp.offset or 0)


def instant_of(text: object) -> int | None:
    """Return the second since 1970 of a text that begins with a stamp and its year; None for any other."""
    stamp = stamp_of(text) if isinstance(text, str) else None
    return None if stamp is None else instant_of_stamp(stamp)


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
        time = datetime(_FIRST, 1, 1, tzinfo=self.zone) + timedelta(seconds=wall)
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
                return self.without_year(*day)
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

    def without_year(self, month: int, day: int, second: int) -> int | None:
        """Return the instant of the next line's stamp without year; None where there is no such date in its year.

        Without a plan, it is the year in which the stamp is nearest to the latest one, but at most 60 days before it.
        """
        if (month, day) != self._day:
            if midnight(2000, month, day) is None:
                return None
            self._midnight = self._start_of(month, day, second)
            self._day = (month, day)
            self._year_of_day = None if self._midnight is None else gmtime(self._midnight).tm_year
        if self._midnight is None:
            return None
        instant = self._local.instant(self._midnight + second, self.latest)
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
