"""Worker processes that fail, and what the process that uses them says."""

import os
import signal
import time
from pathlib import Path

import pytest

from mailtrace.errors import StoreError
from mailtrace.indexing.found import Slice
from mailtrace.indexing.workers import Workers
from mailtrace.logs.file import Block
from mailtrace.stores.base import Encoding
from mailtrace.stores.sqlite.store import SqliteStore
from mailtrace.syslog.timezones import zone_of
from mailtrace.syslog.year import Timeline

REFUSED = (
    b"Nov 29 10:00:00 mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from a.test[192.0.2.1]: 554 5.7.1 <x@y.test>: no;"
    b" from=<s@a.test> to=<x@y.test> proto=ESMTP helo=<a>\n"
)
ENCODING = SqliteStore("").encoding


def of_lines(number):
    return Slice(Block(REFUSED * number, 0), "UTC", Timeline(zone_of("UTC"), 2026).position(), "")


def children():
    return {int(pid) for pid in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()}


@pytest.fixture
def started():
    """Start worker processes, and return them with the IDs of the processes."""
    every = []

    def start(encoding=ENCODING):
        before = children()
        workers = Workers(2, encoding)
        every.append(workers)
        return workers, sorted(children() - before)

    yield start
    for workers in every:
        workers.close()


def test_each_slice_is_read_once_and_in_order(started):
    workers, _ = started()
    waiting = [workers.read(of_lines(number)) for number in (1, 2, 3, 4)]
    assert [1, 2, 3, 4] == [one().report.lines for one in waiting]


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_worker_is_one_line(started, victim):
    workers, pids = started()
    os.kill(pids[victim], signal.SIGKILL)
    with pytest.raises(StoreError, match="a process that parses has ended: run again"):
        for one in [workers.read(of_lines(1)) for _ in range(2)]:
            one()


def test_a_worker_that_is_killed_while_it_answers_is_one_line(started):
    """Its answer is longer than what the connection holds."""
    workers, pids = started()
    waiting, other = workers.read(of_lines(3_000)), workers.read(of_lines(3_000))
    # Its main thread has nothing to do any more, and its answer has not been read.
    while _cpu_ticks(pids[0]) < 10 or _state(pids[0]) == "R":
        time.sleep(0.05)
    os.kill(pids[0], signal.SIGKILL)
    with pytest.raises(StoreError, match="a process that parses has ended: run again"):
        waiting()
    assert 3_000 == other().report.lines


def _stat(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()


def _state(pid):
    return _stat(pid)[0]


def _cpu_ticks(pid):
    return int(_stat(pid)[11])


def _without_memory(_row):
    raise MemoryError


def _faulty(_row):
    raise ValueError("a fault")


def test_a_worker_without_memory_is_one_line(started):
    workers, _ = started(Encoding(_without_memory, ENCODING.lines_in))
    with pytest.raises(StoreError, match=r"not enough memory for several processes: run again, .* --jobs 1"):
        workers.read(of_lines(1))()


def test_an_error_of_a_worker_is_raised(started):
    workers, _ = started(Encoding(_faulty, ENCODING.lines_in))
    with pytest.raises(ValueError, match="a fault"):
        workers.read(of_lines(1))()


def test_workers_that_cannot_be_started_are_one_line(started, monkeypatch):
    before, start = children(), Workers._start

    def second_fails(self, encoding):
        if self._processes:
            raise BlockingIOError("Resource temporarily unavailable")
        start(self, encoding)

    monkeypatch.setattr(Workers, "_start", second_fails)
    with pytest.raises(StoreError, match=r"not enough memory for several processes: run again, .* --jobs 1"):
        started()
    assert before == children()


def test_all_end_when_they_are_closed(started):
    workers, pids = started()
    workers.read(of_lines(1000))
    workers.close()
    assert not children() & set(pids)
