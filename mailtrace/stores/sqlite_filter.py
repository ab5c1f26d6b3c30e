"""What a query asks, as a sieve for the columns of a chunk: which are read, and which rows can match at all."""

import re
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from mailtrace.documents import Document
from mailtrace.patterns import Pattern
from mailtrace.query import Query, matches
from mailtrace.stores.sqlite_columns import DATE, Lists, documents_of, raw, read

_RECIPIENTS: Final = ("to.recipient", "to.orig_to")
_CLIENTS: Final = ("client", "orig_client")
_MEMBERS: Final = {
    "senders": ("from",),
    "recipients": _RECIPIENTS,
    "msgids": ("msgid",),
    "queue_ids": ("transaction",),
    "links": ("origin", "to.queued_as"),
    "clients": _CLIENTS,
    "logins": ("login",),
    "hosts": ("host",),
    "mtas": ("mta",),
    "relays": ("to.relay", "to.relay_host", "to.relay_ip"),
    "statuses": ("to.status",),
    "outcomes": ("to.outcome", "to.last"),
    "ever": ("to.outcome",),
    "words": ("from", "msgid", "login", "transaction", *_CLIENTS, *_RECIPIENTS),
}
"""The columns that each member of a query is compared with."""
_plain = re.compile(r"[^*?\"\\\x00-\x1f\x7f-\U0010ffff]{2,}").findall
"""Pieces of a pattern that stand in a column just so: none that JSON escapes or that has several capitals."""

_is_no_address = re.compile(r"[g-z_-]|\A[0-9.]+\Z").search
"""No spelling of an IPv6 address has such a letter, and those of IPv4 have one spelling."""


class Filter:
    """A query over columns."""

    def __init__(self, query: Query, further: Iterable[str] = ()) -> None:
        """`further` columns are read beside those that the query needs."""
        self._query = replace(query, since=None, until=None)
        self._since = -(2**62) if query.since is None else query.since
        self._until = 2**62 if query.until is None else query.until
        asked = {name for member, names in _MEMBERS.items() if getattr(query, member) for name in names}
        self.is_empty = not asked
        """Whether the query asks for nothing but dates."""
        self._names = sorted(asked | set(further))
        self._pieces = [(_MEMBERS[member], pieces) for member, pieces in _pieces(query)]

    def rows(
        self, connection: sqlite3.Connection, chunk: int, within: set[int] | None = None
    ) -> Iterator[tuple[int, int, Document]]:
        """Return the rows of a chunk that match: place in it, date, and the members that were read.

        `within`: only rows at these places.
        """
        for names, pieces in self._pieces:
            texts = [raw(connection, chunk, name).decode().lower() for name in names]
            if not any(piece in text for piece in pieces for text in texts):
                return
        lists = self.read(connection, chunk, within)
        for at, document in documents_of(lists):
            if self.is_empty or matches(self._query, document):
                yield at, lists[DATE][at], document

    def read(self, connection: sqlite3.Connection, chunk: int, within: set[int] | None = None) -> Lists:
        """Return the columns of a chunk, without dates where a row cannot match."""
        lists = read(connection, chunk, [DATE, *self._names])
        since, until, dates = self._since, self._until, lists[DATE]
        lists[DATE] = dates = [date if date is not None and since <= date <= until else None for date in dates]
        if within is not None:
            lists[DATE] = dates = [date if at in within else None for at, date in enumerate(dates)]
        for names, pieces in self._pieces:
            columns = [lists[name] for name in names]
            lists[DATE] = dates = [
                date if date is not None and any(_has(value, pieces) for value in values) else None
                for date, values in zip(dates, zip(*columns, strict=True), strict=True)
            ]
        return lists


def _has(value: str | list[str | None] | None, pieces: list[str]) -> bool:
    """Whether one of the pieces stands in a value, or in one of an entry's."""
    if value is None:
        return False
    if isinstance(value, str):
        value = value.lower()
        return any(piece in value for piece in pieces)
    return any(_has(one, pieces) for one in value)


def _pieces(query: Query) -> Iterator[tuple[str, list[str]]]:
    """For each member that asks for text: pieces of which one must stand in it."""
    for member in ("senders", "recipients", "msgids", "clients", "logins", "relays"):
        patterns: tuple[Pattern, ...] = getattr(query, member)
        found = [_piece(pattern, is_peer=member in ("clients", "relays")) for pattern in patterns]
        if found and all(found):
            yield member, found
    found = [max(_plain(status), key=len, default="") for status in query.statuses]
    if found and all(found):
        yield "statuses", found
    for word in query.words:
        found = [_piece(word.address), _piece(word.text), _piece(word.client, is_peer=True), word.queue_id.lower()]
        if all(found):
            yield "words", found


def _piece(pattern: Pattern, *, is_peer: bool = False) -> str:
    """The longest piece that a value cannot be without; empty where there is none.

    A peer's address is compared in its normal spelling, which a column need not have.
    """
    if pattern.kind == "network" or (is_peer and not _is_no_address(pattern.text)):
        return ""
    return max(_plain(pattern.text), key=len, default="")
