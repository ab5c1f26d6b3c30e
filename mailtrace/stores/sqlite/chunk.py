"""A chunk of the embedded store for searches: one column for each searched field.

A column is dictionary-encoded: it holds each distinct value once, and for every row, or for every recipient result, a
code that is the index of its value. Columns are a hundred times faster to read than documents.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import compress
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

from mailtrace.message.document import Document
from mailtrace.message.fields import DOCUMENT, RECIPIENT_RESULT

DOCUMENT_COLUMNS: Final = tuple(field.name for field in DOCUMENT if field.searched)
"""Columns with one value for each row."""
RESULT_FIELDS: Final = tuple(field.name for field in RECIPIENT_RESULT if field.searched)
REASON: Final = "to.reason"
"""The column that `--by status` counts."""
RESULT_COLUMNS: Final = (*(f"to.{name}" for name in RESULT_FIELDS), REASON)
"""Columns with one value for each recipient result."""
DATES: Final = "dates"
"""For each row the date in microseconds since 1970; null if there is no document."""
RESULT_ROWS: Final = "result rows"
"""For each recipient result the position of its row in the chunk."""
_NUMBERS: Final = {
    name: index << 40 for index, name in enumerate((DATES, RESULT_ROWS, *DOCUMENT_COLUMNS, *RESULT_COLUMNS))
}

_LOWER_CASE_IS_ASCII: Final = ("\u0130".encode(), "\u212a".encode())
"""The two letters outside ASCII (Turkish dotted I, Kelvin sign) that have an ASCII letter in lower case."""

Pick: TypeAlias = Callable[[list[Any]], Iterable[int]]
"""Returns the indexes of the values that match."""


def column_numbers(chunk: int) -> dict[str, int]:
    """Return the numbers under which the columns of a chunk are stored."""
    return {name: number | chunk for name, number in _NUMBERS.items()}


class Column(NamedTuple):
    """The values of a field."""

    values: list[Any]
    """Each distinct value once."""
    codes: list[int]
    """For each row, or each recipient result, the index of its value."""

    def all(self) -> list[Any]:
        """Return the value of each row, or each recipient result."""
        values = self.values
        return [values[code] for code in self.codes]


class Chunk:
    """A stored chunk. Columns are read on demand, each once."""

    def __init__(self, connection: sqlite3.Connection, number: int) -> None:
        self._connection, self._number = connection, number
        self._stored: dict[str, bytes] = {}
        self._known: dict[str, list[Any]] = {}

    @property
    def dates(self) -> list[int | None]:
        """The date of each row in microseconds since 1970; None if there is no document."""
        return self._loaded(DATES)

    def _loaded(self, name: str) -> list[Any]:
        if name not in self._known:
            self._known[name] = list(orjson.loads(self._raw(name) or b"[]"))
        return self._known[name]

    def _raw(self, name: str) -> bytes:
        if name not in self._stored:
            number = (_NUMBERS[name] | self._number,)
            found = self._connection.execute("SELECT data FROM columns WHERE number = ?", number).fetchone()
            self._stored[name] = bytes(found[0]) if found else b""
        return self._stored[name]

    def text(self, name: str) -> bytes:
        """Return all values of a column as JSON in UTF-8, in lower case; letters outside ASCII may keep their case."""
        text = self._raw(name)
        return (
            text.decode().lower().encode() if any(letter in text for letter in _LOWER_CASE_IS_ASCII) else text.lower()
        )

    def column(self, name: str) -> Column:
        """Return a column."""
        return Column(*(self._loaded(name) or ([], [])))

    def result_rows(self) -> list[int]:
        """Return the position of the row of each recipient result."""
        return self._loaded(RESULT_ROWS)

    def matching(self, name: str, pick: Pick) -> set[int]:
        """Return the positions of the rows with a value in a column, or in that of a result, that `pick` returns."""
        values, codes = self.column(name)
        wanted = [False] * len(values)
        for code in pick(values):
            wanted[code] = True
        rows = self.result_rows() if name in RESULT_COLUMNS else range(len(codes))
        return set(compress(rows, map(wanted.__getitem__, codes))) if any(wanted) else set()

    def documents(self, positions: Collection[int], names: Sequence[str]) -> Iterator[tuple[int, Document]]:
        """Return pairs of position and document for these rows; a document has only the fields in `names`."""
        of_documents = {name: self.column(name) for name in names if name in DOCUMENT_COLUMNS}
        of_results = {name.removeprefix("to."): self.column(name) for name in names if name.startswith("to.")}
        found: dict[int, Document] = {
            row: {name: values[codes[row]] for name, (values, codes) in of_documents.items()} for row in positions
        }
        if of_results:
            for document in found.values():
                document["to"] = []
            for index, row in enumerate(self.result_rows()):
                if row in found:
                    result = {name: values[codes[index]] for name, (values, codes) in of_results.items()}
                    found[row]["to"].append(result)
        return iter(found.items())
