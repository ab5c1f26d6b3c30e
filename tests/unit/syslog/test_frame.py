"""Frames: each sample line gives its record, in whatever mixture; nothing raises."""

import json
import re
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailtrace.syslog.frame import Frames, Record, Unframed
from mailtrace.syslog.text import decoded
from mailtrace.syslog.timezones import zone_of

SEVERAL = "several messages in one line"
RECORDS = Path(__file__).parents[2] / "samples" / "records"
HEAD = re.compile(r"## year (\d{4}), zone (\S+)\Z")


class Sample(NamedTuple):
    where: str
    line: str
    expected: Any


class Log(NamedTuple):
    name: str
    year: int
    zone: str
    samples: list[Sample]

    def frames(self) -> Frames:
        return Frames(zone_of(self.zone), self.year)


def read(path: Path) -> Log:
    """A sample file: its year and zone; then, below `# expect: JSON`, each line as it is in a log."""
    head, *lines = path.read_bytes().decode("utf-8").split("\n")
    found = HEAD.match(head)
    assert found, f"{path.name}: no year and zone"
    samples = []
    for number, (expected, line) in enumerate(pairwise(lines), 3):
        if expected.startswith("# expect: "):
            samples.append(Sample(f"{path.name}:{number}", line, json.loads(expected.removeprefix("# expect: "))))
    return Log(path.name, int(found[1]), found[2], samples)


IN_ORDER = ("export.log", "months.log", "exim-entries.log")
"""Logs whose lines are understood only after one another."""
LOGS = [read(path) for path in sorted(RECORDS.glob("*.log"))]
LINES = [sample.line for log in LOGS for sample in log.samples]


def described(record: Record | Unframed) -> Any:
    if isinstance(record, Unframed):
        return {"ignored": record.reason} if record.ignored else None
    return {**record._asdict(), "time": datetime.fromtimestamp(record.time / 1_000_000, timezone.utc)}


def as_expected(expected: Any) -> Any:
    if expected is None or "ignored" in expected:
        return expected
    time = re.sub(r"\.\d+", lambda digits: digits[0].ljust(7, "0"), expected["time"])
    return {**expected, "time": datetime.fromisoformat(time).replace(tzinfo=timezone.utc)}


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.name)
def test_samples_one_after_the_other(log):
    frames = log.frames()
    for sample in log.samples:
        assert described(frames.record(sample.line)) == as_expected(sample.expected), sample.where


@pytest.mark.parametrize("log", [log for log in LOGS if log.name not in IN_ORDER], ids=lambda log: log.name)
def test_samples_each_alone_and_twice(log):
    for sample in log.samples:
        frames = log.frames()
        for _ in range(2):
            assert described(frames.record(sample.line)) == as_expected(sample.expected), sample.where


@pytest.mark.parametrize("log", [log for log in LOGS if log.name not in IN_ORDER], ids=lambda log: log.name)
def test_samples_among_lines_of_every_other_frame(log):
    others = [sample.line for other in LOGS for sample in other.samples if other.name in ("iso8601.log", "rfc5424.log")]
    frames = log.frames()
    for i, sample in enumerate(log.samples):
        for line in others[i % 7 :: 7]:
            frames.record(line)
        assert described(frames.record(sample.line)) == as_expected(sample.expected), sample.where


def test_every_frame_has_samples():
    assert len(LINES) > 150
    assert sum(isinstance(sample.expected, dict) for log in LOGS for sample in log.samples) > 120


def nested(depth: int) -> str:
    """A line in as many wrappers."""
    line = "2024-12-05T15:27:19Z mx postfix/smtp[1]: x"
    for _ in range(depth):
        line = json.dumps({"message": line, "time": "2024-12-05T15:27:20Z"})
    return line


@pytest.mark.parametrize(
    "line, reason",
    [
        ("", "blank line"),
        ("words", "no time stamp"),
        ("Dec 32 02:48:04 mx postfix/smtp[12]: x", "no such date"),
        ("2024-02-30T02:48:04Z mx postfix/smtp[12]: x", "no such date"),
        ('{"a": 1}', "JSON that is no journal entry"),
        ('{"log": "words", "time": "2024-12-05T02:48:04Z"}', "JSON without a program's name"),
        ('{"msg": "x", "ident": "postfix/smtp"}', "no time stamp"),
        ('{"msg": "x", "ident": "postfix/smtp", "time": "2024-02-30T02:48:04Z"}', "no such date"),
        ("05/06/2024 02:48:04 mx postfix/smtp[12]: x", "ambiguous date: day or month first"),
        ("Thu 2024-12-05 02:48:04 CET [s=06278e3b;i=1e4dc]", "journalctl -o verbose"),
        ("40 <22>Dec  5 02:48:04 mx sm-mta[12]: abcde40 <22>Dec  5 02:48:04 mx sm-mta[12]: x", SEVERAL),
        (nested(4), "JSON within JSON within JSON"),
    ],
)
def test_reasons(line, reason):
    assert Frames(timezone.utc, 2024).record(line).reason == reason


def test_without_a_year_only_lines_that_carry_one_are_understood():
    frames = Frames(timezone.utc, None)
    assert frames.record("Dec  5 15:27:19 mx postfix/smtp[1]: x") == Unframed("the year is not known", ignored=False)
    assert frames.record("Dec 5 15:27:19 mx postfix/smtp[1]: x") == Unframed("the year is not known", ignored=False)
    assert frames.record("2024-12-05T15:27:19Z mx postfix/smtp[1]: x").time == 1733412439000000
    assert frames.record("Dec  5 15:27:20 mx last message repeated 2 times").ignored


def test_year_less_lines_do_not_take_years_from_others():
    frames = Frames(timezone.utc, 2020)
    frames.record("2031-12-05T15:27:19Z mx postfix/smtp[1]: x")
    frames.record("2012 Dec  5 15:27:19 mx postfix/smtp[1]: x")
    assert frames.record("Dec  5 15:27:19 mx postfix/smtp[1]: x").time == 1607182039000000


def test_a_later_run_goes_on_from_the_state():
    zone = zone_of("Europe/Berlin")
    frames = Frames(zone, 2023)
    frames.record("Dec 31 23:59:59 mx postfix/smtp[1]: x")
    frames.record("Jan  1 00:00:01 mx postfix/smtp[1]: x")
    state = json.loads(json.dumps(frames.state()))
    assert state["year"] == 2024
    resumed = Frames.resume(zone, state)
    for line in ("Dec 31 23:59:59 mx postfix/smtp[1]: late", "Feb 29 00:00:00 mx postfix/smtp[1]: x"):
        assert resumed.record(line) == frames.record(line) != Unframed("no such date", ignored=False)
    assert resumed.state() == frames.state()


def test_the_state_knows_the_pass_through_the_repeated_hour():
    zone = zone_of("Europe/Berlin")
    frames = Frames(zone, 2020)
    frames.record("Oct 25 02:59:46 mx postfix/smtp[1]: x")
    first = Frames.resume(zone, frames.state()).record("Oct 25 02:59:50 mx postfix/smtp[1]: x").time
    frames.record("Oct 25 02:00:03 mx postfix/smtp[1]: x")
    assert Frames.resume(zone, frames.state()).record("Oct 25 02:59:40 mx postfix/smtp[1]: x").time > first + 3_500e6


def test_local_iso_stamps_tell_the_passes_too():
    frames = Frames(zone_of("Europe/Berlin"), None)
    times = [
        frames.record(f"2020-10-25T{time} mx postfix/smtp[1]: x").time
        for time in ("02:59:45.000000", "02:59:46.000000", "02:00:03.500000", "02:00:04.000000", "02:50:00", "03:00:00")
    ]
    assert [time - times[0] for time in times] == [0, 1e6, 18.5e6, 19e6, 3015e6, 3615e6]


def test_a_line_is_taken_out_of_three_wrappers_at_most():
    for depth in range(4):
        assert Frames(timezone.utc, None).record(nested(depth)).time == 1733412439000000
    assert isinstance(Frames(timezone.utc, None).record(nested(10)), Unframed)


def test_a_wrapper_tells_the_year_of_its_line():
    frames = Frames(timezone.utc, None)
    line = "Dec 31 23:59:59 mx postfix/smtp[1]: x"
    record = frames.record(json.dumps({"log": line, "time": "2021-01-01T00:00:01Z"}))
    assert record == Frames(timezone.utc, 2020).record(line)


def test_a_later_run_goes_on_within_an_entry_of_a_journal():
    log = next(log for log in LOGS if log.name == "export.log")
    frames = log.frames()
    for sample in log.samples:
        expected = frames.record(sample.line)
        state = json.loads(json.dumps(frames.state()))
        frames = Frames.resume(zone_of(log.zone), state)
        assert described(expected) == as_expected(sample.expected), sample.where
    assert "entry" not in frames.state()


def test_a_later_run_goes_on_within_an_entry_of_exims_reject_log():
    log = next(log for log in LOGS if log.name == "exim-entries.log")
    frames = log.frames()
    for sample in log.samples:
        assert described(frames.record(sample.line)) == as_expected(sample.expected), sample.where
        frames = Frames.resume(zone_of(log.zone), json.loads(json.dumps(frames.state())))


def test_a_line_too_long_to_be_read_costs_one_entry_of_a_journal():
    frames = Frames(timezone.utc, None)
    entry = ["__CURSOR=s=1", "__REALTIME_TIMESTAMP=1715673600123456", "_HOSTNAME=mx", "SYSLOG_IDENTIFIER=sm-mta"]
    lost = [*entry, "_PID=1", "MESSAGE"]
    found = [frames.record(line) for line in (*lost, "", *entry, "_PID=1", "MESSAGE=x", "")]
    assert [record.text for record in found if isinstance(record, Record)] == ["x"]


def test_lines_behind_a_priority_are_looked_at_to_their_end():
    frames = Frames(timezone.utc, 2024)
    for _ in range(3):
        assert (
            frames.record("<22>Dec  5 15:27:19 mx postfix/qmgr[1]: F0137E140A: removed71").text == "F0137E140A: removed"
        )


def test_many_processes_keep_memory_bounded():
    frames = Frames(timezone.utc, 2024)
    for pid in range(10_000):
        assert frames.record(f"Dec  5 15:27:19 mx postfix/smtp[{pid}]: x").pid == str(pid)
    assert len(frames.heads) <= 4096


@pytest.mark.parametrize("zone", ["", "Z", "+01:00"])
def test_fractions_of_any_length_are_read_after_those_of_six_digits(zone):
    frames = Frames(timezone.utc, None)
    for fraction in (".123456", ".12345", ".1", "", ".123456", ".00001", ".000001", ".5"):
        line = f"2026-11-20T10:00:00{fraction}{zone} mx1 postfix/qmgr[1]: 5298B228B8B: removed"
        record = frames.record(line)
        assert record == Frames(timezone.utc, None).record(line)
        assert isinstance(record, Record)
        assert record.time % 1_000_000 == round(float(f"0{fraction}") * 1_000_000)


def test_a_zone_that_the_line_before_lacks_is_no_part_of_the_host():
    frames = Frames(timezone.utc, None)
    frames.record("2026-11-20T10:00:58.054961 mx1 postfix/qmgr[1]: 5298B228B8B: removed")
    record = frames.record("2026-11-20T10:00:58.054961+01:00\tmx2 postfix/qmgr[1]: 5298B228B8B: removed")
    assert isinstance(record, Record)
    assert record.host == "mx2"
    assert record.time == int(datetime(2026, 11, 20, 9, 0, 58, 54961, timezone.utc).timestamp() * 1_000_000)


@settings(deadline=None)
@given(st.lists(st.text()))
def test_arbitrary_text_never_raises(lines):
    frames = Frames(zone_of("Europe/Berlin"), 2024)
    for line in lines:
        assert type(frames.record(line)) in (Record, Unframed)


@settings(deadline=None)
@given(st.data())
def test_mutated_samples_never_raise(data):
    frames = Frames(zone_of("Europe/Berlin"), data.draw(st.sampled_from([None, 2023, 2024])))
    for _ in range(data.draw(st.integers(1, 8))):
        line = data.draw(st.sampled_from(LINES))
        for _ in range(data.draw(st.integers(0, 3))):
            at = data.draw(st.integers(0, min(len(line), 80)))
            cut = data.draw(st.integers(0, 4))
            line = (
                line[:at]
                + data.draw(st.text(max_size=4) | st.sampled_from(" :[]<>-+.,0129{\"'\r\ud800"))
                + line[at + cut :]
            )
        record = frames.record(line)
        if type(record) is Record:
            assert type(record.time) is int
            assert record.host == record.host.lower()
        else:
            assert record.reason


@settings(deadline=None)
@given(st.integers(0, 2**40), st.sampled_from(["Z", "+00:00", "-05:00", "+0530", "+14"]))
def test_iso_stamps_give_their_instants(micros, zone):
    instant = datetime.fromtimestamp(micros // 1_000_000, timezone.utc)
    local = instant.astimezone(timezone.utc if zone == "Z" else zone_of(zone))
    line = f"{local:%Y-%m-%dT%H:%M:%S}.{micros % 1_000_000:06}{zone} mx postfix/smtp[1]: x"
    frames = Frames(timezone.utc, None)
    year_is_known = local.year >= 1970
    for _ in range(2):
        record = frames.record(line)
        assert isinstance(record, Record) == year_is_known
        assert not year_is_known or record.time == micros


@pytest.mark.parametrize(
    "part",
    [
        *(
            " ",
            "a",
            "[",
            '"',
            "\\",
            '\\"',
            "[a ",
            "-",
            "1",
            ": ",
            "x:",
            "\0",
            "\x1b[0m",
            "last message ",
            "' repeated ",
        ),
        *("|", "{", "@", "_", "/", "=", ".", '{"log":', "a-1 ", "1:", "<22>", "May 14 ", "FOO=", "mail.info "),
        "14.05.2024 10:00:00 ",
    ],
)
def test_long_hostile_lines_take_no_long_time(part):
    frames = Frames(timezone.utc, 2024)
    filler = part * (65536 // len(part))
    starts = [
        "",
        "Dec  5 15:27:19 ",
        "Dec 5 15:27:19 mx ",
        "<22>1 2024-08-26T01:33:38Z mx p 1 - [a ",
        "2024-08-26T01:33:38 ",
        "Dec  5 15:27:19 mx <22>",
        "mail.log:",
        "a-1 b ",
        "[pod/",
        '{"message":"',
        '{"a":{"b":',
        "2024-08-26T01:33:38Z stdout F ",
        "1 <22>Dec  5 15:27:19 mx ",
        "__CURSOR=",
        "MESSAGE",
        "",
    ]
    began = process_time()
    for start in starts:
        frames.record(start + filler)
    assert process_time() - began < 1


def test_text_that_looks_like_an_escaped_byte_is_the_same_in_json_as_alone():
    header = "2025-03-18T09:00:00Z mx postfix/smtp[12]: "
    event = {"@timestamp": "2025-03-18T09:00:00Z", "hostname": "mx", "program": "postfix/smtp", "pid": "12"}
    for text in ("to=<ren\\xe9@example.net>", "to=<ren\\\\x5c@example.net>", "to=<ren\\x41>"):
        lines = [f"{header}{text}", json.dumps({**event, "message": text})]
        plain, wrapped = (Frames(timezone.utc, None).record(decoded(line.encode())) for line in lines)
        assert isinstance(plain, Record)
        assert isinstance(wrapped, Record)
        assert plain.text == wrapped.text
