"""The writer: merges transactions into the store and commits; for a remote store in a thread, while reading goes on."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from secrets import token_urlsafe
from threading import Thread
from typing import TypeAlias

from mailtrace.errors import StoreUnavailableError
from mailtrace.indexing.collected import Popped, parts_of
from mailtrace.indexing.merge import Changes, write
from mailtrace.indexing.report import Report
from mailtrace.logs.checkpoint import Checkpoint
from mailtrace.stores.base import Store

Retry: TypeAlias = Callable[[StoreUnavailableError, int], bool]
"""Called with the error after the n-th failure in a row; waits, then returns whether to try again."""


def no_retry(_error: StoreUnavailableError, _times: int) -> bool:
    """Do not try again."""
    return False


@dataclass
class Written:
    """What a write changed in the store, and the counts of the lines that it parsed."""

    changes: Changes = field(default_factory=Changes)
    lines: Report = field(default_factory=Report)
    checkpoints: Sequence[Checkpoint] = ()
    """Those that were saved."""


class Writer:
    """Runs one write at a time, so that no more than two batches wait in memory."""

    def __init__(self, store: Store, retry: Retry = no_retry) -> None:
        self._store, self._retry = store, retry
        self._pending: Callable[[], Written] = Written

    def start(self, transactions: Sequence[Popped], checkpoints: Sequence[Checkpoint]) -> Written:
        """Start to write transactions, then checkpoints; return what the write before changed, as `wait` does.

        Do not change the transactions afterwards.
        """
        before = self.wait()
        self._pending = _begun(partial(self._write, transactions, checkpoints), in_thread=self._store.is_remote)
        return before

    def wait(self) -> Written:
        """Wait for the write that was started, if any, and return what it changed.

        Raises:
            StoreError: it failed; what the store acknowledged before is stored.
        """
        pending, self._pending = self._pending, Written
        return pending()

    def _write(self, transactions: Sequence[Popped], checkpoints: Sequence[Checkpoint]) -> Written:
        """Write and commit, and repeat after a failure, which is harmless because lines are joined as sets."""
        times, lines, run = 0, Report(), "" if self._store.is_exclusive else token_urlsafe(6)
        parts = parts_of(transactions, lines)
        while True:
            try:
                changes = write(self._store, parts, run=run)
                self._store.commit(checkpoints)
            except StoreUnavailableError as error:
                times += 1
                if not self._retry(error, times):
                    raise
            else:
                return Written(changes, lines, checkpoints)


def _begun(write: Callable[[], Written], *, in_thread: bool) -> Callable[[], Written]:
    """Do a write, or start it in a thread; return a function that waits for it, and raises its error."""
    written: Future[Written] = Future()

    def run() -> None:
        try:
            written.set_result(write())
        except BaseException as error:  # noqa: BLE001 # raised to the one who waits
            written.set_exception(error)

    if in_thread:
        # A daemon thread: what is not acknowledged when the process ends is read again by the next run.
        Thread(target=run, name="writer", daemon=True).start()
    else:
        run()
    return written.result
