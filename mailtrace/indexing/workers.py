"""Worker processes: each reads some lines of a log, and encodes the whole messages in them for the store.

That is most of the work of a run. The process that reads the logs sends them the lines; it joins and writes what they
return in the order of the lines, so the store becomes the same as without them.
"""

import gc
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import active_children, get_context, parent_process
from threading import Thread
from typing import Final

from mailtrace.errors import StoreError
from mailtrace.indexing.found import Found, Slice, found_in
from mailtrace.stores.base import Encoding

_ADVICE: Final = "run again, and if that repeats with --jobs 1, which takes less memory; what is stored is not lost"


class Workers:
    """Some worker processes. Start them before this process opens a store: connections cannot be inherited."""

    def __init__(self, number: int, encoding: Encoding) -> None:
        """Start them, for a store with this encoding."""
        self.number = number
        self._encoding = encoding
        self._pool = ProcessPoolExecutor(number, get_context("fork"), _begin)
        with _explained(), _without_signals():
            # The first task starts all of them.
            self._pool.submit(int).result()

    def read(self, some: Slice) -> Callable[[], Found]:
        """Begin to read a slice; return a function that waits for what it has.

        It raises a `StoreError` if a worker has ended or lacks memory.
        """
        with _explained():
            return partial(_result, self._pool.submit(_read, self._encoding, some))

    def close(self) -> None:
        """End the processes, and wait for that."""
        # They ignore the signal with which the pool ends them after one of them was killed.
        for process in active_children():
            process.kill()
        self._pool.shutdown(cancel_futures=True)


@contextmanager
def _explained() -> Iterator[None]:
    """Raise the errors of workers as a `StoreError`."""
    try:
        yield
    except BrokenProcessPool as error:
        raise StoreError(f"a process that parses has ended: {_ADVICE}") from error
    except MemoryError as error:
        raise StoreError(f"not enough memory for several processes: {_ADVICE}") from error


@contextmanager
def _without_signals() -> Iterator[None]:
    """Let processes that begin here never see the signals that a terminal and systemd send to all processes.

    The one that reads ends the others when it has written.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _result(found: "Future[Found]") -> Found:
    with _explained():
        return found.result()


def _begin() -> None:
    """Let a worker end if the process that reads was killed."""
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _read(encoding: Encoding, some: Slice) -> Found:
    """Return what a slice has; run by a worker."""
    # What the slice before has left.
    gc.collect(0)
    return found_in(some, encoding)
