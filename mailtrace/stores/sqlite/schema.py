"""The tables of the embedded store.

A *chunk* is up to 16,384 rows with transactions that began on one day, in the order of insertion. The number of a row
is `chunk << 14 | position in the chunk`, and a chunk is expired as a whole. Rows of a chunk that were written together
are a *block*, known by the number of its first row; small ones that follow each other are joined. For each searched
field a block has a *column*: its distinct values once, and a code for each row or recipient result. Searches scan
columns; the lines in a row are read only to show its document.

A *term* is `chunk << 32 | checksum of a value`: it tells in which chunks an exact value is. A new version of a row is a
new row, and the old one is hidden in its block, until none of its rows is left and the block is deleted. So an insert
appends to nearly every table, and costs the same however large the store is.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import orjson

from mailtrace.errors import StoreError
from mailtrace.mta.version import GRAMMAR_VERSION

LAYOUT: Final = 5
LAYOUT_OF_FACTS: Final = 3
"""The layout of mailtrace 0.1."""
LAYOUT_WITHOUT_DOMAINS: Final = 4
OLD_LAYOUTS: Final = (LAYOUT_OF_FACTS, LAYOUT_WITHOUT_DOMAINS)
"""Those that `migration.py` converts."""
CHUNK_BITS: Final = 14
"""How many bits of a row number are the position in the chunk."""
TERM_BITS: Final = 32
COLUMN_BITS: Final = 5
"""How many bits of the number of a column tell its field; the others are the number of its block."""

WAIT_SECONDS: Final = 60
"""How long to wait for another process that writes."""
APPLICATION: Final = 0x6D74_7263
_TABLES: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE blocks (
    block INTEGER PRIMARY KEY, size INTEGER NOT NULL, documents INTEGER NOT NULL, first INTEGER NOT NULL,
    last INTEGER NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL, indexed INTEGER NOT NULL);
CREATE INDEX blocks_by_last ON blocks (last, first);
CREATE TABLE transactions (
    number INTEGER PRIMARY KEY, id BLOB NOT NULL, state INTEGER NOT NULL, host TEXT NOT NULL, queue_id TEXT NOT NULL,
    mta TEXT NOT NULL, line TEXT NOT NULL, lines BLOB NOT NULL);
CREATE INDEX open_transactions ON transactions (queue_id, host) WHERE state > 0;
CREATE TABLE columns (number INTEGER PRIMARY KEY, codes BLOB NOT NULL, texts BLOB NOT NULL);
CREATE TABLE terms (term INTEGER PRIMARY KEY);
CREATE TABLE checkpoints (
    log TEXT PRIMARY KEY, "offset" INTEGER NOT NULL, tail TEXT NOT NULL, path BLOB NOT NULL, state BLOB NOT NULL,
    saved REAL NOT NULL) WITHOUT ROWID;
"""


def set_up(connection: sqlite3.Connection, name: str) -> None:
    """Create the tables if the file is empty.

    Raises:
        StoreError: the file belongs to another program or another version of mailtrace.
        sqlite3.Error: it cannot be written.
    """
    if is_empty(connection):
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    else:
        require_layout(connection, name)
    for setting in ("journal_mode = WAL", "synchronous = NORMAL", "cache_size = -10000"):
        connection.execute(f"PRAGMA {setting}")
    connection.execute("BEGIN IMMEDIATE")
    if not connection.execute("PRAGMA user_version").fetchone()[0]:
        for statement in _TABLES.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {LAYOUT}")
        set_grammar(connection, GRAMMAR_VERSION)
    connection.execute("COMMIT")


def is_empty(connection: sqlite3.Connection) -> bool:
    """Return whether a file has no tables: it is new, or another process is just creating it."""
    return not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]


def is_store(path: Path) -> bool:
    """Return whether a file begins as the database of a store does (https://sqlite.org/fileformat2.html)."""
    with suppress(OSError), path.open("rb") as file:
        head = file.read(100)
        return head.startswith(b"SQLite format 3\0") and head[68:72] == APPLICATION.to_bytes(4, "big")
    return False


@contextmanager
def contents() -> Iterator[None]:
    """Raise an error as SQLite does for a damaged file if what was read from one cannot be decoded.

    SQLite notices damage of its own pages, but not of the text and numbers in them.
    """
    try:
        yield
    except (LookupError, ValueError) as error:
        raise sqlite3.DatabaseError("unreadable contents") from error


def not_a_store(name: str) -> StoreError:
    """Return the error for a file of another kind."""
    return StoreError(f"{name} is not a mailtrace store: choose another file with --store")


def layout_of(connection: sqlite3.Connection, name: str) -> int:
    """Return the version of the layout of a store.

    Raises:
        StoreError: the file is not a store, or was written by a newer version of mailtrace.
    """
    layout = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
        raise not_a_store(name)
    if layout > LAYOUT:
        advice = "update mailtrace, or choose another store with --store"
        raise StoreError(f"{name} was written by a newer mailtrace (layout {layout}): {advice}")
    if layout == LAYOUT and grammar_of(connection) > GRAMMAR_VERSION:
        raise StoreError(f"{name} was written by a newer mailtrace: install that version here too")
    return layout


def grammar_of(connection: sqlite3.Connection) -> int:
    """Return the version of the grammar that made the documents."""
    found = connection.execute("SELECT value FROM meta WHERE name = 'grammar'").fetchone()
    return int(found[0]) if found else 0


def set_grammar(connection: sqlite3.Connection, version: int) -> None:
    """Record the version of the grammar that made the documents."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('grammar', ?)", (version,))


def require_layout(connection: sqlite3.Connection, name: str) -> None:
    """Check that a store has this layout.

    Raises:
        StoreError: it has another one, or belongs to another program.
    """
    layout = layout_of(connection, name)
    if layout in OLD_LAYOUTS:
        raise StoreError(f"{name} was written by an older mailtrace: run mailtrace-index --rebuild once")
    if layout < LAYOUT:
        raise StoreError(f"{name} was written by an older mailtrace (layout {layout}): move it away, then index again")


def numbers_in(number: int, bits: int) -> tuple[int, int]:
    """Return the first and last number whose bits before the last `bits` are `number`."""
    return number << bits, ((number + 1) << bits) - 1


def json_of(values: Iterable[object]) -> str:
    """Return values for `json_each`: so a statement can have any number of them."""
    return orjson.dumps(list(values)).decode()
