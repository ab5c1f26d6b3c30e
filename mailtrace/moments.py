"""Moments as people write them: what `-d` and `-D` take."""

import re
from datetime import datetime, time, timedelta, tzinfo

from dateutil import parser

from mailtrace.errors import UsageError

_has_time = re.compile(r"\d{1,2}:\d{2}|\dT\d|\d\s*[ap]\.?m\b", re.IGNORECASE).search
_has_fraction = re.compile(r":\d{2}[.,]\d").search
_has_seconds = re.compile(r":\d{2}:\d{2}").search


def moment(flag: str, text: str, zone: tzinfo, *, end: bool = False) -> int:
    """Return a moment in microseconds since 1970.

    As the end of a span, a bare date is the end of that day, and a time the end of its second or minute.

    Raises:
        UsageError: this is no date.
    """
    try:
        found = parser.parse(text, default=datetime.combine(datetime.now(zone).date(), time()))
    except (ValueError, OverflowError, TypeError) as error:
        raise UsageError(f"{flag} {text}: not a date; write it as 2011-12-15 or '2011-12-15 15:00:00'") from error
    if found.tzinfo is None:
        found = found.replace(tzinfo=zone)
    if end and not _has_time(text):
        found = found.replace(tzinfo=None) + timedelta(days=1)
        return _microseconds(found.replace(tzinfo=zone)) - 1
    span = 0
    if end and not _has_fraction(text):
        span = 999_999 if _has_seconds(text) else 59_999_999
    return _microseconds(found) + span


def _microseconds(found: datetime) -> int:
    return int(found.replace(microsecond=0).timestamp()) * 1_000_000 + found.microsecond
