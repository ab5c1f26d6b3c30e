"""Count groups on an Elasticsearch server, with the same result as `search.groups.groups_of`."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any, Final, NamedTuple

from mailtrace.search.groups import LARGEST_SIZE, OF_TIMES, Group, GroupCounter, Grouping, Key, groups_of, query_for
from mailtrace.search.query import Query
from mailtrace.stores.elasticsearch.buckets import BY_QUARTER, DELAYS, QUARTER, by_values, delay_of_bucket
from mailtrace.stores.elasticsearch.errors import AnswerError
from mailtrace.stores.elasticsearch.query import Conditions
from mailtrace.stores.elasticsearch.searches import Searches, is_too_complex

_PAGE: Final = 10_000
_FIELDS: Final = {
    "from": "search.from",
    "from-domain": "search.from_domain",
    "client": "search.client",
    "login": "search.login",
    "host": "host",
    "to": "to.search.recipient",
    "to-domain": "to.search.domain",
    "relay": "to.search.relay",
    "outcome": "to.outcome",
    "ever": "to.outcome",
    "status": "to.search.reason",
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


def groups_of_matching(searches: Searches, query: Query, grouping: Grouping) -> list[Group]:
    """Return the groups of what matches, counted by the server, or from the documents where the server cannot.

    Raises:
        StoreError: as `Searches.documents`.
    """
    query = replace(query_for(grouping, query), limit=None)
    if _can_count(grouping, query):
        counter = GroupCounter(grouping)
        try:
            if all(_count_pass(counter, grouping, one, searches, query) for one in _passes(grouping)):
                if grouping.counts_recipients:
                    for document in searches.documents(query, packed=True, early=_compares(query, grouping)):
                        counter.add(query, document)
                return counter.groups()
        except AnswerError as error:
            if not is_too_complex(error):
                raise
    return groups_of(query, grouping, searches.documents(query))


def _can_count(grouping: Grouping, query: Query) -> bool:
    """Whether the server can count: it neither compares recipient results, nor knows the fields of their document."""
    if not grouping.counts_recipients:
        return not query.compares_results
    is_mixed = any(not _FIELDS.get(name, "").startswith("to.") for name in grouping.names)
    return not (query.words or query.compares_results or is_mixed)


def _compares(query: Query, grouping: Grouping) -> bool:
    """Whether an earlier result that matches counts as the final one of its recipient, which the server cannot find."""
    return grouping.counts_final_results and query.asks_of_attempts


class _Pass(NamedTuple):
    """What one pass counts: buckets by delay or number of attempts would each have the bytes of a transaction."""

    counts: bool
    has_delays: bool
    has_bytes: bool


def _passes(grouping: Grouping) -> list[_Pass]:
    if grouping.has_bytes and (grouping.has_delays or grouping.counts_attempts):
        return [_Pass(True, grouping.has_delays, has_bytes=False), _Pass(False, has_delays=False, has_bytes=True)]
    return [_Pass(True, grouping.has_delays, grouping.has_bytes)]


def _count_pass(counter: GroupCounter, grouping: Grouping, one: _Pass, searches: Searches, query: Query) -> bool:
    """Add the buckets of a pass to the counter; return False if one spans two groups."""
    for bucket in _buckets(searches, query, grouping, one):
        key = _key(grouping, bucket["key"])
        if key is None:
            return False
        number = bucket["doc_count"]
        if one.counts:
            counter.count(key, number * (bucket["key"].get("attempts") or 1))
        if one.has_delays and (delay := delay_of_bucket(bucket["key"])) is not None:
            counter.delay(key, delay / 1_000_000, number)
        if one.has_bytes:
            counter.size(key, _bytes_in(bucket))
    return True


def _key(grouping: Grouping, values: dict[str, Any]) -> Key | None:
    """Return the key of a bucket; None if it spans two groups."""
    key = []
    for name in grouping.names:
        value = values[name]
        if name in OF_TIMES:
            first = _EPOCH + timedelta(microseconds=int(value))
            value = grouping.time(first, name)
            if value != grouping.time(first + timedelta(microseconds=QUARTER - 1), name):
                return None
        key.append(value)
    return tuple(key)


def _bytes_in(bucket: dict[str, Any]) -> int:
    found = bucket.get("documents", bucket)
    return int(found["plausible"]["bytes"]["value"])


def _buckets(searches: Searches, query: Query, grouping: Grouping, one: _Pass) -> Iterator[dict[str, Any]]:
    """Return all buckets of the server, page by page."""
    compares = _compares(query, grouping)
    conditions = Conditions(query, packed=False if grouping.counts_recipients else None, early=compares)
    composite: dict[str, Any] = {"size": _PAGE, "sources": _sources(grouping, one)}
    wanted: dict[str, Any] = {"composite": composite}
    if one.has_bytes:
        wanted["aggs"] = _bytes(grouping)
    if grouping.counts_recipients:
        results = conditions.of_results() + (
            [] if query.asks_of_attempts and not compares else [{"term": {"to.last": True}}]
        )
        counted = {"filter": {"bool": {"filter": results}}, "aggs": {"groups": wanted}}
        wanted = {"nested": {"path": "to"}, "aggs": {"counted": counted}}
    while True:
        found = searches.aggregate(conditions, {"groups": wanted})["groups"]
        if grouping.counts_recipients:
            found = found["counted"]["groups"]
        yield from found["buckets"]
        if "after_key" not in found:
            return
        composite["after"] = found["after_key"]


def _bytes(grouping: Grouping) -> dict[str, Any]:
    """Return the aggregation of sizes; of recipient results, those of their documents, each once."""
    plausible = {"range": {"size": {"lte": LARGEST_SIZE}}}
    sizes: dict[str, Any] = {"plausible": {"filter": plausible, "aggs": {"bytes": {"sum": {"field": "size"}}}}}
    return {"documents": {"reverse_nested": {}, "aggs": sizes}} if grouping.counts_recipients else sizes


def _sources(grouping: Grouping, one: _Pass) -> list[dict[str, Any]]:
    sources: list[dict[str, Any]] = []
    for name in grouping.names:
        sources += [{name: BY_QUARTER}] if name in OF_TIMES else by_values({name: _FIELDS[name]})
    if one.has_delays:
        sources += by_values(DELAYS)
    if one.counts and grouping.counts_attempts:
        sources += by_values({"attempts": "to.attempts"})
    return sources
