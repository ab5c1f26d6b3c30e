"""The index terms by which the embedded store finds exact values, such as a queue ID or a complete address.

A term is a checksum. It tells which chunks can hold the value; their columns decide.
"""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, Final
from zlib import crc32

from mailtrace.search.comparisons import CLIENTS, EXACT, LINKS, QUEUE_IDS, RECIPIENTS, SENDERS, Criterion, client_names
from mailtrace.search.query import WORD_CRITERIA, Query, Word

_ADDRESSES: Final = (SENDERS, RECIPIENTS)
_INDEXED: Final = (*WORD_CRITERIA, LINKS)
"""The criteria that have terms."""
_SEEDS: Final = {
    kind: crc32(kind.encode()) for criterion in _INDEXED for kind in (criterion.name, f"{criterion.name} domain")
}
"""The beginning of the checksum, for each kind of term: a criterion's name, with ` domain` for domains of addresses."""
_ENDINGS: Final = {"exact": "", "domain": " domain"}
"""The kinds of patterns that have terms, each with the ending of the kind of term."""


def _term(kind: str, text: str) -> int:
    return crc32(text.encode("utf-8", "backslashreplace"), _SEEDS[kind])


def queue_id_term(queue_id: str) -> int:
    """Return the term of all transactions with a queue ID, stubs too."""
    return _term(QUEUE_IDS.name, queue_id)


def terms_of(values: Mapping[str, Iterable[str | None]]) -> set[int]:
    """Return the terms of columns, given by their names with the values in them."""
    found: set[int] = set()
    for criterion in _INDEXED:
        texts: Iterable[str] = {text for name in criterion.columns for text in values[name] if text is not None}
        if criterion.comparison is not EXACT:
            texts = {text.lower() for text in texts}
        if criterion in _ADDRESSES:
            domains = {domain for _, at, domain in (text.rpartition("@") for text in texts) if at}
            found.update(_term(f"{criterion.name} domain", domain) for domain in domains)
        if criterion is CLIENTS:
            texts = chain.from_iterable(map(client_names, texts))
        seed = _SEEDS[criterion.name]
        found.update([crc32(text.encode("utf-8", "backslashreplace"), seed) for text in texts])
    return found


def conditions_of(query: Query) -> list[list[int]]:
    """Return lists of terms; a chunk with a document that matches has at least one term of each list."""
    found = [_terms_of_criterion(criterion, asked) for criterion, asked in query.asked(_INDEXED)]
    return [terms for terms in (*found, *map(_terms_of_word, query.words)) if terms]


def _terms_of_criterion(criterion: Criterion, asked: Iterable[Any]) -> list[int] | None:
    """Return the terms of the values asked for; None if one of them has no term."""
    if criterion.comparison is EXACT:
        return [_term(criterion.name, text) for text in asked]
    # An empty address, the null sender, has a term; other empty values have none.
    if not all(pattern.kind in _ENDINGS and (pattern.text or criterion in _ADDRESSES) for pattern in asked):
        return None
    return [_term(criterion.name + _ENDINGS[pattern.kind], pattern.text) for pattern in asked]


def _terms_of_word(word: Word) -> list[int] | None:
    found = [_terms_of_criterion(criterion, word.asked_of(criterion)) for criterion in WORD_CRITERIA]
    if any(terms is None for terms in found):
        return None
    return [term for terms in found for term in terms or ()]
