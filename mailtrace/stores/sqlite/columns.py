"""The columns of a block: which there are, and how documents become columns."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count
from typing import Any, Final

import orjson

from mailtrace.message.document import Document
from mailtrace.message.fields import DOCUMENT, RECIPIENT_RESULT
from mailtrace.search.comparisons import CRITERIA, EXACT
from mailtrace.search.reasons import reason_of

DOCUMENT_COLUMNS: Final = (*(field.name for field in DOCUMENT if field.searched), "size", "removed")
"""Columns with one value for each row."""
RESULT_FIELDS: Final = tuple(field.name for field in RECIPIENT_RESULT if field.searched)
REASON: Final = "to.reason"
"""The column that `--by status` counts."""
RESULT_COLUMNS: Final = (*(f"to.{name}" for name in RESULT_FIELDS), REASON)
"""Columns with one value for each recipient result."""
RESULT_ROWS: Final = "result rows"
"""For each recipient result the position of its row in the block."""
NUMBERS: Final = {name: number for number, name in enumerate((RESULT_ROWS, *DOCUMENT_COLUMNS, *RESULT_COLUMNS))}
"""The number of each column."""
_EXACT: Final = {name for criterion in CRITERIA if criterion.comparison is EXACT for name in criterion.columns}
_FOLDED: Final = {name for criterion in CRITERIA for name in criterion.columns} - _EXACT
"""The columns in lower case: their values are compared and grouped regardless of case."""
_EMPTY: Final[Document] = {**dict.fromkeys(DOCUMENT_COLUMNS), "to": []}
"""Stands for the document of a stub, so that every row has a value in each column."""


def typecode(number: int) -> str:
    """Return the type of array for codes of so many values."""
    return "B" if number <= 1 << 8 else "H" if number <= 1 << 16 else "I"


class Encoder:
    """A column that is being made."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        """Each distinct value once, as in the documents."""
        self._codes: list[int] = []
        self._known: dict[Any, int] = {}

    def add(self, column: Iterable[Any]) -> None:
        """Append the values of some rows, or recipient results."""
        column, known = list(column), self._known
        new = [value for value in dict.fromkeys(column) if value not in known]
        known.update(zip(new, count(len(known))))
        self.values += new
        self._codes += map(known.__getitem__, column)

    def all(self) -> Iterable[Any]:
        """Return the value of each row, or each recipient result."""
        return map(self.values.__getitem__, self._codes)

    def encoded(self, *, folded: bool) -> tuple[bytes, bytes]:
        """Return codes and values as they are stored; `folded`: in lower case."""
        values = [value and value.lower() for value in self.values] if folded else self.values
        return array(typecode(len(values)), self._codes).tobytes(), orjson.dumps(values)


def columns_of(documents: Sequence[Document | None]) -> Iterator[tuple[str, list[Any]]]:
    """Yield name and values of each column of the documents of rows."""
    shown = [document or _EMPTY for document in documents]
    for name in DOCUMENT_COLUMNS:
        yield name, [document[name] for document in shown]
    results = list(chain.from_iterable(document["to"] for document in shown))
    yield RESULT_ROWS, [row for row, document in enumerate(shown) for _ in document["to"]]
    for name in RESULT_FIELDS:
        yield f"to.{name}", [result[name] for result in results]
    statuses = [result["status"] or "" for result in results]
    reasons = {status: reason_of(status) for status in dict.fromkeys(statuses)}
    yield REASON, list(map(reasons.__getitem__, statuses))


class BlockColumns:
    """All columns of a block that is being made."""

    def __init__(self) -> None:
        self.size = 0
        """How many rows have been added."""
        self.encoders = {name: Encoder() for name in NUMBERS if name != RESULT_ROWS}
        self._result_rows: array[int] = array("H")

    def add(self, size: int, columns: Iterable[tuple[str, Iterable[Any]]]) -> None:
        """Append the columns of `size` rows."""
        for name, values in columns:
            if name == RESULT_ROWS:
                self._result_rows.extend(row + self.size for row in values)
            else:
                self.encoders[name].add(values)
        self.size += size

    def all(self, name: str) -> Iterable[Any]:
        """Return the values of a column."""
        return self._result_rows if name == RESULT_ROWS else self.encoders[name].all()

    def encoded(self) -> Iterator[tuple[int, bytes, bytes]]:
        """Yield number, codes and values of each column."""
        yield NUMBERS[RESULT_ROWS], self._result_rows.tobytes(), b""
        for name, encoder in self.encoders.items():
            yield NUMBERS[name], *encoder.encoded(folded=name in _FOLDED)
