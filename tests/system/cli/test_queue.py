"""What is in the queue, and what was delivered late, as an admin asks for it."""

import csv
import io
import json
import re
from datetime import datetime, timedelta, timezone

import pytest

NONE = "relay=none"
BAR = "relay=mx.bar.com[192.0.2.25]:25"
LINES = (
    "08:00:00 qmgr[9]: 4A0000000A: from=<bob@foo.com>, size=1, nrcpt=2 (queue active)",
    f"08:00:01 smtp[9]: 4A0000000A: to=<a@slow.example>, {NONE}, delay=1, dsn=4.4.1, status=deferred (timed out)",
    f"08:00:01 smtp[9]: 4A0000000A: to=<b@bar.com>, {BAR}, delay=1, dsn=2.0.0, status=sent (250 Ok)",
    "11:00:00 qmgr[9]: 4A0000000B: from=<bob@foo.com>, size=1, nrcpt=1 (queue active)",
    f"11:00:01 smtp[9]: 4A0000000B: to=<c@bar.com>, {NONE}, delay=1, dsn=4.4.1, status=deferred (timed out)",
    f"11:40:00 smtp[9]: 4A0000000B: to=<c@bar.com>, {BAR}, delay=2400, dsn=2.0.0, status=sent (250 Ok)",
    "11:40:00 qmgr[9]: 4A0000000B: removed",
    "11:50:00 qmgr[9]: 4A0000000C: from=<bob@foo.com>, size=1, nrcpt=3 (queue active)",
    f"12:00:00 smtp[9]: 4A0000000A: to=<a@slow.example>, {NONE}, delay=14400, dsn=4.4.1, status=deferred (still so)",
)
LOG = "".join(f"2025-11-29T{line[:8]}+00:00 mx postfix/{line[9:]}\n" for line in LINES)


@pytest.fixture
def indexed(commands, index_once):
    done = index_once(commands, "-q", "-", given=LOG.encode())
    assert (0, "") == (done.returncode, done.stderr)
    return commands


def test_age_and_reason_of_what_is_in_the_queue_are_shown(indexed):
    done = indexed.search("--queued")
    lines = done.stdout.splitlines()
    assert ["4A0000000C", "4A0000000A"] == [line.split()[1] for line in lines if line.startswith("transaction")]
    assert ["queued: 10 min", "queued: 4 h, deferred (still so)"] == [
        line for line in lines if line.startswith("queued:")
    ]
    assert "ages count from the last known line of the host, not from now: mx 2025-11-29 12:00:00\n" == done.stderr


@pytest.mark.parametrize("since", [("-d", "2025-11-29"), ("-d", "2025-11-29", "-f", "bob@foo.com")])
def test_an_overview_and_the_queue_count_ages_from_the_end_of_an_old_log(indexed, since):
    """The message of 08:00 is four hours old at the last line; no age is counted from now, which may be years later."""
    text = indexed.search("--overview", *since).stdout
    assert text.startswith("Mail from 2025-11-29 00:00 to 2025-11-29 12:00\n")
    assert re.search(r"\n +1 +4 h  slow\.example\n", text)
    found = json.loads(indexed.search("--overview", *since, "--format", "json").stdout)
    assert {"deferred": 1, "queued": 1} == found["queue"]["outcomes"]


def test_an_overview_and_the_queue_count_ages_from_now_if_the_log_is_written(commands):
    """The last line is of ten minutes ago: what waits is older by now."""
    now = datetime.now(timezone.utc)
    lines = [(now - timedelta(minutes=70), LINES[0]), (now - timedelta(minutes=10), LINES[1])]
    log = "".join(f"{at.isoformat()} mx postfix/{line[9:]}\n" for at, line in lines)
    assert 0 == commands.index("-q", "-", given=log.encode()).returncode
    done = commands.search("--queued")
    assert re.search(r"\nqueued: 1 h 1\d min", done.stdout)
    assert done.stderr.startswith("ages count from now; the last known line of the host: mx ")
    for dates in ([], ["-d", "2 hours ago"]):
        assert re.search(r"\n +1 +1 h 1\d min  slow\.example\n", commands.search("--overview", *dates).stdout)


def test_json_has_the_age_in_seconds(indexed):
    found = [json.loads(line) for line in indexed.search("--queued", "--format", "json").stdout.splitlines()]
    assert [("4A0000000C", 600), ("4A0000000A", 14400)] == [(each["transaction"], each["age"]) for each in found]
    assert "age" not in json.loads(indexed.search("-r", 1, "--format", "json").stdout)


def test_rows_of_the_queue_have_the_age(indexed):
    found = list(csv.DictReader(io.StringIO(indexed.search("--queued", "--format", "csv").stdout)))
    assert ["600.0", "14400.0"] == [row["age"] for row in found]
    assert "age" == list(found[0])[-1]
    heads, *lines = indexed.search("--queued", "--format", "table").stdout.splitlines()
    assert ["date", "age", "outcome", "from", "recipient", "status"] == heads.split()
    assert ["10 min", "4 h"] == [line[heads.index("age") : heads.index("outcome")].strip() for line in lines]
    chosen = indexed.search("--queued", "--columns", "age,transaction", "--format", "csv").stdout
    assert "age,transaction\n600.0,4A0000000C\n14400.0,4A0000000A\n" == chosen
    every = indexed.search("--queued", "--columns", "all", "--format", "csv").stdout
    assert every.splitlines()[0].endswith(",age")


def test_only_what_is_in_the_queue_has_an_age(indexed):
    assert "age" not in indexed.search("--format", "csv", "--columns", "all").stdout.splitlines()[0].split(",")
    done = indexed.search("--format", "csv", "--columns", "date,age")
    assert (2, "") == (done.returncode, done.stdout)
    assert "--columns age" in done.stderr
    assert "--queued" in done.stderr


def test_the_queue_is_counted_by_age(indexed):
    done = indexed.search("--queued", "--by", "to-domain")
    assert (
        done.stdout
        == """\
recipients  5  10  20  40  80  160  320  640  1280  1280+  to-domain
         4  0   0   3   0   0    0    1    0     0      0  TOTAL
         3  0   0   3   0   0    0    0    0     0      0  -
         1  0   0   0   0   0    0    1    0     0      0  slow.example
"""
    )
    assert "not from now: mx 2025-11-29 12:00:00" in done.stderr
    limited = indexed.search("--queued", "--by", "to-domain", "-r", 1)
    assert "4  0   0   3   0   0    0    1    0     0      0  TOTAL" in limited.stdout
    assert "1 more: -r 2 shows all" in limited.stderr


def test_the_ages_are_columns_of_csv_and_members_of_json(indexed):
    rows = list(csv.DictReader(io.StringIO(indexed.search("--queued", "--by", "status", "--format", "csv").stdout)))
    assert [("queued (no result yet)", "3", "3"), ("deferred (still so)", "1", "0")] == [
        (row["status"], row["count"], row["20"]) for row in rows
    ]
    done = indexed.search("--queued", "--by", "status", "--format", "json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [{"20": 3}, {"320": 1}] == [{age: n for age, n in each["minutes"].items() if n} for each in found]
    assert [3, 1] == [each["count"] for each in found]


def test_the_queue_is_counted_for_a_recipient_alone(indexed):
    assert "1\n" == indexed.search("--queued", "--count", "-t", "@slow.example").stdout
    assert 1 == indexed.search("--queued", "--count", "-t", "@bar.com").returncode
    assert 1 == indexed.search("--queued", "--by", "to", "-t", "@bar.com").returncode


def test_what_was_deferred_and_then_delivered_is_found(indexed):
    found = indexed.search("-s", "sent", "--ever", "deferred", "--format", "json").stdout.splitlines()
    assert ["4A0000000B"] == [json.loads(line)["transaction"] for line in found]
    assert "1\n" == indexed.search("--min-delay", "40m", "-s", "sent", "--count").stdout
    assert 1 == indexed.search("--min-delay", "41m", "-s", "sent", "--count").returncode


def test_recipients_and_attempts_are_counted_apart(indexed):
    def counts(by):
        rows = csv.reader(io.StringIO(indexed.search("--by", by, "--format", "csv").stdout))
        return dict(list(rows)[1:])

    assert {"sent": "2", "deferred": "1", "queued": "1"} == counts("outcome")
    assert {"sent": "2", "deferred": "3", "queued": "1"} == counts("ever")
    assert indexed.search("--by", "ever").stdout.startswith("attempts  ever\n")
