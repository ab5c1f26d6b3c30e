"""Worker processes: each reads some lines of a log, and encodes the whole messages in them for the store.

That is most of the work of a run. The process that reads the logs sends them the lines; it joins and writes what they
return in the order of the lines, so the store becomes the same as without them.

Each has a connection of its own, whose end shows that it was killed, even in the middle of a message.
"""

import gc
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from itertools import cycle
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pickle import HIGHEST_PROTOCOL, dumps
from typing import Any, Final

from mailtrace.errors import StoreError
from mailtrace.indexing.found import Found, Slice, found_in
from mailtrace.stores.base import Encoding

_ADVICE: Final = "run again, and if that repeats with --jobs 1, which takes less memory; what is stored is not lost"


class Workers:
    """Some worker processes. Start them before this process opens a store: connections cannot be inherited."""

    def __init__(self, number: int, encoding: Encoding) -> None:
        """Start them, for a store with this encoding."""
        self.number = number
        self._processes: list[BaseProcess] = []
        self._connections: list[Connection[Any, Any]] = []
        try:
            with _without_signals():
                for _ in range(number):
                    self._start(encoding)
        except OSError as error:
            self.close()
            raise _no_memory() from error
        self._next = cycle(self._connections)

    def _start(self, encoding: Encoding) -> None:
        context = get_context("fork")
        here, there = context.Pipe()
        self._connections.append(here)
        process = context.Process(target=_work, args=(there, encoding, tuple(self._connections)), daemon=True)
        process.start()
        self._processes.append(process)
        there.close()

    def read(self, some: Slice) -> Callable[[], Found]:
        """Begin to read a slice; return a function that waits for what it has: call each, in the same order.

        Raises:
            StoreError: a worker has ended; the function raises it too, also if it lacks memory.
        """
        connection = next(self._next)
        with _explained():
            connection.send(some)
        return partial(_result, connection)

    def close(self) -> None:
        """End the processes, and wait for that."""
        for process in self._processes:
            process.kill()
            process.join()
        for connection in self._connections:
            connection.close()


def _result(connection: "Connection[Any, Any]") -> Found:
    with _explained():
        found: Found | Exception = connection.recv()
    if isinstance(found, MemoryError):
        raise _no_memory() from found
    if isinstance(found, Exception):
        raise found
    return found


@contextmanager
def _explained() -> Iterator[None]:
    """Raise the end of a worker as a `StoreError`."""
    try:
        yield
    except (OSError, EOFError) as error:
        raise StoreError(f"a process that parses has ended: {_ADVICE}") from error


def _no_memory() -> StoreError:
    return StoreError(f"not enough memory for several processes: {_ADVICE}")


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


def _work(connection: "Connection[Any, Any]", encoding: Encoding, others: "Sequence[Connection[Any, Any]]") -> None:
    """Read slices until the process that sends them has ended; `others` are its ends of the connections.

    The next slice comes, and the one before leaves, while this one is read.
    """
    for other in others:
        other.close()
    sent: Future[None] = Future()
    sent.set_result(None)
    # A RuntimeError says that the system has no room for another thread.
    ended = suppress(OSError, EOFError, RuntimeError)
    with ThreadPoolExecutor(1) as receiving, ThreadPoolExecutor(1) as sending, ended:
        coming = receiving.submit(connection.recv)
        while True:
            some, coming = coming.result(), receiving.submit(connection.recv)
            data = dumps(_read(encoding, some), HIGHEST_PROTOCOL)
            sent.result()
            sent = sending.submit(connection.send_bytes, data)


def _read(encoding: Encoding, some: Slice) -> Found | Exception:
    """Return what a slice has, or the error that the process which sent it raises then."""
    # What the slice before has left.
    gc.collect(0)
    try:
        return found_in(some, encoding)
    except Exception as error:  # noqa: BLE001 # of any kind
        return error
