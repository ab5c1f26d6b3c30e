"""The years of logs that are longer than a year, have gaps, or are not in order."""

import gzip
import io
import json
import os
import sys
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest

from helpers.commands import documents, index
from helpers.instants import NOW, UTC, dated, long_id, piped, sendmail_id, stamp
from mailtrace.logs.file import LogFile
from mailtrace.logs.survey import Survey, survey_log
from mailtrace.logs.years import KnownStart, choose_years
from mailtrace.mta.queue_ids import time_in_message_id
from mailtrace.syslog.frame import Frames
from mailtrace.syslog.year import NO_PLAN, YearChange, YearPlan


def seconds(text):
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def plain(day, number=0):
    """A line that tells no year."""
    return f"{day} 08:00:00 mx postfix/smtp[5]: 40BC39868A: to=<r{number}@example.net>, relay=none, status=sent (ok)"


def days(first, number, step=1):
    """A line for each of some days."""
    begin = datetime.fromisoformat(first)
    return [plain(f"{begin + timedelta(n * step):%b %e}", number=n) for n in range(number)]


def received(time, mta="postfix"):
    """A line that tells its year by its queue ID."""
    instant = seconds(time)
    if mta == "postfix":
        return f"{stamp(instant)} mx postfix/smtpd[1]: {long_id(instant)}: client=a[192.0.2.1]"
    return f"{stamp(instant)} mx sm-mta[1]: {sendmail_id(instant)}: from=<a@example.org>, size=1"


@pytest.fixture
def log(tmp_path):
    def write(lines, modified=None, name="mail.log"):
        path = tmp_path / name
        text = "".join(line + "\n" for line in lines).encode()
        path.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
        instant = NOW if modified is None else seconds(modified)
        os.utime(path, (instant, instant))
        return str(path)

    return write


@pytest.fixture
def commands_log(tmp_path, monkeypatch):
    """Index a log with the command; return the dates that are found, and what was said."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))

    def run(lines, *options, given=b""):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(given))))
        path = tmp_path / "mail.log"
        path.write_text("".join(line + "\n" for line in lines))
        store = f"sqlite:{tmp_path}/s.db"
        done = index(store, [] if "-" in options else [path], *options)
        return sorted(document["date"][:10] for document in documents(store)), done.summary

    return run


def dates(found):
    return [datetime.fromtimestamp(instant, UTC).date().isoformat() for instant in found.values()]


# Lines that tell their year.


@pytest.mark.parametrize("mta", ["postfix", "sendmail"])
@pytest.mark.parametrize("year", [None, 2024])
def test_a_queue_id_decides_for_its_line_whatever_the_lines_before_said(log, mta, year):
    times = ["2024-11-25T10:00:00", "2024-09-20T10:00:00", "2025-01-02T10:00:00", "2023-03-01T10:00:00"]
    found = dated([log([received(time, mta) for time in times])], year)
    assert dates(found) == [time[:10] for time in times]


def test_the_year_of_the_first_line_is_told_by_the_next_ones(log):
    assert dates(dated([log([plain("Dec 20"), received("2022-01-03T10:00:00")])])) == ["2021-12-20", "2022-01-03"]


def test_what_lines_tell_stands_against_the_year_that_was_given(commands_log):
    found, said = commands_log([plain("Dec 20"), received("2022-01-03T10:00:00")], "-y", "2011")
    assert found == ["2021-12-20"]
    assert "the log is of 2021, so -y 2011 is ignored: use -y 2021\n" in said


@pytest.mark.parametrize(
    "msgid, queue_id, expected",
    [
        ("20190829063501.4C8A2C0A1F@nas2.example.com", "4C8A2C0A1F", "2019-08-29T06:35:01"),
        ("199705141912.MAA12345@host.example.com", "MAA12345", "1997-05-14T19:12:00"),
        ("20190829063501.4C8A2C0A1E@nas2.example.com", "4C8A2C0A1F", None),
        ("20190829063501.4C8A2C0A1FF@nas2.example.com", "4C8A2C0A1F", None),
        ("20190829063501.4C8A2C0A1F", "4C8A2C0A1F", None),
        ("20191329063501.4C8A2C0A1F@nas2.example.com", "4C8A2C0A1F", None),
        ("2019082906350.4C8A2C0A1F@nas2.example.com", "4C8A2C0A1F", None),
        ("٢٠١٩٠٨٢٩٠٦٣٥٠١.4C8A2C0A1F@nas2.example.com", "4C8A2C0A1F", None),
    ],
)
def test_the_time_in_a_message_id_of_the_servers_own(msgid, queue_id, expected):
    assert time_in_message_id(msgid, queue_id) == (None if expected is None else seconds(expected))


def test_an_own_message_id_tells_the_year(log):
    text = "mx postfix/cleanup[1]: 4C8A2C0A1F: message-id=<20190829063501.{}@mx.example.com>"
    own = "Aug 29 08:35:01 " + text.format("4C8A2C0A1F")
    assert dates(dated([log([*days("2019-08-20", 9), own])]))[0] == "2019-08-20"
    # Of a message that came back from a filter under another queue ID: its time is another's.
    assert dates(dated([log(["Aug 29 08:35:01 " + text.format("4C8A2C0A1E")])])) == ["2026-08-29"]


def test_an_own_message_id_is_found_behind_any_number_of_lines(log):
    own = "Aug 29 18:35:01 mx postfix/cleanup[1]: 4C8A2C0A1F: message-id=<20190829183501.4C8A2C0A1F@mx.example.com>"
    found = dated([log([*[plain("Aug 29", n) for n in range(500)], own])])
    assert set(dates(found)) == {"2019-08-29"}


def test_an_own_message_id_that_is_of_another_day_is_no_clock(log):
    own = "Aug 29 08:35:01 mx postfix/cleanup[1]: 4C8A2C0A1F: message-id=<20190601063501.4C8A2C0A1F@mx.example.com>"
    assert dates(dated([log([own])])) == ["2026-08-29"]


FRAMES = {
    "docker": lambda line: json.dumps({"log": line + "\n", "stream": "stdout"}),
    "filebeat": lambda line: json.dumps({"message": line}),
    "forwarded": lambda line: line.replace(" mx ", " Message forwarded from mx: "),
    "two blanks": lambda line: line.replace("]: ", "]:  "),
    "tabs": lambda line: line.replace(" mx ", "\tmx\t"),
    "repeated": lambda line: line.replace("]: ", "]: message repeated 2 times: [ ") + "]",
    "priority": lambda line: "<22>" + line,
    "compose": lambda line: "mail-1  | " + line,
    "Solaris": lambda line: line.replace("]: ", "]: [ID 801593 mail.info] "),
}


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("mta", ["postfix", "sendmail"])
def test_the_year_is_searched_in_the_line_as_it_is_unwrapped(log, frame, mta):
    lines = [received(time, mta) for time in ("2012-12-31T10:00:00", "2013-01-02T10:00:00")]
    assert dates(dated([log(map(FRAMES[frame], lines))])) == ["2012-12-31", "2013-01-02"]


@pytest.mark.parametrize("name, text", [("time", "log"), ("@timestamp", "message")])
def test_what_a_line_is_wrapped_in_tells_its_year(log, name, text):
    lines = [
        json.dumps({text: plain(day), "stream": "stdout", name: f"{year}T08:00:01.214105936Z"})
        for day, year in (("Dec 31", "2019-12-31"), ("Jan  1", "2020-01-01"), ("Jun  4", "2021-06-04"))
    ]
    assert dates(dated([log(lines)])) == ["2019-12-31", "2020-01-01", "2021-06-04"]


def test_a_shipper_that_came_later_than_the_line(log):
    line = json.dumps({"@timestamp": "2024-03-04T10:00:00.000Z", "message": plain("Dec 20")})
    assert dates(dated([log([line])])) == ["2023-12-20"]
    assert dates(dated([log([line, json.dumps({"message": received("2021-12-20T10:00:00")})])])) == ["2021-12-20"] * 2


# The time of the file.


@pytest.mark.parametrize("name", ["mail.log", "mail.log.gz"])
def test_a_log_of_years_in_good_order_ends_when_it_was_written(log, name):
    found = dated([log(days("2021-05-01", 1300), "2024-11-20T09:00:00", name)])
    assert dates(found)[0] == "2021-05-01"
    assert dates(found)[-1] == "2024-11-20"
    assert "2024-02-29" in dates(found)


def test_a_log_of_fourteen_months_has_its_leap_day(log):
    found = dated([log(days("2023-11-01", 420, 1), "2024-12-24T09:00:00")])
    assert len(found) == 420
    assert "2024-02-29" in dates(found)


@pytest.mark.parametrize(
    "lines, modified, expected",
    [
        (["Jan  5", "Dec 20"], "2023-12-20T09:00:00", ["2023-01-05", "2023-12-20"]),
        (["Jan  5", "Dec 20", "Jan  3"], "2024-01-03T09:00:00", ["2023-01-05", "2023-12-20", "2024-01-03"]),
        (["Jan  1", "Dec 31", "Jan  2"], "2024-01-02T09:00:00", ["2024-01-01", "2023-12-31", "2024-01-02"]),
        (["Jan  1", "Dec 31"], "2024-01-01T09:00:00", ["2024-01-01", "2023-12-31"]),
        (["Mar  1", "Oct  1", "May  1"], "2024-05-01T09:00:00", ["2023-03-01", "2023-10-01", "2024-05-01"]),
        (["Nov 25", "Sep 20"], "2024-11-26T09:00:00", ["2023-11-25", "2024-09-20"]),
    ],
)
def test_a_step_and_the_files_time(log, lines, modified, expected):
    found = dated([log([plain(day, n) for n, day in enumerate(lines)], modified)])
    assert dates(found) == expected


def test_a_gap_of_nearly_a_year_does_not_go_back(log):
    assert dates(dated([log([plain("Jan  5"), plain("Dec 20")])], 2023)) == ["2023-01-05", "2023-12-20"]


# Streams.


def weeks(number=12):
    """Weekly logs, the newest first."""
    begin = datetime.fromtimestamp(NOW, UTC) - timedelta(7)
    return [days(f"{begin - timedelta(7 * n):%Y-%m-%d}", 7) for n in range(number)]


def in_glob_order(logs):
    """As `mail.log.1 mail.log.10 mail.log.11 ... mail.log.2` is joined."""
    return [line + f" {n}\n" for n in sorted(range(len(logs)), key=lambda n: str(n + 1)) for line in logs[n]]


def test_weekly_logs_in_the_wrong_order_stay_in_their_year(monkeypatch):
    assert {date[:4] for date in dates(piped(monkeypatch, in_glob_order(weeks())))} == {"2026"}


def test_monthly_logs_in_the_wrong_order_do_not_walk_into_the_future(monkeypatch):
    months = [days(f"{2026 - (n > 9)}-{(9 - n) % 12 + 1:02}-01", 28) for n in range(14)]
    assert max(dates(piped(monkeypatch, in_glob_order(months)))) <= "2026-11-26"


def test_a_stream_that_tells_no_year_says_that_it_was_guessed(commands_log):
    for given in (b"", b"\n"):
        _, said = commands_log([plain("Jan  5")], "-", given=plain("Jan  5").encode() + given)
        assert said.count("-: no line shows the year: using 20") == 1
        assert "with --replace -y YEAR\n" in said
    assert "no line shows" not in commands_log([], "-", "-y", "2024", given=plain("Jan  5").encode())[1]
    assert "no line shows" not in commands_log([], "-", given=received("2024-01-05T10:00:00").encode())[1]


# From run to run.


def test_a_run_that_could_date_nothing_leaves_the_log_for_the_next(commands_log):
    lines = ["Feb 30 10:00:00 mx postfix/smtp[5]: 40BC39868A: removed", "words"]
    for _ in range(2):
        assert "2 lines: 0 used, 0 ignored, 2 unrecognised" in commands_log(lines)[1]


def test_a_run_that_goes_on_keeps_to_the_plan_of_the_one_before():
    """It does not see that the lines before were out of order."""
    lines = [plain(day) for day in ("Nov 18", "Nov 16", "Nov 18", "Jun  1", "Jun  2")]
    first, times = Frames(UTC, 2020), []
    first.follow(choose_years(survey_of(lines), UTC, NOW, KnownStart(year=2020)).plan)
    for number, line in enumerate(lines):
        state = json.loads(json.dumps(first.state()))
        times.append(first.record(line).time)
        if number:
            changes, last = state["plan"]
            rest = survey_of(lines[number:], YearPlan([YearChange(*change) for change in changes], last))
            later = Frames.resume(UTC, state)
            later.follow(choose_years(rest, UTC, NOW, KnownStart(state["latest"])).plan)
            assert later.record(line).time == times[-1]
    assert datetime.fromtimestamp(times[-1] / 1e6, UTC).year == 2020


def survey_of(lines, plan=NO_PLAN):
    survey = Survey(UTC, plan)
    survey.add(lines)
    return survey.end()


@pytest.mark.parametrize("wrap", [str, lambda line: json.dumps({"stream": "stdout", "log": line})])
@pytest.mark.parametrize("name", ["mail.log", "mail.log.gz"])
def test_blocks_of_one_day_are_skipped(log, name, wrap):
    lines = [wrap(plain(day, n)) for day in ("Dec 30", "Dec 31", "Jan  1") for n in range(30_000)]
    lines += [wrap(received("2023-01-01T10:00:00")), wrap(plain("Jan  2"))]
    with LogFile(log(lines, name=name)).open() as reader:
        quick, slow = survey_log(reader, UTC), survey_of(lines)
    assert (quick.days, slow.days) == (4, 4)
    for survey in (quick, slow):
        assert [(segment.first, segment.last, segment.latest) for segment in survey.segments] == [
            ((12, 30, 28800), (12, 31, 28800), (12, 31, 28800)),
            ((1, 1, 28800), (1, 2, 28800), (1, 2, 28800)),
        ]
    assert len(lines) * len(lines[0]) > 3 << 20


def test_a_line_that_is_out_of_all_order_costs_no_more_than_its_time(log):
    """The survey stops after a thousand segments; the lines after them are dated all the same."""
    lines = [plain(day, n) for n in range(3000) for day in ("Jan  1", "Jul  1")]
    assert max(dated([log(lines)]).values()) < NOW
