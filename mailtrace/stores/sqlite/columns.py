"""The columns of a block: which there are, and how documents become columns."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count
from typing import Any, Final, NamedTuple

import orjson

from mailtrace.message.document import Document
from mailtrace.message.fields import DOCUMENT, RECIPIENT_RESULT
from mailtrace.search.comparisons import CRITERIA, EXACT
from mailtrace.search.groups import domain_of
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
DOMAIN: Final = "to.domain"
"""The column that `--by to-domain` counts."""
ATTEMPTS: Final = "to.attempts"
"""The column that `--by ever` adds up."""
_ENCODED: Final = (*_DOCUMENT_COLUMNS, *(f"to.{name}" for name in _RESULT_FIELDS), REASON, ATTEMPTS, DOMAIN)
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
    def of(cls, codes: bytes, texts: bytes) -> "Column":
        """Return a column, given as it is stored."""
        values = orjson.loads(texts)
        return cls(values, array(typecode(len(values)), codes))


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


class _Domains(dict[str | None, str | None]):
    """The domains of addresses."""

    def __missing__(self, address: str | None) -> str | None:
        domain = self[address] = domain_of(address)
        return domain


class Columns:
    """The columns of a block that is being made."""

    def __init__(self) -> None:
        self._size = 0
        self._encoders = {name: _Encoder() for name in _ENCODED}
        self._result_rows = array("H")
        self._domains = _Domains()

    @property
    def values(self) -> dict[str, Iterable[Any]]:
        """The distinct values of each column, as in the documents."""
        return {name: encoder.known for name, encoder in self._encoders.items()}

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
        self._encoders[DOMAIN].add(map(self._domains.__getitem__, [result["recipient"] for result in results]))
        self._encoders[REASON].add([reason_in(document, result) for document in shown for result in document["to"]])

    def encoded(self) -> Iterator[tuple[str, bytes, bytes]]:
        """Yield name, codes and values of each column, as they are stored."""
        yield RESULT_ROWS, self._result_rows.tobytes(), b""
        for name, encoder in self._encoders.items():
            yield name, *encoder.encoded(folded=name in _FOLDED)
