"""Searches of the embedded store: parts, chunks and rows are read in the order of their dates, each when needed."""

import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from heapq import heappop, heappush
from typing import Final

from mailtrace.message.document import Document
from mailtrace.message.lines import document_in
from mailtrace.search.groups import Group, GroupCounter, Grouping
from mailtrace.search.query import Query, matches
from mailtrace.stores.sqlite.chunk import Chunk
from mailtrace.stores.sqlite.column_filter import Filter
from mailtrace.stores.sqlite.column_groups import Counts, columns_of
from mailtrace.stores.sqlite.exact_terms import conditions_of
from mailtrace.stores.sqlite.schema import CHUNK_BITS, POSITION_BITS, placeholders

_PART, _CHUNK, _ROW = range(3)
_FOREVER: Final = 2**62
_POSITION_MASK: Final = (1 << CHUNK_BITS) - 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Search:
    """A query on a store that is open for reading."""

    def __init__(self, connection: sqlite3.Connection, query: Query) -> None:
        self._connection, self._query = connection, query
        self._since = -_FOREVER if query.since is None else query.since
        self._until = _FOREVER if query.until is None else query.until
        self._conditions = conditions_of(query)
        self._sign = 1 if query.oldest_first else -1

    def documents(self) -> Iterator[Document]:
        """Yield the documents that match, in the order of the query, without its limit."""
        filter_ = Filter(self._query)
        heap: list[tuple[int, int, int, int]] = []
        for part, since, until in self._parts():
            heappush(heap, (self._key(since, until), _PART, 0, part))
        while heap:
            _, kind, _, number = heappop(heap)
            if kind == _ROW:
                found = self._document(number)
                if found is not None and matches(self._query, found):
                    yield found
            elif kind == _CHUNK:
                rows = filter_.rows(self._chunk(number))
                self._push_rows(heap, [number << CHUNK_BITS | position for position, _, _ in rows])
            elif self._conditions:
                self._push_rows(heap, self._with_terms(number))
            else:
                for chunk, since, until in self._chunks(number):
                    heappush(heap, (self._key(since, until), _CHUNK, 0, chunk))

    def _key(self, since: int, until: int) -> int:
        """Return the smallest sort key that a row between two dates can have."""
        return since if self._query.oldest_first else -until

    def _push_rows(self, heap: list[tuple[int, int, int, int]], numbers: list[int]) -> None:
        for at in range(0, len(numbers), 500):
            some = numbers[at : at + 500]
            rows = self._connection.execute(
                f"SELECT number, date, id FROM transactions WHERE number IN ({placeholders(some)}) AND NOT stub", some
            )
            for number, date, id_ in rows:
                if self._since <= date <= self._until:
                    heappush(heap, (self._sign * date, _ROW, self._sign * int.from_bytes(id_, "big"), number))

    def _document(self, number: int) -> Document | None:
        row = self._connection.execute("SELECT facts FROM transactions WHERE number = ?", (number,)).fetchone()
        return document_in(row[0], with_lines=self._query.with_lines) if row else None

    def _parts(self) -> list[tuple[int, int, int]]:
        return self._connection.execute(
            "SELECT part, since, until FROM parts WHERE until >= ? AND since <= ?", (self._since, self._until)
        ).fetchall()

    def _chunks(self, part: int) -> list[tuple[int, int, int]]:
        first = part << (POSITION_BITS - CHUNK_BITS)
        last = ((part + 1) << (POSITION_BITS - CHUNK_BITS)) - 1
        return self._connection.execute(
            "SELECT chunk, since, until FROM chunks WHERE chunk BETWEEN ? AND ? AND until >= ? AND since <= ?",
            (first, last, self._since, self._until),
        ).fetchall()

    def _with_terms(self, part: int) -> list[int]:
        """Return the numbers of the rows of a part that have a term of every condition."""
        one = "SELECT place FROM terms WHERE part = ? AND term IN ({})"
        sql = " INTERSECT ".join(one.format(placeholders(terms)) for terms in self._conditions)
        values = [value for terms in self._conditions for value in (part, *terms)]
        return [part << POSITION_BITS | place for place in {row[0] for row in self._connection.execute(sql, values)}]

    def _chunk(self, number: int) -> Chunk:
        return Chunk(self._connection, number)

    def count(self) -> int:
        """Return the number of documents that match."""
        filter_ = Filter(self._query)
        if filter_.is_empty:
            return sum(len(filter_.positions(self._chunk(number))) for number, _ in self._candidates())
        return sum(1 for number, within in self._candidates() for _ in filter_.rows(self._chunk(number), within))

    def _candidates(self) -> Iterator[tuple[int, set[int] | None]]:
        """Yield the numbers of chunks that can match, each with the positions of candidates; None means all."""
        for part, _, _ in self._parts():
            if not self._conditions:
                yield from ((chunk, None) for chunk, _, _ in self._chunks(part))
                continue
            within: dict[int, set[int]] = {}
            for number in self._with_terms(part):
                within.setdefault(number >> CHUNK_BITS, set()).add(number & _POSITION_MASK)
            yield from within.items()

    def groups(self, grouping: Grouping) -> list[Group]:
        """Return the groups of the documents that match."""
        counter, counts = GroupCounter(grouping), Counts(grouping)
        filter_ = Filter(self._query, columns_of(grouping))
        for number, within in self._candidates():
            chunk = self._chunk(number)
            if filter_.is_empty:
                counts.add(chunk, filter_.positions(chunk))
                continue
            for _, date, found in filter_.rows(chunk, within):
                if grouping.is_of_times:
                    counter.count(grouping.time(_EPOCH + timedelta(microseconds=date)))
                else:
                    counter.add(self._query, found)
        counts.add_to(counter)
        return counter.groups()
