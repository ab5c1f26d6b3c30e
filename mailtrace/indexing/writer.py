"""Writes to the store what has been read; to a remote one in a thread of its own, while reading goes on."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Thread
from typing import TypeAlias

from mailtrace.errors import StoreUnavailableError
from mailtrace.indexing.merge import Written, write
from mailtrace.logs.checkpoint import Checkpoint
from mailtrace.message.transaction import Transaction
from mailtrace.stores.base import Store

Patience: TypeAlias = Callable[[StoreUnavailableError, int], bool]
"""Asked, when the store does not answer for the n-th time in a row, whether to try again; it waits before."""


def impatient(_error: StoreUnavailableError, _times: int) -> bool:
    """Give up at once."""
    return False


class Writer:
    """Takes one piece of work at a time: what is being written and what is being read is all that is in memory."""

    def __init__(self, store: Store, patience: Patience = impatient) -> None:
        self._store, self._patience = store, patience
        self._pending: Future[Written] | None = None

    def put(self, transactions: Sequence[Transaction], checkpoints: Sequence[Checkpoint]) -> None:
        """Have transactions written, and the checkpoints behind them; `settle` comes before.

        Nothing else may change these transactions any more.
        """
        assert self._pending is None
        pending: Future[Written] = Future()
        self._pending = pending
        if not self._store.is_remote:
            self._run(pending, transactions, checkpoints)
            return
        # At the end of the process nobody waits for what is not acknowledged: it is read again.
        Thread(target=self._run, args=(pending, transactions, checkpoints), name="writer", daemon=True).start()

    def settle(self) -> Written:
        """Wait for what was put; return what it changed.

        Raises:
            StoreError: it could not be written; what was acknowledged before is there.
        """
        pending, self._pending = self._pending, None
        return pending.result() if pending else Written(0, 0, [])

    def _run(
        self, pending: "Future[Written]", transactions: Sequence[Transaction], checkpoints: Sequence[Checkpoint]
    ) -> None:
        try:
            pending.set_result(self._insist(transactions, checkpoints))
        except BaseException as error:  # noqa: BLE001 # it is raised where the result is asked for
            pending.set_exception(error)

    def _insist(self, transactions: Sequence[Transaction], checkpoints: Sequence[Checkpoint]) -> Written:
        """Write and commit; done again after a failure, it harms nothing."""
        times = 0
        while True:
            try:
                written = write(self._store, transactions)
                self._store.commit(checkpoints)
            except StoreUnavailableError as error:
                times += 1
                if not self._patience(error, times):
                    raise
            else:
                return written
