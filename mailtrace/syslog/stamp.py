"""Parse the time stamps of log lines."""

import re
from datetime import date
from time import gmtime
from typing import Final, NamedTuple

_DAY: Final = 86400
FIRST_YEAR, _LAST_YEAR = 1970, 2199

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
"""Months as glibc's date(1) writes them in English, German, French, Spanish, Italian, Dutch and Portuguese."""


def _as_latin1(name: str) -> str:
    """Return a month's name as it appears if the log is in Latin-1."""
    return name.encode("latin-1").decode("utf-8", "backslashreplace")


MONTHS: Final = {
    spelling: number
    for number, names in enumerate(_ABBREVIATIONS, 1)
    for name in names.split()
    for spelling in (name, _as_latin1(name))
}
"""The number of a month by its name in lower case, without a final dot."""

DATES: Final = {
    f"{text} {day} ": (number, int(day))
    for month, number in MONTHS.items()
    if len(month) == 3
    for text in (month, month.capitalize())
    for day in [f"{day:02}" for day in range(1, 32)] + [f"{day:2}" for day in range(1, 10)]
}
"""Month and day as RFC 3164 writes them, with the blank after them."""
MINUTES: Final = {f"{minute // 60:02}:{minute % 60:02}:": minute * 60 for minute in range(1440)}
"""Every minute of a day, in seconds."""
SECONDS: Final = {f"{number:02}": number for number in range(61)}

ZONES: Final = {
    name: int(float(hours) * 3600)
    for hours, names in {
        "-10": "HST",
        "-9": "AKST HDT",
        "-8": "AKDT PST",
        "-7": "MST PDT",
        "-6": "MDT",
        "-5": "CDT EST",
        "-4": "AST EDT",
        "-3.5": "NST",
        "-3": "ADT",
        "-2.5": "NDT",
        "0": "GMT UTC WET",
        "1": "BST CET MET MEZ WAT WEST",
        "2": "CAT CEST EET MEST MESZ SAST",
        "3": "EAT EEST IDT",
        "5": "PKT",
        "7": "WIB",
        "8": "AWST HKT WITA",
        "9": "JST KST WIT",
        "9.5": "ACST",
        "10": "AEST",
        "10.5": "ACDT",
        "11": "AEDT",
        "12": "NZST",
        "13": "NZDT",
    }.items()
    for name in names.split()
}
"""Seconds east of UTC by a zone's name, for names with one meaning in the tz database since 2000.

`PST` and `CDT` mean America's. `CST` (Chicago, Shanghai, Havana), `IST` (Kolkata, Dublin, Jerusalem), `MSK` (which has
changed) and others are ambiguous, and ignored.
"""

_WEEKDAY: Final = r"(?:[^\s\d]{2,9}[ ]{1,3})?"
_CLOCK: Final = r"(?P<hour>\d{1,2}):(?P<minute>\d\d):(?P<second>\d\d)(?:[.,](?P<micro>\d{1,9}))?"
_iso_stamp = re.compile(
    rf"{_WEEKDAY}(?P<year>\d{{4}})[-/.](?P<month>\d\d)[-/.](?P<day>\d\d)(?P<between>[Tt _]){_CLOCK}", re.ASCII
).match
_calendar_stamp = re.compile(
    rf"{_WEEKDAY}(?:(?P<year>\d{{4}})[ ]{{1,3}})?"
    r"(?:(?P<month>[^\s\d]\S{2,11})[ ]{1,3}(?P<day>\d{1,2}),?"
    r"|(?P<day_first>\d{1,2})\.?[ ]{1,3}(?P<month_last>[^\s\d]\S{2,11}))"
    rf"(?:[ ]{{1,3}}(?P<year_second>\d{{4}}),?)?[ ]{{1,3}}(?:@[ ])?{_CLOCK}",
    re.ASCII,
).match
_named_stamp = re.compile(
    rf"{_WEEKDAY}(?P<day>\d{{1,2}})([-/.])(?P<month>[^\s\d./-]{{3,12}})\2(?P<year>\d{{4}})[ :T]{_CLOCK}", re.ASCII
).match
_numeric_stamp = re.compile(
    rf"{_WEEKDAY}(?P<first>\d{{1,2}})(?P<between>[-/.])(?P<next>\d{{1,2}})(?P=between)(?P<year>\d{{4}}),?[ \tT]"
    rf"{_CLOCK}",
    re.ASCII,
).match
_rest_of_stamp = re.compile(
    r"(?:[ ]?(?P<half>[AaPp])\.?[Mm]\.?(?=[ \t\]]|\Z))?"
    r"(?:[ ]?(?P<zone>[Zz]|UTC|GMT|[+-]\d\d(?::?\d\d)?))?(?=[ \t\]]|\Z)",
    re.ASCII,
).match
_zone_name = re.compile(r"[ ]([A-Z]{3,5})(?=[ ])").match
_year_last = re.compile(r"[ ]{1,3}((?:19|20|21)\d\d)(?=[ ]{1,3}\S{0,255}[^\s:][ ])").match
_tag_next = re.compile(r"[ ]{1,3}\S{1,255}[:\]](?=[ ]|\Z)").match
_epoch_stamp = re.compile(r"(\d{9,10})(\d{3})?(?:\.(\d{1,9}))?(?=[ \t\]])", re.ASCII).match
_tai_stamp = re.compile(r"@([0-9a-f]{16})([0-9a-f]{8})?(?=[ \t])").match
_DIGITS: Final = frozenset("0123456789@")
"""How a stamp that counts seconds begins."""
_TAI_EPOCH: Final = 2**62 + 10
"""The TAI64 label of 1970 as multilog and svlogd write it, without leap seconds."""


class Stamp(NamedTuple):
    """A time stamp as it is written. The date may not exist (`Dec 32`)."""

    year: int | None
    month: int
    """0 if the order of day and month is ambiguous (`05/06/2024`)."""
    day: int
    second: int
    """Seconds since midnight."""
    micro: int
    offset: int | None
    """Seconds east of UTC; None if the stamp has no zone."""
    end: int
    """The index after the stamp in its line."""


def stamp_of(line: str, at: int = 0) -> Stamp | None:
    """Return the time stamp at an index of a line; None if there is none.

    The forms are RFC 3164's with or without a year before, inside or after it, in the languages of `MONTHS`; ISO 8601
    with the variations of journalctl, rsyslog templates and svlogd; `14.05.2024`, `14-May-2024` and `05/14/2024`; hours
    with AM and PM; zones by name; seconds or milliseconds since 1970; TAI64N; and any of these in brackets.
    """
    if line[at : at + 1] != "[":
        return _stamp_at(line, at)
    stamp = _stamp_at(line, at + 1)
    return stamp._replace(end=stamp.end + 1) if stamp and line[stamp.end : stamp.end + 1] == "]" else None


def _stamp_at(line: str, at: int) -> Stamp | None:
    if found := _iso_stamp(line, at):
        stamp = _stamp(line, found, int(found["year"]), int(found["month"]), int(found["day"]))
        # svlogd's own form is in UTC.
        return stamp._replace(offset=0) if stamp and found["between"] == "_" else stamp
    if found := _calendar_stamp(line, at):
        month = MONTHS.get((found["month"] or found["month_last"]).lower().rstrip(".,"))
        year = found["year"] or found["year_second"]
        if month is None:
            return None
        return _stamp(line, found, int(year) if year else None, month, int(found["day"] or found["day_first"]))
    return _day_first(line, at) or (_counted(line, at) if line[at : at + 1] in _DIGITS else None)


def _day_first(line: str, at: int) -> Stamp | None:
    if found := _named_stamp(line, at):
        month = MONTHS.get(found["month"].lower())
        return _stamp(line, found, int(found["year"]), month, int(found["day"])) if month else None
    if found := _numeric_stamp(line, at):
        day, month = int(found["first"]), int(found["next"])
        if found["between"] != "." and day != month and day <= 12:
            # Month first, as in America, if the second number cannot be a month; otherwise it is ambiguous.
            day, month = (month, day) if month > 12 else (day, 0)
        return _stamp(line, found, int(found["year"]), month, day)
    return None


def _counted(line: str, at: int) -> Stamp | None:
    """Return a stamp that counts seconds since 1970, or TAI64N."""
    if found := _epoch_stamp(line, at):
        return stamp_at(int(found[1]) * 1_000_000 + _micro((found[2] or "") + (found[3] or "")), found.end())
    if found := _tai_stamp(line, at):
        seconds = int(found[1], 16) - _TAI_EPOCH
        if 0 <= seconds < 7_000_000_000:
            return stamp_at(seconds * 1_000_000 + int(found[2] or "0", 16) // 1000, found.end())
    return None


def stamp_at(micros: int, end: int = 0) -> Stamp:
    """Return the stamp of an instant in microseconds since 1970."""
    seconds, micro = divmod(micros, 1_000_000)
    year, month, day, hour, minute, second = gmtime(seconds)[:6]
    return Stamp(year, month, day, hour * 3600 + minute * 60 + second, micro, 0, end)


def _stamp(line: str, found: re.Match[str], year: int | None, month: int, day: int) -> Stamp | None:
    """Return the stamp from its date and time of day, and what follows them: AM or PM, the zone, the year."""
    rest = _rest_of_stamp(line, found.end())
    if rest is None:
        return None
    end, half, offset = rest.end(), rest["half"], offset_of(rest["zone"])
    if half and year is None and _tag_next(line, end):
        # It is the name of a host.
        end, half, offset = found.end(), None, None
    elif (
        offset is None
        and (name := _zone_name(line, end))
        and name[1] in ZONES
        and (year or not _tag_next(line, name.end()))
    ):
        end, offset = name.end(), ZONES[name[1]]
    if year is None and (last := _year_last(line, end)):
        end, year = last.end(), int(last[1])
    hour, minute, second = _hour(int(found["hour"]), half), int(found["minute"]), int(found["second"])
    if hour > 23 or minute > 59 or second > 60 or abs(offset or 0) > _DAY:
        day = 0
    return Stamp(year, month, day, hour * 3600 + minute * 60 + second, _micro(found["micro"]), offset, end)


def _hour(hour: int, half: str | None) -> int:
    """Return the hour of the day; 24 if there is no such hour."""
    if half is None:
        return hour
    return 24 if not 1 <= hour <= 12 else hour % 12 + (12 if half in "Pp" else 0)


def _micro(digits: str | None) -> int:
    return int(digits[:6].ljust(6, "0")) if digits else 0


def offset_of(zone: str | None) -> int | None:
    """Return the seconds east of UTC of a stamp's zone (`Z`, `UTC`, `+01`, `-0330`, `+05:45`); None if it has none."""
    if not zone:
        return None
    if zone[0] not in "+-":
        return 0
    seconds = int(zone[1:3]) * 3600 + int(zone[3:].lstrip(":") or 0) * 60
    return -seconds if zone[0] == "-" else seconds


def midnight(year: int, month: int, day: int) -> int | None:
    """Return the seconds from 1970 to the start of a day, ignoring time zones; None if there is no such day."""
    if not FIRST_YEAR <= year <= _LAST_YEAR:
        return None
    try:
        return (date(year, month, day).toordinal() - 719163) * _DAY
    except (ValueError, OverflowError):
        return None
