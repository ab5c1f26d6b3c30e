"""Reading the embedded store without the right to write, beside an indexer that writes."""

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from mailtrace.errors import StoreError, StoreMissingError, StoreUnavailableError
from mailtrace.stores.sqlite.schema import contents, is_empty, require_layout

_WAIT_SECONDS: Final = 5
_RETRIES: Final = 100
_RETRIES_UNCHANGED: Final = 20
_PAUSE_SECONDS: Final = 0.05

_Result = TypeVar("_Result")


class _State(NamedTuple):
    """The state of the files of a store."""

    has_log: bool = False
    """Whether there is a write-ahead log. An empty one is no sign of a writer: readers create it too, if they may."""
    file: tuple[int, int] = 0, 0
    """Size and modification time of the file."""
    log: tuple[int, int] = 0, 0
    """The same of the write-ahead log, if it is not empty."""

    def is_written_since(self, before: "_State") -> bool:
        """Return whether somebody has written since an earlier state."""
        return (self.file, self.log) != (before.file, before.log)


class Reader:
    """A connection for reading, and another one whenever it is in doubt.

    SQLite must create files beside a store in WAL mode. Without the permission to do so, a store that nobody writes is
    opened as immutable. Then SQLite takes no lock, so what was read counts only if nobody has written meanwhile.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._immutable: _State | None = None
        """The state of the files when the store was opened as immutable."""

    def read(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Return the result of `work`, which reads one state of the store. It is called again if that was in doubt.

        Raises:
            StoreMissingError: nothing has been indexed here.
            StoreUnavailableError: the store is being written all the time.
            sqlite3.Error: it cannot be read, although nobody writes.
        """
        first, is_written = self._state(), False
        for retries in range(_RETRIES):
            before = self._state()
            try:
                result = self._read(work)
            except sqlite3.DatabaseError as error:
                now = self._state()
                is_written |= now.is_written_since(first)
                # A write-ahead log is no proof of a writer: one that was killed leaves it.
                can_pass = is_written or (retries < _RETRIES_UNCHANGED and (before.has_log or now.has_log))
                if not can_pass or self._is_damage(error, before, now):
                    self._explain(error)
                    raise
            else:
                if self._immutable in (None, self._state()):
                    return result
            self.close()
            time.sleep(_PAUSE_SECONDS)
        raise StoreUnavailableError(f"{self._path} is being written, and this user may not lock it: try again")

    def _is_damage(self, error: sqlite3.DatabaseError, before: _State, now: _State) -> bool:
        """Whether an error is no matter of time: the file was locked, and nobody has replaced it meanwhile."""
        is_of_contents = not isinstance(error, sqlite3.OperationalError)
        return is_of_contents and self._immutable is None and before.file == now.file

    @contents()
    def _read(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        connection = self._connection or self._opened()
        connection.execute("BEGIN")
        try:
            return work(connection)
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _opened(self) -> sqlite3.Connection:
        if not self._state().file[0]:
            raise self._missing()
        if not os.access(self._path, os.R_OK):
            raise StoreError(f"{self._path} cannot be read by this user: join its group")
        connection = self._connection = self._connected()
        if is_empty(connection):
            raise self._missing()
        require_layout(connection, str(self._path))
        return connection

    def _connected(self) -> sqlite3.Connection:
        try:
            return self._with("mode=ro")
        except sqlite3.OperationalError:
            self._immutable = self._state()
            if self._immutable.has_log:
                raise
        return self._with("immutable=1")

    def _explain(self, error: sqlite3.DatabaseError) -> None:
        """Raise a better error if the index of the write-ahead log is lost, which only a writer can make again."""
        is_unable = isinstance(error, sqlite3.OperationalError) and self._state().has_log
        if is_unable and not self._path.with_name(self._path.name + "-shm").exists():
            raise StoreError(
                f"{self._path} cannot be used: its last writer was killed, and this user may not complete it:"
                " run mailtrace-index once; what is stored is not lost"
            ) from error

    def _with(self, mode: str) -> sqlite3.Connection:
        uri = f"{self._path.resolve().as_uri()}?{mode}"
        connection = sqlite3.connect(uri, uri=True, timeout=_WAIT_SECONDS, isolation_level=None)
        try:
            is_empty(connection)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _state(self) -> _State:
        if not self._path.is_file():
            return _State()
        file = _size_and_time(self._path)
        try:
            log = _size_and_time(self._path.with_name(self._path.name + "-wal"))
        except FileNotFoundError:
            return _State(file=file)
        return _State(has_log=True, file=file, log=log if log[0] else (0, 0))

    def _missing(self) -> StoreMissingError:
        return StoreMissingError(f"nothing has been indexed at {self._path}: run mailtrace-index first")

    def close(self) -> None:
        """Close the connection; the next read opens another one."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._immutable = None


def _size_and_time(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns
