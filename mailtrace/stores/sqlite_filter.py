"""What a query asks, as a sieve for the columns of a chunk: which are read, and which rows can match at all."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from operator import contains
from typing import Any, Final

from mailtrace.documents import Document
from mailtrace.patterns import Pattern, normal_ip
from mailtrace.query import Query, Word, client_names, is_host, matches
from mailtrace.stores.sqlite_chunk import Chunk

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
_plain = re.compile(r"[ !#-)+->@-\[\]-~]{2,}").findall
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
        asked = {member: names for member, names in _MEMBERS.items() if getattr(query, member)}
        self.is_empty = not asked
        """Whether the query asks for nothing but dates."""
        self._names = sorted({name for names in asked.values() for name in names} | set(further))
        pieces = list(_pieces(query))
        self._pieces = [(_MEMBERS[member], [piece.encode() for piece in some]) for member, some in pieces]
        screens = {member: some for member, some in pieces if member != "words"}
        self._sieves = [
            (_COMPARED.get(member, names), partial(_picked, screens.get(member), _HOLDS[member], some))
            for member, names in asked.items()
            for some in _alternatives(query, member)
        ]

    def rows(self, chunk: Chunk, within: set[int] | None = None) -> Iterator[tuple[int, int, Document]]:
        """Return the rows of a chunk that match: place in it, date, and the members that were read.

        `within`: only rows at these places.
        """
        for place, document in chunk.documents(self.places(chunk, within), self._names):
            date = chunk.dates[place]
            if date is not None and (self.is_empty or matches(self._query, document)):
                yield place, date, document

    def places(self, chunk: Chunk, within: set[int] | None = None) -> set[int]:
        """Return the rows that can match, as far as each value tells by itself."""
        for names, pieces in self._pieces:
            texts = [chunk.text(name) for name in names]
            if not any(piece in text for piece in pieces for text in texts):
                return set()
        found = within
        for names, pick in self._sieves:
            places = {place for name in names for place in chunk.places(name, pick)}
            found = places if found is None else found & places
            if not found:
                return found
        since, until, dates = self._since, self._until, chunk.dates
        among = range(len(dates)) if found is None else found
        return {at for at in among if (date := dates[at]) is not None and since <= date <= until}


def _alternatives(query: Query, member: str) -> list[tuple[Any, ...]]:
    """What a member asks for, of each group one; of words, every single one."""
    asked: tuple[Any, ...] = getattr(query, member)
    return [(word,) for word in asked] if member == "words" else [asked]


def _picked(
    screen: list[str] | None, holds: Callable[[Any, Any], bool], asked: Any, values: list[Any]
) -> Iterable[int]:
    """Where among values those are of which something holds: only such as have one of the pieces that it needs."""
    may: Iterable[int] = range(len(values))
    if screen is not None:
        texts = [(value or "").lower() for value in values]
        may = {at for piece in screen for at, text in enumerate(texts) if piece in text}
    return [at for at in may if holds(asked, values[at])]


def _matched(asked: Iterable[Pattern], value: str | None) -> bool:
    return any(one.matches(value) for one in asked)


def _is_client(asked: Iterable[Pattern], value: str | None) -> bool:
    names = client_names(value)
    return any(one.matches(name) for one in asked for name in names)


def _is_relay(asked: Iterable[Pattern], value: str | None) -> bool:
    text = value or ""
    return _matched(asked, text.lower()) or _matched(asked, normal_ip(text))


def _is_word(asked: Iterable[Word], value: str | None) -> bool:
    return any(
        word.queue_id == value or _matched((word.address, word.text), value) or _is_client((word.client,), value)
        for word in asked
    )


_COMPARED: Final = {"outcomes": ("to.outcome",)}
"""Where not every column that a member needs tells by itself."""
_HOLDS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "senders": _matched,
    "recipients": _matched,
    "msgids": _matched,
    "queue_ids": contains,
    "links": contains,
    "clients": _is_client,
    "logins": _matched,
    "hosts": lambda asked, value: any(is_host(one, value or "") for one in asked),
    "mtas": contains,
    "relays": _is_relay,
    "statuses": lambda asked, value: any(text in (value or "").lower() for text in asked),
    "outcomes": contains,
    "ever": contains,
    "words": _is_word,
}
"""Whether a value can be what a member asks for."""


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
