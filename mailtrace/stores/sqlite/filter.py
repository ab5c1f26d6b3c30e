"""A query as a filter of blocks: which rows of a block match, decided by its columns as `query.matches` decides."""

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import partial, reduce
from operator import and_, contains, or_
from typing import Any

from mailtrace.message.document import Document
from mailtrace.search.comparisons import CLIENT, CRITERIA, EXACT, PART, PATTERN, RECIPIENTS, RELAY, Criterion
from mailtrace.search.patterns import Pattern
from mailtrace.search.query import WORD_CRITERIA, Query, matches
from mailtrace.stores.sqlite.block import Block, Mask, Pick, everything

_plain_pieces = re.compile(r"[ !#-)+->@-\[\]-~]{1,}").findall
"""Finds the literal pieces of a pattern: printable ASCII without wildcards and without what JSON escapes."""
_is_no_address = re.compile(r"[g-z_-]|\A[0-9.]+\Z").search
"""Finds text that cannot be part of an IPv6 address or of a network, which have several spellings."""
_is_part = re.compile(r"\*[^*?]+\*").fullmatch
"""Whether a pattern asks for nothing but a piece of text."""


class _Test:
    """A criterion with its wanted values, for all its columns."""

    def __init__(self, criterion: Criterion, wanted: tuple[Any, ...]) -> None:
        self._criterion = criterion
        pieces = _pieces(criterion, wanted)
        self._pieces = None if pieces is None else [piece.encode() for piece in pieces]
        self._pick = _pick(criterion, wanted, pieces)

    def mask(self, block: Block) -> Mask:
        """Return the rows that meet the criterion, or the recipient results if it is about recipients."""
        found = 0
        for name in self._criterion.columns:
            if self._pieces is None or block.has(name, self._pieces):
                matching = block.with_value(name, self._pick)
                is_of_other = name.startswith("to.") and not self._criterion.is_of_results
                found |= block.rows_of(matching) if is_of_other else matching
        return found & is_last(block) if found and self._criterion.only_last else found


def _pick(criterion: Criterion, asked: tuple[Any, ...], pieces: list[str] | None) -> Pick:
    """Return a function that tells which values match; most patterns need no comparison of their own."""
    is_pattern, is_match = criterion.comparison is PATTERN, partial(criterion.is_met_by, asked)
    if criterion.comparison is EXACT or (is_pattern and all(pattern.kind == "exact" for pattern in asked)):
        texts = {pattern.text for pattern in asked} if is_pattern else set(asked)
        return lambda values: [value in texts for value in values]
    if len(asked) == 1 and (criterion.comparison is PART or (is_pattern and _is_part(asked[0].text))):
        part = asked[0].text[1:-1] if is_pattern else asked[0]
        return lambda values: [value is not None and part in value for value in values]
    if is_pattern and len(asked) == 1:
        is_match = asked[0].matches
    if pieces is None:
        return lambda values: [is_match(value) for value in values]
    return lambda values: [
        value is not None and any(map(partial(contains, value), pieces)) and is_match(value) for value in values
    ]


def is_last(block: Block) -> Mask:
    """Return the final recipient results of a block."""
    return block.with_value("to.last", lambda values: values)


class Filter:
    """A query on blocks."""

    def __init__(self, query: Query) -> None:
        self._query, self._undated = query, replace(query, since=None, until=None)
        tests = [(criterion, _Test(criterion, wanted)) for criterion, wanted in query.asked(CRITERIA)]
        self._of_documents = [test for criterion, test in tests if not criterion.is_of_results]
        self._of_results = [test for criterion, test in tests if criterion in query.of_one_result]
        self._of_recipients = [test for criterion, test in tests if criterion in query.of_recipients]
        self._words = [
            {criterion: _Test(criterion, word.asked_of(criterion)) for criterion in WORD_CRITERIA}
            for word in query.words
        ]
        self._asks_of_results = query.min_delay is not None or bool(self._of_results or self._of_recipients)
        self.is_empty = not tests and not query.words and not query.asks_of_results
        """Whether the query has no condition but dates."""

    def rows(self, block: Block) -> Mask:
        """Return the rows of a block whose documents match; with `queued`, those that can match."""
        found = block.shown(self._query.since, self._query.until)
        if self._query.queued:
            found = found and found & _unfinished(block)
        for test in self._of_documents:
            found = found and found & test.mask(block)
        if found and (self._asks_of_results or self._words):
            results = self.results(block)
            if self._asks_of_results:
                found &= block.rows_of(results)
            for word in self._words:
                found = found and found & (_outside(word, block) | block.rows_of(_inside(word, block) & results))
        return found

    def number(self, block: Block) -> int:
        """Return how many documents of a block match."""
        return self.rows(block).bit_count()

    def confirms(self, document: Document) -> bool:
        """Return whether a document matches, by what it is now: its columns are as old as its row."""
        return self.is_empty or matches(self._undated, document)

    def results(self, block: Block) -> Mask:
        """Return the recipient results of a block that meet all criteria about recipients, except `queued`."""
        found = everything(len(block.result_rows))
        for test in self._of_results:
            found = found and found & test.mask(block)
        for test in self._of_recipients:
            found = found and found & block.of_same_recipients(test.mask(block))
        if found and (shortest := self._query.min_delay) is not None:
            found &= block.of_same_recipients(_with_delay(block, shortest))
        return found

    def counted(self, block: Block, rows: Mask, *, final: bool) -> Mask:
        """Return the recipient results of these rows that `groups_of` counts, for a query without `queued`.

        By default these are the final results. If a word of the query matches only recipients, only their results
        count. With `final`, a recipient counts by the final result even if the query asks for earlier ones.
        """
        found = self.results(block)
        if rows.bit_count() < block.size:
            found &= block.results_of(rows)
        if not self._query.asks_of_attempts:
            found &= is_last(block)
        if found and self._words:
            every = everything(len(block.result_rows))
            outside = [block.results_of(_outside(word, block)) for word in self._words]
            inside = [_inside(word, block) & (every ^ mask) for word, mask in zip(self._words, outside, strict=True)]
            found &= reduce(and_, outside) | reduce(or_, inside)
        return _final(block, found) if final and self._query.asks_of_attempts else found


def _unfinished(block: Block) -> Mask:
    """Return the rows of messages that may be in the queue: not removed, and not only rejected."""
    accepted = block.with_value("to.outcome", lambda values: [value != "rejected" for value in values])
    return block.rows_of(accepted) & block.with_value("removed", lambda values: [not value for value in values])


def _with_delay(block: Block, shortest: int) -> Mask:
    """Return the recipient results with at least this delay in seconds."""
    return block.with_value("to.delay", lambda values: [value is not None and value >= shortest for value in values])


def _final(block: Block, results: Mask) -> Mask:
    """Return the final results of the recipients that have one of these results."""
    last = is_last(block)
    is_each_final = results & last == results
    return results if is_each_final else block.of_same_recipients(results) & last


def _outside(word: dict[Criterion, _Test], block: Block) -> Mask:
    """Return the rows with a field that a word matches, other than their recipients."""
    return reduce(or_, [test.mask(block) for criterion, test in word.items() if criterion is not RECIPIENTS])


def _inside(word: dict[Criterion, _Test], block: Block) -> Mask:
    """Return the recipient results whose recipient a word matches."""
    return word[RECIPIENTS].mask(block)


def _pieces(criterion: Criterion, asked: Iterable[Any]) -> list[str] | None:
    """Return pieces of text, at least one of which is in every value that matches; None if there are no such pieces."""
    found = [_piece(criterion, one) for one in asked]
    return found if all(found) else None


def _piece(criterion: Criterion, asked: Pattern | str) -> str:
    """Return the longest piece of text in every value that matches; empty if there is none.

    The IP address of a peer is compared in its canonical form, which a column need not have.
    """
    if isinstance(asked, Pattern) and asked.kind == "network":
        return _octets(asked.text)
    text = asked if isinstance(asked, str) else asked.text
    if criterion.comparison in (CLIENT, RELAY) and not _is_no_address(text):
        return ""
    return max(_plain_pieces(text), key=len, default="")


def _octets(network: str) -> str:
    """Return the octets that all addresses of an IPv4 network begin with: `192.0.2.` of `192.0.2.0/24`.

    An IPv6 address has several spellings, so its networks have no such text.
    """
    address, _, bits = network.partition("/")
    if ":" in address:
        return ""
    octets = address.split(".")[: int(bits) // 8]
    return ".".join(octets) + "." * (0 < len(octets) < 4)
