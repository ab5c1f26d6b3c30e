"""mailtrace-search as a process: the layouts, the messages and the statuses."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parent.parent.parent / "sample_logs"
EXAMPLE = ["-f", "bob@foo.com", "-d", "2011-12-15 00:00:00", "-D", "2011-12-17 00:00:00", "-h", "smtp", "-r", "10"]


@pytest.fixture
def indexed(commands):
    done = commands.index("-y", 2011, "--tz", "Europe/Madrid", SAMPLES / "sendmail.log")
    assert 0 == done.returncode, done.stderr
    return commands


def test_the_example_prints_two_transactions(indexed):
    done = indexed.search("--tz", "Europe/Madrid", *EXAMPLE)
    assert 0 == done.returncode
    assert (
        done.stdout
        == """\
transaction: pBFERI8l019936
client: bob.desktop [10.10.10.10]
from:   bob@foo.com
msgid:  20111215142718.GD23530@smtp.foo.com
date:   2011-12-15 15:27:19
to:     recipient='alice@bar.com' , relay='smtp.bar.com', status='Sent (Ok: queued as 5298B228B8B)'
host:   smtp

transaction: pBFDdOFC012829
client: bob.desktop [10.10.10.10]
from:   bob@foo.com
msgid:  20111215133924.GC23530@smtp.foo.com
date:   2011-12-15 14:39:25
to:     recipient='alice@bar.com' , relay='smtp.bar.com', status='Sent (Ok: queued as 16F49228B8B)'
host:   smtp
"""
    )


def test_json_is_one_document_a_line_in_the_zone_asked_for(indexed):
    done = indexed.search("--tz", "Europe/Madrid", "--format", "json", *EXAMPLE)
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    assert ["2011-12-15T15:27:19+01:00", "2011-12-15T14:39:25+01:00"] == [each["date"] for each in documents]


@pytest.mark.parametrize(
    "arguments, number",
    [
        (["-t", "ALICE@bar.com"], 5),
        (["-t", "@bar.com", "-s", "bounced"], 1),
        (["-m", "<20111215142718.GD23530@smtp.foo.com>"], 1),
        (["-q", "pBFERI8l019936"], 1),
        (["-c", "10.10.10.10"], 5),
        (["-c", "carol.laptop"], 1),
        (["-f", "<>"], 1),
        (["-s", "rejected"], 1),
        (["-f", "b*@foo.com", "-h", "relay2"], 1),
        (["-D", "2011-12-14"], 1),
        (["-r", "3"], 3),
        (["-f", "bob@foo.com", "-f", "carol@foo.com"], 6),
    ],
)
def test_flags(indexed, arguments, number):
    found = indexed.search("--format", "json", *arguments).stdout
    assert number == found.count("\n"), found


@pytest.mark.parametrize("value", ["x' OR '1'='1", "*) OR (*", 'x" } }, {"match_all": {}', "x;--", "\\", "[a-z]*@x"])
def test_a_value_is_never_query_syntax(indexed, value):
    for flag in ("-f", "-t", "-m", "-q", "-c", "-h"):
        done = indexed.search(flag, value)
        assert (1, "") == (done.returncode, done.stdout)


def test_nothing_found_names_the_store(indexed):
    done = indexed.search("-f", "nobody@foo.com")
    assert (1, "") == (done.returncode, done.stdout)
    assert f"nothing found in {indexed.folder}/store/mailtrace.db\n" == done.stderr


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["-d", "soon"], "not a date"),
        (["-r", "ten"], "is not a number"),
        (["-s", "lost"], "no such outcome; there are sent, deferred"),
        (["-h"], "for help: --help"),
        (["-d", "2011-12-16", "-D", "2011-12-15"], "-d 2011-12-16 is after -D 2011-12-15"),
        (["-r", "0"], "is not a number"),
        (["--store", "sqlite:."], "nothing has been indexed at"),
        (["--tz", "Mars/Base"], "no such time zone"),
        (["bob@foo.com@"], "for help: --help"),
    ],
)
def test_bad_flags_are_told_in_one_line(indexed, arguments, words):
    done = indexed.search(*arguments)
    assert 2 == done.returncode
    assert words in done.stderr
    assert 1 == done.stderr.count("\n")


def test_a_store_that_is_not_there_is_an_error_not_an_empty_answer(commands):
    done = commands.search("-f", "bob@foo.com")
    assert 2 == done.returncode
    assert "nothing has been indexed at" in done.stderr
    assert not (commands.folder / "store").exists()


def test_a_closed_pipe_is_silent(indexed):
    done = subprocess.run(
        ["bash", "-c", "mailtrace-search --format json | head -n 1"],
        env={
            **indexed.environment,
            "PATH": f"{Path(sys.executable).parent}:{indexed.environment['PATH']}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert 1 == done.stdout.count("\n")


def test_a_search_writes_nothing_and_reads_what_it_may_not_write(indexed):
    folder = indexed.folder / "store"
    before = {path: path.read_bytes() for path in folder.iterdir()}
    for path in folder.iterdir():
        path.chmod(0o440)
    folder.chmod(0o550)
    assert 0 == indexed.without_privileges("mailtrace-search", "-q", "pBFERI8l019936").returncode
    assert before == {path: path.read_bytes() for path in folder.iterdir()}


def test_a_journey_as_a_tree(indexed):
    done = indexed.search("--tz", "Europe/Madrid", "--trace", "-f", "eve@foo.com")
    assert (0, "") == (done.returncode, done.stderr)
    assert (
        done.stdout
        == """\
msgid:  20111215150343.GE24001@smtp.foo.com
from:   eve@foo.com
date:   2011-12-15 16:03:44
way:    2 hops on 1 host in 1 s: 1 bounced
smtp pBFF3hXa021030, 2011-12-15 16:03:44, from eve.desktop [10.10.10.12]  <-- found
├─ bounced: nobody@bar.com -> smtp.bar.com after 1 s: User unknown
└─ notice:
   smtp pBFF3iXa021032, 2011-12-15 16:03:45, +1 s
   └─ sent: eve@foo.com -> local after 0 s: Sent
"""
    )


def test_journeys_as_json_are_one_a_line_and_in_the_order_of_the_search(indexed):
    found = [json.loads(line) for line in indexed.search("--format", "json").stdout.splitlines()]
    told = [json.loads(line) for line in indexed.search("--trace", "--format", "json").stdout.splitlines()]
    assert [document["transaction"] for document in found if not document["origin"]] == [
        journey["root"]["transaction"] for journey in told
    ]
    assert sum(journey["hops"] for journey in told) == len(found)


def test_journeys_are_parted_by_a_line_and_limited_by_their_matches(indexed):
    done = indexed.search("--trace", "-f", "bob@foo.com", "-r", "2")
    assert ["msgid:", "msgid:"] == [part.split()[0] for part in done.stdout.split("\n\n")]


def test_no_journey_is_nothing_found(indexed):
    done = indexed.search("--trace", "-f", "nobody@foo.com")
    assert (1, "") == (done.returncode, done.stdout)
    assert "nothing found in" in done.stderr
