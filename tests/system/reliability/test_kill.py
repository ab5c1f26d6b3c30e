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


def start(store: str, path: Path, victim: str) -> "subprocess.Popen[bytes]":
    flags = [] if victim == "the only process" else ["--two"]
    return subprocess.Popen(
        [sys.executable, RUNNER, store, LIMITS, *flags, path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def kill(run: "subprocess.Popen[bytes]", victim: str, after: float) -> bool:
    """Kill a process of a run that has used so much CPU time, and wait for its end; return whether it was disturbed."""
    while cpu_seconds(run, victim) < after:
        time.sleep(0.001)
    with suppress(ProcessLookupError):
        if run.poll() is None and (process := process_of(run, victim)):
            os.kill(process, signal.SIGKILL)
    return run.wait(timeout=60) != 0


def process_of(run: "subprocess.Popen[bytes]", victim: str) -> int | None:
    """Return the ID of the process to be killed, the busiest worker; None if it does not run yet, or no more."""
    if victim != "worker":
        return run.pid
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    return max(map(int, children), key=seconds_of, default=None)


def seconds_of(process: int) -> float:
    """Return the CPU time of a process."""
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9


def cpu_seconds(run: "subprocess.Popen[bytes]", victim: str) -> float:
    """Return the CPU time of a process of a run, which other load changes little; infinity if the run has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        process = process_of(run, victim)
        if Path(f"/proc/{run.pid}/stat").read_text().rpartition(") ")[2][0] == "Z":
            return inf
        return seconds_of(process) if process else 0.0
    return 0.0


def seconds_of_a_run(lines: list[bytes], folder: Path, victim: str) -> float:
    """Return the CPU time that a process takes in an undisturbed run."""
    folder.mkdir()
    (folder / "mail.log").write_bytes(b"".join(lines))
    run, took = start(f"{folder}/s.db", folder / "mail.log", victim), 0.0
    while (spent := cpu_seconds(run, victim)) < inf:
        took = max(took, spent)
        time.sleep(0.001)
    assert run.wait() == 0
    return took


@pytest.mark.parametrize("victim", ["the only process", "reader", "worker"])
def test_kill_at_any_moment(store_name, tmp_path, victim):
    """The log grows and is rotated meanwhile; each run is killed, most of them during a write."""
    chance = random.Random(11)
    lines = generated(500 * (KILLS + 1), seed=5)
    portion = len(lines) // (KILLS + 1)
    whole_run = seconds_of_a_run(lines[:portion], tmp_path / "timed", victim)
    log = RotatedLog(tmp_path, lines)
    log.append(1)
    index(store_name, log.path)
    killed = 0
    for _ in range(KILLS):
        log.append(portion)
        run = start(store_name, log.path, victim)
        # The start takes half of the time of the process that reads.
        share = chance.uniform(0.1, 0.8) if victim == "worker" else chance.uniform(0.5, 1.0)
        killed += kill(run, victim, whole_run * share)
        for action in chance.sample([log.rename, log.copy_and_truncate, log.compress, log.mend], 2):
            action()
    log.append(len(lines))
    index(store_name, log.path)
    print(f"killed {victim} of {killed} of {KILLS} runs, {len(lines)} lines")
    assert killed >= KILLS // 2
    assert undisturbed(lines, tmp_path / "whole") == documents(store_name)
