"""Describe the machine and the commit that a benchmark ran on."""

import os
import platform
import sqlite3
import subprocess
from datetime import datetime, timezone
from pathlib import Path

from bench.runs import ROOT


def machine() -> str:
    """Return a description of the machine in one line."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    cores = len(os.sched_getaffinity(0))
    return (
        f"{_processor()}, {cores} cores, {memory:.0f} GiB; {platform.system()} {platform.release()};"
        f" Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def moment() -> str:
    """Return the date, the commit and the load of the machine in one line."""
    now = datetime.now(timezone.utc)
    return f"{now:%Y-%m-%d %H:%M} UTC, commit {_commit()}, load {os.getloadavg()[0]:.1f}"


def _commit() -> str:
    """Return the commit, with `-dirty` if anything except RESULTS.md has changed."""
    done = _git("describe", "--always", "--exclude", "*")
    changed = _git("diff", "--quiet", "HEAD", "--", ".", ":(exclude)bench/RESULTS.md").returncode
    return done.stdout.strip() + ("-dirty" if changed else "") if done.stdout else "unknown"


def _git(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
