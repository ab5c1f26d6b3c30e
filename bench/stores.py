"""Stores that keep nothing, to measure the indexer without a store."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import orjson

from mailtrace.indexing.lock import lock_path
from mailtrace.logs.checkpoint import Checkpoint
from mailtrace.message.document import Document
from mailtrace.message.part import Part
from mailtrace.message.transaction import Key, TimeSpan
from mailtrace.mta.version import GRAMMAR_VERSION
from mailtrace.search.groups import Group, Grouping
from mailtrace.search.overview import Overview, overview_of
from mailtrace.search.query import Query
from mailtrace.search.tally import Span
from mailtrace.stores.base import Encoding, Removal, Replacement, Row, Stored, WriteResult
from mailtrace.syslog.records import Record


def _nothing(_row: Row) -> bytes:
    return b"kept"


def _no_lines(_host: str, _kept: bytes) -> list[Record]:
    raise AssertionError("nothing is stored that lines can be joined with")


class Counting:
    """Count documents: measures parsing and reducing only."""

    def __init__(self) -> None:
        self.documents = 0

    @property
    def name(self) -> str:
        """A name of its own for every process, so that each has its own lock file."""
        return str(Path(__file__).with_name(".cache") / str(os.getpid()))

    @property
    def is_exclusive(self) -> bool:
        """Nobody else writes to it."""
        return True

    @property
    def encoding(self) -> Encoding:
        """Nothing is kept."""
        return Encoding(_nothing, _no_lines)

    @property
    def is_remote(self) -> bool:
        """It works in this process."""
        return False

    def prepare(self) -> None:
        """Do nothing."""

    def create(self, rows: Iterable[Row]) -> WriteResult:
        """Count the documents; every ID is new."""
        for row in rows:
            self.count_document(row)
        return WriteResult(set(), [])

    def count_document(self, row: Row) -> None:
        """Count a document."""
        self.documents += not row.is_stub

    def replace(self, replacements: Sequence[Replacement]) -> WriteResult:
        """Count the rows like new ones."""
        return self.create([replacement.row for replacement in replacements])

    def remove(self, removals: Sequence[Removal]) -> None:
        """Do nothing."""

    def read(self, _transactions: Sequence[Part]) -> dict[str, Stored]:
        """Return nothing: the store is empty."""
        return {}

    def lacking_beginning(self, _keys: Sequence[Key]) -> set[Key]:
        """Return nothing: the store is empty."""
        return set()

    def find(self, _wanted: Mapping[Key, TimeSpan]) -> dict[Key, list[Stored]]:
        """Return nothing: the store is empty."""
        return {}

    def commit(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Do nothing."""

    def checkpoints(self) -> list[Checkpoint]:
        """Return none: every log is new."""
        return []

    def forget(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Do nothing."""

    def search(self, _query: Query) -> Iterator[Document]:
        """Return nothing: the store is empty."""
        return iter(())

    def count(self, _query: Query) -> int:
        """Return nothing: the store is empty."""
        return 0

    def group(self, _query: Query, _grouping: Grouping) -> list[Group]:
        """Return nothing: the store is empty."""
        return []

    def slices(self) -> Iterator[Sequence[Stored]]:
        """Return nothing: the store is empty."""
        return iter(())

    def grammar(self) -> int:
        """Return this version: the store is empty."""
        return GRAMMAR_VERSION

    def set_grammar(self, version: int) -> None:
        """Do nothing."""

    def overview(self, query: Query, span: Span) -> Overview:
        """Return the overview of nothing: the store is empty."""
        return overview_of(query, span, [])

    def expire(self, _before: float) -> int:
        """Return nothing: the store is empty."""
        return 0

    def close(self) -> None:
        """Print the number of documents, in the process that writes, and delete the lock file."""
        lock_path(Path(self.name)).unlink(missing_ok=True)
        if self.documents:
            print(orjson.dumps({"documents": self.documents}).decode())


class Bodies(Counting):
    """Make bodies of bulk requests like the Elasticsearch store's, and discard them."""

    _OPERATIONS = 500
    """Operations per body."""

    def __init__(self) -> None:
        super().__init__()
        # Imported here, so that Counting does not load the Elasticsearch client.
        from mailtrace.stores.elasticsearch.periods import name_of
        from mailtrace.stores.elasticsearch.rows import day_of, encoded, lines_in, source

        self._day_of, self._name_of, self._source = day_of, name_of, source
        self._encoding = Encoding(encoded, lines_in)
        self.bytes = 0

    @property
    def encoding(self) -> Encoding:
        """It makes the JSON of a document."""
        return self._encoding

    def create(self, rows: Iterable[Row]) -> WriteResult:
        """Make the bodies."""
        lines: list[bytes] = []
        for row in rows:
            index = f"mailtrace-{self._name_of(self._day_of(row.transaction.start), 'day')}"
            lines += orjson.dumps({"create": {"_index": index, "_id": row.id}}), self._source(row)
            self.count_document(row)
            if len(lines) == 2 * self._OPERATIONS:
                self._finish(lines)
        self._finish(lines)
        return WriteResult(set(), [])

    def _finish(self, lines: list[bytes]) -> None:
        self.bytes += len(b"\n".join([*lines, b""]))
        lines.clear()
