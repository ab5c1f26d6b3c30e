"""After `kill -9` at any moment and another run, the store is as after one undisturbed run."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from math import inf
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


def kill(run: "subprocess.Popen[bytes]", victim: str, after: float) -> bool:
    """Kill a process of a run that has used so much CPU time, and wait for its end; return whether it was disturbed."""
    while cpu_seconds(run) < after:
        time.sleep(0.002)
    killed = [run.pid] if victim != "worker" else children_of(run.pid)[:1]
    with suppress(ProcessLookupError):
        if killed and run.poll() is None:
            os.kill(killed[0], signal.SIGKILL)
    return run.wait(timeout=60) != 0


def cpu_seconds(run: "subprocess.Popen[bytes]") -> float:
    """Return the CPU time of the process that reads, which other load changes little; infinity if it has ended."""
    state, *fields = Path(f"/proc/{run.pid}/stat").read_text().rpartition(") ")[2].split()
    return inf if state == "Z" else (int(fields[10]) + int(fields[11])) / os.sysconf("SC_CLK_TCK")


def children_of(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def seconds_of_a_run(lines: list[bytes], folder: Path, processes: int) -> float:
    """Return the CPU time that an undisturbed run takes."""
    folder.mkdir()
    (folder / "mail.log").write_bytes(b"".join(lines))
    run, took = start(f"{folder}/s.db", folder / "mail.log", processes=processes), 0.0
    while (spent := cpu_seconds(run)) < inf:
        took = spent
        time.sleep(0.002)
    assert run.wait() == 0
    return took


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
        # The start takes half of the time, and the end is without a worker.
        killed += kill(run, victim, whole_run * chance.uniform(0.5, 0.85))
        for action in chance.sample([log.rename, log.copy_and_truncate, log.compress, log.mend], 2):
            action()
    log.append(len(lines))
    index(store_name, log.path)
    print(f"killed {victim} of {killed} of {KILLS} runs, {len(lines)} lines")
    assert killed >= KILLS // 2
    assert undisturbed(lines, tmp_path / "whole") == documents(store_name)
