"""A query as a filter of columns: which columns to read, and which rows of a chunk can match."""

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
"""The columns that a search word is compared with."""
_plain_pieces = re.compile(r"[ !#-)+->@-\[\]-~]{2,}").findall
"""Finds the literal pieces of a pattern: printable ASCII without wildcards and without what JSON escapes."""
_is_no_address = re.compile(r"[g-z_-]|\A[0-9.]+\Z").search
"""Finds text that cannot be part of an IPv6 address, the only one with several spellings."""


class Filter:
    """A query on columns."""

    def __init__(self, query: Query, also: Iterable[str] = ()) -> None:
        """`also`: columns to read in addition to those that the query needs."""
        self._query = replace(query, since=None, until=None)
        self._since = -(2**62) if query.since is None else query.since
        self._until = 2**62 if query.until is None else query.until
        asked = list(query.asked(CRITERIA))
        self.is_empty = not asked and not query.words
        """Whether the query has no condition but dates."""
        names = {name for criterion, _ in asked for name in criterion.columns} | set(also)
        names |= {"to.last" for criterion, _ in asked if criterion.only_last} | set(_WORDS if query.words else ())
        self._names = sorted(names)
        pieces = {criterion: some for criterion, values in asked if (some := _pieces(criterion, values))}
        self._pieces = [(criterion.columns, _encoded(some)) for criterion, some in pieces.items()]
        self._pieces += [(_WORDS, _encoded(some)) for word in query.words if (some := _pieces_of_word(word))]
        self._picks = [
            (criterion.columns, partial(_matching, pieces.get(criterion), partial(criterion.is_met_by, values)))
            for criterion, values in asked
        ]
        self._picks += [(_WORDS, partial(_matching, None, partial(_is_word, word))) for word in query.words]

    def rows(self, chunk: Chunk, within: set[int] | None = None) -> Iterator[tuple[int, int, Document]]:
        """Yield position, date and document of the rows of a chunk that match.

        Dates are microseconds since 1970, and documents have only the fields that were read. `within`: only rows at
        these positions.
        """
        for position, document in chunk.documents(self.positions(chunk, within), self._names):
            date = chunk.dates[position]
            if date is not None and (self.is_empty or matches(self._query, document)):
                yield position, date, document

    def positions(self, chunk: Chunk, within: set[int] | None = None) -> set[int]:
        """Return the positions of rows that can match, judged by each column on its own."""
        for names, pieces in self._pieces:
            texts = [chunk.text(name) for name in names]
            if not any(piece in text for piece in pieces for text in texts):
                return set()
        found = within
        for names, pick in self._picks:
            positions = {position for name in names for position in chunk.matching(name, pick)}
            found = positions if found is None else found & positions
            if not found:
                return found
        since, until, dates = self._since, self._until, chunk.dates
        candidates = range(len(dates)) if found is None else found
        return {at for at in candidates if (date := dates[at]) is not None and since <= date <= until}


def _matching(pieces: list[str] | None, is_match: Callable[[Any], bool], values: list[Any]) -> Iterable[int]:
    """Return the indexes of the values that match; only those with one of the pieces are compared."""
    candidates: Iterable[int] = range(len(values))
    if pieces is not None:
        texts = [(value or "").lower() for value in values]
        candidates = {index for piece in pieces for index, text in enumerate(texts) if piece in text}
    return [index for index in candidates if is_match(values[index])]


def _is_word(word: Word, value: str | None) -> bool:
    return any(criterion.is_met_by(word.asked_of(criterion), value) for criterion in WORD_CRITERIA)


def _pieces(criterion: Criterion, asked: Iterable[Any]) -> list[str] | None:
    """Return pieces of text, at least one of which is in every value that matches; None if there are no such pieces."""
    if criterion.comparison is PART:
        found = [_longest(part) for part in asked]
    elif criterion.comparison in _COMPARES_PATTERNS:
        found = [_piece(pattern, is_peer=criterion in _PEERS) for pattern in asked]
    else:
        return None
    return found if all(found) else None


def _pieces_of_word(word: Word) -> list[str] | None:
    found = [_piece(word.address), _piece(word.text), _piece(word.client, is_peer=True), word.queue_id.lower()]
    return found if all(found) else None


def _encoded(pieces: list[str]) -> list[bytes]:
    return [piece.encode() for piece in pieces]


_PEERS: Final = (CLIENTS, RELAYS)
_COMPARES_PATTERNS: Final = tuple(criterion.comparison for criterion in (RECIPIENTS, MSGIDS, *_PEERS))


def _piece(pattern: Pattern, *, is_peer: bool = False) -> str:
    """Return the longest piece of text in every value that matches a pattern; empty if there is none.

    The IP address of a peer is compared in its canonical form, which a column need not have.
    """
    if pattern.kind == "network" or (is_peer and not _is_no_address(pattern.text)):
        return ""
    return _longest(pattern.text)


def _longest(text: str) -> str:
    return max(_plain_pieces(text), key=len, default="")
