"""The embedded store: one SQLite file, written by one indexer at a time and read by any number of searches.

Beside the transactions stands one table of terms: for whatever is asked exactly (an address, a domain, a message ID, a
client, a queue ID) a 64-bit digest of it, with the date, so that the newest are found at once and the index is small.
`query.matches` has the last word on every candidate, which also takes care of digests that happen to be equal.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Final

import orjson

from mailtrace.documents import Document
from mailtrace.errors import StoreError, StoreMissingError, StoreUnavailableError
from mailtrace.groups import Group, Grouping, groups_of
from mailtrace.query import Query, matches
from mailtrace.stores.base import Checkpoint, Outcome, Removal, Replacement, Row, Stored
from mailtrace.stores.sqlite_terms import Candidates, candidates_of, key_term, terms_of
from mailtrace.transactions import Key, Transaction, pack, unpack

_VERSION: Final = 1
_APPLICATION: Final = 0x6D74_7263
_SCHEMA: Final = """
CREATE TABLE transactions (
    number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, date INTEGER NOT NULL, indexed INTEGER NOT NULL,
    version INTEGER NOT NULL, headless INTEGER NOT NULL,
    host TEXT NOT NULL, queue_id TEXT NOT NULL, mta TEXT NOT NULL, line TEXT NOT NULL,
    facts BLOB NOT NULL, document BLOB);
CREATE INDEX transactions_by_date ON transactions (date);
CREATE INDEX transactions_by_indexed ON transactions (indexed);
CREATE TABLE terms (
    term INTEGER NOT NULL, date INTEGER NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (term, date, number)) WITHOUT ROWID;
CREATE TABLE checkpoints (
    log TEXT PRIMARY KEY, "offset" INTEGER NOT NULL, tail TEXT NOT NULL, path BLOB NOT NULL, state BLOB NOT NULL,
    saved REAL NOT NULL) WITHOUT ROWID;
"""
_ROW: Final = "SELECT id, version, host, queue_id, mta, line, facts FROM transactions"
_WAIT_SECONDS: Final = 60


class SqliteStore:
    """The embedded store at a path. Searches open it for reading alone; the first write makes it."""

    def __init__(self, path: str, *, now: Callable[[], float] = time.time) -> None:
        self.path = Path(path)
        self._now = now
        self._writer: sqlite3.Connection | None = None

    @property
    def name(self) -> str:
        """The store's path."""
        return str(self.path)

    @property
    def is_exclusive(self) -> bool:
        """From its first look-up to its commit, a writer holds SQLite's lock."""
        return True

    def prepare(self) -> None:
        """Make the file and its folder where they are missing, readable for the group.

        Raises:
            StoreError: they cannot be made or written, or the file is something else.
        """
        if self.path.is_dir():
            raise StoreError(f"{self.path} is a folder: name a file in it with --store sqlite:PATH")
        try:
            if not self.path.parent.exists():
                self.path.parent.mkdir(parents=True)
                self.path.parent.chmod(0o2750)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o640))
        except OSError as error:
            raise StoreError(
                f"{self.path} cannot be written ({error.strerror}): choose another with --store"
            ) from error
        with self._told():
            connection = sqlite3.connect(self.path, timeout=_WAIT_SECONDS, isolation_level=None)
            self._set_up(connection)
            self._writer = connection

    def _set_up(self, connection: sqlite3.Connection) -> None:
        if connection.execute("PRAGMA schema_version").fetchone()[0]:
            self._check(connection)
        else:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA cache_size = -32000")
        connection.execute("BEGIN IMMEDIATE")
        if not connection.execute("PRAGMA user_version").fetchone()[0]:
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute("COMMIT")

    def _check(self, connection: sqlite3.Connection) -> None:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if application != _APPLICATION:
            raise StoreError(f"{self.path} is not a mailtrace store: name another file with --store")
        if version > _VERSION:
            raise StoreError(f"{self.path} was written by a newer mailtrace: install that version here too")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say in a line what SQLite complains of."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or "busy" in str(error):
                raise StoreUnavailableError(f"{self.path} is being written by another process: try again") from error
            raise StoreError(f"{self.path} cannot be used: {error}; nothing that was stored is lost") from error
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"{self.path} is damaged or no mailtrace store ({error}): move it away, then index again"
            ) from error

    def _writing(self) -> sqlite3.Connection:
        if self._writer is None:
            self.prepare()
        connection = self._writer
        assert connection is not None
        if not connection.in_transaction:
            connection.execute("BEGIN IMMEDIATE")
        return connection

    def create(self, rows: Sequence[Row]) -> Outcome:
        """Insert rows; those whose ID is there already come back as conflicts."""
        conflicts: set[str] = set()
        indexed = int(self._now())
        with self._told():
            connection = self._writing()
            for row in rows:
                made = connection.execute(
                    "INSERT INTO transactions VALUES (NULL, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?)"
                    " ON CONFLICT (id) DO NOTHING",
                    (bytes.fromhex(row.id), row.transaction.first, indexed, *_columns(row)),
                )
                if not made.rowcount:
                    conflicts.add(row.id)
                    continue
                self._add_terms(connection, row, made.lastrowid or 0)
        return Outcome(conflicts, [])

    def _add_terms(self, connection: sqlite3.Connection, row: Row, number: int) -> None:
        connection.executemany(
            "INSERT OR IGNORE INTO terms VALUES (?, ?, ?)",
            [(term, row.transaction.first, number) for term in terms_of(row.transaction.key, row.document)],
        )

    def replace(self, replacements: Sequence[Replacement]) -> Outcome:
        """Update rows that still have the version that was read."""
        conflicts: set[str] = set()
        with self._told():
            connection = self._writing()
            for row, version in replacements:
                if not (old := self._take_terms(connection, row.id, version)):
                    conflicts.add(row.id)
                    continue
                connection.execute(
                    "UPDATE transactions SET date = ?, version = version + 1, headless = ?, host = ?, queue_id = ?,"
                    " mta = ?, line = ?, facts = ?, document = ? WHERE number = ?",
                    (row.transaction.first, *_columns(row), old),
                )
                self._add_terms(connection, row, old)
        return Outcome(conflicts, [])

    def _take_terms(self, connection: sqlite3.Connection, id_: str, version: int) -> int | None:
        """Delete the terms of a row that has this version; return its number."""
        found = connection.execute(
            "SELECT number, date, host, queue_id, document FROM transactions WHERE id = ? AND version = ?",
            (bytes.fromhex(id_), version),
        ).fetchone()
        if found is None:
            return None
        number, date, host, queue_id, document = found
        terms = terms_of((host, queue_id), None if document is None else orjson.loads(document))
        connection.executemany(
            "DELETE FROM terms WHERE term = ? AND date = ? AND number = ?", [(term, date, number) for term in terms]
        )
        return int(number)

    def remove(self, removals: Sequence[Removal]) -> None:
        """Delete rows that still have the version that was read."""
        with self._told():
            for removal in removals:
                connection = self._writing()
                number = self._take_terms(connection, removal.id, removal.version)
                connection.execute("DELETE FROM transactions WHERE number = ?", (number,))

    def read(self, transactions: Sequence[Transaction]) -> dict[str, Stored]:
        """Return the rows of these IDs."""
        if not transactions:
            return {}
        with self._told():
            connection = self._writing()
            found = (
                connection.execute(f"{_ROW} WHERE id = ?", (bytes.fromhex(transaction.id),)).fetchone()
                for transaction in transactions
            )
            return {stored.id: stored for stored in (_stored(row) for row in found if row)}

    def headless(self, keys: Sequence[Key]) -> set[Key]:
        """Return those keys of which a row has no beginning."""
        with self._told():
            connection = self._writing()
            sql = "SELECT 1 FROM terms t JOIN transactions x ON x.number = t.number WHERE t.term = ? AND x.headless"
            return {key for key in keys if connection.execute(sql, (key_term(key),)).fetchone()}

    def find(self, keys: Iterable[Key]) -> dict[Key, list[Stored]]:
        """Return the rows of each key."""
        found: dict[Key, list[Stored]] = {}
        with self._told():
            connection = self._writing()
            for key in keys:
                rows = connection.execute(
                    f"{_ROW} WHERE number IN (SELECT number FROM terms WHERE term = ?) AND host = ? AND queue_id = ?",
                    (key_term(key), *key),
                ).fetchall()
                if rows:
                    found[key] = [_stored(row) for row in rows]
        return found

    def commit(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Commit everything written since the last commit, and the checkpoints with it."""
        with self._told():
            connection = self._writing()
            connection.executemany(
                "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?, ?)",
                [(c.log, c.offset, c.tail, os.fsencode(c.path), orjson.dumps(c.state), c.saved) for c in checkpoints],
            )
            connection.execute("COMMIT")

    def checkpoints(self) -> list[Checkpoint]:
        """Return all checkpoints."""
        with self._told():
            rows = self._writing().execute('SELECT log, "offset", tail, path, state, saved FROM checkpoints')
            return [
                Checkpoint(log, offset, tail, os.fsdecode(path), orjson.loads(state), saved)
                for log, offset, tail, path, state, saved in rows
            ]

    def search(self, query: Query) -> Iterator[Document]:
        """Return the documents that match, in the query's order."""
        with self._reading() as connection:
            found = (document for document in self._candidates(connection, query) if matches(query, document))
            yield from islice(found, query.limit)

    def count(self, query: Query) -> int:
        """Return how many documents match."""
        with self._reading() as connection:
            return sum(matches(query, document) for document in self._candidates(connection, query))

    def group(self, query: Query, grouping: Grouping) -> list[Group]:
        """Return the groups of what matches."""
        with self._reading() as connection:
            found = (document for document in self._candidates(connection, query) if matches(query, document))
            return groups_of(query, grouping, found)

    def _candidates(self, connection: sqlite3.Connection, query: Query) -> Iterator[Document]:
        """All documents that could match, in order: by date, and by ID where dates are equal."""
        candidates: Candidates = candidates_of(query)
        rows = connection.execute(candidates.sql, candidates.values)
        for _, same in groupby(rows, key=lambda row: row[0]):
            for _, _, document in sorted(same, key=lambda row: bytes(row[1]), reverse=not query.oldest_first):
                yield orjson.loads(document)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        if not self.path.is_file() or not self.path.stat().st_size:
            raise StoreMissingError(f"nothing has been indexed at {self.path}: run mailtrace-index first")
        with self._told():
            connection = self._open_reader()
            try:
                self._check(connection)
                yield connection
            finally:
                connection.close()

    def _open_reader(self) -> sqlite3.Connection:
        """Open for reading; without the right to write beside a store that nobody writes, as it stands."""
        if not os.access(self.path, os.R_OK):
            raise StoreError(f"{self.path} may not be read by this user: ask for membership in its group")
        for mode in ("mode=ro", "immutable=1"):
            connection = sqlite3.connect(f"{self.path.resolve().as_uri()}?{mode}", uri=True, timeout=_WAIT_SECONDS)
            try:
                connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            except sqlite3.OperationalError:
                connection.close()
                if mode == "immutable=1" or self.path.with_name(self.path.name + "-wal").exists():
                    raise
            else:
                return connection
        raise AssertionError

    def expire(self, before: float) -> int:
        """Delete what is older than that, and was first indexed before that; give the space back."""
        gone = 0
        with self._told():
            while number := self._expire_some(before):
                gone += number
            connection = self._writing()
            connection.execute("DELETE FROM checkpoints WHERE saved < ?", (before,))
            connection.execute("COMMIT")
            if gone:
                connection.execute("PRAGMA incremental_vacuum").fetchall()
        return gone

    def _expire_some(self, before: float) -> int:
        connection = self._writing()
        # The plus keeps SQLite off the index of dates: re-read old logs stay long after theirs.
        rows = connection.execute(
            "SELECT number, id, version FROM transactions WHERE indexed < ? AND +date < ? LIMIT 5000",
            (int(before), int(before * 1_000_000)),
        ).fetchall()
        for number, id_, version in rows:
            self._take_terms(connection, bytes(id_).hex(), version)
            connection.execute("DELETE FROM transactions WHERE number = ?", (number,))
        connection.execute("COMMIT")
        return len(rows)

    def close(self) -> None:
        """Close the file; what was not committed is gone."""
        if self._writer is not None:
            with suppress(sqlite3.Error):
                self._writer.close()
            self._writer = None


def _columns(row: Row) -> tuple[Any, ...]:
    transaction = row.transaction
    document = None if row.document is None else orjson.dumps(row.document)
    facts = orjson.dumps(pack(transaction.facts))
    return (
        transaction.is_headless,
        transaction.host,
        transaction.queue_id,
        transaction.mta,
        transaction.line,
        facts,
        document,
    )


def _stored(row: Sequence[Any]) -> Stored:
    id_, version, host, queue_id, mta, line, facts = row
    transaction = Transaction(host, queue_id, mta, line=line)
    for time_, fact in unpack(orjson.loads(facts)):
        transaction.add(time_, fact)
    return Stored(bytes(id_).hex(), transaction, version)
