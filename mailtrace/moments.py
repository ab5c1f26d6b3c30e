"""Moments as people write them: what `-d` and `-D` take."""

import re
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Final

from mailtrace.errors import UsageError

_has_time = re.compile(r"\d{1,2}:\d{2}|\dT\d|\d\s*[ap]\.?m\b", re.IGNORECASE).search
_has_fraction = re.compile(r":\d{2}[.,]\d").search
_has_seconds = re.compile(r":\d{2}:\d{2}").search
_SOME_DAY: Final = datetime(2000, 1, 1)  # noqa: DTZ001 # a date to fill up, of no zone
_SHORTEST: Final = 4
"""Characters of a text that can be a date: a lone number could be a day, a month or an hour."""


def moment(flag: str, text: str, zone: tzinfo, now: float, *, end: bool = False) -> int:
    """Return a moment in microseconds since 1970; `now`, in seconds since 1970, tells the year where none is given.

    As the end of a span, a bare date is the end of that day or month, and a time the end of its second or minute.

    Raises:
        UsageError: this is no date.
    """
    from dateutil.relativedelta import relativedelta  # noqa: PLC0415 # a search without dates does not pay for it

    midnight = (
        datetime.fromtimestamp(now, timezone.utc).astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    )
    today = midnight.replace(tzinfo=None)
    has_time, has_day = bool(_has_time(text)), _tells(flag, text, "day", (1, 2))
    found = _parsed(flag, text, today if has_day or has_time else today.replace(day=1))
    if not _tells(flag, text, "year", (2000, 2004)) and found.replace(tzinfo=None) > today + timedelta(days=2):
        found -= relativedelta(years=1)
    if end:
        found = _end_of(found, text, has_time=has_time, has_day=has_day)
    return _microseconds(found if found.tzinfo else found.replace(tzinfo=zone))


def _end_of(found: datetime, text: str, *, has_time: bool, has_day: bool) -> datetime:
    """The last moment of the second, minute, day or month that a text names."""
    from dateutil.relativedelta import relativedelta  # noqa: PLC0415

    if has_time:
        span = 0 if _has_fraction(text) else 999_999 if _has_seconds(text) else 59_999_999
        return found + timedelta(microseconds=span)
    return found + (relativedelta(days=1) if has_day else relativedelta(months=1)) - timedelta(microseconds=1)


def _tells(flag: str, text: str, member: str, values: tuple[int, int]) -> bool:
    """Whether a text names its day or year: else each reading of it has that of the default."""
    one, other = (_parsed(flag, text, _SOME_DAY.replace(**{member: value})) for value in values)  # type: ignore[arg-type]
    return bool(getattr(one, member) == getattr(other, member))


def _parsed(flag: str, text: str, default: datetime) -> datetime:
    from dateutil import parser  # noqa: PLC0415

    complaint = f"{flag} {text}: not a date; write it as 2011-12-15 or '2011-12-15 15:00:00'"
    if len(text.strip()) < _SHORTEST:
        raise UsageError(complaint)
    try:
        return parser.parse(text, default=default)
    except (ValueError, OverflowError, TypeError) as error:
        raise UsageError(complaint) from error


def _microseconds(found: datetime) -> int:
    return int(found.replace(microsecond=0).timestamp()) * 1_000_000 + found.microsecond
