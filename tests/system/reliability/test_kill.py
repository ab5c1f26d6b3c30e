"""After `kill -9` at any moment and another run, the store is as after one undisturbed run."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

from helpers.reliability.rotated_log import RotatedLog, documents, generated, index, undisturbed

KILLS = int(os.environ.get("MAILTRACE_KILLS", "5"))
LIMITS = "150000:40"
"""Several checkpoints in each portion of the log, with writes of finished transactions between them."""
RUNNER = Path(__file__).parents[2] / "helpers" / "reliability" / "run_indexer.py"


def start(store: str, path: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, RUNNER, store, LIMITS, path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def seconds_of_a_run(lines: list[bytes], folder: Path) -> float:
    """Return the seconds that an undisturbed run takes."""
    folder.mkdir()
    (folder / "mail.log").write_bytes(b"".join(lines))
    took = []
    for attempt in range(2):
        began = time.monotonic()
        start(f"{folder}/{attempt}.db", folder / "mail.log").wait()
        took.append(time.monotonic() - began)
    return min(took)


def test_kill_at_any_moment(store_name, tmp_path):
    """The log grows and is rotated meanwhile; each run is killed, most of them during a write."""
    chance = random.Random(11)
    lines = generated(500 * (KILLS + 1), seed=5)
    portion = len(lines) // (KILLS + 1)
    whole_run = seconds_of_a_run(lines[:portion], tmp_path / "timed")
    log = RotatedLog(tmp_path, lines)
    log.append(1)
    index(store_name, log.path)
    killed = 0
    for _ in range(KILLS):
        log.append(portion)
        run = start(store_name, log.path)
        time.sleep(whole_run * chance.uniform(0.3, 1.0))
        run.kill()
        killed += run.wait() == -9
        for action in chance.sample([log.rename, log.copy_and_truncate, log.compress, log.mend], 2):
            action()
    log.append(len(lines))
    index(store_name, log.path)
    print(f"killed {killed} of {KILLS} runs, {len(lines)} lines")
    assert killed >= KILLS // 2
    assert undisturbed(lines, tmp_path / "whole") == documents(store_name)
