"""The columns of a block: which there are, and how documents become columns."""

from array import array
from collections.abc import Iterator, Sequence
from itertools import chain, count
from operator import itemgetter
from typing import Any, Final, TypeAlias

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
_document_values = itemgetter(*_DOCUMENT_COLUMNS)
_result_values = itemgetter(*_RESULT_FIELDS, "attempts")
_RESULT_COLUMNS: Final = (*(f"to.{name}" for name in _RESULT_FIELDS), ATTEMPTS, REASON)

Values: TypeAlias = tuple[tuple[Any, ...], list[tuple[Any, ...]]]
"""The values of a document, and of each of its recipient results."""
_NONE: Final[Values] = (None,) * len(_DOCUMENT_COLUMNS), []
"""Those of a hidden row, so that every row has a value in each column."""


def typecode(number: int) -> str:
    """Return the type of array for codes of so many values."""
    return "B" if number <= 1 << 8 else "H" if number <= 1 << 16 else "I"


class _Encoder:
    """A column that is being made."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._codes: list[int] = []
        self._known: dict[Any, int] = {}

    def add(self, column: Sequence[Any]) -> None:
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

    def add(self, rows: Sequence[Values | None]) -> None:
        """Append the values of rows; None for a hidden one."""
        of_documents, of_results = zip(*(values or _NONE for values in rows), strict=True)
        self._result_rows.extend(row for row, results in enumerate(of_results, self._size) for _ in results)
        self._size += len(rows)
        for name, column in zip(_DOCUMENT_COLUMNS, zip(*of_documents, strict=True), strict=True):
            self._encoders[name].add(column)
        # There are no columns if there is no result.
        for name, column in zip(_RESULT_COLUMNS, zip(*chain.from_iterable(of_results), strict=True), strict=False):
            self._encoders[name].add(column)

    def encoded(self) -> Iterator[tuple[str, bytes, bytes]]:
        """Yield name, codes and values of each column, as they are stored."""
        yield RESULT_ROWS, self._result_rows.tobytes(), b""
        for name, encoder in self._encoders.items():
            yield name, *encoder.encoded(folded=name in _FOLDED)


def values_of(document: Document | None) -> Values | None:
    """Return the values of a document in each column."""
    if document is None:
        return None
    return _document_values(document), [
        (*_result_values(result), reason_in(document, result)) for result in document["to"]
    ]
