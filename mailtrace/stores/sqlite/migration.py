"""Migration of embedded stores of version 0.1, whose layout is 3: each fact becomes a line (`message/lines.py`).

The rows are written to a new file beside the store, which then takes its place. So a migration that was killed begins
again, and the store is complete at any time.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, TypeAlias

import orjson

from mailtrace.logs.checkpoint import Checkpoint
from mailtrace.message.document import document
from mailtrace.message.lines import kept_line
from mailtrace.message.replay import transaction_of
from mailtrace.stores.base import Row, Store
from mailtrace.stores.sqlite.schema import APPLICATION, MIGRATED_LAYOUT, WAIT_SECONDS

NewStore: TypeAlias = Callable[[str, Callable[[], float]], Store]
"""Returns the store at a path with a clock, which tells when documents were first indexed."""

_SLICE: Final = 1_000
_ENDINGS: Final = ("", "-wal", "-shm")


def is_migratable(path: Path) -> bool:
    """Return whether a file is a store of this old layout.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    if not path.exists() or not path.stat().st_size:
        return False
    with closing(_open(path)) as connection:
        return bool(connection.execute("PRAGMA user_version").fetchone()[0] == MIGRATED_LAYOUT)


def migrate(path: Path, new_store: NewStore) -> None:
    """Replace a store of the old layout by one of the present layout.

    Raises:
        StoreError: the new file cannot be written; the store is as before.
        sqlite3.Error: the store cannot be read, or another process is using it.
    """
    beside = path.with_name(f"{path.name}-migrated")
    with closing(_open(path)) as old:
        if old.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
            return
        # Otherwise SQLite would take the write-ahead log of this file for that of the new one.
        old.execute("PRAGMA journal_mode = DELETE")
        old.execute("BEGIN IMMEDIATE")
        for ending in _ENDINGS:
            beside.with_name(beside.name + ending).unlink(missing_ok=True)
        _copy(old, str(beside), new_store)
        status = path.stat()
        beside.chmod(status.st_mode & 0o777)
        with suppress(PermissionError):
            os.chown(beside, status.st_uid, status.st_gid)
        beside.replace(path)


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)


def _copy(old: sqlite3.Connection, beside: str, new_store: NewStore) -> None:
    indexed = 0.0
    new = new_store(beside, lambda: indexed)
    try:
        new.prepare()
        for indexed, rows in _slices(old):  # noqa: B007 # the clock of the new store
            new.create(rows)
            new.commit([])
        new.commit(list(_checkpoints(old)))
    finally:
        new.close()


def _slices(old: sqlite3.Connection) -> Iterator[tuple[float, list[Row]]]:
    """Yield the rows in slices, with the time when those of a slice were first indexed."""
    found = old.execute(
        "SELECT indexed, host, queue_id, mta, line, facts FROM transactions JOIN parts USING (part) ORDER BY number"
    )
    while some := found.fetchmany(_SLICE):
        for indexed, rows in groupby(some, key=itemgetter(0)):
            yield indexed, [_row(*values) for _, *values in rows]


def _row(host: str, queue_id: str, mta: str, line: str, facts: bytes) -> Row:
    lines = [kept_line(host, time, values, line) for time, *values in orjson.loads(facts)]
    transaction = transaction_of(host, queue_id, mta, lines)
    return Row(transaction.id, transaction, document(transaction))


def _checkpoints(old: sqlite3.Connection) -> Iterator[Checkpoint]:
    rows: Iterator[tuple[Any, ...]] = old.execute('SELECT log, "offset", tail, path, state, saved FROM checkpoints')
    for log, offset, tail, path, state, saved in rows:
        yield Checkpoint(log, offset, tail, os.fsdecode(path), orjson.loads(state), saved)
