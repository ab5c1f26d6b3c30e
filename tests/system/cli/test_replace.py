"""mailtrace-index --replace: logs that were read with a wrong year or time zone are read again."""

import bz2
import gzip
import lzma
import os
import re
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[3] / "sample_logs"


def short(day: int, number: int, hour: int = 10) -> str:
    """Return the lines of a Postfix message under a short queue ID, which may be reused."""
    at, queue_id = f"Mar {day:2} {hour:02}:00:0", f"{0xABCDE00000 + number:X}"
    return "".join(
        f"{at}{i} mx postfix/{text}\n"
        for i, text in enumerate(
            (
                f"smtpd[1]: {queue_id}: client=bob.desktop[10.10.10.10]",
                f"cleanup[2]: {queue_id}: message-id=<{day}.{number}@foo.com>",
                f"qmgr[3]: {queue_id}: from=<bob@foo.com>, size=1234, nrcpt=1 (queue active)",
                f"smtp[4]: {queue_id}: to=<a@bar.com>, relay=mx[192.0.2.25]:25, delay=1, status=sent (250 Ok)",
                f"qmgr[3]: {queue_id}: removed",
            )
        )
    )


NOQUEUE = (
    "Mar  3 11:00:00 mx postfix/smtpd[9]: NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 550 5.1.1 <a@bar.com>: no;"
    " from=<x@y> to=<a@bar.com> proto=ESMTP helo=<y>\n"
)
LOG = short(1, 1) + short(1, 2, 11) + NOQUEUE + short(4, 1) + "".join(short(5, 3).splitlines(True)[:3])


@pytest.fixture
def log(commands):
    path = commands.folder / "mail.log"
    path.write_text(LOG)
    os.utime(path, (1_300_000_000, 1_300_000_000))
    return path


def everything(commands, store: str = "") -> str:
    more = ["--store", store] if store else []
    return commands.search("--format", "json", "--lines", *more).stdout


def expected(commands, *arguments: object) -> str:
    store = f"sqlite:{commands.folder}/expected.db"
    assert 0 == commands.index("-q", "--store", store, *arguments).returncode
    return everything(commands, store)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        (["-y", 2009], ["-y", 2010]),
        (["-y", 2010, "--tz", "Asia/Tokyo"], ["-y", 2010, "--tz", "Europe/Madrid"]),
        (["-y", 2009, "--tz", "UTC"], ["-y", 2010, "--tz", "America/New_York"]),
    ],
)
@pytest.mark.parametrize("name", ["mail.log", "sendmail"])
def test_a_replaced_log_is_as_if_it_had_been_read_right_at_first(commands, log, name, wrong, right):
    file = log if name == "mail.log" else SAMPLES / "sendmail.log"
    if name == "sendmail":
        wrong, right = (
            [each if each not in (2009, 2010) else 2011 for each in wrong],
            [each if each != 2010 else 2011 for each in right],
        )
    assert 0 == commands.index("-q", *wrong, file).returncode
    done = commands.index("--replace", *right, file)
    assert 0 == done.returncode, done.stderr
    assert expected(commands, *right, file) == everything(commands)
    assert "nothing new to read" in commands.index(file, *(right[2:] or [])).stderr


EXIM = """\
2026-11-24 10:00:00 1tF0aB-000000001Ab-0abc <= bob@foo.com H=bob.desktop [10.10.10.10] P=esmtp S=1234 id=x@foo.com
2026-11-24 10:00:01 1tF0aB-000000001Ab-0abc => alice@bar.com R=dnslookup T=remote_smtp H=smtp.bar.com [192.0.2.25]
2026-11-24 10:00:01 1tF0aB-000000001Ab-0abc Completed
"""


@pytest.mark.parametrize("wrong", [["--host", "mx1"], []], ids=["named", "own"])
def test_a_log_that_was_read_with_a_wrong_host_is_replaced(commands, wrong):
    file = commands.folder / "mainlog"
    file.write_text(EXIM)
    assert 0 == commands.index("-q", "--tz", "UTC", *wrong, file).returncode
    refused = commands.index("-q", "--tz", "UTC", "--host", "mx2", file)
    assert (2, True) == (refused.returncode, refused.stderr.endswith("or add --replace to read it again\n"))
    assert 0 == commands.index("-q", "--replace", "--tz", "UTC", "--host", "mx2", file).returncode
    assert expected(commands, "--tz", "UTC", "--host", "mx2", file) == everything(commands)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_damaged_log_is_replaced_as_far_as_it_was_read(commands, compress):
    file = commands.folder / "mail.log.1"
    file.write_bytes(compress(LOG.encode()) + compress(short(6, 9).encode())[:-9])
    os.utime(file, (1_300_000_000, 1_300_000_000))
    assert 2 == commands.index("-q", "-y", 2009, file).returncode
    done = commands.index("-q", "--replace", "-y", 2010, file)
    assert (2, 1) == (done.returncode, done.stderr.count("damaged or truncated")), done.stderr
    assert '"date":"2009' not in everything(commands)
    assert 2 == commands.index("-q", "--store", f"sqlite:{commands.folder}/expected.db", "-y", 2010, file).returncode
    assert everything(commands, f"sqlite:{commands.folder}/expected.db") == everything(commands)


def test_a_log_that_was_damaged_since_it_was_read_is_not_replaced(commands):
    file = commands.folder / "mail.log.gz"
    whole = gzip.compress(LOG.encode()) + gzip.compress(short(6, 9).encode())
    file.write_bytes(whole)
    assert 0 == commands.index("-q", "-y", 2009, file).returncode
    before = everything(commands)
    file.write_bytes(whole[:-40] + bytes(40))
    done = commands.index("-q", "--replace", "-y", 2010, file)
    assert (2, 1) == (done.returncode, done.stderr.count("damaged or truncated")), done.stderr
    file.write_bytes(whole)
    assert 0 == commands.index("-q", "--replace", "-y", 2009, file).returncode
    assert before == everything(commands)


def test_lines_of_other_logs_stay(commands, log):
    """The halves of a message are in two logs, of which one had the wrong year."""
    lines = short(6, 7).splitlines(keepends=True)
    first, second = commands.folder / "first", commands.folder / "second"
    first.write_text("".join(lines[:2]) + short(6, 8, 9))
    second.write_text("".join(lines[2:]))
    assert 0 == commands.index("-q", "-y", 2010, first).returncode
    assert 0 == commands.index("-q", "-y", 2010, log).returncode
    assert 0 == commands.index("-q", "-y", 2010, second).returncode
    before = everything(commands)
    assert 0 == commands.index("-q", "--replace", "-y", 2009, second).returncode
    assert before != everything(commands)
    assert 0 == commands.index("-q", "--replace", "-y", 2010, second).returncode
    assert before == everything(commands)


def test_files_of_a_rotation_set_are_named_together(commands, log):
    rotated = log.with_name("mail.log.1")
    rotated.write_text(short(1, 20, 1))
    os.utime(rotated, (1_299_000_000, 1_299_000_000))
    assert 0 == commands.index("-q", "-y", 2009, rotated, log).returncode
    done = commands.index("--replace", "-y", 2010, log)
    wanted = f"mailtrace-index: these files of the same log were indexed too: name them after --replace: {rotated}\n"
    assert (2, wanted) == (done.returncode, done.stderr)
    assert 0 == commands.index("-q", "--replace", "-y", 2010, rotated, log).returncode
    assert expected(commands, "-y", 2010, rotated, log) == everything(commands)


def test_a_log_that_was_not_indexed_is_read(commands, log):
    done = commands.index("-q", "--replace", "-y", 2010, log)
    assert (0, f"mailtrace-index: {log} was not indexed before: nothing to replace\n") == (done.returncode, done.stderr)
    assert expected(commands, "-y", 2010, log) == everything(commands)


def test_a_stream_cannot_be_replaced(commands):
    done = commands.index("--replace", "-", given=LOG.encode())
    assert 2 == done.returncode
    assert done.stderr.startswith("mailtrace-index: -: a stream leaves no checkpoint, so --replace does not know")


def test_what_a_stream_gave_with_a_wrong_year_is_replaced_as_the_message_says(commands, log):
    said = commands.index("-q", "--tz", "UTC", "-", given=LOG.encode()).stderr
    year = re.search(r"using (\d+) for the first; .* as a file with -y (\d+), then with --replace -y YEAR\n", said)
    assert year[1] == year[2]
    before = everything(commands)
    assert 0 == commands.index("-q", "--tz", "UTC", "-y", year[1], log).returncode
    assert before == everything(commands)
    assert 0 == commands.index("-q", "--tz", "UTC", "--replace", "-y", 2010, log).returncode
    assert expected(commands, "--tz", "UTC", "-y", 2010, log) == everything(commands)


def test_it_is_not_combined_with_other_ways_to_read(commands, log):
    for flag in ("--follow", "--from-start"):
        done = commands.index("--replace", flag, log)
        assert 2 == done.returncode
        assert f"--replace and {flag} cannot be combined: --replace reads a log once from its start" in done.stderr
