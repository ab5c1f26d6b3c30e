"""New rows of the embedded store: they are added to chunks, and those of a chunk become a block."""

import sqlite3
from array import array
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Final, TypeAlias

from mailtrace.stores.base import Row
from mailtrace.stores.sqlite.block import stored_column
from mailtrace.stores.sqlite.columns import DATES, HIDDEN, IDS, NUMBERS, Columns, Values, joined
from mailtrace.stores.sqlite.exact_terms import queue_id_term, terms_of
from mailtrace.stores.sqlite.rows import Kept, kept_of, stored_values
from mailtrace.stores.sqlite.schema import CHUNK_BITS, COLUMN_BITS, TERM_BITS, json_of, numbers_in

CHUNK_SIZE: Final = 1 << CHUNK_BITS
_DAY: Final = 86_400_000_000
_DAY_SECONDS: Final = 86_400
_FULL: Final = 4096
"""A block has no more rows than this: searches of longer ones are not faster."""
_JOINED_BITS: Final = (11, 8, 5)
"""Blocks are joined where a row number has so many zero bits at its end: each row three times at most."""

Started: TypeAlias = tuple[int, Row]
"""A row with the start of its transaction, in microseconds since 1970."""


class _NewBlock:
    """Rows that have been added to a chunk, and will be a block."""

    def __init__(self, number: int, indexed: int) -> None:
        self.number, self._indexed, self._columns = number, indexed, Columns()
        self._ids: list[bytes] = []
        self._dates = array("q")
        self._starts: list[int] = []
        self._queue_ids: set[str] = set()

    @property
    def end(self) -> int:
        """The number of the next row."""
        return self.number + len(self._ids)

    @property
    def room(self) -> int:
        """How many more rows it can have."""
        return min(_FULL - len(self._ids), _chunk_end(self.number) - self.end)

    def add(self, rows: Sequence[Started], values: Sequence[Values | None]) -> None:
        """Append rows, with their values in each column."""
        self._columns.add(values)
        self._ids += [bytes.fromhex(row.id) for _, row in rows]
        self._dates.extend(HIDDEN if row.is_stub else row.transaction.first for _, row in rows)
        self._starts += [start for start, _ in rows]
        self._queue_ids.update(row.transaction.queue_id for _, row in rows)

    def save(self, connection: sqlite3.Connection) -> None:
        """Write the block."""
        shown = [date for date in self._dates if date != HIDDEN]
        spans = min(self._starts), max(self._starts), min(shown, default=-HIDDEN - 1), max(shown, default=HIDDEN)
        values = self.number, len(self._ids), len(shown), *spans, self._indexed
        connection.execute("INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
        columns = [(DATES, self._dates.tobytes(), b""), (IDS, b"".join(self._ids), b""), *self._columns.encoded()]
        connection.executemany(
            "INSERT INTO columns VALUES (?, ?, ?)",
            [(self.number << COLUMN_BITS | NUMBERS[name], *stored) for name, *stored in columns],
        )
        terms = terms_of(self._columns.values) | set(map(queue_id_term, self._queue_ids))
        # Sorted, because those that are inserted one after the other are then next to each other.
        numbers = json_of(self.number >> CHUNK_BITS << TERM_BITS | term for term in sorted(terms))
        connection.execute("INSERT OR IGNORE INTO terms SELECT value FROM json_each(?)", (numbers,))


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
        block.add(rows, [values for _, values in kept])

    def save(self) -> None:
        """Write the blocks."""
        for block in self._open.values():
            self._save(block)
        self._open.clear()

    def _save(self, block: _NewBlock) -> None:
        block.save(self._connection)
        for bits in _JOINED_BITS:
            if block.end - block.number < 1 << bits and block.number >> bits != block.end >> bits:
                _join(self._connection, block.number >> bits << bits, block.end)
                return


def _join(connection: sqlite3.Connection, first: int, end: int) -> None:
    """Join the last blocks of these rows, so that a chunk has few: each distinct value of a block takes time."""
    sql = "SELECT block, size FROM blocks WHERE block >= ? AND block < ? ORDER BY block DESC"
    blocks: list[int] = []
    at = end
    for number, size in connection.execute(sql, (first, end)):
        if number + size != at:  # a block between them was deleted
            break
        blocks.insert(0, number)
        at = number
    if len(blocks) < 2:
        return
    columns = []
    for name, number in NUMBERS.items():
        stored = [(each - at, *stored_column(connection, each, name)) for each in blocks]
        columns.append((at << COLUMN_BITS | number, *joined(name, stored)))
    connection.execute(
        "INSERT OR REPLACE INTO blocks SELECT min(block), sum(size), sum(documents), min(first), max(last), min(since),"
        " max(until), max(indexed) FROM blocks WHERE block >= ? AND block < ?",
        (at, end),
    )
    connection.execute("DELETE FROM blocks WHERE block > ? AND block < ?", (at, end))
    connection.execute("DELETE FROM columns WHERE number >= ? AND number < ?", (at << COLUMN_BITS, end << COLUMN_BITS))
    connection.executemany("INSERT INTO columns VALUES (?, ?, ?)", columns)


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
    dates = array("q", stored_column(connection, block, DATES)[0])
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
