"""The columns of the embedded store: of each chunk of rows, one list for each member of its documents.

They are what `query.matches` and `groups.Tally` look at, a hundred times quicker to read than the documents themselves.
"""

import sqlite3
from collections.abc import Collection, Iterator
from typing import Any, Final

import orjson

from mailtrace.documents import Document
from mailtrace.reasons import reason_of
from mailtrace.stores.sqlite_parts import Part
from mailtrace.stores.sqlite_schema import CHUNK_BITS, PLACE_BITS, insert

_OF_DOCUMENTS: Final = ("transaction", "host", "mta", "from", "client", "orig_client", "login", "msgid", "origin")
_OF_ENTRIES: Final = (
    "recipient",
    "orig_to",
    "relay",
    "relay_host",
    "relay_ip",
    "status",
    "outcome",
    "delay",
    "last",
    "queued_as",
)
DATE: Final = "search_date"
"""The date in microseconds; null where there is no document."""
REASON: Final = "to.reason"
"""What `--by status` counts."""
_NAMES: Final = (DATE, *_OF_DOCUMENTS, *(f"to.{name}" for name in _OF_ENTRIES), REASON)
_COLUMN: Final = {name: column << 40 for column, name in enumerate(_NAMES)}
_CHUNK: Final = 1 << CHUNK_BITS
_WITHIN: Final = _CHUNK - 1
_MOST_OPEN: Final = 2
"""Chunks in memory: each some megabytes."""

Lists = dict[str, list[Any]]
"""By the name of a column, its values in the order of the rows."""


class Columns:
    """The columns as a store's writer changes them: a chunk is written once for many rows."""

    def __init__(self) -> None:
        self._open: dict[int, Lists] = {}
        self._changed: set[int] = set()

    def put(self, connection: sqlite3.Connection, number: int, date: int, document: Document | None) -> None:
        """Set the values of a row; without a document it has none."""
        chunk, at = number >> CHUNK_BITS, number & _WITHIN
        lists = self._open.get(chunk)
        if lists is None:
            if len(self._open) >= _MOST_OPEN:
                self.save(connection)
            self._open[chunk] = lists = read(connection, chunk, _NAMES)
        self._changed.add(chunk)
        if at == len(lists[DATE]):
            for name in _NAMES:
                lists[name].append(None)
        if document is None:
            lists[DATE][at] = None
            return
        lists[DATE][at] = date
        for name in _OF_DOCUMENTS:
            lists[name][at] = document[name]
        to = document["to"]
        for name in _OF_ENTRIES:
            lists[f"to.{name}"][at] = [entry[name] for entry in to]
        lists[REASON][at] = [reason_of(entry["status"] or "") for entry in to]

    def save(self, connection: sqlite3.Connection) -> None:
        """Write what has changed, and keep the newest chunk, which is to be continued."""
        rows: list[tuple[object, ...]] = [
            (_COLUMN[name] | chunk, orjson.dumps(values))
            for chunk in sorted(self._changed)
            for name, values in self._open[chunk].items()
        ]
        insert(connection, "INSERT OR REPLACE INTO columns", rows)
        newest = max(self._open, default=0)
        self._open = {newest: self._open[newest]} if newest else {}
        self._changed.clear()

    def forget(self) -> None:
        """Forget what has not been committed."""
        self._open.clear()
        self._changed.clear()


def drop(connection: sqlite3.Connection, part: Part) -> None:
    """Delete the columns of a part."""
    first = part.part << (PLACE_BITS - CHUNK_BITS)
    last = ((part.part + 1) << (PLACE_BITS - CHUNK_BITS)) - 1
    for column in _COLUMN.values():
        connection.execute("DELETE FROM columns WHERE number BETWEEN ? AND ?", (column | first, column | last))


def read(connection: sqlite3.Connection, chunk: int, names: Collection[str]) -> Lists:
    """Return columns of a chunk."""
    return {name: orjson.loads(raw(connection, chunk, name)) for name in names}


def raw(connection: sqlite3.Connection, chunk: int, name: str) -> bytes:
    """Return a column of a chunk as it is stored: a list in JSON."""
    found = connection.execute("SELECT data FROM columns WHERE number = ?", (_COLUMN[name] | chunk,)).fetchone()
    return bytes(found[0]) if found else b"[]"


def documents_of(lists: Lists) -> Iterator[tuple[int, Document]]:
    """Return what there is of each document, by its place in the chunk: the members that have been read."""
    of_documents = [name for name in lists if name in _OF_DOCUMENTS]
    of_entries = [name.removeprefix("to.") for name in lists if name.startswith("to.")]
    members = list(zip(*(lists[name] for name in of_documents), strict=True)) if of_documents else None
    entries = list(zip(*(lists[f"to.{name}"] for name in of_entries), strict=True)) if of_entries else None
    for at, date in enumerate(lists[DATE]):
        if date is None:
            continue
        document: Document = dict(zip(of_documents, members[at], strict=True)) if members else {}
        if entries:
            document["to"] = [dict(zip(of_entries, values, strict=True)) for values in zip(*entries[at], strict=True)]
        yield at, document
