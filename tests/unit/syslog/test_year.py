"""Timeline, zones and summer time of stamps that carry none."""

import random
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from time import tzset
from zoneinfo import ZoneInfo

import pytest
from dateutil import tz
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.instants import first_year
from mailtrace.syslog.frame import Frames
from mailtrace.syslog.local_time import LocalTime
from mailtrace.syslog.year import Timeline, midnight

UTC = timezone.utc
BERLIN = ZoneInfo("Europe/Berlin")


def dateutil_zone(name):
    zone = tz.gettz(name)
    assert zone is not None
    return zone


ZONES = [
    UTC,
    BERLIN,
    ZoneInfo("America/New_York"),
    ZoneInfo("America/Havana"),
    ZoneInfo("Asia/Kathmandu"),
    ZoneInfo("Australia/Lord_Howe"),
    ZoneInfo("Pacific/Auckland"),
    ZoneInfo("Asia/Beirut"),
    dateutil_zone("Europe/Madrid"),
    timezone(timedelta(hours=-3, minutes=-30)),
]
MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAY = 86400


def seconds(text, zone=UTC):
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp())


def stamp(instant, zone=UTC):
    local = datetime.fromtimestamp(instant, zone)
    return f"{MONTH_NAMES[local.month - 1]} {local.day:2} {local:%H:%M:%S}"


def line(instant, zone=UTC, program="postfix/smtp[1]", text="x"):
    return f"{stamp(instant, zone)} mx {program}: {text}"


def times(frames, stamps):
    """The times of lines with these stamps, in seconds; None where there is no such date."""
    records = [frames.record(f"{text} mx postfix/smtp[1]: x") for text in stamps]
    return [record.time // 1_000_000 if hasattr(record, "time") else None for record in records]


def dates(year, stamps, zone=UTC):
    found = times(Frames(zone, year), stamps)
    return [None if time is None else datetime.fromtimestamp(time, zone).date().isoformat() for time in found]


gaps = st.lists(
    st.one_of(st.integers(0, 5), st.integers(0, 4000), st.integers(0, 3 * DAY), st.integers(0, 300 * DAY)), max_size=40
)


def is_near_a_repeated_hour(instant, zone):
    """Whether the zone's clock goes back within some hours of an instant."""
    offsets = [
        datetime.fromtimestamp(instant + hours * 3600, zone).utcoffset() or timedelta(0) for hours in range(-4, 5)
    ]
    return any(later < sooner for sooner, later in pairwise(offsets))


@settings(deadline=None)
@given(st.integers(0, 2**31), gaps, st.sampled_from(ZONES))
def test_stamps_of_increasing_instants_give_the_instants(start, steps, zone):
    instants = [start]
    for step in steps:
        instants.append(instants[-1] + step)
    instants = [instant for instant in instants if not is_near_a_repeated_hour(instant, zone)]
    if not instants:
        return
    year = datetime.fromtimestamp(instants[0], zone).year
    if year >= 1970:
        assert times(Frames(zone, year), [stamp(instant, zone) for instant in instants]) == instants


@settings(deadline=None)
@given(
    st.sampled_from(
        [
            (BERLIN, "2020-10-25T00:00:00"),
            (ZoneInfo("America/New_York"), "2021-11-07T05:00:00"),
            (ZoneInfo("America/Havana"), "2021-11-07T04:00:00"),
            (ZoneInfo("Asia/Beirut"), "2021-10-30T20:00:00"),
            (dateutil_zone("Europe/Madrid"), "2020-10-25T00:00:00"),
        ]
    ),
    # An instant in each quarter of an hour at least: who steps back on the wall has gone a long way back.
    st.lists(st.integers(1, 1500), min_size=10, max_size=60),
    st.integers(0, 2**122),
)
def test_the_order_of_lines_tells_the_passes_through_the_repeated_hour(where, steps, spelling):
    zone, begin = where
    instants = [seconds(begin)]
    for step in steps:
        instants.append(instants[-1] + step)
    year = datetime.fromtimestamp(instants[0], zone).year
    stamps = [spelled(stamp(instant, zone), (spelling >> (2 * i)) & 3) for i, instant in enumerate(instants)]
    assert times(Frames(zone, year), stamps) == instants


def spelled(text, how):
    """The same stamp in another spelling."""
    return [text, f"<22>{text}", text.replace("  ", " 0"), f"{text}.0"][how]


@settings(deadline=None)
@given(st.integers(0, 2**31), st.lists(st.tuples(st.integers(0, 5 * DAY), st.integers(0, 55 * DAY)), max_size=30))
def test_lines_out_of_order_keep_their_year(start, steps):
    """Each line may be late by up to 55 days behind the latest."""
    latest, instants = start, [start]
    for step, late in steps:
        latest += step
        instants += [latest, max(latest - late, 0)]
    assert times(Frames(UTC, datetime.fromtimestamp(start, UTC).year), [stamp(i) for i in instants]) == instants


def test_new_year():
    assert dates(2020, ["Dec 31 23:59:59", "Jan  1 00:00:01"]) == ["2020-12-31", "2021-01-01"]


def test_a_late_line_belongs_to_the_old_year_and_does_not_move_the_state_back():
    found = dates(2020, ["Dec 31 23:59:59", "Jan  1 00:00:01", "Dec 31 23:59:58", "Feb 27 00:00:00", "Dec 30 00:00:00"])
    assert found == ["2020-12-31", "2021-01-01", "2020-12-31", "2021-02-27", "2020-12-30"]


def test_a_late_line_may_be_the_second():
    assert dates(2021, ["Jan  1 00:00:01", "Dec 31 23:59:59", "Jan  1 00:00:02"]) == [
        "2021-01-01",
        "2020-12-31",
        "2021-01-01",
    ]


def test_sixty_days_back_are_disorder_and_more_are_the_next_year():
    assert dates(2021, ["Jun 30 12:00:00", "May  1 12:00:00"]) == ["2021-06-30", "2021-05-01"]
    assert dates(2021, ["Jun 30 12:00:00", "May  1 11:59:59"]) == ["2021-06-30", "2022-05-01"]


def test_29_february():
    assert dates(2020, ["Feb 29 12:00:00"]) == ["2020-02-29"]
    assert dates(2021, ["Feb 29 12:00:00", "Mar  1 12:00:00"]) == [None, "2021-03-01"]
    assert dates(2023, ["Dec 31 12:00:00", "Feb 29 12:00:00", "Mar  1 12:00:00"]) == [
        "2023-12-31",
        "2024-02-29",
        "2024-03-01",
    ]
    assert dates(2024, ["Mar  5 12:00:00", "Feb 29 12:00:00", "Dec  1 12:00:00", "Feb 29 12:00:00"]) == [
        "2024-03-05",
        "2024-02-29",
        "2024-12-01",
        None,
    ]


@pytest.mark.parametrize("year", [None, -5, 0, 1, 1969, 2200, 9999, 10**9])
def test_years_that_cannot_be_date_nothing(year):
    years = Timeline(BERLIN, year)
    assert years.without_year(12, 31, 0) is None
    assert years.latest is None


def test_skipped_times_are_taken_by_the_offset_before():
    for zone in (BERLIN, dateutil_zone("Europe/Berlin")):
        assert times(Frames(zone, 2021), ["Mar 28 01:59:59", "Mar 28 02:30:00", "Mar 28 03:00:00"]) == [
            seconds("2021-03-28T00:59:59"),
            seconds("2021-03-28T01:30:00"),
            seconds("2021-03-28T01:00:00"),
        ]


@pytest.mark.parametrize("zone", [BERLIN, dateutil_zone("Europe/Berlin")])
def test_the_repeated_hour(zone):
    stamps = [
        "02:59:46",
        "02:00:03",
        "02:59:59",
        "02:00:10",
        "02:10:00",
        "02:09:58",
        "02:59:50",
        "03:00:00",
        "02:59:59",
    ]
    found = times(Frames(zone, 2020), [f"Oct 25 {time}" for time in stamps])
    first, second = seconds("2020-10-25T00:00:00"), seconds("2020-10-25T01:00:00")
    assert found == [
        first + 3586,
        second + 3,
        first + 3599,
        second + 10,
        second + 600,
        second + 598,
        second + 3590,
        second + 3600,
        second + 3599,
    ]


def test_small_disorder_in_the_first_pass_is_not_the_second():
    first = seconds("2020-10-25T00:00:00")
    assert times(Frames(BERLIN, 2020), ["Oct 25 02:10:05", "Oct 25 02:10:03"]) == [first + 605, first + 603]


def test_the_machines_own_zone(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    tzset()
    try:
        zone = tz.tzlocal()
        first = seconds("2020-10-25T00:00:00")
        assert times(Frames(zone, 2020), ["Mar 29 02:30:00", "Jul  1 12:00:00"]) == [
            seconds("2020-03-29T01:30:00"),
            seconds("2020-07-01T10:00:00"),
        ]
        stamps = ["Oct 25 01:59:59", "Oct 25 02:59:00", "Oct 25 02:00:03", "Oct 25 03:00:00"]
        assert times(Frames(zone, 2020), stamps) == [first - 1, first + 3540, first + 3603, first + 7200]
    finally:
        monkeypatch.undo()
        tzset()


@settings(deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(ZONES))
def test_local_time_agrees_with_the_zone(instant, zone):
    local = datetime.fromtimestamp(instant, zone)
    wall = round(local.replace(tzinfo=UTC).timestamp())
    found = LocalTime(zone).instant(wall, None)
    assert found == instant or (local.fold and found == instant - (3600 if found != instant - 1800 else 1800))


@settings(deadline=None)
@given(st.integers(), st.integers(), st.integers())
def test_midnight_never_raises(year, month, day):
    found = midnight(year, month, day)
    assert found is None or datetime.fromtimestamp(found, UTC).timetuple()[:4] == (year, month, day, 0)


# The year of the first line.

LONG = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"


def long_id(instant):
    digits = ""
    for _ in range(6):
        instant, digit = divmod(instant, 52)
        digits = LONG[digit] + digits
    return f"{digits}0000z1v3"


def sendmail_id(instant):
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwx"
    time = datetime.fromtimestamp(instant, UTC)
    fields = ((time.year - 1900) % 60, time.month - 1, time.day, time.hour, time.minute, time.second)
    return "".join(digits[field] for field in fields) + "0c016570"


def client_line(instant, zone=UTC):
    return line(instant, zone, "postfix/smtpd[1]", f"{long_id(instant)}: client=a[192.0.2.1]")


def from_line(instant, zone=UTC):
    return line(instant, zone, "sm-mta[1]", f"{sendmail_id(instant)}: from=<a@example.org>, size=1")


NOW = seconds("2026-11-25T12:00:00")


@pytest.mark.parametrize("beginning", [client_line, from_line])
def test_queue_ids_tell_the_year(beginning):
    start = seconds("2011-12-15T15:27:19")
    head = [line(start - 60), beginning(start), line(start + 60)]
    assert first_year(head, head[-1], NOW, UTC) == 2011


@pytest.mark.parametrize("beginning", [client_line, from_line])
def test_queue_ids_behind_new_year_are_corrected_back(beginning):
    start = seconds("2012-01-03T15:27:19")
    head = [line(start - 20 * DAY), line(start - 10 * DAY), beginning(start)]
    assert first_year(head, head[-1], NOW, UTC) == 2011


def test_queue_ids_on_new_years_eve_in_other_zones():
    for zone in ZONES:
        for hours in range(-16, 17):
            start = seconds("2012-01-01T00:00:00") + 3600 * hours
            assert first_year([client_line(start, zone)], None, NOW, zone) == datetime.fromtimestamp(start, zone).year
            assert first_year([from_line(start, zone)], None, NOW, zone) == datetime.fromtimestamp(start, zone).year


def test_beginnings_count_more_than_ids_of_mail_that_waits():
    start = seconds("2013-03-01T00:00:00")
    old = line(start, text=f"{long_id(start - 300 * DAY)}: to=<a@example.org>, relay=none, status=deferred (x)")
    assert first_year([old, old, client_line(start + 5)], None, NOW, UTC) == 2013
    new = line(start + 9, text=f"{long_id(start)}: to=<a@example.org>, relay=none, status=deferred (x)")
    assert first_year([old, old, new], None, NOW, UTC) == 2013
    assert first_year([old], None, NOW, UTC) == 2013


def test_one_lying_clock_does_not_tell():
    start = seconds("2013-03-01T00:00:00")
    liar = line(start, program="postfix/smtpd[1]", text=f"{long_id(start - 900 * DAY)}: client=a[192.0.2.1]")
    assert first_year([liar, client_line(start + 5), client_line(start + 6)], None, NOW, UTC) == 2013


def test_queue_ids_in_solaris_and_docker_frames():
    start = seconds("2011-12-15T15:27:19")
    sol = from_line(start).replace("sm-mta[1]: ", "sendmail[1]: [ID 801593 mail.info] ")
    assert first_year([sol], None, NOW, UTC) == 2011
    assert first_year([f"postfix-1  | {client_line(start)}"], None, NOW, UTC) == 2011


@pytest.mark.parametrize(
    "text",
    [
        "5298B228B8B: client=a[192.0.2.1]",
        "NOQUEUE: client=a[192.0.2.1]",
        "warning: client=a",
        f"to=<{'4' * 40}: from=x",
        "connect from a[192.0.2.1]",
        "",
    ],
)
def test_what_is_no_queue_id_tells_nothing(text):
    head = [
        line(seconds("2011-06-15T00:00:00"), program=program, text=text) for program in ("postfix/smtpd[1]", "su[1]")
    ]
    assert first_year(head, head[-1], NOW, UTC) == 2026


def test_the_last_line_is_not_after_the_last_writing():
    head = ["Nov 20 10:00:00 mx postfix/smtp[1]: x"]
    assert first_year(head, "Nov 25 12:00:01 mx postfix/smtp[1]: x", NOW, UTC) == 2026
    assert first_year(head, "Nov 26 11:00:00 mx postfix/smtp[1]: x", NOW, UTC) == 2026
    assert first_year(head, "Nov 26 13:00:00 mx postfix/smtp[1]: x", NOW, UTC) == 2025


def test_the_head_is_of_the_year_before_where_it_is_later_in_the_calendar():
    head = ["Dec 20 10:00:00 mx postfix/smtp[1]: x"]
    assert first_year(head, "Jan  5 10:00:00 mx postfix/smtp[1]: x", NOW, UTC) == 2025
    assert first_year([*head, "Jan  1 10:00:00 mx postfix/smtp[1]: x"], "Jan  5 10:00:00 mx x: x", NOW, UTC) == 2025
    assert first_year(head, "Nov 24 10:00:00 mx postfix/smtp[1]: x", NOW, UTC) == 2025


def test_disorder_of_the_last_lines_is_no_new_year():
    head = ["Nov 20 10:00:02 mx postfix/smtp[1]: x", "Nov 20 10:00:01 mx postfix/smtp[1]: x"]
    assert first_year(head, head[-1], NOW, UTC) == 2026


def test_29_february_moves_the_choice_back_to_a_leap_year():
    leap = "Feb 29 10:00:00 mx postfix/smtp[1]: x"
    assert first_year([leap], leap, NOW, UTC) == 2024
    assert first_year([leap], "Mar  5 10:00:00 mx postfix/smtp[1]: x", NOW, UTC) == 2024
    assert first_year(["Dec 20 10:00:00 mx x: x", leap], "Mar  5 10:00:00 mx x: x", NOW, UTC) == 2023
    assert first_year(["Dec 20 10:00:00 mx x: x"], leap, NOW, UTC) == 2023
    assert first_year([leap], "Jan  5 10:00:00 mx x: x", NOW, UTC) == 2024


def test_the_last_line_may_carry_its_year():
    head = ["Dec 20 10:00:00 mx postfix/smtp[1]: x"]
    assert first_year(head, "2019-01-05T10:00:00Z mx postfix/smtp[1]: x", NOW, UTC) == 2018


@pytest.mark.parametrize("last", [None, "", "words", "Dec 32 10:00:00 mx postfix/smtp[1]: x"])
def test_without_a_last_line_the_heads_last_stands_for_it(last):
    head = ["Nov 26 13:00:00 mx postfix/smtp[1]: x", "Dec  1 10:00:00 mx postfix/smtp[1]: x"]
    assert first_year(head, last, NOW, UTC) == 2025


def test_no_line_lacks_its_year():
    assert first_year([], None, NOW, UTC) is None
    assert first_year(["", "2026-01-05T10:00:00Z mx x: x", "words"], "Dec 20 10:00:00 mx x: x", NOW, UTC) is None


@pytest.mark.parametrize("modified", [float("nan"), float("inf"), float("-inf"), -1.0, 0.0, 1e30])
def test_any_time_of_writing_is_taken(modified):
    year = first_year(["Nov 20 10:00:00 mx x: x"], None, modified, UTC)
    assert year is None or 1970 <= year <= 2199


@settings(deadline=None)
@given(st.lists(st.text() | st.builds(lambda t, s: f"{t} mx {s}", st.just("Feb 29 10:00:00"), st.text())), st.text())
def test_first_year_never_raises(head, last):
    assert first_year(head, last, NOW, BERLIN) in (None, *range(1970, 2200))


@settings(deadline=None)
@given(
    st.integers(seconds("1990-01-05T00:00:00"), NOW - 600 * DAY),
    st.lists(st.integers(0, 20 * DAY), min_size=1, max_size=14),
    st.booleans(),
    st.sampled_from(ZONES),
)
def test_the_first_year_of_a_log_of_less_than_a_year(start, steps, has_ids, zone):
    instants = [start]
    for step in steps:
        instants.append(instants[-1] + step)
    mixed = random.Random(start)
    head = [client_line(i, zone) if has_ids and mixed.random() < 0.5 else line(i, zone) for i in instants]
    assert first_year(head, head[-1], instants[-1] + 3600, zone) == datetime.fromtimestamp(start, zone).year
