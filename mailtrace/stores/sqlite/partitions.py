"""The parts of the embedded store: which part a new row is added to, and which parts can hold a stored one."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mailtrace.stores.sqlite.schema import CHUNK_BITS, PART_SIZE, POSITION_BITS, insert

_DAY: Final = 86_400_000_000
_DAY_SECONDS: Final = 86_400
_FIELDS: Final = "part, day, first, last, since, until, indexed, size"


@dataclass(slots=True)
class Part:
    """Up to 65,536 rows with transactions that began on one day. Fields are the columns of the table `parts`."""

    part: int
    day: int
    """Days since 1970, UTC."""
    first: int
    """The earliest start of a transaction, in microseconds since 1970."""
    last: int
    """The latest start."""
    since: int
    """The earliest date of a document, in microseconds since 1970."""
    until: int
    """The latest date."""
    indexed: int
    """When the last row was added, in seconds since 1970."""
    size: int
    """How many rows have been added."""
    is_changed: bool = False


class Parts:
    """All parts of a store, for its writer."""

    def __init__(self) -> None:
        self._parts: dict[int, Part] = {}
        self._by_day: dict[int, list[Part]] = {}
        self._chunks: dict[int, tuple[int, int]] = {}
        self._version = -1

    def load(self, connection: sqlite3.Connection) -> None:
        """Load the parts again if another process has changed the file."""
        version = connection.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            self._parts, self._by_day, self._version = {}, {}, version
            for values in connection.execute(f"SELECT {_FIELDS} FROM parts ORDER BY part"):
                self._add(Part(*values))

    def forget(self) -> None:
        """Discard what has not been committed."""
        self._version = -1
        self._chunks.clear()

    def _add(self, part: Part) -> None:
        self._parts[part.part] = part
        self._by_day.setdefault(part.day, []).append(part)

    def containing(self, start: int) -> Iterator[Part]:
        """Yield the parts that can hold a transaction with this start, in microseconds since 1970."""
        for part in self._by_day.get(start // _DAY, ()):
            if part.first <= start <= part.last:
                yield part

    def between(self, since: int, until: int) -> Iterator[Part]:
        """Yield the parts that can hold transactions that began between two times, in microseconds since 1970."""
        for part in self._parts.values():
            if part.first <= until and part.last >= since:
                yield part

    def assign(self, start: int, date: int, now: int) -> int:
        """Return the number of a new row and add it to its part.

        Rows are added to a part for one day only, so that late ones do not delay the expiry of the others. `start` and
        `date` are in microseconds, `now` is in seconds since 1970.
        """
        day = start // _DAY
        known = self._by_day.get(day)
        part = known[-1] if known else None
        if part is None or part.size == PART_SIZE or now - part.indexed > _DAY_SECONDS:
            part = Part(max(self._parts, default=0) + 1, day, start, start, date, date, now, 0)
            self._add(part)
        part.first, part.last = min(part.first, start), max(part.last, start)
        part.indexed = max(part.indexed, now)
        number = part.part << POSITION_BITS | part.size
        part.size += 1
        self.extend(number, date)
        return number

    def extend(self, number: int, date: int) -> None:
        """Extend the dates of part and chunk of a row to its date."""
        part = self._parts[number >> POSITION_BITS]
        part.since, part.until, part.is_changed = min(part.since, date), max(part.until, date), True
        since, until = self._chunks.get(number >> CHUNK_BITS, (date, date))
        self._chunks[number >> CHUNK_BITS] = min(since, date), max(until, date)

    def save(self, connection: sqlite3.Connection) -> None:
        """Write the changed parts and chunks."""
        changed = [part for part in self._parts.values() if part.is_changed]
        insert(
            connection,
            f"INSERT OR REPLACE INTO parts ({_FIELDS})",
            [(p.part, p.day, p.first, p.last, p.since, p.until, p.indexed, p.size) for p in changed],
        )
        for part in changed:
            part.is_changed = False
        connection.executemany(
            "INSERT INTO chunks VALUES (?1, ?2, ?3)"
            " ON CONFLICT (chunk) DO UPDATE SET since = min(since, ?2), until = max(until, ?3)",
            [(chunk, since, until) for chunk, (since, until) in self._chunks.items()],
        )
        self._chunks.clear()

    def expired(self, before: float) -> list[Part]:
        """Return the parts with only rows dated and added before a time, in seconds since 1970."""
        return [part for part in self._parts.values() if part.indexed < before and part.until < before * 1_000_000]

    def delete(self, connection: sqlite3.Connection, part: Part) -> int:
        """Delete a part and return the number of its documents."""
        numbers = part.part << POSITION_BITS, ((part.part + 1) << POSITION_BITS) - 1
        counted = connection.execute(
            "SELECT count(*) FROM transactions WHERE number BETWEEN ? AND ? AND NOT stub", numbers
        ).fetchone()
        connection.execute("DELETE FROM transactions WHERE number BETWEEN ? AND ?", numbers)
        connection.execute("DELETE FROM terms WHERE part = ?", (part.part,))
        chunks = tuple(number >> CHUNK_BITS for number in numbers)
        connection.execute("DELETE FROM chunks WHERE chunk BETWEEN ? AND ?", chunks)
        connection.execute("DELETE FROM parts WHERE part = ?", (part.part,))
        del self._parts[part.part]
        self._by_day[part.day].remove(part)
        return int(counted[0])
