"""Translate a query into Elasticsearch's query language.

The meaning of a query is that of `search.query.matches`. Values reach the server as JSON values of term queries, or
escaped in wildcard queries, so none is ever parsed as query syntax.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from mailtrace.search.comparisons import (
    CLIENTS,
    EVER,
    EXACT,
    HOSTS,
    LINKS,
    LOGINS,
    MSGIDS,
    MTAS,
    OF_DOCUMENTS,
    OUTCOMES,
    PART,
    QUEUE_IDS,
    RECIPIENTS,
    RELAYS,
    SENDERS,
    STATUSES,
    Criterion,
)
from mailtrace.search.groups import LONGEST_DELAY
from mailtrace.search.patterns import Pattern, network_keys
from mailtrace.search.query import WAITING, WORD_CRITERIA, Query, Word

Clause: TypeAlias = dict[str, Any]
"""A query of Elasticsearch, or a part of one, as JSON."""

_LONGEST: Final = 32_766
"""The most bytes of a term in UTF-8 (Lucene, `IndexWriter.MAX_TERM_LENGTH`)."""

_ALL_IPV4: Final = "0.0.0.0/0"
_MAPPED: Final = f"6{'ffff':0>24}"
"""The beginning of the key of an IPv4 address in one of IPv6."""
_IS_PACKED: Final[Clause] = {"term": {"is_packed": True}}
_IS_EARLY: Final[Clause] = {"term": {"to.last": False}}


def sort_of(query: Query) -> list[dict[str, Any]]:
    """Return the sort of a query's documents: by date and ID."""
    direction = "asc" if query.oldest_first else "desc"
    kinds = {"search.date": "date", "id": "keyword"}
    return [{field: {"order": direction, "unmapped_type": kind}} for field, kind in kinds.items()]


class _Field(NamedTuple):
    """The fields that a criterion compares."""

    values: str
    domains: str = ""
    """The domains of the values."""
    ip: str = ""
    """The IP address among the values."""
    ips: str = ""
    """The keys (`ip_key`) of IP addresses, if `ip` is not all of them."""


_FIELDS: Final = {
    SENDERS: _Field("search.from", domains="search.from_domain"),
    RECIPIENTS: _Field("to.search.addresses", domains="to.search.domains"),
    MSGIDS: _Field("search.msgid"),
    LOGINS: _Field("search.login"),
    CLIENTS: _Field("search.clients", ip="client_ip", ips="search.client_ips"),
    RELAYS: _Field("to.search.relays", ip="to.relay_ip", ips="to.search.relay_ips"),
    HOSTS: _Field("search.hosts"),
    QUEUE_IDS: _Field("transaction"),
    LINKS: _Field("search.links"),
    MTAS: _Field("mta"),
    STATUSES: _Field("to.search.status"),
    OUTCOMES: _Field("to.outcome"),
    EVER: _Field("to.outcome"),
}


class Conditions:
    """The conditions of a query as clauses of Elasticsearch.

    Without `globs`, patterns with `*` and `?` and parts of texts match everything; the caller then applies `matches`.
    That is for patterns that are too complex for the server. `packed` restricts the documents to those that are packed,
    or to those that are not. With `early`, those with a matching result that is not final are taken for packed, too.
    """

    def __init__(self, query: Query, *, globs: bool = True, packed: bool | None = None, early: bool = False) -> None:
        self._query = query
        self._early = early
        self._globs = globs
        self._packed = packed

    def of_documents(self) -> Clause:
        """Return the query for all documents that match, whatever the limit.

        These are candidates for `matches` if the query compares results of a recipient.
        """
        query = self._query
        clauses: list[Clause] = [{"term": {"stub": False}}]
        if self._packed is not None:
            is_packed = _any_of([_IS_PACKED, *([_nested([*self.of_results(), _IS_EARLY])] if self._early else [])])
            clauses.append(is_packed if self._packed else {"bool": {"must_not": is_packed}})
        if query.since is not None or query.until is not None:
            # Not `lte`: with a time before 1970, OpenSearch leaves that very time out.
            bounds = {"gte": query.since, "lt": None if query.until is None else query.until + 1}
            clauses.append({"range": {"search.date": {name: at for name, at in bounds.items() if at is not None}}})
        clauses += self._clauses(OF_DOCUMENTS) + self._candidates()
        if query.asks_of_results:
            clauses.append(_nested(self.of_results()))
        clauses += [self._word(word) for word in query.words]
        return _all_of(clauses)

    def of_results(self) -> list[Clause]:
        """Return the clauses that a single recipient result must match."""
        return self._clauses(self._query.of_one_result)

    def _candidates(self) -> list[Clause]:
        """Return clauses for the results that the query compares, of whichever recipients."""
        query = self._query
        found = [_nested([clause]) for clause in self._clauses(query.of_recipients)]
        if query.min_delay is not None:
            bounds = {
                "to.delay": query.min_delay - 1,
                "to.search.delay": min(query.min_delay * 1_000_000, LONGEST_DELAY),
            }
            is_as_long = [{"range": {field: {"gte": bound}}} for field, bound in bounds.items()]
            found.append(_any_of([_nested([_any_of(is_as_long)]), _IS_PACKED]))
        if query.queued:
            is_waiting = _nested([{"term": {"to.last": True}}, _terms("to.outcome", sorted(WAITING))])
            has_several: Clause = {"range": {"nrcpt": {"gt": 1}}}
            found += [{"term": {"removed": False}}, _any_of([is_waiting, has_several])]
        return found

    def _clauses(self, criteria: Sequence[Criterion]) -> list[Clause]:
        return [clause for asked in self._query.asked(criteria) for clause in self._criterion(*asked)]

    def _criterion(self, criterion: Criterion, asked: Sequence[Any]) -> list[Clause]:
        field = _FIELDS[criterion]
        if criterion.comparison is PART:
            parts = [f"*{_literal(part)}*" for part in asked if _is_term(part)]
            return [_any_of([_wildcard(field.values, part) for part in parts])] if self._globs else []
        if criterion.comparison is EXACT:
            last: list[Clause] = [{"term": {"to.last": True}}] if criterion.only_last else []
            return [*last, _terms(field.values, asked)]
        return self._patterns(asked, field)

    def _word(self, word: Word) -> Clause:
        found = {criterion: self._criterion(criterion, word.asked_of(criterion)) for criterion in WORD_CRITERIA}
        inside = _nested(found.pop(RECIPIENTS) + self.of_results())
        return _any_of([*(clause for clauses in found.values() for clause in clauses), inside])

    def _patterns(self, patterns: Sequence[Pattern], field: _Field) -> list[Clause]:
        """Return clauses that one of the patterns must match; null values are not indexed, so they never match."""
        if field.ip:
            patterns = [_not_empty(pattern) for pattern in patterns if pattern.text]
        wild = [pattern.text for pattern in patterns if pattern.kind == "glob"]
        if wild and not self._globs:
            return [{"match_all": {}}]
        clauses = [_wildcard(field.values, _escaped(text)) for text in wild if _is_term(text)]
        if exact := [pattern.text for pattern in patterns if pattern.kind == "exact"]:
            clauses.append(_terms(field.values, exact))
        if within := [pattern.text for pattern in patterns if pattern.kind == "domain"]:
            clauses.append(_terms(field.domains, within))
        clauses += [_network(field, pattern.text) for pattern in patterns if pattern.kind == "network"]
        return [_any_of(clauses)]


def _not_empty(pattern: Pattern) -> Pattern:
    """Return a pattern that an empty name, which a client or next hop is not found by, does not match."""
    return pattern._replace(text="?*") if not pattern.text.strip("*") else pattern


def _network(field: _Field, network: str) -> Clause:
    first, last = network_keys(network)
    keys: Clause = {"range": {field.ips: {"gte": first, "lte": last}}}
    if first.startswith(_MAPPED) and last.startswith(_MAPPED):
        return keys  # such an address is stored by its key only
    others: list[Clause] = [{"exists": {"field": field.ips}}]
    if ":" in network:
        # For the server, IPv4 addresses are within `::/0` too.
        others.append({"term": {field.ip: _ALL_IPV4}})
    return _any_of([keys, {"bool": {"filter": {"term": {field.ip: network}}, "must_not": others}}])


def _nested(clauses: list[Clause]) -> Clause:
    return {"nested": {"path": "to", "query": _all_of(clauses)}}


def _all_of(clauses: list[Clause]) -> Clause:
    return {"bool": {"filter": clauses}}


def _any_of(clauses: list[Clause]) -> Clause:
    """Return a clause that one of the clauses must match; an empty `should` would match everything."""
    return {"bool": {"should": clauses, "minimum_should_match": 1}} if clauses else {"match_none": {}}


def _wildcard(field: str, pattern: str) -> Clause:
    return {"wildcard": {field: {"value": pattern}}}


def _escaped(glob: str) -> str:
    """Escape backslashes, which are ordinary characters in our patterns but escape `*` and `?` in wildcard queries."""
    return glob.replace("\\", "\\\\")


def _literal(text: str) -> str:
    return _escaped(text).replace("*", "\\*").replace("?", "\\?")


def _terms(field: str, values: Iterable[str]) -> Clause:
    return {"terms": {field: [value for value in dict.fromkeys(values) if _is_term(value)]}}


def _is_term(value: str) -> bool:
    """Return whether a document can have this value: for one longer than a term the server rejects the whole query.

    No document contains lone surrogates, which stand for undecodable bytes of a command line.
    """
    try:
        return len(value) <= _LONGEST and len(value.encode()) <= _LONGEST
    except UnicodeEncodeError:
        return False


def of_keys_lacking_beginning(keys: Iterable[tuple[str, str]]) -> Clause:
    """Return the query for the transactions of these (host, queue ID) keys whose beginning may be missing."""
    return {"bool": {"filter": [{"term": {"headless": True}}, of_keys(keys)]}}


def of_keys(keys: Iterable[tuple[str, str]]) -> Clause:
    """Return the query for the transactions of these (host, queue ID) keys, including stubs."""
    by_host: dict[str, list[str]] = {}
    for host, queue_id in keys:
        by_host.setdefault(host, []).append(queue_id)
    clauses: list[Clause] = [
        {"bool": {"filter": [{"term": {"host": host}}, _terms("transaction", queue_ids)]}}
        for host, queue_ids in by_host.items()
        if _is_term(host)
    ]
    return {"bool": {"filter": [_any_of(clauses)]}}
