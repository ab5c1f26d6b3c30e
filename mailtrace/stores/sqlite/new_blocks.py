"""New rows of the embedded store: they are added to chunks, and those of a chunk become a block."""

import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Final, TypeAlias

from mailtrace.stores.base import Row
from mailtrace.stores.sqlite.columns import DATES, HIDDEN, IDS, NUMBERS, Columns
from mailtrace.stores.sqlite.exact_terms import queue_id_term, terms_of
from mailtrace.stores.sqlite.rows import SHOWN, Kept, Shown, kept_of, shown, shown_of, stored_values
from mailtrace.stores.sqlite.schema import CHUNK_BITS, COLUMN_BITS, TERM_BITS, json_of, numbers_in

CHUNK_SIZE: Final = 1 << CHUNK_BITS
_DAY: Final = 86_400_000_000
_DAY_SECONDS: Final = 86_400
_FULL: Final = 4096
"""A block that is this long gets no more rows."""
_SMALL: Final = 2048
"""A block is joined with at least as many rows after it if it is no longer then."""
_NO_ID: Final = bytes(12)

Started: TypeAlias = tuple[int, Row]
"""A row with the start of its transaction, in microseconds since 1970."""


class _NewBlock:
    """Rows that have been added to a chunk, and will be a block."""

    def __init__(self, number: int, indexed: int) -> None:
        self.number, self.indexed, self._columns = number, indexed, Columns()
        self._ids: list[bytes] = []
        self.dates = array("q")
        self.starts: list[int] = []
        self._queue_ids: set[str] = set()

    @property
    def end(self) -> int:
        """The number of the next row."""
        return self.number + len(self._ids)

    @property
    def room(self) -> int:
        """How many more rows it can have."""
        return min(_FULL - len(self._ids), _chunk_end(self.number) - self.end)

    def add(self, rows: Sequence[Shown | None], dates: Iterable[int], starts: Iterable[int]) -> None:
        """Append rows, None for one that has been deleted, with their dates; `starts` spans their starts."""
        values = [each and each.values for each in rows]
        self._columns.add(values)
        self._ids += [_NO_ID if each is None else each.id for each in rows]
        self.dates.extend(HIDDEN if one is None else date for date, one in zip(dates, values, strict=True))
        self.starts += starts
        self._queue_ids.update(each.queue_id for each in rows if each)

    def terms(self) -> list[int]:
        """Return the terms of its rows, sorted: inserted in their order, they are next to each other."""
        terms = terms_of(self._columns.values) | set(map(queue_id_term, self._queue_ids))
        return [self.number >> CHUNK_BITS << TERM_BITS | term for term in sorted(terms)]

    def save(self, connection: sqlite3.Connection) -> None:
        """Write the block."""
        shown = [date for date in self.dates if date != HIDDEN] or [HIDDEN]
        spans = (min(self.starts), max(self.starts), min(shown), max(shown))
        values = (self.number, len(self._ids), len(self.dates) - self.dates.count(HIDDEN), *spans, self.indexed)
        connection.execute("INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
        columns = [(DATES, self.dates.tobytes(), b""), (IDS, b"".join(self._ids), b""), *self._columns.encoded()]
        connection.executemany(
            "INSERT OR REPLACE INTO columns VALUES (?, ?, ?)",
            [(self.number << COLUMN_BITS | NUMBERS[name], *stored) for name, *stored in columns],
        )


class NewBlocks:
    """Adds rows to the chunks of a store. `indexed`: when they were first indexed, in seconds since 1970."""

    def __init__(self, connection: sqlite3.Connection, indexed: int) -> None:
        self._connection, self._indexed = connection, indexed
        self._open: dict[int, _NewBlock] = {}
        newest = connection.execute("SELECT max(block) FROM blocks").fetchone()[0] or 0
        self._last_chunk = newest >> CHUNK_BITS

    def add(self, rows: Iterable[Started]) -> None:
        """Insert rows. Call `save` before any look-up."""
        by_day: dict[int, list[Started]] = {}
        for start, row in rows:
            by_day.setdefault(start // _DAY, []).append((start, row))
        for day, some in by_day.items():
            at = 0
            while at < len(some):
                block = self._open.get(day) or self._block(day)
                part = some[at : at + block.room]
                self._insert(block, part)
                at += len(part)
                self._open[day] = block
                if not block.room:
                    self._save(self._open.pop(day))

    def _block(self, day: int) -> _NewBlock:
        """Return a new block for transactions that began on a day.

        A chunk is for one day only, and gets no rows that were first indexed more than a day before or after its last
        ones: so late rows do not delay the expiry of the others.
        """
        newest = self._connection.execute(
            "SELECT block, block + size, indexed FROM blocks WHERE last BETWEEN ? AND ? ORDER BY block DESC LIMIT 1",
            (day * _DAY, (day + 1) * _DAY - 1),
        ).fetchone()
        if newest and newest[1] < _chunk_end(newest[0]) and abs(self._indexed - newest[2]) <= _DAY_SECONDS:
            return _NewBlock(newest[1], self._indexed)
        self._last_chunk += 1
        return _NewBlock(self._last_chunk << CHUNK_BITS, self._indexed)

    def _insert(self, block: _NewBlock, rows: Sequence[Started]) -> None:
        kept: list[Kept] = [row.encoded or kept_of(row) for _, row in rows]
        self._connection.executemany(
            "INSERT INTO transactions VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (number, *stored_values(row, lines))
                for number, (_, row), (lines, _) in zip(count(block.end), rows, kept, strict=False)
            ],
        )
        block.add(
            [shown_of(row, values) for (_, row), (_, values) in zip(rows, kept, strict=True)],
            [row.transaction.first for _, row in rows],
            [start for start, _ in rows],
        )

    def save(self) -> None:
        """Write the blocks."""
        for block in self._open.values():
            self._save(block)
        self._open.clear()

    def _save(self, block: _NewBlock) -> None:
        sql = "INSERT OR IGNORE INTO terms SELECT value FROM json_each(?)"
        self._connection.execute(sql, (json_of(block.terms()),))
        self._joined(block).save(self._connection)

    def _joined(self, block: _NewBlock) -> _NewBlock:
        """Return a block with the small ones before it, so that a chunk that grows slowly has few."""
        before = self._connection.execute(
            "SELECT block, size, indexed, first, last FROM blocks WHERE block BETWEEN ? AND ? ORDER BY block DESC",
            (block.number >> CHUNK_BITS << CHUNK_BITS, block.number - 1),
        )
        first, indexed, starts = block.number, block.indexed, [*block.starts]
        for number, size, then, *span in before:
            is_next = number + size == first  # not if the blocks between them were deleted
            if not is_next or size > block.end - first or block.end - number > _SMALL:
                break
            first, indexed = number, max(indexed, then)
            starts += span
        if first == block.number:
            return block
        joined, dates = _NewBlock(first, indexed), self._dates(first, block.number)
        sql = f"SELECT {SHOWN} FROM transactions WHERE number BETWEEN ? AND ?"
        known = shown(self._connection.execute(sql, (first, block.end - 1)))
        joined.add([known.get(number) for number in range(first, block.end)], [*dates, *block.dates], starts)
        for bits, table, number in ((0, "blocks", "block"), (COLUMN_BITS, "columns", "number")):
            numbers = first << bits, (block.number << bits) - 1
            self._connection.execute(f"DELETE FROM {table} WHERE {number} BETWEEN ? AND ?", numbers)
        return joined

    def _dates(self, first: int, end: int) -> Iterator[int]:
        """Yield the dates of the rows of stored blocks."""
        sql = "SELECT codes FROM columns JOIN blocks ON number = (block << ?) | ? WHERE block >= ? AND block < ?"
        values = (COLUMN_BITS, NUMBERS[DATES], first, end)
        for (dates,) in self._connection.execute(f"{sql} ORDER BY block", values):
            yield from array("q", dates)


def _chunk_end(number: int) -> int:
    """Return the number after the last row of a chunk, given that of a row in it."""
    return (number >> CHUNK_BITS << CHUNK_BITS) + CHUNK_SIZE


def last_indexed(connection: sqlite3.Connection, numbers: Iterable[int]) -> int | None:
    """Return when the last of these rows was first indexed, None if there are none."""
    indexed = "SELECT indexed FROM blocks WHERE block <= value ORDER BY block DESC LIMIT 1"
    found = connection.execute(f"SELECT max(({indexed})) FROM json_each(?)", (json_of(numbers),)).fetchone()[0]
    return None if found is None else int(found)


def delete(connection: sqlite3.Connection, rows: Iterable[tuple[int, str]], blocks: set[int]) -> set[str]:
    """Delete rows, given by number and ID, that are still there; hide them in their blocks, and add these to `blocks`.

    Return the IDs of the rows that were there.
    """
    deleted: set[str] = set()
    by_block: dict[int, list[int]] = {}
    for number, id_ in rows:
        sql = "DELETE FROM transactions WHERE number = ? AND id = ?"
        if connection.execute(sql, (number, bytes.fromhex(id_))).rowcount:
            deleted.add(id_)
            (block,) = connection.execute("SELECT max(block) FROM blocks WHERE block <= ?", (number,)).fetchone()
            by_block.setdefault(block, []).append(number - block)
    for block, places in by_block.items():
        _hide(connection, block, places)
    blocks.update(by_block)
    return deleted


def _hide(connection: sqlite3.Connection, block: int, places: Sequence[int]) -> None:
    """Hide rows of a block, given by their positions in it."""
    column = block << COLUMN_BITS | NUMBERS[DATES]
    dates = array("q", connection.execute("SELECT codes FROM columns WHERE number = ?", (column,)).fetchone()[0])
    shown = sum(dates[place] != HIDDEN for place in places)
    for place in places:
        dates[place] = HIDDEN
    connection.execute("UPDATE columns SET codes = ? WHERE number = ?", (dates.tobytes(), column))
    connection.execute("UPDATE blocks SET documents = documents - ? WHERE block = ?", (shown, block))


def delete_empty(connection: sqlite3.Connection, blocks: Iterable[int]) -> None:
    """Delete those of some blocks that have no row left, just before a commit.

    Their numbers may be used again: numbers that were read before are not used after a commit.
    """
    for block in blocks:
        sql = (
            "DELETE FROM blocks WHERE block = ? AND NOT EXISTS"
            " (SELECT 1 FROM transactions WHERE number BETWEEN block AND block + size - 1)"
        )
        if connection.execute(sql, (block,)).rowcount:
            connection.execute("DELETE FROM columns WHERE number BETWEEN ? AND ?", numbers_in(block, COLUMN_BITS))
            chunk = block >> CHUNK_BITS
            sql = "DELETE FROM terms WHERE term BETWEEN ? AND ? AND NOT EXISTS"
            others = "(SELECT 1 FROM blocks WHERE block BETWEEN ? AND ?)"
            values = (*numbers_in(chunk, TERM_BITS), *numbers_in(chunk, CHUNK_BITS))
            connection.execute(f"{sql} {others}", values)


def expire_chunk(connection: sqlite3.Connection, before: float) -> int | None:
    """Delete a chunk with only rows dated and indexed before a time, in seconds since 1970.

    Return the number of its documents; None if there is no such chunk.
    """
    found = connection.execute(
        f"SELECT block >> {CHUNK_BITS}, sum(documents) FROM blocks GROUP BY 1"
        " HAVING max(indexed) < ? AND max(until) < ? LIMIT 1",
        (before, int(before * 1_000_000)),
    ).fetchone()
    if found is None:
        return None
    for table, number, bits in (
        ("transactions", "number", CHUNK_BITS),
        ("blocks", "block", CHUNK_BITS),
        ("columns", "number", CHUNK_BITS + COLUMN_BITS),
        ("terms", "term", TERM_BITS),
    ):
        connection.execute(f"DELETE FROM {table} WHERE {number} BETWEEN ? AND ?", numbers_in(found[0], bits))
    return int(found[1])
