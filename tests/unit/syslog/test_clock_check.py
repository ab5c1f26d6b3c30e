"""What queue IDs say about the clock."""

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailtrace.syslog.clock_check import ClockCheck
from mailtrace.syslog.timezones import zone_of

UTC = timezone.utc
DAY = 86400
SUMMER = round(datetime(2024, 7, 1, 12, tzinfo=UTC).timestamp())
WINTER = round(datetime(2024, 1, 10, 12, tzinfo=UTC).timestamp())
CLOCK = "the log's clock is {}, so these dates are wrong: run again with --replace {}"
YEAR = "the queue IDs show {0}, so these dates are wrong: run again with --replace -y {0}"
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwx"


def sendmail_id(instant):
    time = datetime.fromtimestamp(instant, UTC)
    fields = ((time.year - 1900) % 60, time.month - 1, time.day, time.hour, time.minute, time.second)
    return "".join(DIGITS[field] for field in fields) + "0c016570"


def read_as(instant, clock, zone, year=None):
    """The instant that a reader in `zone` gives to a stamp that a machine in `clock` wrote."""
    wall = datetime.fromtimestamp(instant, clock).replace(tzinfo=zone)
    return round((wall.replace(year=year) if year else wall).timestamp())


def checked(samples):
    check = ClockCheck()
    for line, told in samples:
        check.sample(line * 1_000_000, sendmail_id(told), "sendmail")
    return check


def message(clock, zone_name, instants, delays=(0, 1, 3)):
    zone = zone_of(zone_name)
    samples = [(read_as(i + delays[n % len(delays)], zone_of(clock), zone), i) for n, i in enumerate(instants)]
    return checked(samples).message(zone_name or None, None)


@pytest.mark.parametrize(
    "clock, zone, start, expected",
    [
        ("Europe/Madrid", "UTC", WINTER, CLOCK.format("UTC+01:00", "--tz Europe/Madrid")),
        ("Europe/Madrid", "UTC", SUMMER, CLOCK.format("UTC+02:00", "--tz Europe/Madrid")),
        ("UTC", "Europe/Madrid", SUMMER, CLOCK.format("UTC", "--tz UTC")),
        ("America/New_York", "Europe/Madrid", WINTER, CLOCK.format("UTC-05:00", "--tz America/New_York")),
        ("Asia/Kolkata", "UTC", WINTER, CLOCK.format("UTC+05:30", "--tz Asia/Kolkata")),
        ("Asia/Kathmandu", "UTC", WINTER, CLOCK.format("UTC+05:45", "--tz Asia/Kathmandu")),
        ("America/St_Johns", "Asia/Tokyo", WINTER, CLOCK.format("UTC-03:30", "--tz America/St_Johns")),
        ("Pacific/Tongatapu", "UTC", WINTER, CLOCK.format("UTC+13:00", "--tz Pacific/Auckland")),
        ("+12:45", "UTC", SUMMER, CLOCK.format("UTC+12:45", "--tz +12:45")),
        ("-12:00", "UTC", SUMMER, CLOCK.format("UTC-12:00", "--tz=-12:00")),
    ],
)
def test_a_wrong_zone_is_named_with_its_flag(clock, zone, start, expected):
    assert message(clock, zone, [start + 60 * i for i in range(10)]) == expected


@pytest.mark.parametrize("clock, zone", [("Europe/Madrid", "UTC"), ("+12:45", "UTC"), ("-12:00", "Asia/Tokyo")])
def test_the_flag_mends_it(clock, zone):
    instants = [SUMMER + 60 * i for i in range(10)]
    text = message(clock, zone, instants)
    assert text
    assert message(clock, text.rpartition("--tz")[2].strip(" ="), instants) is None


def test_a_zone_that_fits_summer_and_winter_is_preferred():
    instants = [WINTER + 5 * DAY * i for i in range(70)]
    assert message("America/Phoenix", "UTC", instants) == CLOCK.format("UTC-07:00", "--tz America/Phoenix")
    assert message("America/Denver", "UTC", instants).endswith("--tz America/Denver")


@pytest.mark.parametrize("zone", ["UTC", "Europe/Madrid", "Asia/Kathmandu", ""])
def test_clocks_that_agree_need_no_word(zone):
    assert message(zone, zone, [SUMMER + 60 * i for i in range(10)]) is None


def test_slow_messages_do_not_matter():
    assert message("UTC", "UTC", [SUMMER + i for i in range(9)], delays=(2, 900, 1)) is None
    found = message("Europe/Madrid", "UTC", [SUMMER + i for i in range(9)], delays=(2, 900, 1))
    assert found == CLOCK.format("UTC+02:00", "--tz Europe/Madrid")


@pytest.mark.parametrize("delay", [900, 1080, 2000, 2700, 3500])
def test_one_slow_message_is_no_clock(delay):
    assert checked([(SUMMER + delay, SUMMER)]).message("UTC", None) is None


def test_one_message_can_tell():
    assert checked([(SUMMER + 7201, SUMMER)]).message("UTC", None) == CLOCK.format("UTC+02:00", "--tz Europe/Madrid")


@pytest.mark.parametrize("given, zone", [(2026, "UTC"), (2024, "UTC"), (2010, "Europe/Madrid"), (2021, "+14:00")])
def test_a_wrong_year_is_named_with_its_flag(given, zone):
    told = [round(datetime(2025, 3, 1, 12, tzinfo=UTC).timestamp()) + 60 * i for i in range(9)]
    check = checked([(read_as(i, UTC, zone_of(zone), year=given), i) for i in told])
    assert check.message(zone, given) == YEAR.format(2025)
    assert check.message(zone, None) == YEAR.format(2025)


def test_the_year_is_that_of_the_first_line():
    """The given year is of the log's first line, which may be of the year before the messages."""
    told = [round(datetime(2025, 1, 1, 12, tzinfo=UTC).timestamp()) + 60 * i for i in range(9)]
    check = checked([(read_as(i, UTC, UTC, year=2012), i) for i in told])
    assert check.message("UTC", 2011) == YEAR.format(2024)


def test_what_is_no_clock_is_not_named():
    assert checked([(SUMMER + 37 * 60, SUMMER)] * 5).message("UTC", None) is None
    assert checked([(SUMMER + 15 * 3600, SUMMER)] * 5).message("UTC", None) is None
    assert checked([(SUMMER + 100 * DAY, SUMMER)] * 5).message("UTC", None) is None


def test_queue_ids_without_a_time_say_nothing():
    check = ClockCheck()
    check.sample((SUMMER + 7200) * 1_000_000, "5298B228B8B", "postfix")
    check.sample((SUMMER + 7200) * 1_000_000, "NOQUEUE", "postfix")
    assert check.message("UTC", 2024) is None
    check.sample((1413111234 + 7200) * 1_000_000, "3jFp826sNfz1TN4R", "postfix")
    assert len(check.samples) == 1


def test_no_samples_no_message():
    assert ClockCheck().message(None, None) is None


def test_the_work_is_bounded():
    check = checked([(SUMMER, SUMMER)] * 300)
    assert len(check.samples) == 200


@settings(deadline=None)
@given(
    st.sampled_from(sorted({"Europe/Madrid", "Asia/Kolkata", "America/Chicago", "Pacific/Auckland", "UTC"})), st.data()
)
def test_whatever_zone_is_named_has_the_clocks_offset(clock, data):
    zone = data.draw(st.sampled_from(["UTC", "Europe/Athens", "America/Halifax", "+03:30"]))
    start = data.draw(st.integers(SUMMER - 200 * DAY, SUMMER + 700 * DAY))
    # Not across a change of summer time.
    instants = [start + i for i in range(5)]
    around = [datetime.fromtimestamp(start + hours * 3600, ZoneInfo(clock)).utcoffset() for hours in range(-30, 31)]
    others = [datetime.fromtimestamp(start + hours * 3600, zone_of(zone)).utcoffset() for hours in range(-30, 31)]
    if len(set(around)) > 1 or len(set(others)) > 1:
        return
    found = message(clock, zone, instants)
    if around[0] == others[0]:
        assert found is None
    else:
        named = zone_of(found.rpartition("--tz")[2].strip(" ="))
        assert datetime.fromtimestamp(start, named).utcoffset() == around[0]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2**36), st.integers(0, 2**31)), max_size=20), st.none() | st.integers(1970, 2199)
)
def test_it_never_raises(samples, year):
    found = checked(samples).message("Europe/Berlin", year)
    assert found is None or "\n" not in found


def test_a_zone_that_is_none_says_nothing():
    assert checked([(SUMMER + 3600, SUMMER)] * 5).message("No/Where", None) is None


def test_offsets_in_seconds_are_taken():
    assert checked([(SUMMER + round(timedelta(hours=5, minutes=45).total_seconds()), SUMMER)] * 5).message("UTC", None)


def test_message_ids_of_the_servers_own_tell_the_zone():
    check = ClockCheck()
    for i in range(5):
        told = datetime.fromtimestamp(SUMMER + 60 * i, UTC)
        msgid = f"{told:%Y%m%d%H%M%S}.4C8A2C0A1F@mx.example.com"
        check.sample_message_id((SUMMER + 60 * i + 7200) * 1_000_000, "4C8A2C0A1F", msgid)
        check.sample_message_id((SUMMER + 60 * i) * 1_000_000, "4C8A2C0A1E", msgid)
        check.sample_message_id((SUMMER + 60 * i) * 1_000_000, "4C8A2C0A1F", "another@example.com")
    assert check.message("UTC", None) == CLOCK.format("UTC+02:00", "--tz Europe/Madrid")


def test_no_flag_mends_the_year_of_a_stamp():
    check = checked([(read_as(SUMMER + i, UTC, UTC, year=2020), SUMMER + i) for i in range(5)])
    assert check.message("UTC", 2020) == YEAR.format(2024)
    assert check.message("UTC", 2020, has_years=True) is None
