"""Count groups on an Elasticsearch server, with the same result as `search.groups.groups_of`."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from mailtrace.search.groups import Group, GroupCounter, Grouping, groups_of, query_for
from mailtrace.search.query import Query
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
_DELAY: Final = "to.search.delay"
_QUARTER: Final = 900_000_000
"""Microseconds: in nearly every time zone, a quarter of an hour lies in one hour and one day."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


def groups(searches: Searches, query: Query, grouping: Grouping) -> list[Group]:
    """Return the groups of what matches, counted by the server, or from the documents where the server cannot.

    Raises:
        StoreError: as `Searches.documents`.
    """
    query = replace(query_for(grouping, query), limit=None)
    if not (grouping.counts_recipients and query.words) and not query.compares_results:
        counter = GroupCounter(grouping)
        try:
            if all(_count_bucket(counter, grouping, bucket) for bucket in _buckets(searches, query, grouping)):
                if grouping.counts_recipients:
                    for document in searches.documents(query, packed=True, early=_compares(query, grouping)):
                        counter.add(query, document)
                return counter.groups()
        except AnswerError as error:
            if not is_too_complex(error):
                raise
    return groups_of(query, grouping, searches.documents(query))


def _compares(query: Query, grouping: Grouping) -> bool:
    """Whether an earlier result that matches counts as the final one of its recipient, which the server cannot find."""
    return grouping.counts_final_results and query.asks_of_attempts


def _count_bucket(counter: GroupCounter, grouping: Grouping, bucket: dict[str, Any]) -> bool:
    """Add a bucket to the counter; return False if it spans two groups."""
    value, number = bucket["key"]["value"], bucket["doc_count"]
    if not grouping.is_of_times:
        counter.count(value, number * bucket["key"].get("attempts", 1))
        if (delay := bucket["key"].get("delay")) is not None:
            counter.delay(value, delay, number)
        return True
    first = _EPOCH + timedelta(microseconds=int(value))
    last = first + timedelta(microseconds=_QUARTER - 1)
    counter.count(grouping.time(first), number)
    return grouping.time(first) == grouping.time(last)


def _buckets(searches: Searches, query: Query, grouping: Grouping) -> Iterator[dict[str, Any]]:
    """Return all buckets of the server, page by page."""
    compares = _compares(query, grouping)
    conditions = Conditions(query, packed=False if grouping.counts_recipients else None, early=compares)
    composite: dict[str, Any] = {"size": _PAGE, "sources": _sources(grouping)}
    wanted: dict[str, Any] = {"composite": composite}
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


def _sources(grouping: Grouping) -> list[dict[str, Any]]:
    if grouping.is_of_times:
        return [{"value": {"histogram": {"field": "search.date", "interval": _QUARTER}}}]
    sources = [{"value": {"terms": {"field": _FIELDS[grouping.by], "missing_bucket": True}}}]
    if grouping.has_delays:
        sources.append({"delay": {"terms": {"field": _DELAY, "missing_bucket": True}}})
    if grouping.counts_attempts:
        sources.append({"attempts": {"terms": {"field": "to.attempts"}}})
    return sources
