"""The chunks of the embedded store for its writer: where new rows go, and where a stored one can be."""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from mailtrace.stores.sqlite.block import ids_of
from mailtrace.stores.sqlite.schema import CHUNK_BITS, CHUNK_SIZE, COLUMN_BITS, TERM_BITS, range_of

_DAY: Final = 86_400_000_000
_DAY_SECONDS: Final = 86_400
_BUCKET: Final = 600_000_000


@dataclass(slots=True)
class Chunk:
    """A chunk; the fields are the columns of the table `chunks`."""

    chunk: int
    day: int
    """When its transactions began, in days since 1970, UTC."""
    size: int
    """How many rows have been added."""
    indexed: int
    """When the last row was added, in seconds since 1970."""

    @property
    def next_number(self) -> int:
        """The number of the next row."""
        return self.chunk << CHUNK_BITS | self.size

    @property
    def room(self) -> int:
        """How many more rows it can have."""
        return CHUNK_SIZE - self.size


class Chunks:
    """All chunks of a store, and the blocks in them."""

    def __init__(self) -> None:
        self._newest: dict[int, Chunk] = {}
        """The newest chunk of each day."""
        self._blocks: dict[int, dict[int, tuple[int, int]]] = {}
        """By day, the earliest and latest start of the transactions in each block, in microseconds since 1970."""
        self._last = 0
        self._version = -1

    def load(self, connection: sqlite3.Connection) -> None:
        """Load everything again if another process has changed the file."""
        version = connection.execute("PRAGMA data_version").fetchone()[0]
        if version == self._version:
            return
        self._newest, self._blocks, self._last, self._version = {}, {}, 0, version
        days = {}
        for values in connection.execute("SELECT chunk, day, size, indexed FROM chunks ORDER BY chunk"):
            chunk = Chunk(*values)
            days[chunk.chunk], self._newest[chunk.day], self._last = chunk.day, chunk, chunk.chunk
        for block, first, last in connection.execute("SELECT block, first, last FROM blocks"):
            self._blocks.setdefault(days[block >> CHUNK_BITS], {})[block] = first, last

    def forget(self) -> None:
        """Discard what has not been committed."""
        self._version = -1

    def of_starts(self, starts: Iterable[int]) -> set[int]:
        """Return the blocks that can hold transactions with these starts, in microseconds since 1970."""
        spans: dict[int, tuple[int, int]] = {}
        for start in starts:
            first, last = spans.get(start // _BUCKET, (start, start))
            spans[start // _BUCKET] = min(first, start), max(last, start)
        return {block for span in spans.values() for block in self._between(*span)}

    def between(self, since: int, until: int) -> set[int]:
        """Return the chunks that can hold transactions that began between two times, in microseconds since 1970."""
        return {block >> CHUNK_BITS for block in self._between(since, until)}

    def _between(self, since: int, until: int) -> Iterator[int]:
        # Most spans are of one day or two, of the thousands that a store can have.
        days = range(since // _DAY, until // _DAY + 1)
        for day in days if len(days) < len(self._blocks) else [day for day in self._blocks if day in days]:
            for block, (first, last) in self._blocks.get(day, {}).items():
                if first <= until and last >= since:
                    yield block

    def for_day(self, day: int, now: int) -> Chunk:
        """Return the chunk for new rows with transactions that began on a day; `now` is in seconds since 1970.

        A chunk is for one day only, so that late rows do not delay the expiry of the others.
        """
        chunk = self._newest.get(day)
        if chunk is None or not chunk.room or now - chunk.indexed > _DAY_SECONDS:
            self._last += 1
            chunk = self._newest[day] = Chunk(self._last, day, 0, now)
        chunk.indexed = max(chunk.indexed, now)
        return chunk

    def save(self, connection: sqlite3.Connection, chunk: Chunk, block: int, span: tuple[int, int]) -> None:
        """Write a chunk that got rows; `block` is new, with the earliest and latest start of its transactions."""
        values = (chunk.chunk, chunk.day, chunk.size, chunk.indexed)
        connection.execute("INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?)", values)
        self._blocks.setdefault(chunk.day, {})[block] = span

    def drop_block(self, connection: sqlite3.Connection, chunk: Chunk, block: int) -> None:
        """Delete a block whose rows are in another one by now."""
        del self._blocks[chunk.day][block]
        connection.execute("DELETE FROM blocks WHERE block = ?", (block,))
        connection.execute("DELETE FROM columns WHERE number BETWEEN ? AND ?", range_of(block, COLUMN_BITS))


def numbers_of(connection: sqlite3.Connection, blocks: Iterable[int], ids: set[bytes]) -> list[int]:
    """Return the numbers of the rows in these blocks that have, or had, one of the IDs."""
    return [block + at for block in blocks for at, id_ in enumerate(ids_of(connection, block)) if id_ in ids]


def expired(connection: sqlite3.Connection, before: float) -> int | None:
    """Return a chunk with only rows dated and added before a time, in seconds since 1970."""
    sql = (
        "SELECT chunk FROM chunks WHERE indexed < ?1 AND NOT EXISTS ("
        "SELECT 1 FROM blocks WHERE documents AND until >= ?2"
        f" AND block BETWEEN chunk << {CHUNK_BITS} AND ((chunk + 1) << {CHUNK_BITS}) - 1) LIMIT 1"
    )
    found = connection.execute(sql, (before, int(before * 1_000_000))).fetchone()
    return None if found is None else int(found[0])


def delete(connection: sqlite3.Connection, chunk: int) -> int:
    """Delete a chunk and return the number of its documents."""
    of_rows, of_columns, of_terms = CHUNK_BITS, CHUNK_BITS + COLUMN_BITS, TERM_BITS
    (counted,) = connection.execute(
        "SELECT total(documents) FROM blocks WHERE block BETWEEN ? AND ?", range_of(chunk, of_rows)
    ).fetchone()
    for table, number, bits in (
        ("transactions", "number", of_rows),
        ("blocks", "block", of_rows),
        ("columns", "number", of_columns),
        ("terms", "term", of_terms),
        ("chunks", "chunk", 0),
    ):
        connection.execute(f"DELETE FROM {table} WHERE {number} BETWEEN ? AND ?", range_of(chunk, bits))
    return int(counted)
