"""Moments as people write them: what `-d`, `-D` and `--last` take."""

import re
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
_span = re.compile(r"(\d{1,9}|an?) ?([a-z]+)", re.IGNORECASE).fullmatch
_SECONDS: Final = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("w", "week", "weeks"), 604_800),
}
_DAYS_BACK: Final = {"today": 0, "yesterday": 1}
_SOME_DAY: Final = datetime(2000, 1, 1)  # noqa: DTZ001 # a date to fill up, of no zone
_SHORTEST: Final = 4
"""Characters of a text that can be a date: a lone number could be a day, a month or an hour."""
_A_DATE: Final = 8
"""Digits that a date has at least: fewer could be a time."""
_A_DAY: Final = timedelta(days=1)
_A_MOMENT: Final = timedelta(microseconds=1)


class _Period(NamedTuple):
    """The first and the last moment of what a text names, on the clock of the zone unless they have their own."""

    first: datetime
    last: datetime


def moment(flag: str, text: str, zone: tzinfo, now: float, *, end: bool = False) -> int:
    """Return a moment in microseconds since 1970; `now`, in seconds since 1970, is what `2 hours ago` counts from.

    As the end of a span, a bare date is the end of that day, month or year, and a time the end of its second or minute.
    A time that the clocks went through twice, or left out, is taken so that nothing is left out.

    Raises:
        UsageError: this is no date, or could be several.
    """
    text = " ".join(text.split())
    if text.lower() == "now":
        return round(now * 1_000_000)
    if text.lower().endswith(" ago"):
        return round(now * 1_000_000) - _span_of(flag, text, text[:-4], "'2 hours ago'")
    wall = datetime.fromtimestamp(now, timezone.utc).astimezone(zone).replace(tzinfo=None)
    try:
        found = _period(flag, text, wall)
        instants = [_microseconds(found[end], zone, fold) for fold in (0, 1)]
    except (ValueError, OverflowError, TypeError) as error:
        raise _no_date(flag, text) from error
    return max(instants) if end else min(instants)


def last(flag: str, text: str, now: float) -> int:
    """Return the moment that long ago, such as `2h`, `3d`, `30m` or `1w`, in microseconds since 1970.

    Raises:
        UsageError: this is no length of time.
    """
    return round(now * 1_000_000) - _span_of(flag, text, text.strip(), "30m, 2h, 3d or 1w")


def _span_of(flag: str, text: str, span: str, example: str) -> int:
    found = _span(span)
    # A capital M would be months to some.
    unit = None if found is None or found[2] == "M" else _SECONDS.get(found[2].lower())
    if found is None or unit is None:
        raise UsageError(f"{flag} {text}: not a length of time; write it as {example}")
    return (int(found[1]) if found[1].isdecimal() else 1) * unit * 1_000_000


def _period(flag: str, text: str, now: datetime) -> _Period:
    if _is_year(text):
        first = datetime(int(text), 1, 1)  # noqa: DTZ001 # of the zone's clock
        return _Period(first, first.replace(month=12, day=31) + _A_DAY - _A_MOMENT)
    word, _, rest = text.partition(" ")
    if (back := _DAYS_BACK.get(word.lower())) is not None:
        first = _midnight(now) - back * _A_DAY
        if rest and not _has_time(rest):
            raise _no_date(flag, text)
        return _clock_time(rest, _parsed(rest, first), first) if rest else _Period(first, first + _A_DAY - _A_MOMENT)
    if _is_plain(text):
        first = datetime.fromisoformat(text)
        return _clock_time(text, first, first) if len(text) > 10 else _Period(first, first + _A_DAY - _A_MOMENT)
    _check(flag, text)
    return _free(flag, text, now)


def _free(flag: str, text: str, now: datetime) -> _Period:
    """The period of any other date: the latest that it can be where it has no year."""
    today = _midnight(now)
    has_time, has_day = bool(_has_time(text)), _tells(_weekday.sub("", text), "day", (1, 2))
    if _weekday.search(text) and not has_day:
        raise _no_date(flag, text)
    first = _parsed(text, today if has_day or has_time else today.replace(day=1))
    if has_time and not has_day and first.tzinfo is None and first > now:
        raise UsageError(f"{flag} {text} is still to come: write 'yesterday {text}' or the date")
    if not _tells(text, "year", (2000, 2004)) and first.replace(tzinfo=None) > today + 2 * _A_DAY:
        first = first.replace(year=first.year - 1)
    if has_time:
        return _clock_time(text, first, first)
    after = first + _A_DAY if has_day else (first.replace(day=1) + 32 * _A_DAY).replace(day=1)
    return _Period(first, after - _A_MOMENT)


def _clock_time(text: str, found: datetime, day: datetime) -> _Period:
    """The second or minute that a text names, which must be of that day."""
    if found.date() != day.date():
        raise ValueError(text)
    microseconds = 0 if _has_fraction(text) else 999_999 if _has_seconds(text) else 59_999_999
    return _Period(found, found + microseconds * _A_MOMENT)


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _check(flag: str, text: str) -> None:
    """See that a date in numbers has but one meaning."""
    if len(text) < _SHORTEST or not text.isascii() or (text.isdigit() and len(text) < _A_DATE):
        raise _no_date(flag, text)
    if found := _day_or_month(text):
        one, other = int(found[1]), int(found[3] or found[5])
        if (one <= 12 and other <= 12 and one != other) or len(found[4] or "year") == 2:
            raise UsageError(f"{flag} {text}: which is the day, which the month? write it as 2011-12-15")


def _no_date(flag: str, text: str) -> UsageError:
    return UsageError(
        f"{flag} {text}: not a date; write it as 2011-12-15, '2011-12-15 15:00:00', 'yesterday 14:00' or '2 hours ago'"
    )


def _tells(text: str, member: str, values: tuple[int, int]) -> bool:
    """Whether a text names its day or year: else each reading of it has that of the default."""
    if not text.strip():
        return False
    one, other = (_parsed(text, _SOME_DAY.replace(**{member: value})) for value in values)  # type: ignore[arg-type]
    return bool(getattr(one, member) == getattr(other, member))


def _parsed(text: str, default: datetime) -> datetime:
    from dateutil import parser  # noqa: PLC0415 # most dates are plain ones, and do not pay for it

    return parser.parse(text, default=default, tzinfos=_zone)


def _zone(name: str | None, offset: int | None) -> tzinfo | None:
    """A zone that stands in a date. Names such as EST or IST are of several zones."""
    if name is None and offset is None:
        return None
    if offset is not None:
        return timezone(timedelta(seconds=offset))
    if name in ("UTC", "GMT", "Z", "z"):
        return timezone.utc
    raise ValueError(name)


def _microseconds(found: datetime, zone: tzinfo, fold: int) -> int:
    at = found if found.tzinfo else found.replace(tzinfo=zone, fold=fold)
    return int(at.replace(microsecond=0).timestamp()) * 1_000_000 + found.microsecond
