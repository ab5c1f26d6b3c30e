"""The indexer when a person watches: --wait and --follow on a terminal, --check, and stores that are closed."""

import gzip
import os
import re
import signal
import subprocess
import time

import pytest

from helpers.mail_log import many
from helpers.requirements import need_root
from helpers.terminal import Terminal
from mailtrace.indexing.lock import locked
from mailtrace.stores import open_store


@pytest.fixture
def log(commands):
    path = commands.folder / "mail.log"
    path.write_text(many(2))
    return path


def terminal(commands, *flags: object, **environment: str) -> Terminal:
    command = [commands.bin / "mailtrace-index", *flags]
    return Terminal(command, {**commands.environment, **environment}, size=(24, 100), folder=commands.folder)


def test_follow_shows_what_comes(commands, log):
    running = terminal(commands, "--follow", log)
    running.until(f"mailtrace-index: following {log}; Ctrl-C ends this")
    running.until(" lines/s, the last ")
    assert "8 lines, " in running.written.decode()
    with log.open("a") as file:
        file.write(many(3)[len(many(2)) :])
    running.until("12 lines, ")
    running.until("mail.log\x1b[K")
    running.process.send_signal(signal.SIGINT)
    done = running.close()
    assert 0 == done.status
    # The line is erased before the summary.
    assert "\x1b[K12 lines: 12 used" in done.raw


def test_follow_says_that_nothing_came_yet(commands):
    (commands.folder / "mail.log").touch()
    running = terminal(commands, "--follow", "mail.log")
    running.until("no line yet, for ")
    running.process.send_signal(signal.SIGTERM)
    assert 0 == running.close().status


@pytest.mark.parametrize("flags, environment", [(["-q"], {}), ([], {"TERM": "dumb"})])
def test_follow_is_silent_if_quiet_or_without_a_terminal(commands, log, flags, environment):
    running = terminal(commands, *flags, "--follow", log, **environment)
    limit = time.monotonic() + 20
    while commands.search("--count").stdout != "2\n":
        assert time.monotonic() < limit
    running.process.send_signal(signal.SIGTERM)
    assert "following" not in running.close().text


def test_wait_says_for_whom(commands, log):
    with locked(open_store(f"sqlite:{commands.folder}/store/mailtrace.db"), wait=False):
        running = terminal(commands, "--wait", log)
        running.until(f"mailtrace-index: waiting for process {os.getpid()} (")
        running.until(f"which is using {commands.folder}/store/mailtrace.db; Ctrl-C ends this run")
        assert running.process.poll() is None
    assert 0 == running.close().status
    assert "2\n" == commands.search("--count").stdout


def test_wait_names_the_command_that_it_waits_for(commands, log):
    first = terminal(commands, "--follow", log)
    first.until("following")
    second = terminal(commands, "--wait", log)
    second.until(f"waiting for process {first.process.pid} (mailtrace-index --follow {log}), which is using")
    first.process.send_signal(signal.SIGTERM)
    assert 0 == first.close().status
    assert 0 == second.close().status


def test_wait_says_nothing_in_a_pipe_or_if_nobody_is_there(commands, log):
    done = commands.index("--wait", log)
    assert "waiting" not in done.stderr
    assert "waiting" not in terminal(commands, "--wait", log).close().text


def checked(commands) -> tuple[int, list[tuple[str, str]]]:
    done = commands.index("--check")
    lines = [line.partition(":") for line in done.stdout.splitlines()]
    return done.returncode, [(name, text.strip()) for name, _, text in lines]


def test_check_shows_the_last_run_and_each_log(commands, log):
    old = commands.folder / "mail.log.1.gz"
    old.write_bytes(gzip.compress(many(1).replace("T11:", "T10:").encode()))
    assert 0 == commands.index(old, log).returncode
    status, lines = checked(commands)
    assert 0 == status
    shown = dict(lines)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d [\d:]{8}, (\d+ s ago|now) \(the last with new lines\)", shown["last run"])
    size = log.stat().st_size
    assert {text for name, text in lines if name == "log"} == {
        f"{log}: read {size:,} of {size:,} bytes, last line 2026-11-20 11:00:01",
        f"{old}: {old.stat().st_size:,} bytes, all read",
    }
    with log.open("a") as file:
        file.write("more\n")
    assert (0, f"{log}: read {size:,} of {size + 5:,} bytes, last line 2026-11-20 11:00:01") == (
        checked(commands)[0],
        next(text for name, text in checked(commands)[1] if name == "log" and text.startswith(f"{log}:")),
    )
    log.unlink()
    status, lines = checked(commands)
    assert 0 == status
    assert ("log", f"{log}: read {size:,} bytes; the file has been renamed or deleted since") in lines


def saved_long_ago(commands) -> None:
    """Set the time of the last run to two hours ago."""
    code = (
        "import sqlite3, sys, time; connection = sqlite3.connect(sys.argv[1]);"
        " connection.execute('UPDATE checkpoints SET saved = ?', (time.time() - 7300,)); connection.commit()"
    )
    subprocess.run(["python3", "-c", code, commands.store.removeprefix("sqlite:")], check=True)


def test_check_says_if_a_compressed_log_was_not_read_to_its_end(commands):
    log = commands.folder / "mail.log.1.gz"
    whole = gzip.compress(many(500).encode())
    log.write_bytes(whole[:-5])
    assert 2 == commands.index(log).returncode
    status, lines = checked(commands)
    assert 0 == status
    read = f"{log}: {len(whole) - 5:,} bytes, not read to its end"
    assert read == dict(lines)["log"]
    saved_long_ago(commands)
    status, lines = checked(commands)
    assert 2 == status
    assert (
        f"{log} was not read to its end, 2 h 1 min ago: run mailtrace-index {log}; if it is damaged, restore it first"
    ) == dict(lines)["problem"]
    log.write_bytes(whole)
    assert 0 == commands.index(log).returncode
    assert f"{log}: {len(whole):,} bytes, all read" in dict(checked(commands)[1])["log"]
    log.write_bytes(gzip.compress(many(1).replace("T11:", "T10:").encode()))
    assert "another file has this name by now" in dict(checked(commands)[1])["log"]


def test_check_does_not_call_a_log_deleted_that_was_named_from_another_folder(commands, log):
    assert 0 == commands.index(log.name).returncode
    log.rename(commands.folder / "store" / log.name)
    assert "mail.log: read 972 bytes; no such file in this folder" == dict(checked(commands)[1])["log"]


def test_check_finds_the_last_line_of_a_log_without_years(commands, log):
    log.write_text(many(2).replace("2026-11-20T", "Nov 20 ").replace("+00:00", ""))
    assert 0 == commands.index("-y", 2025, log).returncode
    assert dict(checked(commands)[1])["log"].endswith("last line 2025-11-20 11:00:01")
    log.unlink()
    assert "last line 2025-11-20 11:00:01; the file" in dict(checked(commands)[1])["log"]


def test_check_says_if_a_log_is_not_read_any_more(commands, log):
    assert 0 == commands.index(log).returncode
    saved_long_ago(commands)
    assert 0 == checked(commands)[0]
    with log.open("a") as file:
        file.write("more\n")
    status, lines = checked(commands)
    assert 2 == status
    assert (
        f"{log} has 5 bytes that no run has read for 2 h 1 min: run mailtrace-index {log}, and see whether cron or the"
        " service still runs (systemctl status mailtrace)"
    ) == dict(lines)["problem"]


def test_check_writes_nothing_and_waits_for_nobody(commands, log):
    assert 0 == commands.index(log).returncode
    store = commands.folder / "store" / "mailtrace.db"
    before = store.read_bytes()
    with locked(open_store(f"sqlite:{store}"), wait=False):
        assert 0 == checked(commands)[0]
    assert before == store.read_bytes()


def error_of(done) -> str:
    assert (2, 1) == (done.returncode, done.stderr.count("\n")), done.stderr
    return done.stderr


@pytest.fixture
def closed(commands, log):
    """A store that only another user and the group adm may read."""
    need_root()
    assert 0 == commands.index("-q", log).returncode
    folder = commands.folder / "store"
    for path in (folder, *folder.iterdir()):
        os.chown(path, 1, 4)  # daemon and adm, on Debian
    return folder


def test_a_named_store_that_is_closed_says_who_may_read_it_and_how(commands, closed):
    run = commands.without_privileges
    store = closed / "mailtrace.db"
    closed.chmod(0o2750)
    found = error_of(run("mailtrace-search", "--count"))
    advice = "members of the group adm may: as root, run usermod -aG adm root, then log in again\n"
    assert f"mailtrace-search: {store} cannot be read by this user: {advice}" == found
    assert advice in error_of(run("mailtrace-index", "--check"))
    closed.chmod(0o755)
    store.chmod(0o640)
    assert advice in error_of(run("mailtrace-search", "--count"))
    store.chmod(0o600)
    found = error_of(run("mailtrace-search", "--count"))
    assert f"only daemon may open {store}: as root, run chmod g+r {store} and usermod -aG adm root\n" in found


def test_nobody_is_told_to_join_the_group_root(commands, closed):
    store = closed / "mailtrace.db"
    closed.chmod(0o755)
    os.chown(store, 1, 0)
    store.chmod(0o600)
    found = error_of(commands.without_privileges("mailtrace-search", "--count"))
    assert f"{store} is for root only: index as a user of its own" in found


def test_a_store_that_may_not_be_written_says_whose_it_is(commands, closed, log):
    closed.chmod(0o755)
    (closed / "mailtrace.db").chmod(0o644)
    assert 0 == commands.without_privileges("mailtrace-search", "--count").returncode
    found = error_of(commands.without_privileges("mailtrace-index", log))
    assert "cannot be written by this user: " in found
    assert "belongs to daemon: run this as daemon (runuser -u daemon -- mailtrace-index ...)" in found
