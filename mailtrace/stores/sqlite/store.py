"""The embedded store: one SQLite file, written by one indexer at a time and read by any number of searches.

`schema.py` describes its layout.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final

import orjson

from mailtrace.errors import StoreError, StoreMissingError, StoreUnavailableError
from mailtrace.logs.checkpoint import Checkpoint
from mailtrace.message.document import Document
from mailtrace.message.part import Part
from mailtrace.message.transaction import Key, TimeSpan, starts_near, time_span_of
from mailtrace.search.groups import Group, Grouping
from mailtrace.search.query import Query
from mailtrace.stores.base import Notify, Removal, Replacement, Row, Stored, WriteResult
from mailtrace.stores.sqlite.columns import Columns, delete_columns
from mailtrace.stores.sqlite.exact_terms import queue_id_term, terms_of
from mailtrace.stores.sqlite.partitions import Parts
from mailtrace.stores.sqlite.rows import FIELDS, stored, values_of
from mailtrace.stores.sqlite.schema import (
    APPLICATION,
    POSITION_BITS,
    WAIT_SECONDS,
    check,
    grammar_of,
    insert,
    is_empty,
    open_reader,
    placeholders,
    set_grammar,
    set_up,
    slices,
    touch,
)
from mailtrace.stores.sqlite.search import Search

_SLICE: Final = 1_000
"""How many new rows are in memory at a time."""
_POSITION_MASK: Final = (1 << POSITION_BITS) - 1

_UNSETTLED: Final = f"SELECT {FIELDS} FROM transactions WHERE NOT settled AND host = ? AND queue_id = ?"
_SETTLED: Final = (
    f"SELECT {FIELDS} FROM transactions WHERE number IN"
    f" (SELECT (part << {POSITION_BITS}) + place FROM terms WHERE part = ? AND term = ?)"
    " AND settled AND host = ? AND queue_id = ?"
)


class SqliteStore:
    """The embedded store at a path. The first write creates the file; searches open it read-only."""

    def __init__(self, path: str, *, now: Callable[[], float] = time.time, notify: Notify = lambda _: None) -> None:
        self.path = Path(path)
        self._now, self._notify = now, notify
        self._writer: sqlite3.Connection | None = None
        self._parts, self._columns = Parts(), Columns()

    @property
    def name(self) -> str:
        """The store's path."""
        return str(self.path)

    @property
    def is_exclusive(self) -> bool:
        """True: a writer holds SQLite's lock from its first look-up until it commits."""
        return True

    @property
    def is_remote(self) -> bool:
        """False: this process does the work."""
        return False

    def prepare(self) -> None:
        """Create the file and its folder if they are missing, readable by the group.

        Raises:
            StoreError: the file cannot be written, or is not a mailtrace store.
        """
        if self.path.is_dir():
            raise StoreError(f"{self.path} is a folder: choose a file in it with --store sqlite:PATH")
        try:
            if not self.path.parent.exists():
                self.path.parent.mkdir(parents=True)
                self.path.parent.chmod(0o2750)
            touch(self.path)
        except OSError as error:
            raise StoreError(
                f"{self.path} cannot be written ({error.strerror}): choose another file with --store"
            ) from error
        with self._sqlite_errors():
            self._migrate()
            connection = sqlite3.connect(self.path, timeout=WAIT_SECONDS, isolation_level=None)
            set_up(connection, self.name)
            self._writer = connection

    @contextmanager
    def _sqlite_errors(self) -> Iterator[None]:
        """Raise errors of SQLite as a `StoreError` with advice."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or "busy" in str(error):
                raise StoreUnavailableError(f"{self.path} is locked by another process: try again") from error
            raise StoreError(f"{self.path} cannot be used: {error}; what is stored is not lost") from error
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"{self.path} is damaged or not a mailtrace store ({error}): move it away, then index the logs again"
            ) from error

    def _migrate(self) -> None:
        from mailtrace.stores.sqlite.migration import is_migratable, migrate  # noqa: PLC0415 # needed once

        if is_migratable(self.path):
            self._notify(f"{self.path} was written by mailtrace 0.1: converting it")
            migrate(self.path, APPLICATION, lambda path, now: SqliteStore(path, now=now))

    def _begin(self) -> sqlite3.Connection:
        """Return the connection for writing, with a transaction open."""
        if self._writer is None:
            self.prepare()
        connection = self._writer
        assert connection is not None
        if not connection.in_transaction:
            self._parts.forget()
            self._columns.forget()
            connection.execute("BEGIN IMMEDIATE")
            self._parts.load(connection)
        return connection

    def create(self, rows: Iterable[Row]) -> WriteResult:
        """Insert rows; rows whose ID exists already are returned as conflicts."""
        conflicts: set[str] = set()
        remaining = iter(rows)
        with self._sqlite_errors():
            connection = self._begin()
            while some := list(islice(remaining, _SLICE)):
                conflicts |= self._insert(connection, some)
        return WriteResult(conflicts, [])

    def _insert(self, connection: sqlite3.Connection, rows: Sequence[Row]) -> set[str]:
        """Insert the rows whose ID does not exist yet; return the IDs of the others."""
        indexed = int(self._now())
        known = {bytes(id_).hex() for (id_,) in self._rows_of(connection, [row.transaction for row in rows], "id")}
        new = [row for row in rows if row.id not in known]
        numbered = [(self._parts.assign(row.transaction.start, row.transaction.first, indexed), row) for row in new]
        insert(
            connection,
            "INSERT INTO transactions (number, part, id, version,"
            " date, settled, headless, stub, host, queue_id, mta, line, facts)",
            [(number, number >> POSITION_BITS, bytes.fromhex(row.id), 1, *values_of(row)) for number, row in numbered],
        )
        self._index(connection, numbered)
        return known

    def _index(self, connection: sqlite3.Connection, numbered: Iterable[tuple[int, Row]]) -> None:
        """Write terms and columns of rows."""
        numbered = sorted(numbered, key=lambda pair: pair[0])
        self._columns.set_rows(connection, [(number, row.transaction.first, row.document) for number, row in numbered])
        terms = [
            (number >> POSITION_BITS, term, number & _POSITION_MASK)
            for number, row in numbered
            for term in terms_of(row.transaction.queue_id, row.document)
        ]
        insert(connection, "INSERT OR IGNORE INTO terms", sorted(terms))

    def _rows_of(self, connection: sqlite3.Connection, transactions: Iterable[Part], fields: str) -> Iterator[Any]:
        """Yield columns of the rows with the IDs of these transactions, from the parts that can hold them."""
        by_part: dict[int, list[bytes]] = {}
        for transaction in transactions:
            id_ = bytes.fromhex(transaction.id)
            for part in self._parts.containing(transaction.start):
                by_part.setdefault(part.part, []).append(id_)
        for part_number, ids in by_part.items():
            for some in slices(ids):
                yield from connection.execute(
                    f"SELECT {fields} FROM transactions WHERE part = ? AND id IN ({placeholders(some)})",
                    (part_number, *some),
                )

    def replace(self, replacements: Sequence[Replacement]) -> WriteResult:
        """Update rows that still have the version that was read.

        Terms of the previous version are kept: they only make the row a candidate, and its document decides.
        """
        conflicts: set[str] = set()
        numbered: list[tuple[int, Row]] = []
        with self._sqlite_errors():
            connection = self._begin()
            for row, (number, version) in replacements:
                done = connection.execute(
                    "UPDATE transactions SET version = version + 1, date = ?, settled = ?, headless = ?, stub = ?,"
                    " host = ?, queue_id = ?, mta = ?, line = ?, facts = ? WHERE number = ? AND version = ? AND id = ?",
                    (*values_of(row), number, version, bytes.fromhex(row.id)),
                )
                if done.rowcount:
                    self._parts.extend(number, row.transaction.first)
                    numbered.append((number, row))
                else:
                    conflicts.add(row.id)
            self._index(connection, numbered)
        return WriteResult(conflicts, [])

    def remove(self, removals: Sequence[Removal]) -> None:
        """Delete rows that still have the version that was read."""
        with self._sqlite_errors():
            connection = self._begin()
            for removal in removals:
                number, version = removal.version
                done = connection.execute(
                    "DELETE FROM transactions WHERE number = ? AND version = ? AND id = ?",
                    (number, version, bytes.fromhex(removal.id)),
                )
                if done.rowcount:
                    self._columns.set_rows(connection, [(number, 0, None)])

    def read(self, transactions: Sequence[Part]) -> dict[str, Stored]:
        """Return the stored rows with the IDs of these transactions, by ID."""
        if not transactions:
            return {}
        with self._sqlite_errors():
            found = map(stored, self._rows_of(self._begin(), transactions, FIELDS))
            return {row.id: row for row in found}

    def lacking_beginning(self, keys: Sequence[Key]) -> set[Key]:
        """Return the keys that have a row without a beginning."""
        found: set[Key] = set()
        with self._sqlite_errors():
            connection = self._begin()
            for at in range(0, len(keys), 500):
                some = [queue_id for _, queue_id in keys[at : at + 500]]
                found.update(
                    connection.execute(
                        "SELECT host, queue_id FROM transactions"
                        f" WHERE NOT settled AND headless AND queue_id IN ({placeholders(some)})",
                        some,
                    )
                )
        return found & set(keys)

    def find(self, wanted: Mapping[Key, TimeSpan]) -> dict[Key, list[Stored]]:
        """Return the rows of each key that are not settled, and those near its time span or near each other."""
        found: dict[Key, list[Stored]] = {}
        with self._sqlite_errors():
            connection = self._begin()
            for key, span in wanted.items():
                if rows := self._near(connection, key, span):
                    found[key] = rows
        return found

    def _near(self, connection: sqlite3.Connection, key: Key, span: TimeSpan) -> list[Stored]:
        rows = list(map(stored, connection.execute(_UNSETTLED, key)))
        spans = [span, *(time_span_of([row.transaction]) for row in rows)]
        looked_at: set[int] = set()
        # A row that is found can extend the time span, so that more rows are near it.
        while True:
            whole = min(since for since, _ in spans), max(until for _, until in spans)
            parts = {part.part for part in self._parts.between(*starts_near(whole))} - looked_at
            if not parts:
                return rows
            for part in parts:
                values = (part, queue_id_term(key[1]), *key)
                near = list(map(stored, connection.execute(_SETTLED, values)))
                rows += near
                spans += [time_span_of([row.transaction]) for row in near]
            looked_at |= parts

    def commit(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Commit all writes since the last commit together with the checkpoints."""
        with self._sqlite_errors():
            connection = self._begin()
            self._save(connection)
            connection.executemany(
                "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?, ?)",
                [(c.log, c.offset, c.tail, os.fsencode(c.path), orjson.dumps(c.state), c.saved) for c in checkpoints],
            )
            connection.execute("COMMIT")

    def _save(self, connection: sqlite3.Connection) -> None:
        self._columns.save(connection)
        self._parts.save(connection)

    def checkpoints(self) -> list[Checkpoint]:
        """Return all checkpoints."""
        with self._sqlite_errors():
            rows = self._begin().execute('SELECT log, "offset", tail, path, state, saved FROM checkpoints')
            return [
                Checkpoint(log, offset, tail, os.fsdecode(path), orjson.loads(state), saved)
                for log, offset, tail, path, state, saved in rows
            ]

    def forget(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Commit all writes together with the deletion of these checkpoints."""
        with self._sqlite_errors():
            logs = [(checkpoint.log,) for checkpoint in checkpoints]
            self._begin().executemany("DELETE FROM checkpoints WHERE log = ?", logs)
        self.commit([])

    def search(self, query: Query) -> Iterator[Document]:
        """Yield the documents that match, in the order of the query."""
        with self._reading() as connection:
            yield from islice(Search(connection, query).documents(), query.limit)

    def count(self, query: Query) -> int:
        """Return the number of documents that match."""
        with self._reading() as connection:
            return Search(connection, query).count()

    def group(self, query: Query, grouping: Grouping) -> list[Group]:
        """Return the groups of the documents that match."""
        with self._reading() as connection:
            return Search(connection, query).groups(grouping)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        if not self.path.is_file() or not self.path.stat().st_size:
            raise self._missing()
        with self._sqlite_errors():
            connection = open_reader(self.path)
            try:
                if is_empty(connection):
                    raise self._missing()
                check(connection, self.name)
                # One transaction, so that a search reads one state of the store.
                connection.execute("BEGIN")
                yield connection
            finally:
                connection.close()

    def _missing(self) -> StoreMissingError:
        return StoreMissingError(f"nothing has been indexed at {self.path}: run mailtrace-index first")

    def slices(self) -> Iterator[Sequence[Stored]]:
        """Yield all rows in the order of their numbers, which a replacement does not change."""
        sql = f"SELECT {FIELDS} FROM transactions WHERE number > ? ORDER BY number LIMIT {_SLICE}"
        last = -1
        while True:
            with self._sqlite_errors():
                rows = list(map(stored, self._begin().execute(sql, (last,))))
            if not rows:
                return
            yield rows
            last = rows[-1].version[0]

    def grammar(self) -> int:
        """Return the version of the grammar that made the documents."""
        with self._sqlite_errors():
            return grammar_of(self._begin())

    def set_grammar(self, version: int) -> None:
        """Record the version of the grammar that made the documents."""
        with self._sqlite_errors():
            set_grammar(self._begin(), version)

    def expire(self, before: float) -> int:
        """Delete parts with only documents dated and first indexed before a time, and return the space to the disk."""
        deleted = 0
        with self._sqlite_errors():
            connection = self._begin()
            self._save(connection)
            for part in self._parts.expired(before):
                delete_columns(connection, part)
                deleted += self._parts.delete(connection, part)
                connection.execute("COMMIT")
                connection = self._begin()
            connection.execute("DELETE FROM checkpoints WHERE saved < ?", (before,))
            connection.execute("COMMIT")
            if deleted:
                # Each step of the pragma frees one page, and execute() makes a single step.
                connection.executescript("PRAGMA incremental_vacuum")
        return deleted

    def close(self) -> None:
        """Close the file; writes that were not committed are discarded."""
        if self._writer is not None:
            with suppress(sqlite3.Error):
                self._writer.close()
            self._writer = None
