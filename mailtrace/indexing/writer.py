"""The writer: merges transactions into the store and commits; for a remote store in a thread, while reading goes on."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from secrets import token_urlsafe
from threading import Thread
from typing import Protocol, TypeAlias

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


class Writes(Protocol):
    """What writes the transactions of a run: a `Writer`, or one in another process."""

    def start(self, transactions: Sequence[Popped], checkpoints: Sequence[Checkpoint]) -> None:
        """Start to write transactions, then checkpoints."""

    def wait(self) -> Written:
        """Wait for the write that was started, if any, and return what it changed."""


class Writer:
    """Runs one write at a time, so that no more than one batch waits in memory."""

    def __init__(self, store: Store, retry: Retry = no_retry, *, in_background: bool = True) -> None:
        """Write to a remote store in a thread, unless `in_background` is false."""
        self._store, self._retry, self._in_background = store, retry, in_background and store.is_remote
        self._pending: Future[Written] | None = None

    def start(self, transactions: Sequence[Popped], checkpoints: Sequence[Checkpoint]) -> None:
        """Start to write transactions, then checkpoints.

        Call `wait` before, and do not change the transactions afterwards.
        """
        assert self._pending is None
        pending: Future[Written] = Future()
        self._pending = pending
        if not self._in_background:
            self._run(pending, transactions, checkpoints)
            return
        # A daemon thread: what is not acknowledged when the process ends is read again by the next run.
        Thread(target=self._run, args=(pending, transactions, checkpoints), name="writer", daemon=True).start()

    def wait(self) -> Written:
        """Wait for the write that was started, if any, and return what it changed.

        Raises:
            StoreError: it failed; what the store acknowledged before is stored.
        """
        pending, self._pending = self._pending, None
        return pending.result() if pending else Written()

    def _run(
        self, pending: "Future[Written]", transactions: Sequence[Popped], checkpoints: Sequence[Checkpoint]
    ) -> None:
        try:
            pending.set_result(self._write(transactions, checkpoints))
        except BaseException as error:  # noqa: BLE001 # `wait` raises it
            pending.set_exception(error)

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
                return Written(changes, lines)
