"""The terms by which the embedded store finds documents of which something is asked exactly.

A term is a checksum: `query.matches` has the last word on every document that has the right ones.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final
from zlib import crc32

from mailtrace.documents import Document
from mailtrace.patterns import Pattern
from mailtrace.query import Query, Word, client_names, links_of

_KINDS: Final = {
    kind: crc32(kind.encode())
    for kind in ("queue_id", "link", "from", "from domain", "to", "to domain", "msgid", "client", "login")
}


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
    found = (
        [queue_id_term(queue_id) for queue_id in query.queue_ids],
        [_term("link", queue_id) for queue_id in query.links],
        _of_patterns("msgid", query.msgids) if all(asked.text for asked in query.msgids) else None,
        _of_patterns("to", query.recipients),
        _of_patterns("from", query.senders),
        _of_patterns("login", query.logins) if all(asked.text for asked in query.logins) else None,
        _of_patterns("client", query.clients),
        *map(_of_word, query.words),
    )
    return [terms for terms in found if terms]


def _of_patterns(kind: str, patterns: Iterable[Pattern]) -> list[int] | None:
    """The terms of patterns of which one must match; None where one of them must be looked for in every document."""
    terms = []
    for pattern in patterns:
        if pattern.kind not in ("exact", "domain"):
            return None
        terms.append(_term(kind if pattern.kind == "exact" else f"{kind} domain", pattern.text))
    return terms


def _of_word(word: Word) -> list[int] | None:
    found = (
        _of_patterns("from", [word.address]),
        _of_patterns("to", [word.address]),
        _of_patterns("msgid", [word.text]),
        _of_patterns("login", [word.text]),
        _of_patterns("client", [word.client]),
        [queue_id_term(word.queue_id)],
    )
    if any(terms is None for terms in found) or not word.text.text:
        return None
    return [term for terms in found for term in terms or ()]
