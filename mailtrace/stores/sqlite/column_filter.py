"""A query as a sieve for the columns of a chunk: which are read, and which rows can match at all."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Final

from mailtrace.message.document import Document
from mailtrace.search.comparisons import CLIENTS, CRITERIA, MSGIDS, PART, RECIPIENTS, RELAYS, Criterion
from mailtrace.search.patterns import Pattern
from mailtrace.search.query import WORD_CRITERIA, Query, Word, matches
from mailtrace.stores.sqlite.chunk import Chunk

_WORDS: Final = tuple(dict.fromkeys(name for criterion in WORD_CRITERIA for name in criterion.columns))
"""The columns that a word is compared with."""
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
        asked = list(query.asked(CRITERIA))
        self.is_empty = not asked and not query.words
        """Whether the query asks for nothing but dates."""
        names = {name for criterion, _ in asked for name in criterion.columns} | set(further)
        names |= {"to.last" for criterion, _ in asked if criterion.only_last} | set(_WORDS if query.words else ())
        self._names = sorted(names)
        screens = {criterion: screen for criterion, some in asked if (screen := _screen(criterion, some))}
        self._screens = [(criterion.columns, _encoded(screen)) for criterion, screen in screens.items()]
        self._screens += [(_WORDS, _encoded(screen)) for word in query.words if (screen := _screen_of_word(word))]
        self._sieves = [
            (criterion.columns, partial(_picked, screens.get(criterion), partial(criterion.is_met_by, some)))
            for criterion, some in asked
        ]
        self._sieves += [(_WORDS, partial(_picked, None, partial(_is_word, word))) for word in query.words]

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
        for names, pieces in self._screens:
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


def _picked(screen: list[str] | None, is_it: Callable[[Any], bool], values: list[Any]) -> Iterable[int]:
    """Where among values those are that are asked for: only such as have one of the pieces that they need."""
    may: Iterable[int] = range(len(values))
    if screen is not None:
        texts = [(value or "").lower() for value in values]
        may = {at for piece in screen for at, text in enumerate(texts) if piece in text}
    return [at for at in may if is_it(values[at])]


def _is_word(word: Word, value: str | None) -> bool:
    return any(criterion.is_met_by(word.asked_of(criterion), value) for criterion in WORD_CRITERIA)


def _screen(criterion: Criterion, asked: Iterable[Any]) -> list[str] | None:
    """Pieces of text of which a value that is asked for has one; None where it need have none of any."""
    if criterion.comparison is PART:
        found = [_longest(part) for part in asked]
    elif criterion.comparison in _COMPARES_PATTERNS:
        found = [_piece(pattern, is_peer=criterion in _PEERS) for pattern in asked]
    else:
        return None
    return found if all(found) else None


def _screen_of_word(word: Word) -> list[str] | None:
    found = [_piece(word.address), _piece(word.text), _piece(word.client, is_peer=True), word.queue_id.lower()]
    return found if all(found) else None


def _encoded(screen: list[str]) -> list[bytes]:
    return [piece.encode() for piece in screen]


_PEERS: Final = (CLIENTS, RELAYS)
_COMPARES_PATTERNS: Final = tuple(criterion.comparison for criterion in (RECIPIENTS, MSGIDS, *_PEERS))


def _piece(pattern: Pattern, *, is_peer: bool = False) -> str:
    """The longest piece that a value cannot be without; empty where there is none.

    A peer's address is compared in its normal spelling, which a column need not have.
    """
    if pattern.kind == "network" or (is_peer and not _is_no_address(pattern.text)):
        return ""
    return _longest(pattern.text)


def _longest(text: str) -> str:
    return max(_plain(text), key=len, default="")
