"""The columns of a block: which there are, and how documents become columns."""

from array import array
from collections.abc import Iterator, Sequence
from itertools import chain, count
from typing import Any, Final

import orjson

from mailtrace.message.document import Document
from mailtrace.message.fields import DOCUMENT, RECIPIENT_RESULT
from mailtrace.search.comparisons import CRITERIA, EXACT
from mailtrace.search.reasons import reason_in

DATES: Final = "dates"
"""For each row the date in microseconds since 1970, or `HIDDEN`."""
HIDDEN: Final = -(2**63)
"""The date of a row without a document: a stub, or an older version."""
IDS: Final = "ids"
RESULT_ROWS: Final = "result rows"
"""For each recipient result the position of its row in the block."""
_DOCUMENT_COLUMNS: Final = (*(field.name for field in DOCUMENT if field.searched), "size", "removed")
"""Columns with one value for each row."""
_RESULT_FIELDS: Final = tuple(field.name for field in RECIPIENT_RESULT if field.searched)
REASON: Final = "to.reason"
"""The column that `--by status` counts."""
ATTEMPTS: Final = "to.attempts"
"""The column that `--by ever` adds up."""
_ENCODED: Final = (*_DOCUMENT_COLUMNS, *(f"to.{name}" for name in _RESULT_FIELDS), REASON, ATTEMPTS)
NUMBERS: Final = {name: number for number, name in enumerate((DATES, IDS, RESULT_ROWS, *_ENCODED))}
"""The number of each column; those that begin with `to.` have one value for each recipient result."""
_EXACT: Final = {name for criterion in CRITERIA if criterion.comparison is EXACT for name in criterion.columns}
_FOLDED: Final = {name for criterion in CRITERIA for name in criterion.columns} - _EXACT
"""The columns in lower case: their values are compared and grouped regardless of case."""
_NONE: Final[Document] = {**dict.fromkeys(_DOCUMENT_COLUMNS), "to": []}
"""Stands for the document of a hidden row, so that every row has a value in each column."""


def typecode(number: int) -> str:
    """Return the type of array for codes of so many values."""
    return "B" if number <= 1 << 8 else "H" if number <= 1 << 16 else "I"


class _Encoder:
    """A column that is being made."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._codes: list[int] = []
        self._known: dict[Any, int] = {}

    def add(self, column: list[Any]) -> None:
        known = self._known
        new = [value for value in dict.fromkeys(column) if value not in known]
        known.update(zip(new, count(len(known))))
        self.values += new
        self._codes += map(known.__getitem__, column)

    def encoded(self, *, folded: bool) -> tuple[bytes, bytes]:
        values = [value and value.lower() for value in self.values] if folded else self.values
        return array(typecode(len(values)), self._codes).tobytes(), orjson.dumps(values)


class Columns:
    """The columns of a block that is being made."""

    def __init__(self) -> None:
        self._size = 0
        self._encoders = {name: _Encoder() for name in _ENCODED}
        self._result_rows = array("H")

    @property
    def values(self) -> dict[str, list[Any]]:
        """The distinct values of each column, as in the documents."""
        return {name: encoder.values for name, encoder in self._encoders.items()}

    def add(self, documents: Sequence[Document | None]) -> None:
        """Append the documents of rows; None for a hidden one."""
        shown = [document or _NONE for document in documents]
        results = list(chain.from_iterable(document["to"] for document in shown))
        self._result_rows.extend(row for row, document in enumerate(shown, self._size) for _ in document["to"])
        self._size += len(shown)
        for name in _DOCUMENT_COLUMNS:
            self._encoders[name].add([document[name] for document in shown])
        for name in (*_RESULT_FIELDS, "attempts"):
            self._encoders[f"to.{name}"].add([result[name] for result in results])
        self._encoders[REASON].add([reason_in(document, result) for document in shown for result in document["to"]])

    def encoded(self) -> Iterator[tuple[str, bytes, bytes]]:
        """Yield name, codes and values of each column, as they are stored."""
        yield RESULT_ROWS, self._result_rows.tobytes(), b""
        for name, encoder in self._encoders.items():
            yield name, *encoder.encoded(folded=name in _FOLDED)
