"""The numbers of an overview, counted by an Elasticsearch server: one request for each span, and pages of what is long.

The server counts the same as `Tally.add`. Documents that it cannot count are counted from the documents themselves.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

from mailtrace.search.query import Query
from mailtrace.search.tally import (
    AGES,
    COMPARED,
    NOQUEUE,
    OF_DOCUMENTS,
    REASONED,
    WAITING,
    Span,
    Tally,
    Totals,
    of_attempts,
)
from mailtrace.stores.elasticsearch.buckets import BY_QUARTER, DELAYS, QUARTER, by_values, delay_of_bucket
from mailtrace.stores.elasticsearch.errors import AnswerError
from mailtrace.stores.elasticsearch.query import Conditions
from mailtrace.stores.elasticsearch.searches import Searches, is_too_complex

_VALUES: Final = 5_000
"""Distinct values in a page of one answer, of which up to eight count values. A server allows 65,535 buckets in all
(`search.max_buckets`)."""
_QUARTERS: Final = 1_000
"""Quarters of an hour in such a page, each with a bucket for each outcome."""
_MANY: Final = 100
"""More than there are outcomes."""
_SIZE: Final = {"size": {"sum": {"field": "size"}}}
_OLDEST: Final = {"message": {"reverse_nested": {}, "aggs": {"oldest": {"min": {"field": "search.date"}}}}}

_Clause: TypeAlias = dict[str, Any]
_Bucket: TypeAlias = dict[str, Any]
_Counts: TypeAlias = "Counter[str | None]"
_Take: TypeAlias = Callable[[_Bucket], None]
"""Adds a bucket to a tally."""


def tally_of_searches(searches: Searches, query: Query, span: Span) -> Tally:
    """Return the numbers of what matches.

    Raises:
        StoreError: as `Searches.documents`.
    """
    if not query.words and not of_attempts(query).compares_results:
        try:
            return _Counting(searches, query, span).tally()
        except _NotCountableError:
            pass
        except AnswerError as error:
            if not is_too_complex(error):
                raise
    tally = Tally(span)
    for document in searches.documents(span.whole.of(query)):
        tally.add(query, document)
    return tally


class _NotCountableError(Exception):
    """A quarter of an hour spans two periods."""


class _Counting:
    def __init__(self, searches: Searches, query: Query, span: Span) -> None:
        self._searches, self._query, self._span = searches, query, span
        self._tally = Tally(span)
        matching = Conditions(of_attempts(query)).of_results()
        self._matching, self._final = matching, [*matching, {"term": {"to.last": True}}]

    def tally(self) -> Tally:
        """Count by the server, and the packed documents here."""
        span, tally = self._span, self._tally
        self._count(span, {**self._totals(tally.now), **self._details()})
        before = {by: self._of_documents(by, tally.numbers_before[by], Counter()) for by in COMPARED}
        self._count(span.before, {**self._totals(tally.before), **before})
        self._count(span.waiting, self._waiting())
        for document in self._searches.documents(span.whole.of(self._query), packed=True):
            tally.add(self._query, document)
        return tally

    def _count(self, span: Span, parts: "dict[str, _Part]") -> None:
        """Ask for all parts in one request, then for the next pages of those that have more."""
        conditions = Conditions(span.of(self._query), packed=False)
        while parts:
            found = self._searches.aggregate(conditions, {name: part.wanted for name, part in parts.items()})
            parts = {name: part for name, part in parts.items() if part.take(found[name])}

    def _totals(self, totals: Totals) -> "dict[str, _Part]":
        def received(bucket: _Bucket) -> None:
            totals.received += bucket["doc_count"]
            totals.bytes_in += int(bucket["size"]["value"])

        def refused(bucket: _Bucket) -> None:
            totals.refused += bucket["doc_count"]

        def sent(bucket: _Bucket) -> None:
            totals.bytes_out += int(bucket["size"]["value"])

        def outcome(bucket: _Bucket) -> None:
            totals.outcomes[bucket["key"]] += bucket["doc_count"]

        def deferring(bucket: _Bucket) -> None:
            totals.deferring[bucket["key"]["domain"]] += bucket["doc_count"]

        deferred = [*self._matching, _term("to.outcome", "deferred")]
        return {
            "received": _Part({"filter": _RECEIVED, "aggs": _SIZE}, received),
            "refused": _Part({"filter": _term("transaction", NOQUEUE)}, refused),
            "sent": _Part({"filter": _having([*self._final, _term("to.outcome", "sent")]), "aggs": _SIZE}, sent),
            "outcomes": _Part(_of_results(self._final, _OUTCOMES), _each(outcome), ("chosen", "found")),
            "deferring": _paged_results(deferred, {"domain": "to.search.domain"}, {}, deferring),
        }

    def _details(self) -> "dict[str, _Part]":
        tally = self._tally
        sent = [*self._final, _term("to.outcome", "sent")]
        hops = {"relay": "to.search.relay", **DELAYS}

        def hop(bucket: _Bucket) -> None:
            tally.delay(bucket["key"]["relay"], delay_of_bucket(bucket["key"]), bucket["doc_count"])

        def reason(bucket: _Bucket) -> None:
            tally.reasons[bucket["key"]["outcome"], bucket["key"]["reason"]] += bucket["doc_count"]

        reasoned = [*self._matching, {"terms": {"to.outcome": REASONED}}]
        return {
            **{by: self._of_documents(by, tally.numbers[by], tally.bytes[by]) for by in OF_DOCUMENTS},
            "domains": self._domains(),
            "periods": self._periods(),
            "hops": _paged_results(sent, hops, {}, hop),
            "reasons": _paged_results(reasoned, {"outcome": "to.outcome", "reason": "to.search.reason"}, {}, reason),
        }

    def _of_documents(self, by: str, numbers: _Counts, sizes: _Counts) -> "_Part":
        def take(bucket: _Bucket) -> None:
            value = bucket["key"]["value"]
            numbers[value] += bucket["doc_count"]
            sizes[value] += int(bucket["size"]["value"])

        paged = _composite({"value": f"search.{by}"}, _SIZE)
        return _Part({"filter": _RECEIVED, "aggs": {"found": paged}}, _each(take), ("found",), paged["composite"])

    def _domains(self) -> "_Part":
        tally = self._tally

        def take(bucket: _Bucket) -> None:
            domain = bucket["key"]["domain"]
            tally.domains[domain] += bucket["doc_count"]
            tally.domain_bytes[domain] += int(bucket["message"]["size"]["value"])

        sizes = {"message": {"reverse_nested": {}, "aggs": _SIZE}}
        paged = _composite({"domain": "to.search.domain"}, sizes)
        wanted = {"filter": _RECEIVED, "aggs": {"of": _of_results(self._final, paged)}}
        return _Part(wanted, _each(take), ("of", "chosen", "found"), paged["composite"])

    def _periods(self) -> "_Part":
        tally, span = self._tally, self._span

        def take(bucket: _Bucket) -> None:
            begin = int(bucket["key"]["begin"])
            period = span.period(begin)
            if span.period(begin + QUARTER - 1) != period:
                raise _NotCountableError
            tally.received[period] += bucket["received"]["doc_count"]
            for found in bucket["results"]["chosen"]["found"]["buckets"]:
                tally.outcomes[period, found["key"]] += found["doc_count"]

        each = {"received": {"filter": _RECEIVED}, "results": _of_results(self._final, _OUTCOMES)}
        page = {"size": _QUARTERS, "sources": [{"begin": BY_QUARTER}]}
        return _Part({"composite": page, "aggs": each}, _each(take), (), page)

    def _waiting(self) -> "dict[str, _Part]":
        waiting, until = self._tally.waiting, self._span.until
        clauses = [*self._final, {"terms": {"to.outcome": WAITING}}]
        kept = {"bool": {"must_not": _term("removed", value=True)}}

        def by_age(found: _Bucket) -> None:
            for index, bucket in found["buckets"].items():
                waiting.ages[int(index)] += bucket["results"]["chosen"]["doc_count"]

        def outcome(bucket: _Bucket) -> None:
            waiting.outcomes[bucket["key"]] += bucket["doc_count"]

        def domain(bucket: _Bucket) -> None:
            oldest = int(bucket["message"]["oldest"]["value"])
            waiting.add(bucket["key"]["domain"], bucket["doc_count"], oldest)

        def part(inner: _Clause, take: _Take, path: tuple[str, ...], page: _Clause | None = None) -> _Part:
            return _Part({"filter": kept, "aggs": {"of": inner}}, take, ("of", *path), page)

        ages = {"filters": {"filters": dict(_age_classes(until))}, "aggs": {"results": _of_results(clauses, None)}}
        paged = _composite({"domain": "to.search.domain"}, _OLDEST)
        within = ("chosen", "found")
        return {
            "ages": part(ages, by_age, ()),
            "outcomes": part(_of_results(clauses, _OUTCOMES), _each(outcome), within),
            "domains": part(_of_results(clauses, paged), _each(domain), within, paged["composite"]),
        }


class _Part:
    """An aggregation, where its buckets are in the answer, and what is done with them."""

    def __init__(self, wanted: _Clause, take: _Take, path: tuple[str, ...] = (), page: _Clause | None = None) -> None:
        self.wanted = wanted
        self._take, self._path, self._page = take, path, page

    def take(self, found: _Bucket) -> bool:
        """Add what the server has counted; return whether there is another page to ask for."""
        for name in self._path:
            found = found[name]
        self._take(found)
        if self._page is None or len(found["buckets"]) < self._page["size"]:
            return False
        self._page["after"] = found["after_key"]
        return True


def _each(take: _Take) -> _Take:
    def take_all(found: _Bucket) -> None:
        for bucket in found["buckets"]:
            take(bucket)

    return take_all


def _term(field: str, value: object) -> _Clause:
    return {"term": {field: value}}


def _having(clauses: list[_Clause]) -> _Clause:
    return {"nested": {"path": "to", "query": {"bool": {"filter": clauses}}}}


def _composite(fields: dict[str, str], inner: _Clause) -> _Clause:
    return {"composite": {"size": _VALUES, "sources": by_values(fields)}, "aggs": inner}


def _of_results(clauses: list[_Clause], inner: _Clause | None) -> _Clause:
    """Return an aggregation of the recipient results that meet these clauses."""
    chosen: _Clause = {"filter": {"bool": {"filter": clauses}}}
    if inner is not None:
        chosen["aggs"] = {"found": inner}
    return {"nested": {"path": "to"}, "aggs": {"chosen": chosen}}


def _paged_results(clauses: list[_Clause], fields: dict[str, str], inner: _Clause, take: _Take) -> _Part:
    paged = _composite(fields, inner)
    return _Part(_of_results(clauses, paged), _each(take), ("chosen", "found"), paged["composite"])


def _age_classes(until: int) -> Iterator[tuple[str, _Clause]]:
    """Yield the index of each class of ages, with the condition for the date of a message."""
    limits = [until + 1, *(until - age + 1 for age in AGES)]
    for index, (before, since) in enumerate(zip(limits, [*limits[1:], None], strict=True)):
        bounds = {"lt": before} if since is None else {"gte": since, "lt": before}
        yield str(index), {"range": {"search.date": bounds}}


_RECEIVED: Final = {"bool": {"must_not": _term("transaction", NOQUEUE)}}
_OUTCOMES: Final = {"terms": {"field": "to.outcome", "size": _MANY}}
