"""Dates as admins write them."""

from contextlib import suppress
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrace.cli.date_arguments import parse_age, parse_date
from mailtrace.errors import UsageError
from mailtrace.syslog.timezones import zone_of

MADRID = zone_of("Europe/Madrid")
NOW = 1_795_568_400.0
"""2026-11-25 02:00 in Madrid."""


def utc(*parts: int) -> int:
    return int(
        (datetime(*parts, tzinfo=timezone.utc) - datetime(1970, 1, 1, tzinfo=timezone.utc))  # type: ignore[arg-type, misc]
        / timedelta(microseconds=1)
    )


@pytest.mark.parametrize(
    "text, begin, end",
    [
        ("2011-12-15 00:00:00", utc(2011, 12, 14, 23), utc(2011, 12, 14, 23, 0, 0, 999_999)),
        ("2011-12-15", utc(2011, 12, 14, 23), utc(2011, 12, 15, 22, 59, 59, 999_999)),
        ("  2011-12-15   15:00 ", utc(2011, 12, 15, 14), utc(2011, 12, 15, 14, 0, 59, 999_999)),
        ("2011-12-15T15:27:19Z", utc(2011, 12, 15, 15, 27, 19), utc(2011, 12, 15, 15, 27, 19, 999_999)),
        ("2011-12-15T15:27:19+05:30", utc(2011, 12, 15, 9, 57, 19), utc(2011, 12, 15, 9, 57, 19, 999_999)),
        ("2011-12-15 15:27:19 UTC", utc(2011, 12, 15, 15, 27, 19), utc(2011, 12, 15, 15, 27, 19, 999_999)),
        ("20111215T152719", utc(2011, 12, 15, 14, 27, 19), utc(2011, 12, 15, 14, 28, 18, 999_999)),
        ("2011-12-15 15:27:19.5", utc(2011, 12, 15, 14, 27, 19, 500_000), utc(2011, 12, 15, 14, 27, 19, 500_000)),
        ("2011-12-15T15:27:19.000005", utc(2011, 12, 15, 14, 27, 19, 5), utc(2011, 12, 15, 14, 27, 19, 5)),
        ("2011-11", utc(2011, 10, 31, 23), utc(2011, 11, 30, 22, 59, 59, 999_999)),
        ("2011", utc(2010, 12, 31, 23), utc(2011, 12, 31, 22, 59, 59, 999_999)),
        ("Dec 15", utc(2025, 12, 14, 23), utc(2025, 12, 15, 22, 59, 59, 999_999)),
        ("Nov 15", utc(2026, 11, 14, 23), utc(2026, 11, 15, 22, 59, 59, 999_999)),
        ("Dec 15 15:27:19", utc(2025, 12, 15, 14, 27, 19), utc(2025, 12, 15, 14, 27, 19, 999_999)),
        ("15 Dec 2011", utc(2011, 12, 14, 23), utc(2011, 12, 15, 22, 59, 59, 999_999)),
        ("Thu Dec 15 2011", utc(2011, 12, 14, 23), utc(2011, 12, 15, 22, 59, 59, 999_999)),
        ("15.12.2011 14:00", utc(2011, 12, 15, 13), utc(2011, 12, 15, 13, 0, 59, 999_999)),
        ("15/12/2011", utc(2011, 12, 14, 23), utc(2011, 12, 15, 22, 59, 59, 999_999)),
        ("11/11/2011", utc(2011, 11, 10, 23), utc(2011, 11, 11, 22, 59, 59, 999_999)),
        ("today", utc(2026, 11, 24, 23), utc(2026, 11, 25, 22, 59, 59, 999_999)),
        ("Today 00:30", utc(2026, 11, 24, 23, 30), utc(2026, 11, 24, 23, 30, 59, 999_999)),
        ("00:30", utc(2026, 11, 24, 23, 30), utc(2026, 11, 24, 23, 30, 59, 999_999)),
        ("yesterday", utc(2026, 11, 23, 23), utc(2026, 11, 24, 22, 59, 59, 999_999)),
        ("yesterday 14:00", utc(2026, 11, 24, 13), utc(2026, 11, 24, 13, 0, 59, 999_999)),
        ("yesterday 2pm", utc(2026, 11, 24, 13), utc(2026, 11, 24, 13, 0, 59, 999_999)),
        ("Monday", utc(2026, 11, 22, 23), utc(2026, 11, 23, 22, 59, 59, 999_999)),
        ("wed", utc(2026, 11, 24, 23), utc(2026, 11, 25, 22, 59, 59, 999_999)),
        ("last Wednesday", utc(2026, 11, 17, 23), utc(2026, 11, 18, 22, 59, 59, 999_999)),
        ("thurs", utc(2026, 11, 18, 23), utc(2026, 11, 19, 22, 59, 59, 999_999)),
        ("last thu", utc(2026, 11, 18, 23), utc(2026, 11, 19, 22, 59, 59, 999_999)),
        ("Mon 14:00", utc(2026, 11, 23, 13), utc(2026, 11, 23, 13, 0, 59, 999_999)),
        ("wed 01:30", utc(2026, 11, 25, 0, 30), utc(2026, 11, 25, 0, 30, 59, 999_999)),
        ("wed 14:00", utc(2026, 11, 18, 13), utc(2026, 11, 18, 13, 0, 59, 999_999)),
        ("last friday 2 pm", utc(2026, 11, 20, 13), utc(2026, 11, 20, 13, 0, 59, 999_999)),
        ("this week", utc(2026, 11, 22, 23), utc(2026, 11, 29, 22, 59, 59, 999_999)),
        ("last week", utc(2026, 11, 15, 23), utc(2026, 11, 22, 22, 59, 59, 999_999)),
        ("This Month", utc(2026, 10, 31, 23), utc(2026, 11, 30, 22, 59, 59, 999_999)),
        ("last month", utc(2026, 9, 30, 22), utc(2026, 10, 31, 22, 59, 59, 999_999)),
        ("this year", utc(2025, 12, 31, 23), utc(2026, 12, 31, 22, 59, 59, 999_999)),
        ("last year", utc(2024, 12, 31, 23), utc(2025, 12, 31, 22, 59, 59, 999_999)),
        ("now", utc(2026, 11, 25, 1), utc(2026, 11, 25, 1)),
        ("2 hours ago", utc(2026, 11, 24, 23), utc(2026, 11, 24, 23)),
        ("an hour ago", utc(2026, 11, 25), utc(2026, 11, 25)),
        ("3 Days ago", utc(2026, 11, 22, 1), utc(2026, 11, 22, 1)),
        ("90m ago", utc(2026, 11, 24, 23, 30), utc(2026, 11, 24, 23, 30)),
    ],
)
def test_dates(text, begin, end):
    """The end of a date is the last microsecond of the day; a time without a fraction includes its whole second."""
    assert (begin, end) == (parse_date("-d", text, MADRID, NOW), parse_date("-D", text, MADRID, NOW, end=True))


def test_a_time_that_clocks_show_twice_or_never_makes_the_longer_period():
    twice, never = "2026-10-25 02:30", "2026-03-29 02:30"
    assert utc(2026, 10, 25, 0, 30) == parse_date("-d", twice, MADRID, NOW)
    assert utc(2026, 10, 25, 1, 30, 59, 999_999) == parse_date("-D", twice, MADRID, NOW, end=True)
    assert utc(2026, 3, 29, 0, 30) == parse_date("-d", never, MADRID, NOW)
    assert utc(2026, 3, 29, 1, 30, 59, 999_999) == parse_date("-D", never, MADRID, NOW, end=True)


def test_days_of_23_and_25_hours_are_whole():
    for day, hours in (("2026-03-29", 23), ("2026-10-25", 25)):
        length = parse_date("-D", day, MADRID, NOW, end=True) - parse_date("-d", day, MADRID, NOW) + 1
        assert hours * 3_600_000_000 == length


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "10", "2011-13-45", "99999999999999999999", "1530", "2011-02-30", "0000-00-00"),
        *("Mon soon", "next monday", "this friday", "last yesterday", "week", "last fortnight", "this week 14:00"),
        *("monday 25:00", "monday 14", "yesterday 2011-12-15", "yesterday soon", "tomorrow", "2011-12-15 15:00 IST"),
        *("2011-12-15 25:00", "2011-12-15 15:00 EST", "9999-12-32", "\x00", "١٢-١٢-٢٠١١"),
    ],
)
def test_what_is_not_a_date_is_an_error(text):
    with pytest.raises(UsageError, match="not a date"):
        parse_date("-d", text, MADRID, NOW)


@pytest.mark.parametrize("text", ["10/11/2011", "10.11.2011 14:00", "10-11-2011", "15-12-11", "11-12-15", "10/11"])
def test_an_ambiguous_date_is_an_error(text):
    with pytest.raises(UsageError, match="day or month first"):
        parse_date("-d", text, MADRID, NOW)


@pytest.mark.parametrize("text", ["2d", "2 days", "1h", "an hour"])
def test_a_duration_as_a_date_is_explained(text):
    with pytest.raises(UsageError, match=f"-d {text}: not a date, but a duration; write '{text} ago'"):
        parse_date("-d", text, MADRID, NOW)
    parse_date("-d", f"{text} ago", MADRID, NOW)


LEAP = int(datetime(2024, 2, 29, 12, tzinfo=timezone.utc).timestamp())


@pytest.mark.parametrize("text", ["29 Feb", "Feb 29", "29 february", "thu 29 feb", "29 Feb 14:00"])
@pytest.mark.parametrize(
    "year, now",
    [
        (2024, NOW),
        (2024, LEAP),
        (2024, LEAP + 400 * 86_400),
        (2024, LEAP - 86_400),
        (2020, LEAP - 9 * 86_400),
        (1896, -2_100_000_000),
    ],
)
def test_29_february_is_the_latest_that_there_was(text, year, now):
    hour = 14 if ":" in text else 0
    assert utc(year, 2, 29, hour) == parse_date("-d", text, timezone.utc, now)
    end = utc(year, 2, 29, 14, 0, 59, 999_999) if hour else utc(year, 2, 29, 23, 59, 59, 999_999)
    assert end == parse_date("-D", text, timezone.utc, now, end=True)


@pytest.mark.parametrize("text", ["30 Feb", "31 Apr", "29 Feb 2026", "0 Feb"])
def test_a_day_that_no_year_has_is_an_error(text):
    with pytest.raises(UsageError, match=f"-d {text}: not a date"):
        parse_date("-d", text, MADRID, NOW)


def test_a_time_in_the_future_is_an_error():
    with pytest.raises(UsageError, match="-d 23:00 is in the future: write 'yesterday 23:00' or the date"):
        parse_date("-d", "23:00", MADRID, NOW)


@given(st.text(max_size=20) | st.from_regex(r"[0-9a-zTZ:/. +-]{1,20}", fullmatch=True), st.booleans())
def test_a_text_is_a_date_or_an_error(text, end):
    with suppress(UsageError):
        assert isinstance(parse_date("-d", text, MADRID, NOW, end=end), int)


@pytest.mark.parametrize(
    "text, seconds",
    [("2h", 7200), ("3d", 259_200), ("30m", 1800), ("1w", 604_800), ("45 s", 45), ("2 hours", 7200), ("1H", 3600)],
)
def test_the_age_of_last(text, seconds):
    assert utc(2026, 11, 25, 1) - seconds * 1_000_000 == parse_age("--last", text, NOW)


@pytest.mark.parametrize("text", ["", "2", "h", "2x", "1M", "-2h", "1.5h", "2h3m", "9999999999h", "²h"])
def test_what_is_not_a_duration_is_an_error(text):
    with pytest.raises(UsageError, match="not a duration; write it as 30m, 2h, 3d or 1w"):
        parse_age("--last", text, NOW)


@pytest.mark.parametrize("name", ["Mars/Base", "../etc/passwd", "+99:00", "Europe/Madrid\0"])
def test_an_unknown_zone_is_an_error(name):
    with pytest.raises(UsageError, match="no such time zone"):
        zone_of(name)


def test_offsets_are_zones():
    assert timedelta(hours=5, minutes=45) == datetime(2026, 1, 1, tzinfo=zone_of("+05:45")).utcoffset()


@pytest.mark.parametrize("text", ["99999999w", "999999999d"])
def test_a_time_before_all_logs_is_that_of_1970(text):
    assert 0 == parse_age("--last", text, NOW)
    assert 0 == parse_date("-d", f"{text[:-1]} weeks ago", MADRID, NOW)
