"""After `kill -9` at any moment and another run, the store is as after one undisturbed run."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from helpers.reliability.rotated_log import RotatedLog, documents, generated, index, undisturbed

KILLS = int(os.environ.get("MAILTRACE_KILLS", "3"))
LIMITS = "150000:40"
"""Several checkpoints in each portion of the log, with writes of finished transactions between them."""
RUNNER = Path(__file__).parents[2] / "helpers" / "reliability" / "run_indexer.py"


def start(store: str, path: Path, *, processes: int) -> "subprocess.Popen[bytes]":
    flags = ["--two"] if processes == 2 else []
    return subprocess.Popen(
        [sys.executable, RUNNER, store, LIMITS, *flags, path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def kill(run: "subprocess.Popen[bytes]", victim: str) -> bool:
    """Kill a process of a run, and wait for its end; return whether the run was disturbed."""
    if victim == "worker":
        while run.poll() is None and not (workers := children_of(run.pid)):
            time.sleep(0.01)
        with suppress(ProcessLookupError):
            if run.poll() is None:
                os.kill(workers[0], signal.SIGKILL)
    else:
        run.kill()
    return run.wait(timeout=60) != 0


def children_of(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def seconds_of_a_run(lines: list[bytes], folder: Path, processes: int) -> float:
    """Return the seconds that an undisturbed run takes."""
    folder.mkdir()
    (folder / "mail.log").write_bytes(b"".join(lines))
    took = []
    for attempt in range(2):
        began = time.monotonic()
        start(f"{folder}/{attempt}.db", folder / "mail.log", processes=processes).wait()
        took.append(time.monotonic() - began)
    return min(took)


@pytest.mark.parametrize("victim", ["the only process", "reader", "worker"])
def test_kill_at_any_moment(store_name, tmp_path, victim):
    """The log grows and is rotated meanwhile; each run is killed, most of them during a write."""
    chance, processes = random.Random(11), 1 if victim == "the only process" else 2
    lines = generated(500 * (KILLS + 1), seed=5)
    portion = len(lines) // (KILLS + 1)
    whole_run = seconds_of_a_run(lines[:portion], tmp_path / "timed", processes)
    log = RotatedLog(tmp_path, lines)
    log.append(1)
    index(store_name, log.path)
    killed = 0
    for _ in range(KILLS):
        log.append(portion)
        run = start(store_name, log.path, processes=processes)
        began = time.monotonic()
        try:
            run.wait(timeout=whole_run * chance.uniform(0.3, 1.0))
            whole_run = time.monotonic() - began  # the machine is less busy now
        except subprocess.TimeoutExpired:
            killed += kill(run, victim)
        for action in chance.sample([log.rename, log.copy_and_truncate, log.compress, log.mend], 2):
            action()
    log.append(len(lines))
    index(store_name, log.path)
    print(f"killed {victim} of {killed} of {KILLS} runs, {len(lines)} lines")
    assert killed >= KILLS // 2
    assert undisturbed(lines, tmp_path / "whole") == documents(store_name)
