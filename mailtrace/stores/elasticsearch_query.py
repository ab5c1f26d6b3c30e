"""What `query.matches` says, as an Elasticsearch query, and the values in stored documents that it compares.

Values reach the server as JSON values of term queries, or escaped in wildcard queries: none is ever parsed as syntax.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias

from mailtrace.documents import Document
from mailtrace.query import Pattern, Query, client_names, links_of, normal_ip

Clause: TypeAlias = dict[str, Any]
"""A query, or a part of one, as JSON."""

_LONGEST: Final = 32_766
"""Bytes of a term in UTF-8 (Lucene, `IndexWriter.MAX_TERM_LENGTH`)."""
NEWEST_FIRST: Final = [
    {"search.date": {"order": "desc", "unmapped_type": "long"}},
    {"id": {"order": "desc", "unmapped_type": "keyword"}},
]


def searchable(document: Document, date: int) -> dict[str, Any]:
    """Return the values by which a document is found; `date` in microseconds since 1970."""
    sender = document["from"]
    return {
        "date": date,
        **({} if sender is None else {"from": sender.lower(), "from_domain": _domain(sender)}),
        "msgid": (document["msgid"] or "").lower(),
        "links": sorted(links_of(document)),
        "clients": _client_names(document["client"], document["orig_client"]),
        "hosts": _host_names(document["host"]),
    }


def searchable_entry(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the values by which an entry of `to` is found."""
    addresses = [address for address in (entry["recipient"], entry["orig_to"]) if address is not None]
    return {
        "addresses": [address.lower() for address in addresses],
        "domains": [domain for address in addresses if (domain := _domain(address)) is not None],
    }


def _domain(address: str) -> str | None:
    _, at, domain = address.lower().rpartition("@")
    return domain if at else None


@lru_cache(maxsize=4096)
def _client_names(client: str | None, orig_client: str | None) -> list[str]:
    return sorted(client_names(client) | client_names(orig_client))


def _host_names(host: str) -> list[str]:
    host = host.lower()
    return [host, host.partition(".")[0]]


def conditions(query: Query, *, globs: bool = True) -> Clause:
    """Return the query for the documents that match, the limit aside.

    Without `globs`, patterns with `*` and `?` let everything through: for `matches` to sort out, where the server
    finds a pattern too complex.
    """
    clauses: list[Clause] = [{"term": {"stub": False}}]
    if query.since is not None or query.until is not None:
        bounds = {"gte": query.since, "lte": query.until}
        clauses.append({"range": {"search.date": {name: at for name, at in bounds.items() if at is not None}}})
    if query.senders:
        clauses.append(_of_patterns(query.senders, "search.from", "search.from_domain", globs=globs))
    if query.msgids:
        clauses.append(_terms("search.msgid", (msgid.lower() for msgid in query.msgids)))
    if query.queue_ids:
        clauses.append(_terms("transaction", query.queue_ids))
    if query.links:
        clauses.append(_terms("search.links", query.links))
    if query.clients:
        clauses.append(
            _terms("search.clients", (name for client in query.clients for name in _client_spellings(client)))
        )
    if query.hosts:
        clauses.append(_terms("search.hosts", (host.lower() for host in query.hosts)))
    if query.recipients or query.outcomes:
        clauses.append(_entry(query, globs=globs))
    return {"bool": {"filter": clauses}}


def _client_spellings(asked: str) -> tuple[str, str]:
    asked = asked.strip().lower()
    return asked, normal_ip(asked.strip("[]"))


def _entry(query: Query, *, globs: bool) -> Clause:
    """One and the same entry must be of such a recipient and have such an outcome."""
    clauses: list[Clause] = []
    if query.recipients:
        clauses.append(_of_patterns(query.recipients, "to.search.addresses", "to.search.domains", globs=globs))
    if query.outcomes:
        clauses += [{"term": {"to.last": True}}, _terms("to.outcome", query.outcomes)]
    return {"nested": {"path": "to", "query": {"bool": {"filter": clauses}}}}


def _of_patterns(patterns: Sequence[Pattern], addresses: str, domains: str, *, globs: bool) -> Clause:
    """One of the patterns must match; a null address has neither field, and never does."""
    wild = [pattern.text for pattern in patterns if pattern.kind == "glob"]
    if wild and not globs:
        return {"match_all": {}}
    clauses: list[Clause] = [{"wildcard": {addresses: {"value": _wildcard(text)}}} for text in wild if _is_term(text)]
    if exact := [pattern.text for pattern in patterns if pattern.kind == "exact"]:
        clauses.append(_terms(addresses, exact))
    if within := [pattern.text for pattern in patterns if pattern.kind == "domain"]:
        clauses.append(_terms(domains, within))
    return _any_of(clauses)


def _any_of(clauses: list[Clause]) -> Clause:
    """An empty `should` would let everything through."""
    return {"bool": {"should": clauses, "minimum_should_match": 1}} if clauses else {"match_none": {}}


def _wildcard(glob: str) -> str:
    """A backslash is a character as any other in our patterns; in a wildcard query it takes `*` and `?` literally."""
    return glob.replace("\\", "\\\\")


def _terms(field: str, values: Iterable[str]) -> Clause:
    return {"terms": {field: [value for value in dict.fromkeys(values) if _is_term(value)]}}


def _is_term(value: str) -> bool:
    """Whether a document can have this value: the server refuses the whole query for one that is longer than a term.

    Half surrogates, which stand for the bytes of a command line that are no UTF-8, are in no document.
    """
    try:
        return len(value) <= _LONGEST and len(value.encode()) <= _LONGEST
    except UnicodeEncodeError:
        return False


def of_headless(keys: Iterable[tuple[str, str]]) -> Clause:
    """Return the query for the transactions of these hosts and queue IDs whose beginning may be missing."""
    return {"bool": {"filter": [{"term": {"headless": True}}, of_keys(keys)]}}


def of_keys(keys: Iterable[tuple[str, str]]) -> Clause:
    """Return the query for the transactions of these hosts and queue IDs, stubs too."""
    by_host: dict[str, list[str]] = {}
    for host, queue_id in keys:
        by_host.setdefault(host, []).append(queue_id)
    clauses: list[Clause] = [
        {"bool": {"filter": [{"term": {"host": host}}, _terms("transaction", queue_ids)]}}
        for host, queue_ids in by_host.items()
        if _is_term(host)
    ]
    return {"bool": {"filter": [_any_of(clauses)]}}
