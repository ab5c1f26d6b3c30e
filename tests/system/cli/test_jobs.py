"""`--jobs`: one process reads and writes, others parse."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers.reliability.rotated_log import generated

LOG = generated(6_000, seed=7)


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "mail.log"
    path.write_bytes(b"".join(LOG))
    return path


def run(store, log, *flags):
    command = [*_command("mailtrace-index"), "--store", f"sqlite:{store}", "--tz", "UTC", *flags, str(log)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _command(name):
    folder = os.environ.get("MAILTRACE_TEST_COMMANDS")
    return [str(Path(folder) / name)] if folder else [str(Path(sys.executable).with_name(name))]


def found(store):
    command = [*_command("mailtrace-search"), "--store", f"sqlite:{store}", "--tz", "UTC", "--format", "json"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def counts(summary):
    """Return the summary without the seconds and the path of the store."""
    return summary.partition(", in ")[0]


def children_of(process):
    return [int(pid) for pid in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def is_gone_soon(process):
    """Return whether a process ends within some seconds: also a child whose parent was killed."""
    for _ in range(500):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


@pytest.fixture
def whole(tmp_path, log):
    store = tmp_path / "whole.db"
    done = run(store, log, "--jobs", "1")
    assert done.returncode == 0, done.stderr
    return found(store), counts(done.stderr)


@pytest.mark.parametrize("number", ["2", "4"])
def test_several_processes_store_and_count_the_same(tmp_path, log, whole, number):
    done = run(tmp_path / "several.db", log, "--jobs", number)
    assert (0, whole[1]) == (done.returncode, counts(done.stderr))
    assert whole[0] == found(tmp_path / "several.db")


@pytest.mark.parametrize("victim", ["reader", "worker"])
def test_a_killed_process_loses_nothing(tmp_path, log, whole, victim):
    store = tmp_path / "killed.db"
    command = [*_command("mailtrace-index"), "--store", f"sqlite:{store}", "--tz", "UTC", "--jobs", "2", str(log)]
    for delay in (0.0, 0.1, 0.3):
        running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        while running.poll() is None and not (children := children_of(running.pid)):
            time.sleep(0.01)
        time.sleep(delay)
        if running.poll() is None:
            os.kill(running.pid if victim == "reader" else children[0], signal.SIGKILL)
        complaint = running.communicate()[1]
        assert "Traceback" not in complaint
        if victim == "worker" and running.returncode:
            assert 2 == running.returncode
            assert "a process that parses has ended: run again" in complaint
        for child in children:
            assert is_gone_soon(child)
    assert run(store, log, "--jobs", "2").returncode == 0
    assert whole[0] == found(store)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_all_processes_ends_the_run_and_loses_nothing(tmp_path, log, whole, end):
    """A terminal sends Ctrl-C to all, systemd SIGTERM."""
    store = tmp_path / "ended.db"
    command = [*_command("mailtrace-index"), "--store", f"sqlite:{store}", "--tz", "UTC", "--jobs", "2", str(log)]
    endings = []
    for delay in (0.2, 0.4, 0.6):
        running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
        while running.poll() is None and not children_of(running.pid):
            time.sleep(0.01)
        time.sleep(delay)
        os.killpg(running.pid, end)
        summary = running.communicate()[1]
        assert "has ended" not in summary
        endings.append(running.returncode)
    assert set(endings) <= {0, 130, -signal.SIGTERM}
    assert run(store, log, "--jobs", "2").returncode == 0
    assert whole[0] == found(store)


def test_a_store_that_cannot_be_written_is_one_line(tmp_path, log):
    folder = tmp_path / "store"
    folder.mkdir()
    done = run(folder, log, "--jobs", "2")
    assert 2 == done.returncode
    assert done.stderr.count("\n") == 1, done.stderr
    assert "is a folder" in done.stderr


@pytest.mark.parametrize("number", ["0", "-1", "two", "65", "99999999999"])
def test_a_wrong_number_is_refused(tmp_path, log, number):
    done = run(tmp_path / "x.db", log, f"--jobs={number}")
    assert 2 == done.returncode
    assert "give a number of processes, such as 2" in done.stderr
