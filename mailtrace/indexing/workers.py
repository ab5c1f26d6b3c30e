"""Worker processes: they parse the lines of ended messages, make the documents, and encode these for the store.

That is half of the work of a run. The process that reads the logs sends them the messages, goes on reading, and writes
what they return in the order in which it was read, so the store becomes the same as without them.
"""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context, parent_process
from operator import itemgetter
from threading import Thread
from typing import Any, Final, TypeAlias

from mailtrace.errors import StoreError
from mailtrace.indexing.collected import EndedMessage, Popped, part_of
from mailtrace.indexing.report import Report
from mailtrace.message.part import Collected, Part, Whole
from mailtrace.message.transaction import Key
from mailtrace.message.whole import whole_of
from mailtrace.stores.base import Encode, Row

_SLICE: Final = 500
"""Messages that a worker gets at a time."""

_ADVICE: Final = "run again, and if that repeats with --jobs 1, which takes less memory; what is stored is not lost"

_Sent: TypeAlias = tuple[Key, str, Sequence[Collected]]
"""Key, MTA and lines of a message."""
_Made: TypeAlias = tuple[int, Any] | None
"""The start of a transaction and its encoded row; None if the message is not ordinary, or the store cannot keep it."""


class Workers:
    """Some worker processes. Start them before this process opens a store: connections cannot be inherited."""

    def __init__(self, number: int, encode: Encode) -> None:
        """Start them; `encode` is the store's."""
        self._encode = encode
        self._pool = ProcessPoolExecutor(number, get_context("fork"), _begin)
        with _explained(), _without_signals():
            # The first task starts all of them.
            self._pool.submit(int).result()

    def derive(self, popped: Sequence[Popped]) -> Callable[[Report], list[Part]]:
        """Begin to make transactions; return a function that waits for them, and counts their lines in a report.

        It raises a `StoreError` if a worker has ended or lacks memory.
        """
        sent: list[_Sent] = [(one.key, one.mta, one.lines) for one in popped if isinstance(one, EndedMessage)]
        slices = [sent[at : at + _SLICE] for at in range(0, len(sent), _SLICE)]
        with _explained():
            made = [self._pool.submit(_derive, self._encode, some) for some in slices]
        return partial(_parts_of, popped, made)

    def close(self) -> None:
        """Let the processes end, and wait for that."""
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


def _begin() -> None:
    """Let a worker end if the process that reads was killed."""
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _derive(encode: Encode, messages: Sequence[_Sent]) -> list[_Made]:
    """Return what the lines of each message say; run by a worker."""
    return [_made(encode, *message) for message in messages]


def _made(encode: Encode, key: Key, mta: str, lines: Sequence[Collected]) -> _Made:
    whole = whole_of(*key, mta, lines)
    if whole is None:
        return None
    encoded = encode(Row(whole.id, whole, whole.document))
    return None if encoded is None else (whole.start, encoded)


def _parts_of(popped: Sequence[Popped], made: Sequence["Future[list[_Made]]"], report: Report) -> list[Part]:
    with _explained():
        found = iter([one for some in made for one in some.result()])
    return [_part_of(one, next(found), report) if isinstance(one, EndedMessage) else one for one in popped]


def _part_of(message: EndedMessage, made: _Made, report: Report) -> Part:
    """Return a transaction from what a worker made of its lines, which are still here."""
    if made is None:
        return part_of(message, None, report)
    start, encoded = made
    lines = sorted(message.lines, key=itemgetter(0))
    return part_of(message, Whole(*message.key, lines, None, start, message.mta, encoded), report)
