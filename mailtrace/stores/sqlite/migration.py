"""Migration of embedded stores with an older layout.

In a store of version 0.1, whose layout is 3, each fact becomes a line (`message/lines.py`). The rows are written to a
new file beside the store, which then takes its place. So a migration that was killed begins again, and the store is
complete at any time.
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
from mailtrace.stores.base import Notify, Row, Store
from mailtrace.stores.sqlite.block import stored_column
from mailtrace.stores.sqlite.columns import DOMAIN, NUMBERS, RECIPIENT, domains_of
from mailtrace.stores.sqlite.schema import (
    APPLICATION,
    COLUMN_BITS,
    LAYOUT,
    LAYOUT_OF_FACTS,
    LAYOUT_WITHOUT_DOMAINS,
    OLD_LAYOUTS,
    WAIT_SECONDS,
)

NewStore: TypeAlias = Callable[[str, Callable[[], float]], Store]
"""Returns the store at a path with a clock, which tells when documents were first indexed."""

_SLICE: Final = 1_000
_ENDINGS: Final = ("", "-wal", "-shm")


def migrate(path: Path, new_store: NewStore, notify: Notify) -> None:
    """Give the store at a path the present layout, if it has an older one that can be converted.

    Raises:
        StoreError: the new file cannot be written; the store is as before.
        sqlite3.Error: the store cannot be read or written, or another process is using it; it is as before.
    """
    if not path.exists() or not path.stat().st_size:
        return
    with closing(_open(path)) as connection:
        layout = _old_layout(connection)
    if layout == LAYOUT_OF_FACTS:
        notify(f"{path} was written by mailtrace 0.1: converting it")
        _convert_facts(path, new_store)
    elif layout == LAYOUT_WITHOUT_DOMAINS:
        notify(f"{path} was written by an older mailtrace: converting it")
        _add_domains(path)


def _old_layout(connection: sqlite3.Connection) -> int | None:
    is_ours = connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION
    layout = int(connection.execute("PRAGMA user_version").fetchone()[0])
    return layout if is_ours and layout in OLD_LAYOUTS else None


def _add_domains(path: Path) -> None:
    """Add the column of the recipients' domains to each block."""
    with closing(_open(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        # Another process can have done it meanwhile.
        if _old_layout(connection) != LAYOUT_WITHOUT_DOMAINS:
            return
        for (block,) in connection.execute("SELECT block FROM blocks").fetchall():
            domains = domains_of(*stored_column(connection, block, RECIPIENT))
            number = block << COLUMN_BITS | NUMBERS[DOMAIN]
            connection.execute("INSERT INTO columns VALUES (?, ?, ?)", (number, *domains))
        connection.execute(f"PRAGMA user_version = {LAYOUT}")
        connection.execute("COMMIT")


def _convert_facts(path: Path, new_store: NewStore) -> None:
    """Replace a store of version 0.1."""
    beside = path.with_name(f"{path.name}-migrated")
    with closing(_open(path)) as old:
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
