"""The files of contrib/ for Kibana and Grafana, and the requests that these programs make of them.

Neither program is needed: their charts contain aggregations, which Kibana sends as they are, and Grafana after the few
changes in `_aggregation` (its source: pkg/tsdb/elasticsearch/aggregation_factory.go).
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

CONTRIB = Path(__file__).parents[2] / "contrib"
TIMES = {"gte": "2000-01-01T00:00:00Z", "lte": "2100-01-01T00:00:00Z", "format": "strict_date_optional_time"}
_INTERVAL = "30d"

Json: TypeAlias = dict[str, Any]


class Request(NamedTuple):
    """What one chart or list asks, and under which title."""

    title: str
    indices: str
    body: Json


def kibana_objects() -> list[Json]:
    """Return the objects of the export."""
    return [json.loads(line) for line in (CONTRIB / "kibana" / "mailtrace.ndjson").read_text().splitlines()]


def grafana_dashboard() -> Json:
    """Return the dashboard for Grafana."""
    found: Json = json.loads((CONTRIB / "grafana" / "mailtrace.json").read_text())
    return found


def kibana_requests() -> Iterator[Request]:
    """Yield the requests of all visualizations and saved searches."""
    for each in kibana_objects():
        attributes = each["attributes"]
        if each["type"] == "visualization":
            yield _of_vega(attributes["title"], json.loads(json.loads(attributes["visState"])["params"]["spec"]))
        if each["type"] == "search":
            yield _of_search(attributes)


def _of_vega(title: str, spec: Json) -> Request:
    url = spec["data"]["url"]
    assert "query" not in url["body"], "Kibana then refuses %context%"
    assert url["%context%"]
    query = {"bool": {"must": [{"range": {url["%timefield%"]: TIMES}}]}}
    return Request(title, url["index"], {**_with_interval(url["body"]), "query": query})


def _with_interval(body: Json) -> Json:
    text = json.dumps(body).replace('"interval": {"%autointerval%": true}', f'"fixed_interval": "{_INTERVAL}"')
    assert "%" not in text
    changed: Json = json.loads(text)
    return changed


def _of_search(attributes: Json) -> Request:
    source = json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])
    views = [each["attributes"] for each in kibana_objects() if each["type"] == "index-pattern"]
    clauses = [{"range": {views[0]["timeFieldName"]: TIMES}}, *(each["query"] for each in source["filter"])]
    body = {
        "query": {"bool": {"filter": clauses}},
        "sort": [{field: {"order": order}} for field, order in attributes["sort"]],
        "fields": [{"field": field} for field in attributes["columns"]],
        "size": 500,
    }
    return Request(attributes["title"], views[0]["title"], {**body, "_source": False, "track_total_hits": True})


def grafana_requests(index: str) -> Iterator[Request]:
    """Yield the requests of all panels to a data source with this index."""
    for panel in grafana_dashboard()["panels"]:
        for target in panel["targets"]:
            yield Request(panel["title"], index, _of_target(target))


def _of_target(target: Json) -> Json:
    aggregations: Json = {each["id"]: {each["type"]: _metric(each)} for each in target["metrics"] if "field" in each}
    for bucket in reversed(target["bucketAggs"]):
        aggregations = {bucket["id"]: {**_aggregation(bucket), "aggs": aggregations}}
    text = {"query_string": {"query": target["query"], "analyze_wildcard": True}}
    clauses = [{"range": {target["timeField"]: TIMES}}, text]
    return {"size": 0, "query": {"bool": {"filter": clauses}}, "aggs": aggregations}


def _metric(metric: Json) -> Json:
    return {"field": metric["field"], **metric["settings"]}


def _aggregation(bucket: Json) -> Json:
    settings = bucket.get("settings", {})
    if bucket["type"] == "nested":
        return {"nested": {"path": bucket["field"]}}
    if bucket["type"] == "filters":
        filters = {each["label"]: {"query_string": {"query": each["query"]}} for each in settings["filters"]}
        return {"filters": {"filters": filters}}
    if bucket["type"] == "terms":
        order = {settings["orderBy"]: settings["order"]}
        minimum = int(settings["min_doc_count"])
        return {
            "terms": {
                "field": bucket["field"],
                "size": int(settings["size"]),
                "order": order,
                "min_doc_count": minimum,
            }
        }
    assert (bucket["type"], settings["interval"]) == ("date_histogram", "auto")
    return {"date_histogram": {"field": bucket["field"], "fixed_interval": _INTERVAL}}


def fields_in(value: object) -> set[str]:
    """Return the fields that a request names: those of aggregations, of ranges, of sorting, and of Lucene's syntax."""
    if isinstance(value, list):
        return set().union(*map(fields_in, value))
    if not isinstance(value, dict):
        return set()
    found = {value["field"]} if isinstance(value.get("field"), str) else set()
    for name, inner in value.items():
        if name == "range":
            found |= set(inner)
        elif name == "sort":
            found |= {field for each in inner for field in each}
        elif name == "query_string":
            found |= {word.partition(":")[0].lstrip("(") for word in inner["query"].split() if ":" in word}
        else:
            found |= fields_in(inner)
    return found
