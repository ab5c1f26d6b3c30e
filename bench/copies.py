"""Enlarge a store by copying its rows with later dates, which is much faster than indexing as many."""

import sqlite3
from pathlib import Path
from typing import Final

import orjson

from mailtrace.stores.sqlite.chunk import DATES, column_numbers
from mailtrace.stores.sqlite.schema import CHUNK_BITS, PLACE_BITS

_DAY: Final = 86_400_000_000
_CHUNKS: Final = PLACE_BITS - CHUNK_BITS
_TABLES: Final = (
    "INSERT INTO parts SELECT part + :parts, day + :days, first + :by, last + :by, since + :by, until + :by, indexed,"
    " size FROM parts WHERE part <= :last",
    f"INSERT INTO chunks SELECT chunk + (:parts << {_CHUNKS}), since + :by, until + :by FROM chunks"
    f" WHERE chunk < (:last + 1) << {_CHUNKS}",
    f"INSERT INTO transactions SELECT number + (:parts << {PLACE_BITS}), part + :parts, id, date + :by,"
    " version, settled, headless, stub, host, queue_id, mta, line, later_facts(facts, :by)"
    " FROM transactions WHERE part <= :last",
    "INSERT INTO terms SELECT part + :parts, term, place FROM terms WHERE part <= :last",
)


def multiply(store: Path, times: int, days: int) -> None:
    """Extend a store to `times` copies of its rows, each dated `days` days after the one before."""
    connection = sqlite3.connect(store, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.create_function("later_facts", 2, _later_facts)
    connection.create_function("later_dates", 2, _later_dates)
    last = connection.execute("SELECT max(part) FROM parts").fetchone()[0]
    for copy in range(1, times):
        values = {"parts": last * copy, "days": days * copy, "by": days * copy * _DAY, "last": last}
        connection.execute("BEGIN")
        for statement in _TABLES:
            connection.execute(statement, values)
        _copy_columns(connection, values)
        connection.execute("COMMIT")
    connection.close()


def _copy_columns(connection: sqlite3.Connection, values: dict[str, int]) -> None:
    firsts, ends = column_numbers(0), column_numbers((values["last"] + 1) << _CHUNKS)
    for name, first in firsts.items():
        data = "later_dates(data, :by)" if name == DATES else "data"
        connection.execute(
            f"INSERT INTO columns SELECT number + (:parts << {_CHUNKS}), {data} FROM columns"
            " WHERE number >= :first AND number < :end",
            {**values, "first": first, "end": ends[name]},
        )


def _later_facts(facts: bytes, by: int) -> bytes:
    return orjson.dumps([[time + by, *fact] for time, *fact in orjson.loads(facts)])


def _later_dates(dates: bytes, by: int) -> bytes:
    return orjson.dumps([None if date is None else date + by for date in orjson.loads(dates)])
