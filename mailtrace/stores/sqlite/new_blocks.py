"""New rows of the embedded store: they are added to chunks, and those of a chunk become a block."""

import sqlite3
from array import array
from collections.abc import Iterable, Sequence
from typing import Final

from mailtrace.stores.base import Row
from mailtrace.stores.sqlite.block import HIDDEN, Block, dates_of
from mailtrace.stores.sqlite.chunks import Chunk, Chunks
from mailtrace.stores.sqlite.columns import NUMBERS, BlockColumns, columns_of
from mailtrace.stores.sqlite.exact_terms import queue_id_term, terms_of
from mailtrace.stores.sqlite.rows import values_of
from mailtrace.stores.sqlite.schema import CHUNK_BITS, COLUMN_BITS, TERM_BITS, insert

_DAY: Final = 86_400_000_000
_FULL: Final = 4096
"""A block that is this long gets no more rows."""
_SMALL: Final = 1024
"""A block that is not longer is joined with the rows after it, if there are at least as many."""


class _NewBlock:
    """Rows that have been added to a chunk, and will be a block."""

    def __init__(self, chunk: Chunk) -> None:
        self.chunk, self.number = chunk, chunk.next_number
        self.columns = BlockColumns()
        self._ids: list[bytes] = []
        self._dates: array[int] = array("q")
        self.span = 1 << 62, -1 << 62
        """The earliest and latest start of its transactions, in microseconds since 1970."""
        self._queue_ids: set[str] = set()

    @property
    def size(self) -> int:
        """How many rows it has."""
        return self.columns.size

    def add(self, starts: Sequence[int], rows: Sequence[Row]) -> None:
        """Append rows, with the starts of their transactions."""
        self.columns.add(len(rows), columns_of([row.document for row in rows]))
        self._ids += [bytes.fromhex(row.id) for row in rows]
        self._dates.extend(HIDDEN if row.document is None else row.transaction.first for row in rows)
        self.span = min(self.span[0], *starts), max(self.span[1], *starts)
        self._queue_ids.update(row.transaction.queue_id for row in rows)

    def terms(self) -> list[int]:
        """Return the terms of its rows, sorted: inserted in their order, they are next to each other."""
        terms = terms_of({name: encoder.values for name, encoder in self.columns.encoders.items()})
        terms.update(map(queue_id_term, self._queue_ids))
        return [self.chunk.chunk << TERM_BITS | term for term in sorted(terms)]

    def prepend(self, block: Block, span: tuple[int, int]) -> None:
        """Put the rows of a stored block before those of this one; `span`: that of the stored block."""
        columns = BlockColumns()
        for before, size in ((block.all, block.size), (self.columns.all, self.size)):
            columns.add(size, ((name, before(name)) for name in NUMBERS))
        self.columns, self.number = columns, block.number
        self.span = min(self.span[0], span[0]), max(self.span[1], span[1])
        self._ids, self._dates = block.ids + self._ids, block.dates + self._dates

    def save(self, connection: sqlite3.Connection) -> None:
        """Write the block."""
        shown = [date for date in self._dates if date != HIDDEN]
        spans = (*self.span, min(shown, default=0), max(shown, default=0))
        values = (self.number, self.size, len(shown), *spans, self._dates.tobytes(), b"".join(self._ids))
        connection.execute("INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        connection.executemany(
            "INSERT OR REPLACE INTO columns VALUES (?, ?, ?)",
            [(self.number << COLUMN_BITS | column, *stored) for column, *stored in self.columns.encoded()],
        )


class NewBlocks:
    """Adds rows to the chunks of a store."""

    def __init__(self, connection: sqlite3.Connection, chunks: Chunks, now: int) -> None:
        self._connection, self._chunks, self._now = connection, chunks, now
        self._blocks: dict[int, _NewBlock] = {}

    def add(self, rows: Iterable[tuple[int, Row]]) -> None:
        """Insert rows, given with the starts of their transactions in microseconds. Call `save` before any look-up."""
        by_day: dict[int, list[tuple[int, Row]]] = {}
        for start, row in rows:
            by_day.setdefault(start // _DAY, []).append((start, row))
        for day, some in by_day.items():
            at = 0
            while at < len(some):
                chunk = self._chunks.for_day(day, self._now)
                part = some[at : at + chunk.room]
                self._add(day, chunk, *zip(*part, strict=True))
                at += len(part)

    def _add(self, day: int, chunk: Chunk, starts: Sequence[int], rows: Sequence[Row]) -> None:
        block = self._blocks.get(day)
        if block and (block.chunk is not chunk or block.size >= _FULL):
            self._save(self._blocks.pop(day))
        block = self._blocks.setdefault(day, _NewBlock(chunk))
        self._connection.executemany(
            "INSERT INTO transactions VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(number, *values_of(row)) for number, row in enumerate(rows, chunk.next_number)],
        )
        block.add(starts, rows)
        chunk.size += len(rows)

    def save(self) -> None:
        """Write the blocks."""
        for block in self._blocks.values():
            self._save(block)
        self._blocks.clear()

    def _save(self, block: _NewBlock) -> None:
        insert(self._connection, "INSERT OR IGNORE INTO terms", block.terms())
        self._join(block)
        block.save(self._connection)
        self._chunks.save(self._connection, block.chunk, block.number, block.span)

    def _join(self, new: _NewBlock) -> None:
        """Join a block with the small ones before it, so that a chunk that grows slowly has few."""
        before = self._connection.execute(
            "SELECT block, size, documents, since, until, first, last FROM blocks WHERE block BETWEEN ? AND ?"
            " ORDER BY block DESC",
            (new.chunk.chunk << CHUNK_BITS, new.number - 1),
        ).fetchall()
        for number, size, documents, since, until, *span in before:
            if size > min(new.size, _SMALL):
                break
            new.prepend(Block(self._connection, number, size, documents, since, until), span)
            self._chunks.drop_block(self._connection, new.chunk, number)


def hide(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    """Hide rows that have been deleted from searches."""
    hidden: dict[int, list[int]] = {}
    for number in numbers:
        sql = "SELECT block FROM blocks WHERE block <= ? ORDER BY block DESC LIMIT 1"
        hidden.setdefault(connection.execute(sql, (number,)).fetchone()[0], []).append(number)
    for block, some in hidden.items():
        dates = dates_of(connection, block)
        shown = sum(dates[number - block] != HIDDEN for number in some)
        for number in some:
            dates[number - block] = HIDDEN
        sql = "UPDATE blocks SET dates = ?, documents = documents - ? WHERE block = ?"
        connection.execute(sql, (dates.tobytes(), shown, block))
