"""The terms by which the embedded store finds documents of which something is asked exactly.

A term is a checksum: `query.matches` has the last word on every document that has the right ones.
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

_OF: Final = {
    QUEUE_IDS: "queue_id",
    LINKS: "link",
    SENDERS: "from",
    RECIPIENTS: "to",
    MSGIDS: "msgid",
    LOGINS: "login",
    CLIENTS: "client",
}
"""The kinds of terms, by the criterion that asks for them."""
_KINDS: Final = {kind: crc32(kind.encode()) for kind in (*_OF.values(), "from domain", "to domain")}


def _term(kind: str, text: str) -> int:
    return crc32(text.encode("utf-8", "backslashreplace"), _KINDS[kind])


def queue_id_term(queue_id: str) -> int:
    """Return the term under which all transactions of a queue ID are found, stubs too."""
    return _term("queue_id", queue_id)


def terms_of(queue_id: str, document: Document | None) -> set[int]:
    """Return the terms of a document; of a stub only its queue ID's."""
    terms = {queue_id_term(queue_id)}
    if document is None:
        return terms
    terms.update(_term("link", queue_id) for queue_id in links_of(document))
    if (sender := document["from"]) is not None:
        terms.update(_address_terms("from", sender))
    for entry in document["to"]:
        if (recipient := entry["recipient"]) is not None:
            terms.update(_address_terms("to", recipient))
        if (original := entry["orig_to"]) is not None:
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
    """Return terms for each part of a query that has any: of every list a document must have one."""
    found = [_of(criterion, asked) for criterion, asked in query.asked(_OF)]
    return [terms for terms in (*found, *map(_of_word, query.words)) if terms]


def _of(criterion: Criterion, asked: Iterable[Any]) -> list[int] | None:
    """The terms of what is asked for; None where some of it must be looked for in every document."""
    kind = _OF[criterion]
    if criterion.comparison is EXACT:
        return [_term(kind, text) for text in asked]
    terms = []
    for pattern in asked:
        if not _has_term(criterion, pattern):
            return None
        terms.append(_term(kind if pattern.kind == "exact" else f"{kind} domain", pattern.text))
    return terms


def _has_term(criterion: Criterion, pattern: Pattern) -> bool:
    """An address may be empty: the null sender has a term, an empty message ID or login has none."""
    return pattern.kind in ("exact", "domain") and (bool(pattern.text) or criterion in (SENDERS, RECIPIENTS))


def _of_word(word: Word) -> list[int] | None:
    found = [_of(criterion, word.asked_of(criterion)) for criterion in WORD_CRITERIA]
    if any(terms is None for terms in found):
        return None
    return [term for terms in found for term in terms or ()]
