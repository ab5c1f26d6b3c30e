"""The index terms by which the embedded store finds exact values, such as a queue ID or a complete address.

A term is a checksum, so a document with the right terms is only a candidate: `query.matches` decides.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final
from zlib import crc32

from mailtrace.message.document import Document
from mailtrace.search.comparisons import (
    CLIENTS,
    EXACT,
    LINKS,
    LOGINS,
    MSGIDS,
    QUEUE_IDS,
    RECIPIENTS,
    SENDERS,
    Criterion,
    client_names,
)
from mailtrace.search.patterns import Pattern
from mailtrace.search.query import WORD_CRITERIA, Query, Word, links_of

_KIND_OF: Final = {
    QUEUE_IDS: "queue_id",
    LINKS: "link",
    SENDERS: "from",
    RECIPIENTS: "to",
    MSGIDS: "msgid",
    LOGINS: "login",
    CLIENTS: "client",
}
"""The kind of term for each criterion that has terms."""
_KINDS: Final = {kind: crc32(kind.encode()) for kind in (*_KIND_OF.values(), "from domain", "to domain")}


def _term(kind: str, text: str) -> int:
    return crc32(text.encode("utf-8", "backslashreplace"), _KINDS[kind])


def queue_id_term(queue_id: str) -> int:
    """Return the term of all transactions with a queue ID, stubs too."""
    return _term("queue_id", queue_id)


def terms_of(queue_id: str, document: Document | None) -> set[int]:
    """Return the terms of a document; for a stub only that of its queue ID."""
    terms = {queue_id_term(queue_id)}
    if document is None:
        return terms
    terms.update(_term("link", queue_id) for queue_id in links_of(document))
    if (sender := document["from"]) is not None:
        terms.update(_address_terms("from", sender))
    for result in document["to"]:
        if (recipient := result["recipient"]) is not None:
            terms.update(_address_terms("to", recipient))
        if (original := result["orig_to"]) is not None:
            terms.update(_address_terms("to", original))
    if document["msgid"]:
        terms.add(_term("msgid", document["msgid"].lower()))
    if document["login"]:
        terms.add(_term("login", document["login"].lower()))
    for client in (document["client"], document["orig_client"]):
        if client is not None:
            terms.update(_client_terms(client))
    return terms


def _address_terms(kind: str, address: str) -> tuple[int, ...]:
    address = address.lower()
    _, at, domain = address.rpartition("@")
    return (_term(kind, address), _domain_term(kind, domain)) if at else (_term(kind, address),)


@lru_cache(maxsize=4096)
def _domain_term(kind: str, domain: str) -> int:
    return _term(f"{kind} domain", domain)


@lru_cache(maxsize=4096)
def _client_terms(client: str) -> tuple[int, ...]:
    return tuple(_term("client", name) for name in client_names(client))


def conditions_of(query: Query) -> list[list[int]]:
    """Return lists of terms; a document that matches has at least one term of each list."""
    found = [_terms_of_criterion(criterion, asked) for criterion, asked in query.asked(_KIND_OF)]
    return [terms for terms in (*found, *map(_terms_of_word, query.words)) if terms]


def _terms_of_criterion(criterion: Criterion, asked: Iterable[Any]) -> list[int] | None:
    """Return the terms of the values asked for; None if one of them has no term."""
    kind = _KIND_OF[criterion]
    if criterion.comparison is EXACT:
        return [_term(kind, text) for text in asked]
    terms = []
    for pattern in asked:
        if not _has_term(criterion, pattern):
            return None
        terms.append(_term(kind if pattern.kind == "exact" else f"{kind} domain", pattern.text))
    return terms


def _has_term(criterion: Criterion, pattern: Pattern) -> bool:
    """Return whether a pattern has a term. An empty address, the null sender, has one; other empty values have none."""
    return pattern.kind in ("exact", "domain") and (bool(pattern.text) or criterion in (SENDERS, RECIPIENTS))


def _terms_of_word(word: Word) -> list[int] | None:
    found = [_terms_of_criterion(criterion, word.asked_of(criterion)) for criterion in WORD_CRITERIA]
    if any(terms is None for terms in found):
        return None
    return [term for terms in found for term in terms or ()]
