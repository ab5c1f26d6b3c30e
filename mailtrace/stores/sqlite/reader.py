"""Reading the embedded store without the right to write, beside an indexer that writes."""

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from mailtrace.errors import StoreError, StoreMissingError, StoreUnavailableError
from mailtrace.stores.sqlite.schema import LAYOUT, is_empty, layout_of

_WAIT_SECONDS: Final = 60
_RETRIES: Final = 20
_PAUSE: Final = 0.1

_Result = TypeVar("_Result")


class Reader:
    """A connection for reading.

    SQLite must create files beside a store in WAL mode. Without the permission to do so, a store that nobody writes is
    opened as immutable: then SQLite takes no lock, and what was read is valid only if the file has not changed since.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._immutable: tuple[int, int] | None = None
        """Size and modification time of a file that was opened as immutable."""

    def read(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Return the result of `work`, which reads one state of the store; it can be called several times.

        Raises:
            StoreMissingError: nothing has been indexed here.
            StoreUnavailableError: the store is being written all the time.
        """
        for retries in reversed(range(_RETRIES)):
            try:
                result = self._read(work)
            except sqlite3.DatabaseError:
                is_opening = self._connection is None and self._wal.exists()
                if not self._has_changed() and not (is_opening and retries):
                    raise
            else:
                if not self._has_changed():
                    return result
            self.close()
            time.sleep(_PAUSE)
        raise StoreUnavailableError(
            f"{self._path} is being written, and this user may not lock it: try again, or give write access to its"
            " folder"
        )

    def _read(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        connection = self._connection = self._connection or self._opened()
        connection.execute("BEGIN")
        try:
            return work(connection)
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _opened(self) -> sqlite3.Connection:
        if not self._path.is_file() or not self._path.stat().st_size:
            raise self._missing()
        if not os.access(self._path, os.R_OK):
            raise StoreError(f"{self._path} cannot be read by this user: join its group")
        connection = self._connected()
        if is_empty(connection):
            connection.close()
            raise self._missing()
        if (layout := layout_of(connection, str(self._path))) < LAYOUT:
            connection.close()
            raise StoreError(
                f"{self._path} was written by an older mailtrace (layout {layout}): run mailtrace-index first"
            )
        return connection

    def _connected(self) -> sqlite3.Connection:
        try:
            return self._with("mode=ro")
        except sqlite3.OperationalError:
            if self._wal.exists():
                raise
        self._immutable = self._state()
        return self._with("immutable=1")

    def _with(self, mode: str) -> sqlite3.Connection:
        uri = f"{self._path.resolve().as_uri()}?{mode}"
        connection = sqlite3.connect(uri, uri=True, timeout=_WAIT_SECONDS, isolation_level=None)
        try:
            is_empty(connection)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    @property
    def _wal(self) -> Path:
        return self._path.with_name(self._path.name + "-wal")

    def _state(self) -> tuple[int, int]:
        found = self._path.stat()
        return found.st_size, found.st_mtime_ns

    def _has_changed(self) -> bool:
        return self._immutable is not None and (self._wal.exists() or self._state() != self._immutable)

    def _missing(self) -> StoreMissingError:
        return StoreMissingError(f"nothing has been indexed at {self._path}: run mailtrace-index first")

    def close(self) -> None:
        """Close the connection; the next read opens another one."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._immutable = None
