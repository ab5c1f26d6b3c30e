"""The columns of the embedded store as its writer changes them."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, groupby
from typing import Any, Final, TypeAlias

import orjson

from mailtrace.message.document import Document
from mailtrace.search.reasons import reason_of
from mailtrace.stores.sqlite.chunk import (
    DATES,
    MEMBERS_OF_ENTRIES,
    OF_DOCUMENTS,
    OF_ENTRIES,
    PLACES,
    REASON,
    Chunk,
    Column,
    column_numbers,
)
from mailtrace.stores.sqlite.partitions import Part
from mailtrace.stores.sqlite.schema import CHUNK_BITS, PLACE_BITS, insert

_ColumnRow: TypeAlias = tuple[int, int, Document | None]
"""A row's number, or its place in a chunk; its date in microseconds since 1970; its document, None for a stub."""

_WITHIN: Final = (1 << CHUNK_BITS) - 1
_NOWHERE: Final = -1
"""The place of an entry that is none any more."""
_MOST_OPEN: Final = 2
"""Chunks in memory: each some megabytes."""


class _Open:
    """A chunk that is being changed."""

    def __init__(self, connection: sqlite3.Connection, number: int) -> None:
        stored, self._numbers = Chunk(connection, number), column_numbers(number)
        self._dates, self._places = stored.dates, stored.entries()
        self._columns = {name: _opened(stored.column(name)) for name in (*OF_DOCUMENTS, *OF_ENTRIES)}

    def put(self, rows: Sequence[_ColumnRow]) -> None:
        """Set the values of rows, each at its place; column by column, which is several times as fast as row by row."""
        for place, _, _ in rows:
            if place < len(self._dates):
                self._empty(place)
        more = rows[-1][0] + 1 - len(self._dates)
        if more > 0:
            self._dates += [None] * more
            for name in OF_DOCUMENTS:
                self._columns[name][1].extend([0] * more)
        told = [(place, document) for place, _, document in rows if document is not None]
        self._put_documents([place for place, _ in told], [document for _, document in told])
        for place, date, document in rows:
            self._dates[place] = date if document is not None else None

    def _put_documents(self, places: list[int], documents: list[Document]) -> None:
        for name in OF_DOCUMENTS:
            values, codes = self._columns[name]
            for place, code in zip(places, _coded(values, [document[name] for document in documents]), strict=True):
                codes[place] = code
        entries = [entry for document in documents for entry in document["to"]]
        self._places += [place for place, document in zip(places, documents, strict=True) for _ in document["to"]]
        for name in MEMBERS_OF_ENTRIES:
            values, codes = self._columns[f"to.{name}"]
            codes += _coded(values, [entry[name] for entry in entries])
        values, codes = self._columns[REASON]
        codes += _coded(values, [reason_of(entry["status"] or "") for entry in entries])

    def _empty(self, place: int) -> None:
        self._dates[place] = None
        if place in self._places:
            at = self._places.index(place)
            for one in range(at, at + self._places.count(place)):
                self._places[one] = _NOWHERE

    def _drop_emptied(self) -> None:
        if _NOWHERE not in self._places:
            return
        kept = [place != _NOWHERE for place in self._places]
        self._places = list(compress(self._places, kept))
        for name in OF_ENTRIES:
            values, codes = self._columns[name]
            self._columns[name] = values, list(compress(codes, kept))

    def stored(self) -> Iterator[tuple[int, bytes]]:
        """Return the rows to store."""
        self._drop_emptied()
        yield self._numbers[DATES], orjson.dumps(self._dates)
        yield self._numbers[PLACES], orjson.dumps(self._places)
        for name, (values, codes) in self._columns.items():
            yield self._numbers[name], orjson.dumps([list(values), codes])


def _coded(values: dict[Any, int], column: list[Any]) -> list[int]:
    """Where among the values each of a column's is; new ones are put to their end."""
    for value in dict.fromkeys(column):
        values.setdefault(value, len(values))
    return list(map(values.__getitem__, column))


def _opened(column: Column) -> tuple[dict[Any, int], list[int]]:
    # A row without a document has the first value, whatever that is.
    values = {value: code for code, value in enumerate(column.values)}
    return values or {None: 0}, column.codes


class Columns:
    """What is open of the columns: a chunk is written once for many rows."""

    def __init__(self) -> None:
        self._open: dict[int, _Open] = {}
        self._changed: set[int] = set()

    def put(self, connection: sqlite3.Connection, rows: Iterable[_ColumnRow]) -> None:
        """Set the values of rows, by their numbers and in the order of these; without a document a row has none."""
        for chunk, some in groupby(rows, key=lambda row: row[0] >> CHUNK_BITS):
            found = self._open.get(chunk)
            if found is None:
                if len(self._open) >= _MOST_OPEN:
                    self.save(connection)
                found = self._open[chunk] = _Open(connection, chunk)
            self._changed.add(chunk)
            found.put([(number & _WITHIN, date, document) for number, date, document in some])

    def save(self, connection: sqlite3.Connection) -> None:
        """Write what has changed, and keep the newest chunk, which is to be continued."""
        rows: list[tuple[object, ...]] = [row for chunk in sorted(self._changed) for row in self._open[chunk].stored()]
        insert(connection, "INSERT OR REPLACE INTO columns", rows)
        newest = max(self._open, default=0)
        self._open = {newest: self._open[newest]} if newest else {}
        self._changed.clear()

    def forget(self) -> None:
        """Forget what has not been committed."""
        self._open.clear()
        self._changed.clear()


def drop(connection: sqlite3.Connection, part: Part) -> None:
    """Delete the columns of a part."""
    chunks = part.part << (PLACE_BITS - CHUNK_BITS), ((part.part + 1) << (PLACE_BITS - CHUNK_BITS)) - 1
    for between in zip(*(column_numbers(chunk).values() for chunk in chunks), strict=True):
        connection.execute("DELETE FROM columns WHERE number BETWEEN ? AND ?", between)
