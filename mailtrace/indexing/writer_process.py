"""A writer in a process of its own: it parses, compresses and stores what this process has read meanwhile.

Half of the work of a run is behind the reading of lines, so two processors halve its time. The messages between the
processes are batches as a writer in this process gets them, one at a time, so both write the same in the same order.
"""

import signal
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from mailtrace.errors import StoreError
from mailtrace.indexing.collected import Popped
from mailtrace.indexing.writer import Writer, Written
from mailtrace.logs.checkpoint import Checkpoint
from mailtrace.stores.base import Store

_ENDED = "the process that writes has ended: run again; what is stored is not lost"


class WriterProcess:
    """A `Writer` in another process, which opens the store for itself.

    Start it before this process has opened the store: SQLite's connections and locks cannot be inherited.
    """

    def __init__(self, open_store: Callable[[], Store]) -> None:
        context = get_context("fork")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._ours, open_store), daemon=True)
        self._process.start()
        theirs.close()
        self._is_writing = False

    def start(self, transactions: Sequence[Popped], checkpoints: Sequence[Checkpoint]) -> None:
        """Start to write transactions, then checkpoints. Call `wait` before."""
        self._is_writing = True
        try:
            self._ours.send((transactions, checkpoints))
        except OSError as error:
            raise StoreError(_ENDED) from error

    def wait(self) -> Written:
        """Wait for the write that was started, if any, and return what it changed.

        Raises:
            StoreError: it failed, or the process has ended; what the store acknowledged before is stored.
        """
        if not self._is_writing:
            return Written()
        self._is_writing = False
        try:
            answer: Written | BaseException = self._ours.recv()
        except (EOFError, OSError) as error:
            raise StoreError(_ENDED) from error
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def close(self) -> None:
        """Let the process end, and wait for that."""
        self._ours.close()
        self._process.join()


def _serve(ours: "Connection[Any, Any]", theirs: "Connection[Any, Any]", open_store: Callable[[], Store]) -> None:
    """Write what comes, until the other process closes its end or ends itself."""
    theirs.close()
    # A terminal and systemd send these to both processes. The one that reads sends what it has read, and ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    store = open_store()
    writer = Writer(store, in_background=False)
    try:
        while True:
            try:
                transactions, checkpoints = ours.recv()
            except EOFError:
                return
            ours.send(_answer(writer, transactions, checkpoints))
    except OSError:
        # The other process is gone; what it has not had acknowledged, the next run reads again.
        return
    finally:
        store.close()


def _answer(
    writer: Writer, transactions: Sequence[Popped], checkpoints: Sequence[Checkpoint]
) -> Written | BaseException:
    writer.start(transactions, checkpoints)
    try:
        return writer.wait()
    except MemoryError:
        return StoreError("not enough memory to write: run again with --jobs 1; what is stored is not lost")
    except Exception as error:  # noqa: BLE001 # the other process raises it
        return error
