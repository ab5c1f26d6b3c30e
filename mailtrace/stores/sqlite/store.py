"""The embedded store: one SQLite file, written by one indexer at a time and read by any number of searches.

`schema.py` describes its layout.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import islice, starmap
from pathlib import Path
from typing import Final

import orjson

from mailtrace.errors import StoreError, StoreUnavailableError
from mailtrace.logs.checkpoint import Checkpoint
from mailtrace.message.document import Document
from mailtrace.message.part import Part
from mailtrace.message.transaction import Key, TimeSpan, starts_near, time_span_of
from mailtrace.search.groups import Group, Grouping, groups_of
from mailtrace.search.overview import Overview, finished, overview_of
from mailtrace.search.query import Query
from mailtrace.search.tally import Span
from mailtrace.stores import make_folder
from mailtrace.stores.base import Encoding, Notify, Removal, Replacement, Row, Stored, WriteResult
from mailtrace.stores.sqlite.block import numbers_of
from mailtrace.stores.sqlite.exact_terms import queue_id_term
from mailtrace.stores.sqlite.filter import Filter
from mailtrace.stores.sqlite.groups import groups_of_blocks
from mailtrace.stores.sqlite.new_blocks import NewBlocks, delete, delete_empty, expire_chunk, last_indexed
from mailtrace.stores.sqlite.overview import tally_of_blocks
from mailtrace.stores.sqlite.reader import Reader
from mailtrace.stores.sqlite.rows import FIELDS, HEADLESS, SETTLED, kept_of, lines_in, stored
from mailtrace.stores.sqlite.schema import (
    CHUNK_BITS,
    TERM_BITS,
    WAIT_SECONDS,
    contents,
    grammar_of,
    is_store,
    json_of,
    not_a_store,
    numbers_in,
    set_grammar,
    set_up,
)
from mailtrace.stores.sqlite.search import Results, blocks_of

_SLICE: Final = 1_000
"""How many rows are in memory at a time."""


class SqliteStore:
    """The embedded store at a path. The first write creates the file; searches open it read-only."""

    def __init__(self, path: str, *, now: Callable[[], float] = time.time, notify: Notify = lambda _: None) -> None:
        self.path = Path(path)
        self._now, self._notify = now, notify
        self._writer: sqlite3.Connection | None = None
        self._shrunk: set[int] = set()
        """The blocks of which rows were deleted since the last commit."""

    @property
    def name(self) -> str:
        """The store's path."""
        return str(self.path)

    @property
    def is_exclusive(self) -> bool:
        """True: a writer holds SQLite's lock from its first look-up until it commits."""
        return True

    @property
    def encoding(self) -> Encoding:
        """It compresses lines, and takes the values of the columns from the document."""
        return Encoding(kept_of, lines_in)

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
            make_folder(self.path.parent)
            _touch(self.path)
        except OSError as error:
            raise StoreError(
                f"{self.path} cannot be written ({error.strerror}): choose another file with --store"
            ) from error
        with self._sqlite_errors():
            # Imported here, because searches need no migration.
            from mailtrace.stores.sqlite.migration import migrate  # noqa: PLC0415

            migrate(self.path, lambda path, now: SqliteStore(path, now=now), self._notify)
            connection = sqlite3.connect(self.path, timeout=WAIT_SECONDS, isolation_level=None)
            try:
                set_up(connection, self.name)
            except BaseException:
                connection.close()
                raise
            self._writer = connection

    @contextmanager
    def _sqlite_errors(self) -> Iterator[None]:
        """Raise errors of SQLite as a `StoreError` with advice."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or "busy" in str(error):
                raise StoreUnavailableError(f"{self.path} is locked by another process: try again") from error
            raise StoreError(
                f"{self.path} cannot be used: {error}{_advice(error)}; what is stored is not lost"
            ) from error
        except sqlite3.DatabaseError as error:
            if not is_store(self.path):
                raise not_a_store(self.name) from error
            raise StoreError(f"{self.path} is damaged ({error}): move it away, then index the logs again") from error

    def _begin(self) -> sqlite3.Connection:
        """Return the connection for writing, with a transaction open."""
        if self._writer is None:
            self.prepare()
        connection = self._writer
        assert connection is not None
        if not connection.in_transaction:
            connection.execute("BEGIN IMMEDIATE")
        return connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection for writing; if the write fails, nothing of this transaction is kept."""
        with self._sqlite_errors():
            connection = self._begin()
            try:
                yield connection
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise

    def create(self, rows: Iterable[Row]) -> WriteResult:
        """Insert rows; rows whose ID exists already are returned as conflicts."""
        conflicts: set[str] = set()
        remaining = iter(rows)
        with self._writing() as connection:
            new = NewBlocks(connection, int(self._now()))
            while some := list(islice(remaining, _SLICE)):
                starts = {row.id: row.transaction.start for row in some}
                known = {id_ for _, id_ in _known(connection, starts)}
                conflicts |= known
                new.add((starts[row.id], row) for row in some if row.id not in known)
            new.save()
        return WriteResult(conflicts, [])

    def replace(self, replacements: Sequence[Replacement]) -> WriteResult:
        """Replace rows that still have the version that was read, by new rows, which expire no later."""
        with self._writing() as connection:
            indexed = last_indexed(connection, (version for _, version in replacements))
            deleted = delete(connection, ((version, row.id) for row, version in replacements), self._shrunk)
            new = NewBlocks(connection, int(self._now()) if indexed is None else indexed)
            new.add((row.transaction.start, row) for row, _ in replacements if row.id in deleted)
            new.save()
        return WriteResult({row.id for row, _ in replacements} - deleted, [])

    def remove(self, removals: Sequence[Removal]) -> None:
        """Delete rows that still have the version that was read."""
        with self._writing() as connection:
            delete(connection, ((removal.version, removal.id) for removal in removals), self._shrunk)

    def read(self, transactions: Sequence[Part]) -> dict[str, Stored]:
        """Return the stored rows with the IDs of these transactions, by ID."""
        if not transactions:
            return {}
        with self._writing() as connection:
            known = _known(connection, {transaction.id: transaction.start for transaction in transactions})
            sql = f"SELECT {FIELDS} FROM transactions WHERE number = ?"
            return {id_: stored(*connection.execute(sql, (number,)).fetchone()) for number, id_ in list(known)}

    def lacking_beginning(self, keys: Sequence[Key]) -> set[Key]:
        """Return the keys that have a row without a beginning."""
        sql = (
            f"SELECT host, queue_id FROM transactions WHERE state > 0 AND state = {HEADLESS}"
            " AND queue_id IN (SELECT value FROM json_each(?))"
        )
        with self._writing() as connection:
            return set(connection.execute(sql, (json_of(queue_id for _, queue_id in keys),))) & set(keys)

    def find(self, wanted: Mapping[Key, TimeSpan]) -> dict[Key, list[Stored]]:
        """Return the rows of each key that are not settled, and those near its time span or near each other."""
        found: dict[Key, list[Stored]] = {}
        with self._writing() as connection:
            for key, span in wanted.items():
                if rows := _near(connection, key, span):
                    found[key] = rows
        return found

    def commit(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Commit all writes since the last commit together with the checkpoints."""
        with self._writing() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?, ?)",
                [(c.log, c.offset, c.tail, os.fsencode(c.path), orjson.dumps(c.state), c.saved) for c in checkpoints],
            )
            delete_empty(connection, self._shrunk)
            connection.execute("COMMIT")
            self._shrunk.clear()

    def checkpoints(self) -> list[Checkpoint]:
        """Return all checkpoints."""
        with self._writing() as connection:
            return _checkpoints(connection)

    def known_logs(self) -> list[Checkpoint]:
        """Return all checkpoints, read as a search reads."""
        with self._reading() as reader:
            return reader.read(_checkpoints)

    def forget(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Commit all writes together with the deletion of these checkpoints."""
        with self._writing() as connection:
            logs = [(checkpoint.log,) for checkpoint in checkpoints]
            connection.executemany("DELETE FROM checkpoints WHERE log = ?", logs)
        self.commit([])

    def slices(self) -> Iterator[Sequence[Stored]]:
        """Yield the rows that there are now: a row that is replaced meanwhile gets a number after them."""
        with self._writing() as connection:
            blocks = connection.execute("SELECT block, block + size FROM blocks ORDER BY block").fetchall()
        sql = f"SELECT {FIELDS} FROM transactions WHERE number >= ? AND number < ?"
        for first, end in blocks:
            for number in range(first, end, _SLICE):
                with self._writing() as connection:
                    rows = list(starmap(stored, connection.execute(sql, (number, min(number + _SLICE, end)))))
                if rows:
                    yield rows

    def grammar(self) -> int:
        """Return the version of the grammar that made the documents."""
        with self._writing() as connection:
            return grammar_of(connection)

    def set_grammar(self, version: int) -> None:
        """Record, with the next commit, the version of the grammar that made the documents."""
        with self._writing() as connection:
            set_grammar(connection, version)

    def search(self, query: Query) -> Iterator[Document]:
        """Yield the documents that match, in the order of the query."""
        results = Results(query)
        with self._reading() as reader:
            while documents := self._next(reader, results):
                yield from documents

    def count(self, query: Query) -> int:
        """Return the number of documents that match."""
        if query.queued:
            return sum(1 for _ in self.search(replace(query, limit=None)))
        filter_ = Filter(query)
        with self._reading() as reader:
            return reader.read(lambda connection: sum(map(filter_.number, blocks_of(connection, query))))

    def group(self, query: Query, grouping: Grouping) -> Sequence[Group]:
        """Return the groups of the documents that match."""
        if query.queued:
            return groups_of(query, grouping, self.search(replace(query, limit=None)))
        with self._reading() as reader:
            return reader.read(lambda connection: groups_of_blocks(query, grouping, blocks_of(connection, query)))

    def overview(self, query: Query, span: Span) -> Overview:
        """Return the overview of the documents that match; the query's dates do not count."""
        every = span.whole.of(query)
        if query.queued:
            return overview_of(query, span, self.search(every))
        with self._reading() as reader:
            tally = reader.read(lambda connection: tally_of_blocks(query, span, blocks_of(connection, every)))
        return finished(tally)

    @staticmethod
    def _next(reader: Reader, results: Results) -> list[Document]:
        """Return the next documents; none at the end."""
        while True:
            documents = reader.read(results.slice)
            results.accept(documents)
            if documents or results.is_at_end:
                return documents

    @contextmanager
    def _reading(self) -> Iterator[Reader]:
        reader = Reader(self.path)
        with self._sqlite_errors():
            try:
                yield reader
            finally:
                reader.close()

    def expire(self, before: float) -> int:
        """Delete chunks with only documents dated and first indexed before a time, and return the space to the disk."""
        deleted = 0
        with self._writing() as connection:
            connection.execute("DELETE FROM checkpoints WHERE saved < ?", (before,))
            connection.execute("COMMIT")
        number: int | None = 0
        while number is not None:
            # Another indexer can write, or expire the same, between two transactions.
            deleted += number
            with self._writing() as connection:
                number = expire_chunk(connection, before)
                connection.execute("COMMIT")
        if deleted:
            with self._sqlite_errors():
                # Each step of the pragma frees one page, and execute() makes a single step.
                connection.executescript("PRAGMA incremental_vacuum")
        return deleted

    def close(self) -> None:
        """Close the file; writes that were not committed are discarded."""
        if self._writer is not None:
            with suppress(sqlite3.Error):
                self._writer.close()
            self._writer = None


def _advice(error: sqlite3.Error) -> str:
    return ": free some space, then run mailtrace-index again" if "disk is full" in str(error) else ""


@contents()
def _checkpoints(connection: sqlite3.Connection) -> list[Checkpoint]:
    rows = connection.execute('SELECT log, "offset", tail, path, state, saved FROM checkpoints')
    return [
        Checkpoint(log, offset, tail, os.fsdecode(path), orjson.loads(state), saved)
        for log, offset, tail, path, state, saved in rows
    ]


def _known(connection: sqlite3.Connection, starts: Mapping[str, int]) -> Iterator[tuple[int, str]]:
    """Yield number and ID of the stored rows with these IDs; `starts`: those of their transactions."""
    numbers = numbers_of(connection, {bytes.fromhex(id_): start for id_, start in starts.items()})
    sql = "SELECT number, id FROM transactions WHERE number IN (SELECT value FROM json_each(?))"
    return ((number, id_.hex()) for number, id_ in connection.execute(sql, (json_of(numbers),)))


def _near(connection: sqlite3.Connection, key: Key, span: TimeSpan) -> list[Stored]:
    """Return the rows of a key that are not settled, and those near its time span or near each other."""
    sql = f"SELECT {FIELDS} FROM transactions WHERE state > 0 AND host = ? AND queue_id = ?"
    rows = list(starmap(stored, connection.execute(sql, key)))
    spans = [span, *(time_span_of([row.transaction]) for row in rows)]
    looked_at: set[int] = set()
    # A row that is found can extend the time span, so that more rows are near it.
    while True:
        since, until = starts_near((min(since for since, _ in spans), max(until for _, until in spans)))
        sql = f"SELECT DISTINCT block >> {CHUNK_BITS} FROM blocks WHERE last >= ? AND first <= ?"
        chunks = {chunk for (chunk,) in connection.execute(sql, (since, until))} - looked_at
        if not chunks:
            return rows
        near = list(_settled(connection, key, chunks))
        rows += near
        spans += [time_span_of([row.transaction]) for row in near]
        looked_at |= chunks


def _settled(connection: sqlite3.Connection, key: Key, chunks: set[int]) -> Iterator[Stored]:
    """Yield the settled rows of a key in these chunks."""
    term = queue_id_term(key[1])
    terms = json_of(chunk << TERM_BITS | term for chunk in chunks)
    sql = (
        f"SELECT {FIELDS} FROM transactions"
        f" WHERE number BETWEEN ? AND ? AND state = {SETTLED} AND host = ? AND queue_id = ?"
    )
    found = connection.execute("SELECT term FROM terms WHERE term IN (SELECT value FROM json_each(?))", (terms,))
    for (term,) in found.fetchall():
        yield from starmap(stored, connection.execute(sql, (*numbers_in(term >> TERM_BITS, CHUNK_BITS), *key)))


def _touch(path: Path) -> None:
    """Check that a file can be written; create it if it is missing, readable by the group whatever the umask."""
    before = os.umask(0)
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
    finally:
        os.umask(before)
    os.close(handle)
