"""Measure the limit of the embedded store: copy all rows of a finished store from memory into a new one.

python -m bench.sqlite_limit FINISHED NEW COMMITS

One thread runs COMMITS database transactions, each with one `executemany` per table, into the same tables and indexes.
Prints the seconds from the first row until the file is closed. The schema is read from the finished file.
"""

import gc
import json
import sqlite3
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

_OF_THE_FILE: Final = ("page_size", "auto_vacuum", "journal_mode")
_OF_THE_CONNECTION: Final = ("synchronous = NORMAL", "cache_size = -32000")
"""The same values as in the store's own writer."""


class _Table(NamedTuple):
    insert: str
    rows: list[tuple[Any, ...]]

    def part(self, number: int, of: int) -> list[tuple[Any, ...]]:
        """Return the rows of one database transaction."""
        size = len(self.rows)
        return self.rows[size * number // of : size * (number + 1) // of]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _tables(finished: sqlite3.Connection) -> list[_Table]:
    found = finished.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    ).fetchall()
    columns = {name: finished.execute(f"PRAGMA table_info({_quoted(name)})").fetchall() for name, _ in found}
    numbers = {
        column[1]
        for name, sql in found
        if "WITHOUT ROWID" not in sql.upper()
        for column in columns[name]
        if column[5] and column[2].upper() == "INTEGER"
    }
    return [_table(finished, name, [column[1] for column in columns[name]], sql, numbers) for name, sql in found]


def _table(finished: sqlite3.Connection, name: str, columns: Sequence[str], sql: str, numbers: set[str]) -> _Table:
    """Return the rows of a table in insertion order; without row IDs, in the order of the rows they refer to."""
    order = "rowid"
    if "WITHOUT ROWID" in sql.upper():
        order = next((_quoted(column) for column in columns if column in numbers), "1")
    names = ", ".join(map(_quoted, columns))
    rows = finished.execute(f"SELECT {names} FROM {_quoted(name)} ORDER BY {order}").fetchall()
    return _Table(f"INSERT INTO {_quoted(name)} ({names}) VALUES ({', '.join('?' * len(columns))})", rows)


def _made(path: Path, finished: sqlite3.Connection) -> sqlite3.Connection:
    """Create an empty file with the same schema and settings."""
    new = sqlite3.connect(path, isolation_level=None)
    for pragma in _OF_THE_FILE:
        new.execute(f"PRAGMA {pragma} = {finished.execute(f'PRAGMA {pragma}').fetchone()[0]}").fetchall()
    for pragma in _OF_THE_CONNECTION:
        new.execute(f"PRAGMA {pragma}")
    statements = finished.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid").fetchall()
    for (statement,) in statements:
        if not statement.startswith("CREATE TABLE sqlite_"):
            new.execute(statement)
    return new


def _insert(new: sqlite3.Connection, tables: Sequence[_Table], commits: int) -> float:
    began = time.perf_counter()
    for number in range(commits):
        new.execute("BEGIN IMMEDIATE")
        for table in tables:
            new.executemany(table.insert, table.part(number, commits))
        new.execute("COMMIT")
    new.close()
    return time.perf_counter() - began


def main(finished: str, path: str, commits: str) -> None:
    """Copy a finished store, and print the seconds it took."""
    source = sqlite3.connect(f"{Path(finished).resolve().as_uri()}?mode=ro", uri=True)
    tables = _tables(source)
    new = _made(Path(path), source)
    source.close()
    gc.collect()
    gc.freeze()
    seconds = _insert(new, tables, int(commits))
    print(json.dumps({"seconds": seconds, "rows": sum(len(table.rows) for table in tables)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
