"""Memory and time of a run, and its behaviour on a full disk and with damaged files."""

import gzip
import os
import resource
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import pytest

from helpers.reliability.rotated_log import documents, generated, index, undisturbed
from mailtrace.errors import LogError
from mailtrace.indexing.indexer import Limits

RUNNER = Path(__file__).parents[2] / "helpers" / "reliability" / "run_indexer.py"
OPEN = int(os.environ.get("MAILTRACE_OPEN_TRANSACTIONS", "100000"))
MIB = 1 << 20


def never_ending(number: int):
    """Yield lines of messages that stay deferred, each with its own queue ID."""
    for i in range(number):
        stamp = f"2026-11-20T{i // 3600000 % 24:02}:{i // 60000 % 60:02}:{i // 1000 % 60:02}.{i % 1000:03}000+00:00 mx1"
        yield f"{stamp} postfix/smtpd[{i % 500}]: {i + 0x100000000:X}: client=c{i % 99}.test[192.0.2.{i % 250}]\n"
        yield f"{stamp} postfix/cleanup[9]: {i + 0x100000000:X}: message-id=<{i}@example.org>\n"
        yield f"{stamp} postfix/qmgr[7]: {i + 0x100000000:X}: from=<s{i}@example.org>, size=9, nrcpt=1 (queue active)\n"


def peak_memory(store: Path, log: Path) -> int:
    """Return the peak memory of a run, in bytes."""
    command = [sys.executable, str(RUNNER), str(store), str(Limits().save_bytes), "--peak", str(log)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_memory_is_bounded_whatever_stays_open(tmp_path):
    empty, log = tmp_path / "empty.log", tmp_path / "mail.log"
    empty.touch()
    with log.open("w") as out:
        out.writelines(never_ending(OPEN))
    idle, busy = peak_memory(tmp_path / "e.db", empty), peak_memory(tmp_path / "s.db", log)
    print(f"{OPEN} open transactions: {busy / MIB:.0f} MiB, {(busy - idle) / MIB:.0f} MiB above an empty run")
    assert busy - idle < 100 * MIB


def test_open_transactions_are_written_when_they_are_finished(tmp_path):
    """Written earlier, they would have to be replaced later, which costs more than to create them."""
    lines, store = generated(3000, seed=3), f"{tmp_path}/s.db"
    (tmp_path / "mail.log").write_bytes(b"".join(lines))
    assert len(b"".join(lines)) > 3 * MIB
    report = index(store, tmp_path / "mail.log", limits=Limits(save_bytes=1 << 30, held=500))
    assert report.created > 3000
    assert report.updated == 0
    assert documents(store) == undisturbed(lines, tmp_path / "whole")


def test_a_run_with_nothing_new_is_fast(tmp_path):
    """There are 20 known files, some of them compressed."""
    lines = iter(generated(1000, seed=2))
    logs = []
    for number in range(20):
        text = b"".join(islice(lines, 400))
        logs.append(tmp_path / f"log{number}")
        logs[-1].write_bytes(gzip.compress(text) if number % 2 else text)
    store = f"{tmp_path}/s.db"
    assert index(store, *logs).lines > 5000
    took = []
    for _ in range(3):
        began = time.monotonic()
        assert index(store, *logs).lines == 0
        took.append(time.monotonic() - began)
    print(f"nothing new in 20 known files: {min(took):.2f} s")


def test_a_full_disk_is_reported_and_loses_no_stored_document(tmp_path):
    """A limit on the file size simulates a full disk."""
    first, second = generated(20, seed=1), generated(600, seed=4)
    log, store = tmp_path / "mail.log", f"{tmp_path}/s.db"
    log.write_bytes(b"".join(first))
    index(store, log)
    before = documents(store)
    log.write_bytes(b"".join(first + second))
    command = [Path(sys.executable).parent / "mailtrace-index", "-q", "--tz", "UTC", "--store", f"sqlite:{store}", log]
    size = 400 * 1024

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    done = subprocess.run(command, preexec_fn=limit, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "what is stored is not lost" in done.stderr
    assert done.stderr.count("\n") == 1
    assert before == documents(store)
    index(store, log)
    assert undisturbed(first + second, tmp_path / "whole") == documents(store)


def test_a_damaged_store_is_reported(tmp_path):
    log, store = tmp_path / "mail.log", tmp_path / "s.db"
    log.write_bytes(b"".join(generated(200, seed=1)))
    index(str(store), log)
    with store.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(60_000))
    for command in (["mailtrace-search"], ["mailtrace-index", "-q", log, "--from-start"]):
        program, *arguments = command
        done = subprocess.run(
            [Path(sys.executable).parent / program, "--store", f"sqlite:{store}", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert "damaged" in done.stderr


def test_a_truncated_compressed_log_is_read_up_to_the_damage(tmp_path):
    lines = generated(300, seed=8)
    log, other = tmp_path / "mail.log.2.gz", tmp_path / "mail.log"
    log.write_bytes(gzip.compress(b"".join(lines))[:-4000])
    other.write_bytes(b"".join(lines[-5:]))
    with pytest.raises(LogError, match="damaged or truncated"):
        index(f"{tmp_path}/s.db", log, other)
    assert documents(f"{tmp_path}/s.db").count(b"\n") > 100
    log.write_bytes(gzip.compress(b"".join(lines)))
    index(f"{tmp_path}/s.db", log, other)
    assert undisturbed(lines, tmp_path / "whole") == documents(f"{tmp_path}/s.db")
