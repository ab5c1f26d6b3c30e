"""Concurrent indexers, and a store that does not answer: no document is lost or duplicated."""

import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from helpers.http_proxy import proxy
from helpers.reliability.rotated_log import RotatedLog, documents, generated, undisturbed
from helpers.reliability.run_indexer import open_store

RUNNER = Path(__file__).parents[2] / "helpers" / "reliability" / "run_indexer.py"


def start(store: str, *arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, str(RUNNER), store, "20000", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_indexers_on_the_same_log_end_in_the_same_store(store_name, tmp_path):
    """They run without the lock file, as on two machines."""
    lines = generated(400, seed=12)
    log = tmp_path / "mail.log"
    log.write_bytes(b"".join(lines))
    runs = [start(store_name, log) for _ in range(2)]
    for run in runs:
        _, told = run.communicate(timeout=120)
        assert (0, "") == (run.returncode, told)
    assert undisturbed(lines, tmp_path / "whole") == documents(store_name)


def test_two_halves_by_two_indexers(store_name, tmp_path):
    """Each reads every other line, while the other one does.

    Of Postfix: a sendmail session's login is known only where its line is in the same log.
    """
    lines = generated(300, seed=13, mta="postfix")
    halves = []
    for half in (0, 1):
        halves.append(tmp_path / f"half{half}.log")
        halves[-1].write_bytes(b"".join(lines[half::2]))
    runs = [start(store_name, half) for half in halves]
    for run in runs:
        _, told = run.communicate(timeout=120)
        assert (0, "") == (run.returncode, told)
    assert undisturbed(lines, tmp_path / "whole") == documents(store_name)


def test_the_indexer_waits_for_a_store_that_does_not_answer(elasticsearch_url, elasticsearch_prefix, tmp_path):
    """Lines written meanwhile are not lost; the outage and its end are reported."""
    lines = generated(200, seed=14)
    log, store = RotatedLog(tmp_path, lines), f"{elasticsearch_url} {elasticsearch_prefix}"
    log.append(100)
    with closing(open_store(store)) as new:
        new.prepare()  # whose message, if the server does not delete what expires, would be read below
    with proxy(elasticsearch_url, lambda *_: None) as url:
        run = start(f"{url} {elasticsearch_prefix}", "--follow", log.path)
        try:
            wait_for(store, undisturbed(lines[:100], tmp_path / "whole1"), 20)
        except AssertionError:
            run.kill()
            raise
    try:
        log.append(len(lines) // 2)
        log.rename()
        log.append(len(lines))
        away = run.stdout.readline()
        with proxy(elasticsearch_url, lambda *_: None, int(url.rpartition(":")[2])):
            wait_for(store, undisturbed(lines, tmp_path / "whole2"), 60)
            run.terminate()
            said, told = run.communicate(timeout=10)
    finally:
        run.kill()
    assert (0, "") == (run.returncode, told)
    assert away == f"{url} does not answer (connection refused): retrying for at least a minute; nothing is lost\n"
    assert said == f"{url} answers again; everything read so far is stored\n"


def wait_for(store: str, wanted: bytes, seconds: float) -> None:
    began = time.monotonic()
    while (found := found_in(store)) != wanted:
        assert time.monotonic() - began < seconds, found[:500]
        time.sleep(0.3)


def found_in(store: str) -> bytes:
    from mailtrace.errors import StoreMissingError

    try:
        return documents(store)
    except StoreMissingError:
        return b""


@pytest.mark.parametrize("lines", [100_000])
def test_a_burst_of_lines_does_not_make_memory_grow(tmp_path, lines):
    log, store = tmp_path / "mail.log", f"{tmp_path}/s.db"
    log.touch()
    text = generated(100, seed=15)
    run = start(store, "--follow", log)
    try:
        while not Path(store).exists():
            assert run.poll() is None
            time.sleep(0.2)
        time.sleep(1.5)
        before = resident(run.pid)
        with log.open("ab") as out:
            out.writelines(
                line.replace(b"2026-11-20", b"2026-11-%02d" % (1 + i % 28))
                for i in range(lines // len(text) + 1)
                for line in text
            )
        began, most = time.monotonic(), 0
        size = log.stat().st_size
        while read_of(store) < size:
            most = max(most, resident(run.pid))
            assert time.monotonic() - began < 120
            time.sleep(0.2)
        run.terminate()
        assert 0 == run.wait(timeout=2)
        print(f"{lines} lines at once: {(most - before) / 2**20:.0f} MiB more")
        assert most - before < 100 * 2**20
    finally:
        run.kill()
        run.communicate()


def resident(pid: int) -> int:
    """Return the resident memory of a process, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def read_of(store: str) -> int:
    """Return the offset in the checkpoint of the log."""
    import sqlite3

    connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    try:
        return connection.execute('SELECT max("offset") FROM checkpoints').fetchone()[0] or 0
    finally:
        connection.close()
