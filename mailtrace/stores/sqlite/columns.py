"""The columns of a block: which there are, and how documents become columns."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

from mailtrace.message.document import Document
from mailtrace.message.fields import DOCUMENT, RECIPIENT_RESULT
from mailtrace.search.comparisons import CRITERIA, EXACT
from mailtrace.search.groups import domain_of
from mailtrace.search.reasons import reason_in
from mailtrace.stores.sqlite.schema import contents

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
RECIPIENT: Final = "to.recipient"
DOMAIN: Final = "to.domain"
"""The column that `--by to-domain` counts."""
ATTEMPTS: Final = "to.attempts"
"""The column that `--by ever` adds up."""
_RESULT_COLUMNS: Final = (*(f"to.{name}" for name in _RESULT_FIELDS), REASON, ATTEMPTS, DOMAIN)
_ENCODED: Final = (*_DOCUMENT_COLUMNS, *_RESULT_COLUMNS)
NUMBERS: Final = {name: number for number, name in enumerate((DATES, IDS, RESULT_ROWS, *_ENCODED))}
"""The number of each column; those that begin with `to.` have one value for each recipient result."""
_EXACT: Final = {name for criterion in CRITERIA if criterion.comparison is EXACT for name in criterion.columns}
_FOLDED: Final = {name for criterion in CRITERIA for name in criterion.columns} - _EXACT
"""The columns in lower case: their values are compared and grouped regardless of case."""
_document_values = itemgetter(*_DOCUMENT_COLUMNS)
_result_values = itemgetter(*_RESULT_FIELDS)

Values: TypeAlias = tuple[tuple[Any, ...], list[tuple[Any, ...]]]
"""The values of a document, and of each of its recipient results."""
_NONE: Final[Values] = (None,) * len(_DOCUMENT_COLUMNS), []
"""Those of a hidden row, so that every row has a value in each column."""


def typecode(number: int) -> str:
    """Return the type of array for codes of so many values."""
    return "B" if number <= 1 << 8 else "H" if number <= 1 << 16 else "I"


def numbered(values: Iterable[Any]) -> tuple[list[Any], list[int]]:
    """Return the distinct values in the order in which they come, and for each value its index there."""
    known: defaultdict[Any, int] = defaultdict(count().__next__)
    codes = list(map(known.__getitem__, values))
    return list(known), codes


class Column(NamedTuple):
    """The values of a field."""

    values: list[Any]
    """Each distinct value; texts that are compared regardless of case are in lower case, so that some can be equal."""
    codes: "array[int]"
    """For each row, or each recipient result, the index of its value."""

    @classmethod
    @contents()
    def of(cls, codes: bytes, texts: bytes) -> "Column":
        """Return a column, given as it is stored."""
        values = orjson.loads(texts)
        return cls(values, array(typecode(len(values)), codes))


def domains_of(codes: bytes, texts: bytes) -> tuple[bytes, bytes]:
    """Return the column of the domains of recipients, as it is stored, from that of the recipients."""
    recipients = Column.of(codes, texts)
    domains, of = numbered(map(domain_of, recipients.values))
    return array(typecode(len(domains)), map(of.__getitem__, recipients.codes)).tobytes(), orjson.dumps(domains)


class _Encoder:
    """A column that is being made."""

    def __init__(self) -> None:
        self.known: defaultdict[Any, int] = defaultdict(count().__next__)
        """The distinct values, numbered in the order in which they were found."""
        self._codes: list[int] = []

    def add(self, column: Iterable[Any]) -> None:
        self._codes += map(self.known.__getitem__, column)

    def encoded(self, *, folded: bool) -> tuple[bytes, bytes]:
        values = [value and value.lower() for value in self.known] if folded else list(self.known)
        return array(typecode(len(values)), self._codes).tobytes(), orjson.dumps(values)


def joined(name: str, blocks: Sequence[tuple[int, bytes, bytes]]) -> tuple[bytes, bytes]:
    """Return codes and values of a column of several blocks, given by the position of their first row, and theirs."""
    if name in (DATES, IDS):
        return b"".join(codes for _, codes, _ in blocks), b""
    if name == RESULT_ROWS:
        return array("H", [first + row for first, rows, _ in blocks for row in array("H", rows)]).tobytes(), b""
    known: defaultdict[tuple[Any, int], int] = defaultdict(count().__next__)
    columns = [Column.of(codes, texts) for _, codes, texts in blocks]
    columns = [Column([known[key] for key in _keys(values)], codes) for values, codes in columns]
    kind, values = typecode(len(known)), orjson.dumps([value for value, _ in known])
    if kind == "B":  # translating is twenty times as fast
        return b"".join(codes.tobytes().translate(bytes(of).ljust(1 << 8)) for of, codes in columns), values
    return b"".join(array(kind, map(of.__getitem__, codes)).tobytes() for of, codes in columns), values


def _keys(values: Iterable[Any]) -> Iterator[tuple[Any, int]]:
    """Yield each value of a block, and how many before it are equal: recipients that differ only in case are two."""
    times: Counter[Any] = Counter()
    for value in values:
        yield value, times[value]
        times[value] += 1


class Columns:
    """The columns of a block that is being made."""

    def __init__(self) -> None:
        self._size = 0
        self._encoders = {name: _Encoder() for name in _ENCODED}
        self._result_rows = array("H")

    @property
    def values(self) -> dict[str, Iterable[Any]]:
        """The distinct values of each column, as in the documents."""
        return {name: encoder.known for name, encoder in self._encoders.items()}

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
        (*_result_values(result), reason_in(document, result), result["attempts"], domain_of(result["recipient"]))
        for result in document["to"]
    ]
