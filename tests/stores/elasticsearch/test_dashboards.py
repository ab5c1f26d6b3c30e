"""The requests of the dashboards in contrib/ count what the documents on a real server say."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timezone

import pytest

from helpers.dashboards import Request, grafana_requests, kibana_requests
from helpers.reliability.rotated_log import generated
from mailtrace.indexing.indexer import Indexer
from mailtrace.logs.rotation import Calendar
from mailtrace.search.query import Query
from mailtrace.search.reasons import reason_in

REQUESTS = [*kibana_requests(), *grafana_requests("mailtrace-*")]
CHOSEN = {
    "by outcome": None,
    "until delivery": {"sent"},
    "not delivered|without delivery|failed or refused": {"bounced", "expired", "rejected"},
    "waits|in the queue": {"deferred", "held", "queued"},
}
"""The outcomes that charts of recipient results count, by words of their titles."""


def outcomes_of(request: Request) -> set[str] | None:
    return next((outcomes for words, outcomes in CHOSEN.items() if re.search(words, request.title)), None)


def is_of_results(request: Request) -> bool:
    return any(re.search(words, request.title) for words in CHOSEN)


def counted(request: Request, documents: list[dict]) -> list[dict]:
    """Return the recipient results, or the documents, that a request counts."""
    if not is_of_results(request):
        return documents
    outcomes = outcomes_of(request)
    results = (
        {**result, "reason": reason_in(document, result)}
        for document in documents
        for result in document["to"]
        if result["last"]
    )
    return [result for result in results if outcomes is None or result["outcome"] in outcomes]


def aggregations(answer: object, kind: str) -> Iterator[dict]:
    """Yield the aggregations in an answer that have this member."""
    if isinstance(answer, list):
        for each in answer:
            yield from aggregations(each, kind)
    elif isinstance(answer, dict):
        if kind in answer:
            yield answer
        for each in answer.values():
            yield from aggregations(each, kind)


def field_of(request: Request, kind: str) -> str:
    """Return the last part of the field of the aggregation of a kind."""
    return re.search(rf'"{kind}": {{"field": "([\w.]+)"', repr(request.body).replace("'", '"'))[1].rpartition(".")[2]


def require_terms(request: Request, answer: dict, documents: list[dict]) -> None:
    name = field_of(request, "terms")
    spelled = str if name == "reason" else str.lower
    wanted = Counter(spelled(each[name]) for each in counted(request, documents) if each[name] is not None)
    found, others = Counter(), 0
    for terms in aggregations(answer, "sum_other_doc_count"):
        found.update({bucket["key"]: bucket["doc_count"] for bucket in terms["buckets"]})
        others += terms["sum_other_doc_count"]
    assert found
    assert wanted.total() == found.total() + others
    assert found == Counter({key: wanted[key] for key in found})
    assert min(found.values()) >= max(number for key, number in {"": 0, **wanted}.items() if key not in found)


def require_percentiles(answer: dict, documents: list[dict], request: Request) -> None:
    delays = [each["delay"] for each in counted(request, documents) if each["delay"] is not None]
    found = [each["values"] for each in aggregations(answer, "values")]
    numbers = [each["value"] for each in found[0]] if isinstance(found[0], list) else list(found[0].values())
    assert 2 == len(numbers)
    assert min(delays) <= numbers[0] <= numbers[1] <= max(delays) + 0.001


def require_hits(request: Request, answer: dict, documents: list[dict]) -> None:
    outcomes = outcomes_of(request)
    wanted = [
        each["transaction"]
        for each in documents
        if outcomes is None or any(result["last"] and result["outcome"] in outcomes for result in each["to"])
    ]
    hits = answer["hits"]
    assert hits["total"] == {"value": len(wanted), "relation": "eq"}
    shown = [hit["fields"]["transaction"][0] for hit in hits["hits"]]
    assert sorted(shown) == sorted(wanted[:500])
    assert all(result["outcome"] for hit in hits["hits"] for result in hit["fields"].get("to", ()))


@pytest.fixture
def documents(store_of, tmp_path):
    """Return the documents of a log that the server has now; some messages wait at its end."""
    log, lines = tmp_path / "mail.log", generated(600, seed=21)
    log.write_bytes(b"".join(lines[: len(lines) * 2 // 3]))
    store = store_of(index_period="month")
    Indexer(store, Calendar(timezone.utc, "UTC")).index([str(log)])
    return list(store.search(Query()))


def test_each_counts_what_the_documents_say(client, elasticsearch_prefix, documents):
    for request in REQUESTS:
        indices = request.indices.replace("mailtrace", elasticsearch_prefix)
        answer = client.search(index=indices, **request.body).body
        assert 0 == answer["_shards"]["failed"], answer
        if "aggs" not in request.body:
            require_hits(request, answer, documents)
        elif "percentiles" in str(request.body):
            require_percentiles(answer["aggregations"], documents, request)
        else:
            require_terms(request, answer["aggregations"], documents)
