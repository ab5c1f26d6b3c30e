"""Stores that keep nothing, behind the product's indexer: what is left is the work before the store."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

import orjson

from mailtrace.logs.checkpoint import Checkpoint
from mailtrace.message.document import Document
from mailtrace.message.transaction import Key, TimeSpan, Transaction
from mailtrace.search.groups import Group, Grouping
from mailtrace.search.query import Query
from mailtrace.stores.base import Removal, Replacement, Row, Stored, WriteResult


class Counting:
    """Takes rows and counts their documents: parsing and reducing alone."""

    def __init__(self) -> None:
        self.documents = 0

    @property
    def name(self) -> str:
        """No path and no URL: every process has a store, and so a lock, of its own."""
        return f"bench:{os.getpid()}"

    @property
    def is_exclusive(self) -> bool:
        """Nobody else writes nowhere."""
        return True

    @property
    def is_remote(self) -> bool:
        """It takes no time."""
        return False

    def prepare(self) -> None:
        """Nothing is to be made ready."""

    def create(self, rows: Iterable[Row]) -> WriteResult:
        """Count the documents; every ID is new."""
        for row in rows:
            self.take(row)
        return WriteResult(set(), [])

    def take(self, row: Row) -> None:
        """Count a document."""
        self.documents += row.document is not None

    def replace(self, replacements: Sequence[Replacement]) -> WriteResult:
        """Take rows again, as new ones."""
        return self.create([replacement.row for replacement in replacements])

    def remove(self, removals: Sequence[Removal]) -> None:
        """Nothing is there."""

    def read(self, _transactions: Sequence[Transaction]) -> dict[str, Stored]:
        """Nothing is there."""
        return {}

    def lacking_beginning(self, _keys: Sequence[Key]) -> set[Key]:
        """Nothing is there."""
        return set()

    def find(self, _wanted: Mapping[Key, TimeSpan]) -> dict[Key, list[Stored]]:
        """Nothing is there."""
        return {}

    def commit(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Nothing is kept."""

    def checkpoints(self) -> list[Checkpoint]:
        """Every log is new."""
        return []

    def search(self, _query: Query) -> Iterator[Document]:
        """Nothing is there."""
        return iter(())

    def count(self, _query: Query) -> int:
        """Nothing is there."""
        return 0

    def group(self, _query: Query, _grouping: Grouping) -> list[Group]:
        """Nothing is there."""
        return []

    def expire(self, _before: float) -> int:
        """Nothing is there."""
        return 0

    def close(self) -> None:
        """Notify what has been taken."""
        print(orjson.dumps({"documents": self.documents}).decode())


class Bodies(Counting):
    """Makes finished bodies of bulk requests, as Elasticsearch's store sends them, and throws them away."""

    _OPERATIONS = 500
    """In a body."""

    def __init__(self) -> None:
        super().__init__()
        # Only here, so that parsing alone does not pay for the import of Elasticsearch's client.
        from mailtrace.stores.elasticsearch.periods import name_of
        from mailtrace.stores.elasticsearch.rows import day_of, source

        self._day_of, self._name_of, self._source = day_of, name_of, source
        self.bytes = 0

    def create(self, rows: Iterable[Row]) -> WriteResult:
        """Make the bodies."""
        lines: list[bytes] = []
        for row in rows:
            index = f"mailtrace-{self._name_of(self._day_of(row.transaction.start), 'day')}"
            lines += orjson.dumps({"create": {"_index": index, "_id": row.id}}), self._source(row)
            self.take(row)
            if len(lines) == 2 * self._OPERATIONS:
                self._finish(lines)
        self._finish(lines)
        return WriteResult(set(), [])

    def _finish(self, lines: list[bytes]) -> None:
        self.bytes += len(b"\n".join([*lines, b""]))
        lines.clear()
