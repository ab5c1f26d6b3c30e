"""Enlarge a store by copying its rows with later dates, which is much faster than indexing as many."""

import sqlite3
from array import array
from pathlib import Path
from typing import Final

from mailtrace.message.transaction import Transaction
from mailtrace.stores.sqlite.block import HIDDEN
from mailtrace.stores.sqlite.rows import packed, unpacked
from mailtrace.stores.sqlite.schema import CHUNK_BITS, COLUMN_BITS, TERM_BITS

_DAY: Final = 86_400_000_000
_TABLES: Final = (
    "INSERT INTO chunks SELECT chunk + :chunks, day + :days, size, indexed FROM chunks WHERE chunk <= :last",
    f"INSERT INTO blocks SELECT block + (:chunks << {CHUNK_BITS}), size, documents, first + :by, last + :by,"
    " since + :by, until + :by, later_dates(dates, :by), ids FROM blocks"
    f" WHERE block < (:last + 1) << {CHUNK_BITS}",
    f"INSERT INTO transactions SELECT number + (:chunks << {CHUNK_BITS}), id, state, host, queue_id, mta, line,"
    f" later_lines(lines, :by) FROM transactions WHERE number < (:last + 1) << {CHUNK_BITS}",
    f"INSERT INTO columns SELECT number + (:chunks << {CHUNK_BITS + COLUMN_BITS}), codes, texts FROM columns"
    f" WHERE number < (:last + 1) << {CHUNK_BITS + COLUMN_BITS}",
    f"INSERT INTO terms SELECT term + (:chunks << {TERM_BITS}) FROM terms WHERE term < (:last + 1) << {TERM_BITS}",
)


def multiply(store: Path, times: int, days: int) -> None:
    """Extend a store to `times` copies of its rows, each dated `days` days after the one before."""
    connection = sqlite3.connect(store, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.create_function("later_lines", 2, _later_lines)
    connection.create_function("later_dates", 2, _later_dates)
    last = connection.execute("SELECT max(chunk) FROM chunks").fetchone()[0]
    for copy in range(1, times):
        values = {"chunks": last * copy, "days": days * copy, "by": days * copy * _DAY, "last": last}
        connection.execute("BEGIN")
        for statement in _TABLES:
            connection.execute(statement, values)
        connection.execute("COMMIT")
    connection.close()


def _later_lines(lines: bytes, by: int) -> bytes:
    made = Transaction("", "", "")
    for time, fact in unpacked("", "", "", "", lines).facts:
        made.add(time + by, fact)
    return packed(made)


def _later_dates(dates: bytes, by: int) -> bytes:
    return array("q", [date if date == HIDDEN else date + by for date in array("q", dates)]).tobytes()
