"""The tables of the embedded store.

Rows are divided into *parts* of up to 65,536 rows, each with transactions that started on one day, in the order of
insertion. An insert therefore changes few pages however large the store is, and expiry deletes whole parts. 1,024 rows
of a part are a *chunk*. The number of a row is `part << 16 | position in the part`.

New lines can change any transaction that is not settled, so these have an index across all parts.

Each row has the facts, from which searches derive the document. *Terms* are an index for exact values. *Columns* have
one blob for each searched field of a chunk, so that patterns are compared and groups counted without any document.
"""

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mailtrace.errors import StoreError
from mailtrace.mta.version import GRAMMAR_VERSION

POSITION_BITS: Final = 16
"""How many bits of a row number are the position in the part."""
CHUNK_BITS: Final = 10
"""How many bits of a row number are the position in the chunk."""
PART_SIZE: Final = 1 << POSITION_BITS

_VERSION: Final = 4
WAIT_SECONDS: Final = 60
"""How long to wait for another process that writes."""
APPLICATION: Final = 0x6D74_7263
_TABLES: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE parts (
    part INTEGER PRIMARY KEY, day INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    since INTEGER NOT NULL, until INTEGER NOT NULL, indexed INTEGER NOT NULL, size INTEGER NOT NULL);
CREATE TABLE chunks (chunk INTEGER PRIMARY KEY, since INTEGER NOT NULL, until INTEGER NOT NULL);
CREATE TABLE transactions (
    number INTEGER PRIMARY KEY, part INTEGER NOT NULL, id BLOB NOT NULL, date INTEGER NOT NULL,
    version INTEGER NOT NULL, settled INTEGER NOT NULL, headless INTEGER NOT NULL, stub INTEGER NOT NULL,
    host TEXT NOT NULL, queue_id TEXT NOT NULL, mta TEXT NOT NULL, line TEXT NOT NULL, facts BLOB NOT NULL);
CREATE UNIQUE INDEX transactions_by_id ON transactions (part, id);
CREATE INDEX unsettled_transactions ON transactions (queue_id, host) WHERE NOT settled;
CREATE TABLE terms (
    part INTEGER NOT NULL, term INTEGER NOT NULL, place INTEGER NOT NULL,
    PRIMARY KEY (part, term, place)) WITHOUT ROWID;
CREATE TABLE columns (number INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE checkpoints (
    log TEXT PRIMARY KEY, "offset" INTEGER NOT NULL, tail TEXT NOT NULL, path BLOB NOT NULL, state BLOB NOT NULL,
    saved REAL NOT NULL) WITHOUT ROWID;
"""
_VARIABLES: Final = 32_000 if sqlite3.sqlite_version_info >= (3, 32) else 990
"""How many values a statement can have (SQLITE_MAX_VARIABLE_NUMBER)."""
_SIZES: Final = (1024, 64, 8, 1)
"""How many rows a statement inserts."""


def set_up(connection: sqlite3.Connection, name: str) -> None:
    """Create the tables if the file is empty.

    Raises:
        StoreError: the file belongs to another program or another version of mailtrace.
        sqlite3.Error: it cannot be written.
    """
    if is_empty(connection):
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    else:
        check(connection, name)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA cache_size = -10000")
    connection.execute("BEGIN IMMEDIATE")
    if not connection.execute("PRAGMA user_version").fetchone()[0]:
        for statement in _TABLES.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {_VERSION}")
        set_grammar(connection, GRAMMAR_VERSION)
    connection.execute("COMMIT")


def is_empty(connection: sqlite3.Connection) -> bool:
    """Return whether a file has no tables: it is new, or another process is just creating it."""
    return not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]


def check(connection: sqlite3.Connection, name: str) -> None:
    """Check that a file is a store that this version can read.

    Raises:
        StoreError: it is not.
    """
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION:
        raise StoreError(f"{name} is not a mailtrace store: choose another file with --store")
    if version > _VERSION or (version == _VERSION and grammar_of(connection) > GRAMMAR_VERSION):
        raise StoreError(f"{name} was written by a newer mailtrace: install that version here too")
    if version < _VERSION:
        raise StoreError(f"{name} was written by an older mailtrace: run mailtrace-index --rebuild once")


def grammar_of(connection: sqlite3.Connection) -> int:
    """Return the version of the grammar that made the documents."""
    return int(connection.execute("SELECT value FROM meta WHERE name = 'grammar'").fetchone()[0])


def set_grammar(connection: sqlite3.Connection, version: int) -> None:
    """Record the version of the grammar that made the documents."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('grammar', ?)", (version,))


def insert(connection: sqlite3.Connection, into: str, rows: list[tuple[object, ...]]) -> None:
    """Insert many rows with each statement, during which other threads can run.

    Statements have one of few sizes, so that the sqlite3 module can cache them.
    """
    at = 0
    for size in _SIZES:
        while len(rows) - at >= size and size * len(rows[0]) <= _VARIABLES:
            values = [value for row in rows[at : at + size] for value in row]
            row_marks = f"({placeholders(rows[0])})"
            connection.execute(f"{into} VALUES {', '.join([row_marks] * size)}", values)
            at += size


def placeholders(values: Sequence[object]) -> str:
    """Return SQL placeholders for values: `?, ?, ?`."""
    return ", ".join("?" * len(values))


def slices(values: list[bytes]) -> list[list[bytes]]:
    """Return values in slices that fit into one statement."""
    most = min(_VARIABLES // 2, 1000)
    return [values[at : at + most] for at in range(0, len(values), most)]


def touch(path: Path) -> None:
    """Check that a file can be written; create it if it is missing, readable by the group whatever the umask."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640)
    except FileExistsError:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
    else:
        os.fchmod(handle, 0o640)
    os.close(handle)


def open_reader(path: Path) -> sqlite3.Connection:
    """Open the file read-only.

    SQLite must create files beside a store in WAL mode. Without the permission to do so, a store that nobody writes
    is opened as immutable.
    """
    if not os.access(path, os.R_OK):
        raise StoreError(f"{path} cannot be read by this user: join its group")
    for mode in ("mode=ro", "immutable=1"):
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?{mode}", uri=True, timeout=WAIT_SECONDS, isolation_level=None
        )
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError:
            connection.close()
            if mode == "immutable=1" or path.with_name(path.name + "-wal").exists():
                raise
        else:
            return connection
    raise AssertionError
