"""Parse dates and durations as people write them: the values of `-d`, `-D` and `--last`."""

import re
from contextlib import suppress
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Final, NamedTuple

from mailtrace.errors import UsageError

_is_plain = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{6})?)?)?\Z").match
_is_year = re.compile(r"(?:19|20)\d\d\Z").match
_has_time = re.compile(r"\d{1,2}:\d{2}|\dT\d|\d\s*[ap]\.?m\b", re.IGNORECASE).search
_has_fraction = re.compile(r":\d{2}[.,]\d").search
_has_seconds = re.compile(r":\d{2}:\d{2}").search
_weekday = re.compile(r"\b(?:mon|tue|tues|wed|wednes|thu|thur|thurs|fri|sat|satur|sun)(?:day)?\b,?", re.IGNORECASE)
_day_or_month = re.compile(r"(?<![\d:.])(\d{1,2})(?:([/.-])(\d{1,2})\2(\d{4}|\d\d)|/(\d{1,2}))(?![\d:/])").search
_duration = re.compile(r"(\d{1,9}|an?) ?([a-z]+)", re.IGNORECASE).fullmatch
_SECONDS: Final = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("w", "week", "weeks"), 604_800),
}
_DAYS_BACK: Final = {"today": 0, "yesterday": 1}
_SPANS: Final = ("week", "month", "year")
_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_named = re.compile(
    r"(?:(this|last) )?(week|month|year|today|yesterday"
    r"|mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:rs?(?:day)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)"
    r"(?: (.*))?",
    re.IGNORECASE,
).fullmatch
_is_clock = re.compile(r"\d{1,2}(?::\d\d){0,2}(?:[.,]\d+)?(?: ?[ap]\.?m\.?)?", re.ASCII | re.IGNORECASE).fullmatch
_SOME_DAY: Final = datetime(2000, 1, 1)  # noqa: DTZ001 # fills in the parts that a text lacks
_MIN_LENGTH: Final = 4
"""Characters of a date: a shorter number could be a day, a month or an hour."""
_MIN_DIGITS: Final = 8
"""Digits of a date that is only a number: fewer could be a time."""
_MOST_YEARS: Final = 9
"""From a 29 February to the next: 1900 and 2100 have none."""
_DAY: Final = timedelta(days=1)
_MICROSECOND: Final = timedelta(microseconds=1)


class _Period(NamedTuple):
    """The first and the last microsecond of a date, in local time unless they have a zone of their own."""

    first: datetime
    last: datetime


def parse_date(flag: str, text: str, zone: tzinfo, now: float, *, end: bool = False) -> int:
    """Return a date such as `2011-12-15 15:00`, `yesterday 14:00` or `2 hours ago` in microseconds since 1970.

    `now` is in seconds since 1970; errors name the `flag`. With `end`, return the last microsecond of the day, month,
    year, minute or second. For a time that the clock shows twice or skips, when summer time ends or begins, return the
    one that makes the period longer.

    Raises:
        UsageError: the text is not a date, or is ambiguous.
    """
    text = " ".join(text.split())
    if text.lower() == "now":
        return round(now * 1_000_000)
    if text.lower().endswith(" ago"):
        return _before(now, _parse_duration(flag, text, text[:-4], "'2 hours ago'"))
    local_now = datetime.fromtimestamp(now, timezone.utc).astimezone(zone).replace(tzinfo=None)
    try:
        found = _period(flag, text, local_now)
        both = [_microseconds(found[end], zone, fold) for fold in (0, 1)]
    except (ValueError, OverflowError, TypeError) as error:
        raise _not_a_date(flag, text) from error
    return max(both) if end else min(both)


def parse_age(flag: str, text: str, now: float) -> int:
    """Return the time that is a duration such as `2h`, `3d`, `30m` or `1w` before now, in microseconds since 1970.

    Raises:
        UsageError: the text is not a duration.
    """
    return _before(now, _parse_duration(flag, text, text.strip(), "30m, 2h, 3d or 1w"))


def _before(now: float, duration: int) -> int:
    """Return the time that is so many microseconds before now, but not before 1970, from when on lines have dates."""
    return max(0, round(now * 1_000_000) - duration)


def parse_delay(flag: str, text: str) -> int:
    """Return a duration such as `30s`, `10m` or `2h` in seconds.

    Raises:
        UsageError: the text is not a duration.
    """
    return _parse_duration(flag, text, text.strip(), "30s, 10m or 2h") // 1_000_000


def _parse_duration(flag: str, text: str, duration: str, example: str) -> int:
    """The duration in microseconds; the whole text and the example are for the error."""
    found = _duration(duration)
    # A capital M could mean months.
    unit = None if found is None or found[2] == "M" else _SECONDS.get(found[2].lower())
    if found is None or unit is None:
        raise UsageError(f"{flag} {text}: not a duration; write it as {example}")
    return (int(found[1]) if found[1].isdecimal() else 1) * unit * 1_000_000


def _period(flag: str, text: str, now: datetime) -> _Period:
    if _is_year(text):
        first = datetime(int(text), 1, 1)  # noqa: DTZ001 # local time
        return _Period(first, first.replace(month=12, day=31) + _DAY - _MICROSECOND)
    if (found := _named(text)) and _is_name(found):
        return _period_of_name(found, now)
    if _is_plain(text):
        first = datetime.fromisoformat(text)
        return _period_of_time(text, first, first) if len(text) > 10 else _Period(first, first + _DAY - _MICROSECOND)
    _check_numbers(flag, text)
    return _period_of_words(flag, text, now)


def _is_name(found: re.Match[str]) -> bool:
    """Whether a name stands alone or before a time: after a weekday there may be a date instead."""
    return not found[3] or found[2].lower() in (*_DAYS_BACK, *_SPANS) or bool(_is_clock(found[3]))


def _period_of_name(found: re.Match[str], now: datetime) -> _Period:
    """The period of a name: `yesterday 14:00`, `monday`, `last friday 9am`, `this week`, `last month`."""
    which, name, time = (found[i] and found[i].lower() for i in (1, 2, 3))
    if name in _SPANS:
        if which is None or time:
            raise ValueError(found[0])
        return _span(name, now, back=which == "last")
    if which and (name in _DAYS_BACK or which == "this"):
        raise ValueError(found[0])
    if name in _DAYS_BACK:
        back = _DAYS_BACK[name]
    else:
        back = (now.weekday() - _WEEKDAYS.index(name[:3])) % 7 or (7 if which else 0)
    first = _midnight(now) - back * _DAY
    if not time:
        return _Period(first, first + _DAY - _MICROSECOND)
    if not _has_time(time):
        raise ValueError(time)
    at = _parsed(time, first)
    if name not in _DAYS_BACK and at.tzinfo is None and at > now:
        # Of the weekdays with this name, the latest that has come.
        at, first = at - 7 * _DAY, first - 7 * _DAY
    return _period_of_time(time, at, first)


def _span(name: str, now: datetime, *, back: bool) -> _Period:
    """The week (from Monday), month or year of `now`, or the one before."""
    today = _midnight(now)
    if name == "week":
        first = today - (today.weekday() + 7 * back) * _DAY
        return _Period(first, first + 7 * _DAY - _MICROSECOND)
    if name == "year":
        first = today.replace(year=today.year - back, month=1, day=1)
        return _Period(first, first.replace(year=first.year + 1) - _MICROSECOND)
    first = today.replace(day=1)
    if back:
        first = (first - _DAY).replace(day=1)
    return _Period(first, (first + 32 * _DAY).replace(day=1) - _MICROSECOND)


def _period_of_words(flag: str, text: str, now: datetime) -> _Period:
    """The period of any other date; without a year, the latest possible one."""
    today = _midnight(now)
    has_time, has_day = bool(_has_time(text)), _names(_weekday.sub("", text), "day", (1, 2))
    if _weekday.search(text) and not has_day:
        raise _not_a_date(flag, text)
    default = today if has_time and not has_day else today.replace(day=1)
    first = _parsed(text, default) if _names_year(text) else _latest(text, default, today + 2 * _DAY)
    if has_time and not has_day and first.tzinfo is None and first > now:
        raise UsageError(f"{flag} {text} is in the future: write 'yesterday {text}' or the date")
    if has_time:
        return _period_of_time(text, first, first)
    after = first + _DAY if has_day else (first.replace(day=1) + 32 * _DAY).replace(day=1)
    return _Period(first, after - _MICROSECOND)


def _latest(text: str, default: datetime, until: datetime) -> datetime:
    """Return a date without a year in the latest year that has it: 29 February is not in each."""
    for back in range(_MOST_YEARS):
        year = default.year - back
        with suppress(ValueError):
            found = _parsed(text, default.replace(year=year))
            if found.replace(tzinfo=None) <= until:
                return found
    raise ValueError(text)


def _period_of_time(text: str, found: datetime, day: datetime) -> _Period:
    """The microsecond, second or minute of a time, which must be on that day."""
    if found.date() != day.date():
        raise ValueError(text)
    microseconds = 0 if _has_fraction(text) else 999_999 if _has_seconds(text) else 59_999_999
    return _Period(found, found + microseconds * _MICROSECOND)


def _midnight(time: datetime) -> datetime:
    return time.replace(hour=0, minute=0, second=0, microsecond=0)


def _check_numbers(flag: str, text: str) -> None:
    """Raise an error if a date in numbers is too short or ambiguous."""
    if len(text) < _MIN_LENGTH or not text.isascii() or (text.isdigit() and len(text) < _MIN_DIGITS):
        raise _not_a_date(flag, text)
    if found := _day_or_month(text):
        one, other = int(found[1]), int(found[3] or found[5])
        if (one <= 12 and other <= 12 and one != other) or len(found[4] or "year") == 2:
            raise UsageError(f"{flag} {text}: ambiguous: day or month first? write it as 2011-12-15")


def _not_a_date(flag: str, text: str) -> UsageError:
    if (found := _duration(text)) and found[2].lower() in _SECONDS and found[2] != "M":
        return UsageError(f"{flag} {text}: not a date, but a duration; write '{text} ago'")
    return UsageError(
        f"{flag} {text}: not a date; write it as 2011-12-15, '2011-12-15 15:00:00', 'yesterday 14:00' or '2 hours ago'"
    )


def _names(text: str, part: str, values: tuple[int, int]) -> bool:
    """Whether a text names its day or year: then parsing does not depend on that of the default."""
    if not text.strip():
        return False
    one, other = (_parsed(text, _SOME_DAY.replace(**{part: value})) for value in values)  # type: ignore[arg-type]
    return bool(getattr(one, part) == getattr(other, part))


def _names_year(text: str) -> bool:
    return _names(text, "year", (2000, 2004))  # leap years, because the text can be a 29 February


def _parsed(text: str, default: datetime) -> datetime:
    from dateutil import parser  # noqa: PLC0415 # slow to import, and most dates do not need it

    return parser.parse(text, default=default, tzinfos=_zone)


def _zone(name: str | None, offset: int | None) -> tzinfo | None:
    """The zone in a date. Names such as EST or IST are refused, because several zones have them."""
    if name is None and offset is None:
        return None
    if offset is not None:
        return timezone(timedelta(seconds=offset))
    if name in ("UTC", "GMT", "Z", "z"):
        return timezone.utc
    raise ValueError(name)


def _microseconds(found: datetime, zone: tzinfo, fold: int) -> int:
    time = found if found.tzinfo else found.replace(tzinfo=zone, fold=fold)
    return int(time.replace(microsecond=0).timestamp()) * 1_000_000 + found.microsecond
