"""The columns of the embedded store for its writer."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, groupby
from typing import Any, Final, TypeAlias

import orjson

from mailtrace.message.document import Document
from mailtrace.search.reasons import reason_of
from mailtrace.stores.sqlite.chunk import (
    DATES,
    DOCUMENT_COLUMNS,
    REASON,
    RESULT_COLUMNS,
    RESULT_FIELDS,
    RESULT_ROWS,
    Chunk,
    Column,
    column_numbers,
)
from mailtrace.stores.sqlite.partitions import Part
from mailtrace.stores.sqlite.schema import CHUNK_BITS, POSITION_BITS, insert

_ColumnRow: TypeAlias = tuple[int, int, Document | None]
"""Number of a row, or its position in a chunk; date in microseconds since 1970; document, None for a stub."""

_POSITION_MASK: Final = (1 << CHUNK_BITS) - 1
_DELETED: Final = -1
"""The row of a recipient result that was deleted."""
_MAX_OPEN: Final = 2
"""How many chunks are in memory, each of some megabytes."""


class _OpenChunk:
    """A chunk in memory that is being changed."""

    def __init__(self, connection: sqlite3.Connection, number: int) -> None:
        stored, self._numbers = Chunk(connection, number), column_numbers(number)
        self._dates, self._result_rows = stored.dates, stored.result_rows()
        self._columns = {name: _decoded(stored.column(name)) for name in (*DOCUMENT_COLUMNS, *RESULT_COLUMNS)}

    def set_rows(self, rows: Sequence[_ColumnRow]) -> None:
        """Set the values of rows; column by column, which is several times faster than row by row."""
        for position, _, _ in rows:
            if position < len(self._dates):
                self._clear(position)
        more = rows[-1][0] + 1 - len(self._dates)
        if more > 0:
            self._dates += [None] * more
            for name in DOCUMENT_COLUMNS:
                self._columns[name][1].extend([0] * more)
        shown = [(position, document) for position, _, document in rows if document is not None]
        self._set_documents([position for position, _ in shown], [document for _, document in shown])
        for position, date, document in rows:
            self._dates[position] = date if document is not None else None

    def _set_documents(self, positions: list[int], documents: list[Document]) -> None:
        for name in DOCUMENT_COLUMNS:
            values, codes = self._columns[name]
            added = _encoded(values, [document[name] for document in documents])
            for position, code in zip(positions, added, strict=True):
                codes[position] = code
        results = [result for document in documents for result in document["to"]]
        self._result_rows += [row for row, document in zip(positions, documents, strict=True) for _ in document["to"]]
        for name in RESULT_FIELDS:
            values, codes = self._columns[f"to.{name}"]
            codes += _encoded(values, [result[name] for result in results])
        values, codes = self._columns[REASON]
        codes += _encoded(values, [reason_of(result["status"] or "") for result in results])

    def _clear(self, position: int) -> None:
        self._dates[position] = None
        if position in self._result_rows:
            first = self._result_rows.index(position)
            for index in range(first, first + self._result_rows.count(position)):
                self._result_rows[index] = _DELETED

    def _remove_deleted(self) -> None:
        if _DELETED not in self._result_rows:
            return
        kept = [row != _DELETED for row in self._result_rows]
        self._result_rows = list(compress(self._result_rows, kept))
        for name in RESULT_COLUMNS:
            values, codes = self._columns[name]
            self._columns[name] = values, list(compress(codes, kept))

    def stored(self) -> Iterator[tuple[int, bytes]]:
        """Yield number and JSON of each column."""
        self._remove_deleted()
        yield self._numbers[DATES], orjson.dumps(self._dates)
        yield self._numbers[RESULT_ROWS], orjson.dumps(self._result_rows)
        for name, (values, codes) in self._columns.items():
            yield self._numbers[name], orjson.dumps([list(values), codes])


def _encoded(values: dict[Any, int], column: list[Any]) -> list[int]:
    """Return the code of each value of a column; new values are added to `values`."""
    for value in dict.fromkeys(column):
        values.setdefault(value, len(values))
    return list(map(values.__getitem__, column))


def _decoded(column: Column) -> tuple[dict[Any, int], list[int]]:
    # Code 0 stands for rows without a document too, so there is always a first value.
    values = {value: code for code, value in enumerate(column.values)}
    return values or {None: 0}, column.codes


class Columns:
    """The columns in memory, so that a chunk is written once for many rows."""

    def __init__(self) -> None:
        self._open: dict[int, _OpenChunk] = {}
        self._changed: set[int] = set()

    def set_rows(self, connection: sqlite3.Connection, rows: Iterable[_ColumnRow]) -> None:
        """Set the values of rows, given with their numbers and sorted by them."""
        for chunk, some in groupby(rows, key=lambda row: row[0] >> CHUNK_BITS):
            found = self._open.get(chunk)
            if found is None:
                if len(self._open) >= _MAX_OPEN:
                    self.save(connection)
                found = self._open[chunk] = _OpenChunk(connection, chunk)
            self._changed.add(chunk)
            found.set_rows([(number & _POSITION_MASK, date, document) for number, date, document in some])

    def save(self, connection: sqlite3.Connection) -> None:
        """Write the changed chunks, and keep the newest in memory because it will get more rows."""
        rows: list[tuple[object, ...]] = [row for chunk in sorted(self._changed) for row in self._open[chunk].stored()]
        insert(connection, "INSERT OR REPLACE INTO columns", rows)
        newest = max(self._open, default=0)
        self._open = {newest: self._open[newest]} if newest else {}
        self._changed.clear()

    def forget(self) -> None:
        """Discard everything that has not been committed."""
        self._open.clear()
        self._changed.clear()


def delete_columns(connection: sqlite3.Connection, part: Part) -> None:
    """Delete the columns of a part."""
    chunks = part.part << (POSITION_BITS - CHUNK_BITS), ((part.part + 1) << (POSITION_BITS - CHUNK_BITS)) - 1
    for between in zip(*(column_numbers(chunk).values() for chunk in chunks), strict=True):
        connection.execute("DELETE FROM columns WHERE number BETWEEN ? AND ?", between)
