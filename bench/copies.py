"""Enlarge a store by copying its rows with later dates, which is much faster than indexing as many."""

import sqlite3
from array import array
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from mailtrace.message.document import Document
from mailtrace.message.lines import document_in, packed, unpacked
from mailtrace.stores.sqlite.columns import DATES, HIDDEN, NUMBERS
from mailtrace.stores.sqlite.schema import CHUNK_BITS, COLUMN_BITS, TERM_BITS

_DAY: Final = 86_400_000_000
_OF_COLUMNS: Final = CHUNK_BITS + COLUMN_BITS
_TABLES: Final = (
    f"INSERT INTO blocks SELECT block + (:chunks << {CHUNK_BITS}), size, documents, first + :by, last + :by,"
    f" since + :by, until + :by, indexed FROM blocks WHERE block < (:last + 1) << {CHUNK_BITS}",
    f"INSERT INTO transactions SELECT number + (:chunks << {CHUNK_BITS}), id, state, host, queue_id, mta, line,"
    f" later_lines(lines, :by) FROM transactions WHERE number < (:last + 1) << {CHUNK_BITS}",
    f"INSERT INTO columns SELECT number + (:chunks << {_OF_COLUMNS}), CASE number & ((1 << {COLUMN_BITS}) - 1)"
    f" WHEN {NUMBERS[DATES]} THEN later_dates(codes, :by) ELSE codes END, texts FROM columns"
    f" WHERE number < (:last + 1) << {_OF_COLUMNS}",
    f"INSERT INTO terms SELECT term + (:chunks << {TERM_BITS}) FROM terms WHERE term < (:last + 1) << {TERM_BITS}",
)


def multiply(store: Path, times: int, days: int) -> None:
    """Extend a store to `times` copies of its rows, each dated `days` days after the one before."""
    connection = sqlite3.connect(store, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.create_function("later_lines", 2, _later_lines)
    connection.create_function("later_dates", 2, _later_dates)
    last = connection.execute(f"SELECT max(block) >> {CHUNK_BITS} FROM blocks").fetchone()[0]
    for copy in range(1, times):
        values = {"chunks": last * copy, "by": days * copy * _DAY, "last": last}
        connection.execute("BEGIN")
        for statement in _TABLES:
            connection.execute(statement, values)
        connection.execute("COMMIT")
    connection.close()


def _later_lines(lines: bytes, by: int) -> bytes:
    found, document = unpacked("", lines), document_in(lines)
    later = [(line.time + by, line.program, line.pid, line.text) for line in found]
    return packed(later, document and _later(document, by))


def _later(document: Document, by: int) -> Document:
    """Return a document with later dates."""
    to = [{**result, **{name: _date(result[name], by) for name in ("date", "last_date")}} for result in document["to"]]
    return {**document, "date": _date(document["date"], by), "to": to}


def _date(date: str, by: int) -> str:
    return (datetime.fromisoformat(date) + timedelta(microseconds=by)).isoformat()


def _later_dates(dates: bytes, by: int) -> bytes:
    return array("q", [date if date == HIDDEN else date + by for date in array("q", dates)]).tobytes()
