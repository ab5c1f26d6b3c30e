"""A block of the embedded store for searches: columns are read on demand, and compared by their distinct values.

Which rows, or recipient results, match is a *mask*: an integer with one byte for each, 1 if it matches and 0 if not.
"""

import sqlite3
from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import compress
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

from mailtrace.stores.sqlite.columns import NUMBERS, RESULT_ROWS, typecode
from mailtrace.stores.sqlite.schema import COLUMN_BITS

HIDDEN: Final = -(2**63)
"""The date of a row without a document: a stub, or an older version."""
_ID_SIZE: Final = 12
_FOREVER: Final = 2**62

Mask: TypeAlias = int
Pick: TypeAlias = Callable[[list[Any]], Iterable[int]]
"""Returns the indexes of the values that match."""


class Column(NamedTuple):
    """The values of a field."""

    values: list[Any]
    """Each distinct value; texts that are compared regardless of case are in lower case."""
    codes: "array[int]"
    """For each row, or each recipient result, the index of its value."""


class Block:
    """A stored block."""

    def __init__(
        self, connection: sqlite3.Connection, number: int, size: int, documents: int, since: int, until: int
    ) -> None:
        self._connection = connection
        self.number, self.size, self.documents = number, size, documents
        """The number of the first row; how many rows, and how many of them have a document."""
        self.since, self.until = since, until
        """The earliest and the latest date of a document, in microseconds since 1970."""
        self._columns: dict[str, Column] = {}
        self._texts: dict[str, bytes] = {}
        self._codes: dict[str, bytes] = {}

    @property
    def dates(self) -> "array[int]":
        """The date of each row in microseconds since 1970; `HIDDEN` if it has no document."""
        return dates_of(self._connection, self.number)

    @property
    def ids(self) -> list[bytes]:
        """The ID of each row."""
        return ids_of(self._connection, self.number)

    def text(self, name: str) -> bytes:
        """Return all values of a column as JSON in UTF-8."""
        if name not in self._texts:
            number = self.number << COLUMN_BITS | NUMBERS[name]
            sql = "SELECT codes, texts FROM columns WHERE number = ?"
            self._codes[name], self._texts[name] = self._connection.execute(sql, (number,)).fetchone()
        return self._texts[name]

    def column(self, name: str) -> Column:
        """Return a column."""
        if name not in self._columns:
            values = orjson.loads(self.text(name))
            self._columns[name] = Column(values, array(typecode(len(values)), self._codes[name]))
        return self._columns[name]

    @property
    def result_rows(self) -> "array[int]":
        """The position of the row of each recipient result."""
        self.text(RESULT_ROWS)
        return array("H", self._codes[RESULT_ROWS])

    def all(self, name: str) -> Iterable[Any]:
        """Return the values of a column: of each row, or of each recipient result."""
        if name == RESULT_ROWS:
            return self.result_rows
        values, codes = self.column(name)
        return map(values.__getitem__, codes)

    def with_value(self, name: str, pick: Pick) -> Mask:
        """Return the rows, or recipient results, with a value in a column that `pick` returns."""
        values, codes = self.column(name)
        wanted = bytearray(max(len(values), 1 << 8))
        for index in pick(values):
            wanted[index] = 1
        if codes.typecode == "B":
            return int.from_bytes(codes.tobytes().translate(wanted), "little")
        return int.from_bytes(bytes(map(wanted.__getitem__, codes)), "little") if any(wanted) else 0

    def rows_of(self, results: Mask) -> Mask:
        """Return the rows that have one of these recipient results."""
        rows = bytearray(self.size)
        for row in selected(results, self.result_rows):
            rows[row] = 1
        return int.from_bytes(rows, "little")

    def results_of(self, rows: Mask) -> Mask:
        """Return the recipient results of these rows."""
        wanted = rows.to_bytes(self.size, "little")
        return int.from_bytes(bytes(map(wanted.__getitem__, self.result_rows)), "little")

    def shown(self, since: int | None, until: int | None) -> Mask:
        """Return the rows with a document dated between two times."""
        first, last = -_FOREVER if since is None else since, _FOREVER if until is None else until
        if self.documents == self.size and first <= self.since and self.until <= last:
            return everything(self.size)
        return int.from_bytes(bytes([first <= date <= last for date in self.dates]), "little")


def everything(size: int) -> Mask:
    """Return the mask of all of so many rows or recipient results."""
    return int.from_bytes(b"\1" * size, "little")


def selected(mask: Mask, values: "array[int]") -> Iterator[int]:
    """Return the values of the rows, or recipient results, in a mask."""
    return compress(values, mask.to_bytes(len(values), "little"))


def dates_of(connection: sqlite3.Connection, block: int) -> "array[int]":
    """Return the date of each row of a block, as `Block.dates`."""
    (found,) = connection.execute("SELECT dates FROM blocks WHERE block = ?", (block,)).fetchone()
    return array("q", found)


def ids_of(connection: sqlite3.Connection, block: int) -> list[bytes]:
    """Return the ID of each row of a block."""
    (ids,) = connection.execute("SELECT ids FROM blocks WHERE block = ?", (block,)).fetchone()
    return [ids[at : at + _ID_SIZE] for at in range(0, len(ids), _ID_SIZE)]
