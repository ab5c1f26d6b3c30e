"""mailtrace-index --follow as a process: new lines are found within seconds, through any rotation."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers.reliability.rotated_log import RotatedLog, documents, generated, index, undisturbed
from mailtrace.errors import StoreMissingError

COMMAND = Path(sys.executable).parent / "mailtrace-index"
WITHIN_SECONDS = 5


def follow(store: str, log: RotatedLog) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [COMMAND, "-q", "--tz", "UTC", "--store", f"sqlite:{store}", "--follow", log.path], stderr=subprocess.PIPE
    )


def until_stored(store: str, wanted: bytes, seconds: float) -> float:
    """Wait until the store has these documents; return the seconds it took."""
    began = time.monotonic()
    while wanted != (found := stored(store)):
        assert time.monotonic() - began < seconds, found[:300]
        time.sleep(0.1)
    return time.monotonic() - began


def stored(store: str) -> bytes:
    try:
        return documents(store)
    except StoreMissingError:
        return b""


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_lines_are_found_within_seconds_through_every_rotation(tmp_path, end):
    chance = random.Random(end)
    lines = generated(150, seed=9)
    log, store = RotatedLog(tmp_path, lines), f"{tmp_path}/s.db"
    run = follow(store, log)
    try:
        for i, action in enumerate([log.mend, log.rename, log.copy_and_truncate, log.compress, log.rename] * 2):
            log.append(chance.randrange(10, 60))
            action()
            log.append(chance.randrange(10, 60))
            until_stored(store, undisturbed(lines[: log.written], tmp_path / f"whole{i}"), WITHIN_SECONDS)
        run.send_signal(end)
        assert run.wait(timeout=2) == 0
        assert run.stderr is not None
        assert run.stderr.read() == b""
    finally:
        run.kill()
        run.communicate()


def test_a_log_that_is_created_late_and_one_deleted_before_it_was_read(tmp_path):
    """The file does not exist at first; later it is renamed and deleted before all of it was read."""
    lines = generated(60, seed=10)
    log, store = RotatedLog(tmp_path, lines), f"{tmp_path}/s.db"
    log.path.unlink()
    run = follow(store, log)
    try:
        assert run.stderr is not None
        assert b"mail.log does not exist yet: waiting for it" in run.stderr.readline()
        log.append(50)
        until_stored(store, undisturbed(lines[:50], tmp_path / "whole1"), WITHIN_SECONDS)
        run.send_signal(signal.SIGSTOP)
        log.append(50)
        log.path.unlink()
        log.append(50)
        run.send_signal(signal.SIGCONT)
        until_stored(store, undisturbed(lines[:150], tmp_path / "whole2"), WITHIN_SECONDS)
    finally:
        run.kill()
        run.communicate()


def test_a_line_is_read_when_it_is_complete(tmp_path):
    lines = generated(60, seed=10)
    log, store = RotatedLog(tmp_path, lines), f"{tmp_path}/s.db"
    log.append(20)
    run = follow(store, log)
    try:
        until_stored(store, undisturbed(lines[:20], tmp_path / "whole1"), WITHIN_SECONDS)
        log.append_torn(150)
        time.sleep(1.2)
        assert undisturbed(lines[:20], tmp_path / "whole2") == documents(store)
        log.mend()
        log.append(1)
        until_stored(store, undisturbed(lines[:22], tmp_path / "whole3"), WITHIN_SECONDS)
    finally:
        run.kill()
        run.communicate()


def test_a_log_that_is_rotated_at_every_moment(tmp_path):
    """Rotations follow each other at once, while the follower lists, opens and reads the files."""
    lines = generated(600, seed=11)
    log, store = RotatedLog(tmp_path, lines), f"{tmp_path}/s.db"
    log.append(20)
    run = follow(store, log)
    try:
        until_stored(store, undisturbed(lines[:20], tmp_path / "whole1"), WITHIN_SECONDS)
        for i in range(60):
            log.append(100)
            [log.rename, log.rename, log.compress][i % 3]()
            time.sleep(0.02 * (i % 4))
        log.append(1)
        until_stored(store, undisturbed(lines[: log.written], tmp_path / "whole2"), 20)
        assert run.poll() is None
    finally:
        run.kill()
        run.communicate()


def test_nothing_is_read_while_nothing_happens(tmp_path):
    """However many rotated files there are."""
    log, store = RotatedLog(tmp_path, generated(60, seed=10)), f"{tmp_path}/s.db"
    for _ in range(40):
        log.append(5)
        log.rename()
    index(store, *tmp_path.glob("mail.log*"))
    log.append(5)
    run = follow(store, log)
    try:
        until_stored(store, undisturbed(log.lines[: log.written], tmp_path / "whole"), 20)
        time.sleep(1.2)
        before = bytes_read(run.pid)
        time.sleep(2.5)
        assert before == bytes_read(run.pid)
        log.append(1)
        time.sleep(1.2)
        assert before < bytes_read(run.pid) < before + 200_000
    finally:
        run.kill()
        run.communicate()


def bytes_read(pid: int) -> int:
    """Return how many bytes a process has read so far, from whatever file."""
    return int(Path(f"/proc/{pid}/io").read_text().split()[1])


def test_what_is_wrong_with_a_log_is_said_once(tmp_path):
    """Also where the log does not change meanwhile."""
    log, store = RotatedLog(tmp_path, generated(60, seed=10)), f"{tmp_path}/s.db"
    log.path.write_bytes(b"\x1f\x8b\x08 this is not gzip")
    run = follow(store, log)
    try:
        time.sleep(4)
        for _ in range(3):
            log.append(1)
            time.sleep(1.2)
        run.terminate()
        assert run.communicate(timeout=5)[1].count(b"mail.log is damaged or truncated") == 1
    finally:
        run.kill()
        run.communicate()
