"""Searches of the embedded store: blocks and rows are read in the order of their dates, each when needed.

Results are read in slices, each in a database transaction of its own. A transaction that stays open, such as that of a
search in a pager, would keep the writer from emptying its write-ahead log.
"""

import sqlite3
import time
from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from itertools import compress, count
from typing import Final, TypeAlias

from mailtrace.message.document import Document
from mailtrace.message.lines import document_in
from mailtrace.search.query import Query
from mailtrace.stores.sqlite.block import Block
from mailtrace.stores.sqlite.exact_terms import conditions_of
from mailtrace.stores.sqlite.filter import Filter
from mailtrace.stores.sqlite.schema import CHUNK_BITS, TERM_BITS, json_of

_BLOCK, _ROW = range(2)
_FOREVER: Final = 2**62
_BEFORE_ALL: Final = -(2**96)
"""Less than any ID."""
_SLICE_SECONDS: Final = 0.5
_FIRST_SLICE, _SLICE = 10, 500
"""How many documents are read at a time: the first ones are shown soon."""


_Entry: TypeAlias = tuple[int, int, int, int]
"""Date, `_BLOCK` or `_ROW`, ID, and number. The date is in microseconds since 1970; both are negative for the newest
first. The date of a block is the first that a document in it can have, so it is read before any document after it."""


def blocks_of(connection: sqlite3.Connection, query: Query) -> Iterator[Block]:
    """Yield the blocks that can have documents that match."""
    since = -_FOREVER if query.since is None else query.since
    until = _FOREVER if query.until is None else query.until
    found = connection.execute(
        "SELECT block, size, documents, since, until FROM blocks WHERE documents AND until >= ? AND since <= ?",
        (since, until),
    )
    conditions = conditions_of(query)
    chunks = _with_terms(connection, conditions) if conditions else None
    for number, *values in found:
        if chunks is None or number >> CHUNK_BITS in chunks:
            yield Block(connection, number, *values)


def _with_terms(connection: sqlite3.Connection, conditions: list[list[int]]) -> set[int]:
    """Return the chunks that have a term of every condition."""
    has_term = "EXISTS (SELECT 1 FROM terms WHERE term IN ({}))"
    sql = " AND ".join(has_term.format(", ".join([f"(chunk << {TERM_BITS}) + ?"] * len(terms))) for terms in conditions)
    values = [term for terms in conditions for term in terms]
    chunks = f"SELECT DISTINCT block >> {CHUNK_BITS} AS chunk FROM blocks"
    return {chunk for (chunk,) in connection.execute(f"SELECT chunk FROM ({chunks}) WHERE {sql}", values)}


class Results:
    """The documents that match, in the order of the query, slice by slice.

    If the store is written between two slices, the search goes on after the last place in the order (date and ID).
    """

    def __init__(self, query: Query) -> None:
        self._query, self._filter = query, Filter(query)
        self._sign = 1 if query.oldest_first else -1
        self._left = _FOREVER if query.limit is None else query.limit
        self._size = _FIRST_SLICE
        self._heap: list[_Entry] = []
        self._blocks: dict[int, Block] = {}
        self._read_from: tuple[sqlite3.Connection, int] | None = None
        self._after = self._next_after = (-_FOREVER, _BEFORE_ALL)
        self._is_accepted = False

    @property
    def is_at_end(self) -> bool:
        """Whether everything that was accepted is all."""
        return self._left <= 0 or not self._heap

    def slice(self, connection: sqlite3.Connection) -> list[Document]:
        """Return the next documents; none if the next ones take longer to find than a slice may last.

        The same ones are returned again, unless they are accepted.
        """
        read_from = connection, int(connection.execute("PRAGMA data_version").fetchone()[0])
        if not self._is_accepted or read_from != self._read_from:
            self._start(connection)
        self._read_from, self._is_accepted = read_from, False
        end = time.monotonic() + _SLICE_SECONDS
        numbers: list[int] = []
        self._next_after = self._after
        while self._heap and len(numbers) < min(self._size, self._left) and time.monotonic() < end:
            date, kind, id_, number = heappop(self._heap)
            if kind == _ROW:
                numbers.append(number)
                self._next_after = date, id_
            else:
                self._next_after = max(self._next_after, (date, _BEFORE_ALL))
                self._push_rows(self._blocks.pop(number))
        return self._documents(connection, numbers)

    def accept(self, documents: list[Document]) -> None:
        """Go on after the documents of the last slice."""
        self._after, self._is_accepted, self._size = self._next_after, True, _SLICE
        self._left -= len(documents)

    def _start(self, connection: sqlite3.Connection) -> None:
        """Find the blocks that can have documents after the last one."""
        self._heap, self._blocks = [], {}
        for block in blocks_of(connection, self._query):
            first, last = sorted((self._sign * block.since, self._sign * block.until))
            if last >= self._after[0]:
                self._blocks[block.number] = block
                self._heap.append((first, _BLOCK, 0, block.number))
        heapify(self._heap)

    def _push_rows(self, block: Block) -> None:
        rows = self._filter.rows(block)
        if not rows:
            return
        places = zip(block.dates, block.ids, count(block.number))
        for date, id_, number in compress(places, rows.to_bytes(block.size, "little")):
            place = self._sign * date, self._sign * int.from_bytes(id_, "big")
            if place > self._after:
                heappush(self._heap, (place[0], _ROW, place[1], number))

    def _documents(self, connection: sqlite3.Connection, numbers: list[int]) -> list[Document]:
        sql = "SELECT number, lines FROM transactions WHERE number IN (SELECT value FROM json_each(?))"
        found = {number: document_in(lines) for number, lines in connection.execute(sql, (json_of(numbers),))}
        documents = map(found.__getitem__, numbers)
        return [each for each in documents if each is not None and self._filter.confirms(each)]
