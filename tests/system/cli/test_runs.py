"""Several runs, one after the other or at once: rotation, overlap, changed flags, retention."""

import gzip
import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from mailtrace.indexing.lock import locked
from mailtrace.stores import open_store

DAYS = ["Dec 30", "Dec 31", "Jan  1", "Jan  2"]


def line(day: str, n: int) -> str:
    return (
        f"{day} 08:00:0{n % 10} mx postfix/smtp[5]: {n + 0x40BC39868:X}: to=<r{n}@example.net>, relay=none,"
        " delay=1, delays=0/0/0/1, dsn=4.4.1, status=deferred (no route)\n"
    )


def dates(commands) -> list[str]:
    found = commands.search().stdout
    return sorted(text.removeprefix("date:   ")[:10] for text in found.splitlines() if text.startswith("date:"))


def test_the_year_continues_across_runs_and_rotation(commands):
    """Only the first run has -y; no queue ID has a time, and the files' times are of another year."""
    log = commands.folder / "mail.log"
    log.write_text(line(DAYS[0], 0))
    assert 0 == commands.index("-q", "-y", 2019, log).returncode
    log.write_text(line(DAYS[0], 0) + line(DAYS[1], 1))
    log.rename(commands.folder / "mail.log.1")
    log.write_text(line(DAYS[2], 2))
    assert "2 lines: 2 used" in commands.index(log).stderr
    log.write_text(line(DAYS[2], 2) + line(DAYS[3], 3))
    assert "1 lines: 1 used" in commands.index(log).stderr
    assert ["2019-12-30", "2019-12-31", "2020-01-01", "2020-01-02"] == dates(commands)
    before = commands.search("--format", "json").stdout
    commands.index("--from-start", "-q", *sorted(commands.folder.glob("mail.log*")))
    assert before == commands.search("--format", "json").stdout


def test_an_old_log_copied_among_others_is_not_dated_next_year(commands):
    """Its modification time is newer because it was copied; its lines are older than the known ones."""
    today = datetime.now(timezone.utc)
    old = today - timedelta(days=90)
    log = commands.folder / "mail.log"
    log.write_text(line(f"{today - timedelta(hours=1):%b %e}", 0))
    os.utime(log, (time.time() - 60,) * 2)
    assert 0 == commands.index("-q", log).returncode
    (commands.folder / "mail.log.3").write_text(line(f"{old:%b %e}", 1))
    assert "1 lines: 1 used" in commands.index(log).stderr
    assert f"{old:%Y-%m-%d}" == dates(commands)[0]


@pytest.mark.parametrize("reverse", [False, True])
def test_rotated_files_are_read_oldest_first_whatever_their_names(commands, reverse):
    """-y is the year of the oldest file's first line."""
    names = ["a.log", "c.log.gz", "b.log", "d.log"]
    for n, (day, name) in enumerate(zip(DAYS, names, strict=True)):
        text = line(day, n).encode()
        (commands.folder / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    commands.index("-q", "-y", 2019, *sorted(names, reverse=reverse))
    assert ["2019-12-30", "2019-12-31", "2020-01-01", "2020-01-02"] == dates(commands)


def test_another_year_or_zone_than_before_is_refused(commands):
    log = commands.folder / "mail.log"
    log.write_text(line(DAYS[0], 0))
    commands.index("-q", "-y", 2019, "--tz", "Europe/Madrid", log)
    before = commands.search("--format", "json").stdout
    for arguments, words in (
        (["-y", 2018], "was indexed with the year 2019, now with 2018"),
        (["--tz", "UTC"], "was indexed with --tz Europe/Madrid (UTC+01:00), now with --tz UTC"),
        (["--tz", "UTC", "--from-start"], "was indexed with --tz Europe/Madrid (UTC+01:00), now with --tz UTC"),
    ):
        done = commands.index(*arguments, log)
        assert 2 == done.returncode
        assert words in done.stderr
        assert 1 == done.stderr.count("\n")
    assert "nothing new" in commands.index("-y", 2019, "--tz", "Europe/Paris", log).stderr
    assert before == commands.search("--format", "json").stdout


def test_a_second_run_is_skipped_while_the_first_one_runs(commands):
    log = commands.folder / "mail.log"
    log.write_text(line(DAYS[0], 0))
    with locked(open_store(commands.store), wait=False):
        for flags in ([], ["-q"]):
            done = commands.index("-y", 2019, *flags, log)
            assert 75 == done.returncode
            assert "another mailtrace-index is running on" in done.stderr
        assert 2 == commands.search().returncode
        waiting = subprocess.Popen(
            [Path(sys.executable).parent / "mailtrace-index", "-q", "--wait", "-y", "2019", log],
            env=commands.environment,
        )
        time.sleep(0.7)
        assert waiting.poll() is None
    assert 0 == waiting.wait(timeout=20)
    assert ["2019-12-30"] == dates(commands)


def test_the_lock_dies_with_its_process(commands):
    code = (
        "from mailtrace.indexing.lock import locked; from mailtrace.stores import open_store; import time\n"
        f"with locked(open_store({commands.store!r}), wait=False): print(1, flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    with locked(open_store(commands.store), wait=False):
        pass


def test_old_documents_expire_and_recently_indexed_ones_stay(commands):
    log = commands.folder / "mail.log"
    log.write_text(line(DAYS[0], 0))
    commands.index("-q", "-y", 2019, log)
    commands.index("-q", "--retention", 1, log)
    assert ["2019-12-30"] == dates(commands)
    code = (
        "import time; from mailtrace.stores.sqlite.store import SqliteStore\n"
        f"store = SqliteStore({commands.store.removeprefix('sqlite:')!r})\n"
        "print(store.expire(time.time() + 60))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "1\n" == done.stdout
    assert (1, "") == (commands.search().returncode, commands.search().stdout)


def test_ctrl_c_ends_soon_and_keeps_what_was_read(commands):
    log = commands.folder / "mail.log"
    log.write_text("".join(line(DAYS[0], n) for n in range(400_000)))
    run = subprocess.Popen(
        [Path(sys.executable).parent / "mailtrace-index", "-q", "-y", "2019", log], env=commands.environment
    )
    time.sleep(1.5)
    run.send_signal(signal.SIGINT)
    began = time.monotonic()
    assert 130 == run.wait(timeout=30)
    assert time.monotonic() - began < 10
    stored = commands.search("--format", "json").stdout.count("\n")
    assert 0 < stored < 400_000
