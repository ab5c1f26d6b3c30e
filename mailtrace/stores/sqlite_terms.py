"""The terms by which the embedded store finds documents, and the SQL that asks for them."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, NamedTuple

from mailtrace.documents import Document
from mailtrace.patterns import Pattern
from mailtrace.query import Query, client_names, links_of
from mailtrace.transactions import Key


class Candidates(NamedTuple):
    """A statement that selects (date, id, document) of every document that could match, in the query's order."""

    sql: str
    values: list[Any]


def _digest(kind: str, text: str) -> int:
    digest = blake2b(f"{kind}\0{text}".encode("utf-8", "backslashreplace"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def key_term(key: Key) -> int:
    """Return the term under which all transactions of a host and queue ID are found, stubs too."""
    return _digest("key", "\0".join(key))


def terms_of(key: Key, document: Document | None) -> set[int]:
    """Return the terms of a document; of a stub only its key's."""
    terms = {key_term(key)}
    if document is None:
        return terms
    terms.add(_digest("queue_id", document["transaction"]))
    terms.update(_digest("link", queue_id) for queue_id in links_of(document))
    terms.update(_address_terms("from", [document["from"]]))
    for entry in document["to"]:
        terms.update(_address_terms("to", [entry["recipient"], entry["orig_to"]]))
    if document["msgid"]:
        terms.add(_digest("msgid", document["msgid"].lower()))
    names = client_names(document["client"]) | client_names(document["orig_client"])
    terms.update(_digest("client", name) for name in names)
    return terms


def _address_terms(kind: str, addresses: Iterable[str | None]) -> Iterable[int]:
    for address in addresses:
        if address is not None:
            lower = address.lower()
            yield _digest(kind, lower)
            _, at, domain = lower.rpartition("@")
            if at:
                yield _digest(f"{kind} domain", domain)


def _terms_of_patterns(kind: str, patterns: Iterable[Pattern]) -> list[int] | None:
    """The terms of patterns of which one must match; None where one of them must be looked for in every document."""
    terms = []
    for pattern in patterns:
        if pattern.kind in ("glob", "network"):
            return None
        terms.append(_digest(kind if pattern.kind == "exact" else f"{kind} domain", pattern.text))
    return terms


def _conditions(query: Query) -> list[list[int]]:
    """Terms for each part of the query that has any, the most telling part first: of each list one must be there."""
    found = (
        [_digest("queue_id", queue_id) for queue_id in query.queue_ids],
        [_digest("link", queue_id) for queue_id in query.links],
        _terms_of_patterns("msgid", query.msgids) if all(asked.text for asked in query.msgids) else None,
        _terms_of_patterns("to", query.recipients),
        _terms_of_patterns("from", query.senders),
        _terms_of_patterns("client", query.clients),
    )
    return [terms for terms in found if terms]


def candidates_of(query: Query) -> Candidates:
    """Return the statement for a query."""
    since = -(2**62) if query.since is None else query.since
    until = 2**62 if query.until is None else query.until
    conditions = _conditions(query)
    order = "ASC" if query.oldest_first else "DESC"
    if not conditions:
        sql = (
            "SELECT date, id, document FROM transactions"
            f" WHERE document IS NOT NULL AND date BETWEEN ? AND ? ORDER BY date {order}"
        )
        return Candidates(sql, [since, until])
    first, *others = conditions
    sql = (
        f"SELECT DISTINCT t.date, x.id, x.document FROM terms t JOIN transactions x ON x.number = t.number"
        f" WHERE t.term IN ({_marks(first)}) AND t.date BETWEEN ? AND ?"
    )
    if len(first) == 1:
        sql = sql.replace("SELECT DISTINCT", "SELECT")
    values = [*first, since, until]
    for terms in others:
        sql += f" AND EXISTS (SELECT 1 FROM terms u WHERE u.term IN ({_marks(terms)})"
        sql += " AND u.date = t.date AND u.number = t.number)"
        values += terms
    return Candidates(f"{sql} ORDER BY t.date {order}", values)


def _marks(values: list[int]) -> str:
    return ", ".join("?" * len(values))
