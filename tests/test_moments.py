"""Dates as admins write them."""

from datetime import datetime, timedelta, timezone

import pytest

from mailtrace.errors import UsageError
from mailtrace.moments import moment
from mailtrace.zones import zone_of

MADRID = zone_of("Europe/Madrid")
NOW = 1_795_568_400.0


def utc(*parts: int) -> int:
    return int(
        (datetime(*parts, tzinfo=timezone.utc) - datetime(1970, 1, 1, tzinfo=timezone.utc)) / timedelta(microseconds=1)
    )


@pytest.mark.parametrize(
    "text, begin, end",
    [
        ("2011-12-15 00:00:00", utc(2011, 12, 14, 23), utc(2011, 12, 14, 23, 0, 0, 999_999)),
        ("2011-12-15", utc(2011, 12, 14, 23), utc(2011, 12, 15, 22, 59, 59, 999_999)),
        ("2011-12-15 15:00", utc(2011, 12, 15, 14), utc(2011, 12, 15, 14, 0, 59, 999_999)),
        ("2011-12-15T15:27:19Z", utc(2011, 12, 15, 15, 27, 19), utc(2011, 12, 15, 15, 27, 19, 999_999)),
        ("2011-12-15 15:27:19.5", utc(2011, 12, 15, 14, 27, 19, 500_000), utc(2011, 12, 15, 14, 27, 19, 500_000)),
        ("2011-11", utc(2011, 10, 31, 23), utc(2011, 11, 30, 22, 59, 59, 999_999)),
        ("Dec 15", utc(2025, 12, 14, 23), utc(2025, 12, 15, 22, 59, 59, 999_999)),
        ("Nov 15", utc(2026, 11, 14, 23), utc(2026, 11, 15, 22, 59, 59, 999_999)),
        ("15 Dec 2011", utc(2011, 12, 14, 23), utc(2011, 12, 15, 22, 59, 59, 999_999)),
    ],
)
def test_moments(text, begin, end):
    """A date as an end is the day's last moment; a time without a fraction includes its second."""
    assert (begin, end) == (moment("-d", text, MADRID, NOW), moment("-D", text, MADRID, NOW, end=True))


@pytest.mark.parametrize("text", ["", "soon", "10", "2011-13-45", "99999999999999999999"])
def test_what_is_no_date_is_told(text):
    with pytest.raises(UsageError, match="not a date"):
        moment("-d", text, MADRID, NOW)


@pytest.mark.parametrize("name", ["Mars/Base", "../etc/passwd", "+99:00", "Europe/Madrid\0"])
def test_what_is_no_zone_is_told(name):
    with pytest.raises(UsageError, match="no such time zone"):
        zone_of(name)


def test_offsets_are_zones():
    assert timedelta(hours=5, minutes=45) == datetime(2026, 1, 1, tzinfo=zone_of("+05:45")).utcoffset()
