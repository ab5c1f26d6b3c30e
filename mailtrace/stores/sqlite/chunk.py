"""A chunk of the embedded store as searches read it: one column for each member of its documents.

A column holds each of its different values once, and for every row, or for every recipient's entry, which of them it
has. Columns are what `query.matches` and `groups.Tally` look at, a hundred times quicker to read than documents.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import compress
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

from mailtrace.message.document import Document
from mailtrace.message.fields import DOCUMENT, RECIPIENT_RESULT

OF_DOCUMENTS: Final = tuple(field.name for field in DOCUMENT if field.searched)
"""Columns of which each row has a value."""
MEMBERS_OF_ENTRIES: Final = tuple(field.name for field in RECIPIENT_RESULT if field.searched)
REASON: Final = "to.reason"
"""What `--by status` counts."""
OF_ENTRIES: Final = (*(f"to.{name}" for name in MEMBERS_OF_ENTRIES), REASON)
"""Columns of which each recipient's entry has a value."""
DATES: Final = "dates"
"""Of each row the date in microseconds; null where there is no document."""
PLACES: Final = "places"
"""Of each entry the place in the chunk of the row that it is of."""
_NUMBER: Final = {name: at << 40 for at, name in enumerate((DATES, PLACES, *OF_DOCUMENTS, *OF_ENTRIES))}

_ASCII_IN_LOWER_CASE: Final = ("\u0130".encode(), "\u212a".encode())
"""The two letters beside ASCII's own (a Turkish I, the sign of Kelvin) that have one of ASCII in lower case."""

Pick: TypeAlias = Callable[[list[Any]], Iterable[int]]
"""Returns where among values those are that are wanted."""


def column_numbers(chunk: int) -> dict[str, int]:
    """Return under which numbers the columns of a chunk are stored."""
    return {name: number | chunk for name, number in _NUMBER.items()}


class Column(NamedTuple):
    """The values of a member."""

    values: list[Any]
    """Each once."""
    codes: list[int]
    """For each row, or each entry: where among the values its own is."""

    def all(self) -> list[Any]:
        """Return the value of each row, or each entry."""
        values = self.values
        return [values[code] for code in self.codes]


class Chunk:
    """A stored chunk; what of it is asked for is read, once."""

    def __init__(self, connection: sqlite3.Connection, number: int) -> None:
        self._connection, self._number = connection, number
        self._stored: dict[str, bytes] = {}
        self._known: dict[str, list[Any]] = {}

    @property
    def dates(self) -> list[int | None]:
        """The date of each row, in microseconds; None where there is no document."""
        return self._loaded(DATES)

    def _loaded(self, name: str) -> list[Any]:
        if name not in self._known:
            self._known[name] = list(orjson.loads(self._raw(name) or b"[]"))
        return self._known[name]

    def _raw(self, name: str) -> bytes:
        if name not in self._stored:
            where = (_NUMBER[name] | self._number,)
            found = self._connection.execute("SELECT data FROM columns WHERE number = ?", where).fetchone()
            self._stored[name] = bytes(found[0]) if found else b""
        return self._stored[name]

    def text(self, name: str) -> bytes:
        """Return all values of a column as JSON in UTF-8, with all that is ASCII in lower case."""
        text = self._raw(name)
        return (
            text.decode().lower().encode() if any(letter in text for letter in _ASCII_IN_LOWER_CASE) else text.lower()
        )

    def column(self, name: str) -> Column:
        """Return a column."""
        return Column(*(self._loaded(name) or ([], [])))

    def entries(self) -> list[int]:
        """Return the row that each entry is of."""
        return self._loaded(PLACES)

    def places(self, name: str, pick: Pick) -> set[int]:
        """Return the rows of which a value of a column, or an entry's, is one of those that are picked from all."""
        values, codes = self.column(name)
        wanted = [False] * len(values)
        for code in pick(values):
            wanted[code] = True
        rows = self.entries() if name in OF_ENTRIES else range(len(codes))
        return set(compress(rows, map(wanted.__getitem__, codes))) if any(wanted) else set()

    def documents(self, places: Collection[int], names: Sequence[str]) -> Iterator[tuple[int, Document]]:
        """Return what is asked for of the documents at some places."""
        of_documents = {name: self.column(name) for name in names if name in OF_DOCUMENTS}
        of_entries = {name.removeprefix("to."): self.column(name) for name in names if name.startswith("to.")}
        found: dict[int, Document] = {
            place: {name: values[codes[place]] for name, (values, codes) in of_documents.items()} for place in places
        }
        if of_entries:
            for document in found.values():
                document["to"] = []
            for at, place in enumerate(self.entries()):
                if place in found:
                    entry = {name: values[codes[at]] for name, (values, codes) in of_entries.items()}
                    found[place]["to"].append(entry)
        return iter(found.items())
