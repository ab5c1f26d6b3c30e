"""Write the dashboards for Kibana and Grafana in contrib/ from the table of panels below.

Kibana's export has JSON in strings in JSON, which nobody can edit by hand. Its objects have no version number, so an
import takes them for the oldest: Kibana 8 and 9 migrate them, and OpenSearch Dashboards reads them too.
With --check, nothing is written; the exit status is 1 if a file is out of date.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from mailtrace.search.query import OUTCOMES

_Json: TypeAlias = dict[str, Any]

CONTRIB: Final = Path(__file__).parent.parent / "contrib"
INDICES: Final = "mailtrace-*"
TIME: Final = "date"
ANY: Final = "removed:*"
"""Every document has this member, and no other row of mailtrace's has it."""
LAST: Final = "to.last:true"
FAILED: Final = f"{LAST} AND to.outcome:(bounced OR expired OR rejected)"
WAITING: Final = f"{LAST} AND to.outcome:(deferred OR held OR queued)"
DELIVERED: Final = f"{LAST} AND to.outcome:sent"
REASON: Final = "to.search.reason"
"""What `--by status` counts: the status without what varies, for which there is no public member."""
_ROWS: Final = 15
_PERCENTS: Final = (50, 95)


class Panel(NamedTuple):
    """A chart of recipient results, or of messages if its field is not in `to`."""

    id: str
    title: str
    field: str
    chosen: str
    """Which of them, in Lucene's syntax."""
    over_time: bool = False

    @property
    def is_of_results(self) -> bool:
        """Whether it counts recipient results."""
        return self.field.startswith("to.")

    @property
    def has_percentiles(self) -> bool:
        """Whether it shows percentiles of numbers."""
        return self.field == "to.delay"


PANELS: Final = (
    Panel("outcomes", "Recipients by outcome", "to.outcome", LAST, over_time=True),
    Panel("delay", "Seconds until delivery (median and 95th percentile)", "to.delay", DELIVERED, over_time=True),
    Panel("failures", "Why mail was not delivered", REASON, FAILED),
    Panel("waiting", "Why mail waits", REASON, WAITING),
    Panel("failed-recipients", "Recipients without delivery", "to.recipient", FAILED),
    Panel("failed-relays", "Next hops that failed or refused", "to.relay_host", FAILED),
    Panel("senders", "Senders", "from", ANY),
    Panel("clients", "Clients", "client", ANY),
    Panel("logins", "Users who logged in", "login", ANY),
    Panel("hosts", "Mail servers", "host", ANY),
)
SEARCHES: Final = {
    "messages": ("Messages", ANY),
    "failed": ("Messages not delivered", FAILED),
    "in-queue": ("Messages in the queue", WAITING),
}
_COLUMNS: Final = ("host", "transaction", "from", "to.recipient", "to.outcome", "to.status")
_DATA_VIEW: Final = "mailtrace"


# Kibana


def kibana() -> str:
    """Return the export for Kibana: an object a line."""
    objects = [_data_view(), *map(_visualization, PANELS), *map(_search, SEARCHES), _dashboard()]
    return "".join(f"{_text(each)}\n" for each in objects)


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _object(kind: str, id_: str, attributes: _Json, references: Iterable[_Json] = ()) -> _Json:
    return {"type": kind, "id": id_, "attributes": attributes, "references": list(references)}


def _reference(name: str, kind: str = "index-pattern", id_: str = _DATA_VIEW) -> _Json:
    return {"name": name, "type": kind, "id": id_}


def _data_view() -> _Json:
    return _object("index-pattern", _DATA_VIEW, {"title": INDICES, "timeFieldName": TIME})


def _visualization(panel: Panel) -> _Json:
    state = {"title": panel.title, "type": "vega", "aggs": [], "params": {"spec": json.dumps(_vega(panel), indent=1)}}
    attributes = {
        "title": f"{panel.title} (mailtrace)",
        "description": "",
        "version": 1,
        "visState": _text(state),
        "uiStateJSON": "{}",
        "kibanaSavedObjectMeta": {"searchSourceJSON": _text({"query": _NO_QUERY, "filter": []})},
    }
    return _object("visualization", f"mailtrace-{panel.id}", attributes)


_NO_QUERY: Final = {"query": "", "language": "kuery"}


def _vega(panel: Panel) -> _Json:
    """Return a chart in Vega-Lite: Kibana's other charts cannot count what is nested, as `to` is."""
    aggs, path = _aggregations(panel), "to.chosen.groups" if panel.is_of_results else "chosen.groups"
    values = f"{path}.values" if panel.has_percentiles else f"{path}.buckets"
    if panel.over_time:
        times = {"field": TIME, "interval": {"%autointerval%": True}}
        aggs = {"times": {"date_histogram": times, "aggs": aggs}}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {
            "url": {
                "%context%": True,
                "%timefield%": TIME,
                "index": INDICES,
                "body": {"size": 0, "aggs": aggs},
            },
            "format": {"property": f"aggregations.{'times.buckets' if panel.over_time else values}"},
        },
        **(_over_time(panel, values) if panel.over_time else _BARS),
    }


def _aggregations(panel: Panel) -> _Json:
    groups = (
        {"percentiles": {"field": panel.field, "percents": list(_PERCENTS), "keyed": False}}
        if panel.has_percentiles
        else {"terms": {"field": panel.field, "size": _ROWS}}
    )
    chosen = {"chosen": {"filter": {"query_string": {"query": panel.chosen}}, "aggs": {"groups": groups}}}
    return {"to": {"nested": {"path": "to"}, "aggs": chosen}} if panel.is_of_results else chosen


def _over_time(panel: Panel, values: str) -> _Json:
    number, mark = ("value", "line") if panel.has_percentiles else ("doc_count", "bar")
    color: _Json = {"field": "group.key", "type": "nominal", "title": None}
    if not panel.has_percentiles:
        color["scale"] = {"domain": list(_COLORS), "range": list(_COLORS.values())}
    return {
        "transform": [{"flatten": [values], "as": ["group"]}],
        "mark": {"type": mark, "tooltip": True},
        "encoding": {
            "x": {"field": "key", "type": "temporal", "title": None},
            "y": {"field": f"group.{number}", "type": "quantitative", "title": None},
            "color": color,
        },
    }


_GREY: Final = "#98a2b3"
_COLORS: Final = {
    **dict.fromkeys(OUTCOMES, _GREY),
    "sent": "#54b399",
    "deferred": "#d6bf57",
    "held": "#b9a888",
    "queued": "#6092c0",
    "bounced": "#e7664c",
    "expired": "#aa6556",
    "rejected": "#9170b8",
}
"""Kibana's own colours, none of them for a failure that looks like success."""
_BARS: Final[_Json] = {
    "mark": {"type": "bar", "tooltip": True},
    "encoding": {
        "y": {"field": "key", "type": "nominal", "sort": "-x", "title": None, "axis": {"labelLimit": 300}},
        "x": {"field": "doc_count", "type": "quantitative", "title": None},
    },
}


def _search(name: str) -> _Json:
    title, chosen = SEARCHES[name]
    query: _Json = {"query_string": {"query": chosen}}
    if chosen.startswith("to."):
        query = {"nested": {"path": "to", "query": query}}
    index = "kibanaSavedObjectMeta.searchSourceJSON.index"
    of_filter = "kibanaSavedObjectMeta.searchSourceJSON.filter[0].meta.index"
    meta = {"alias": title, "type": "custom", "key": "query", "value": "", "disabled": False, "negate": False}
    source = {
        "query": _NO_QUERY,
        "filter": [
            {"meta": {**meta, "indexRefName": of_filter}, "query": query, "$state": {"store": "appState"}},
        ],
        "indexRefName": index,
    }
    attributes = {
        "title": f"{title} (mailtrace)",
        "description": "",
        "columns": list(_COLUMNS),
        "sort": [[TIME, "desc"]],
        "version": 1,
        "kibanaSavedObjectMeta": {"searchSourceJSON": _text(source)},
    }
    return _object("search", f"mailtrace-{name}", attributes, [_reference(index), _reference(of_filter)])


def _dashboard() -> _Json:
    shown = [("visualization", panel.id) for panel in PANELS] + [("search", "failed"), ("search", "in-queue")]
    panels, references = [], []
    for number, ((kind, name), place) in enumerate(zip(shown, _places(len(shown), 48, 13), strict=True)):
        panels.append(
            {
                "version": "7.10.0",
                "panelIndex": str(number),
                "gridData": {**place, "i": str(number)},
                "embeddableConfig": {},
                "panelRefName": f"panel_{number}",
            }
        )
        references.append(_reference(f"panel_{number}", kind, f"mailtrace-{name}"))
    attributes = {
        "title": "Mail (mailtrace)",
        "description": "What became of mail, and why",
        "version": 1,
        "timeRestore": True,
        "timeFrom": "now-24h",
        "timeTo": "now",
        "optionsJSON": _text({"useMargins": True, "hidePanelTitles": False}),
        "panelsJSON": _text(panels),
        "kibanaSavedObjectMeta": {"searchSourceJSON": _text({"query": _NO_QUERY, "filter": []})},
    }
    return _object("dashboard", _DATA_VIEW, attributes, references)


def _places(number: int, width: int, height: int) -> Iterator[_Json]:
    """Yield places on a grid of two columns."""
    for at in range(number):
        yield {"x": at % 2 * width // 2, "y": at // 2 * height, "w": width // 2, "h": height}


# Grafana


def grafana() -> str:
    """Return the dashboard for Grafana."""
    places = _places(len(PANELS), 24, 9)
    dashboard = {
        "uid": "mailtrace",
        "title": "Mail (mailtrace)",
        "description": "What became of mail, and why",
        "schemaVersion": 39,
        "time": {"from": "now-24h", "to": "now"},
        "templating": {
            "list": [
                {"name": "source", "label": "Data source", "type": "datasource", "query": "elasticsearch"},
                {"name": "filter", "label": "Filter", "type": "adhoc", "datasource": _SOURCE},
            ]
        },
        "panels": [_panel(number, *each) for number, each in enumerate(zip(PANELS, places, strict=True), 1)],
    }
    return json.dumps(dashboard, indent=1) + "\n"


_SOURCE: Final = {"type": "elasticsearch", "uid": "${source}"}


def _panel(number: int, panel: Panel, place: _Json) -> _Json:
    return {
        "id": number,
        "title": panel.title,
        "type": "timeseries" if panel.over_time else "table",
        "gridPos": place,
        "datasource": _SOURCE,
        "targets": [_target(panel)],
        **(_bars_or_lines(panel) if panel.over_time else {"transformations": [_names(panel)]}),
    }


def _target(panel: Panel) -> _Json:
    """Return the query. Grafana draws what is over time if that comes last, so inside `to` the time is a result's."""
    buckets: list[_Json] = []
    if panel.is_of_results:
        filters = {"filters": [{"label": "chosen", "query": panel.chosen}]}
        buckets += [{"type": "nested", "field": "to"}, {"type": "filters", "settings": filters}]
    if not panel.has_percentiles:
        settings = {"size": str(_ROWS), "order": "desc", "orderBy": "_count", "min_doc_count": "1"}
        buckets.append({"type": "terms", "field": panel.field, "settings": settings})
    if panel.over_time:
        buckets.append({"type": "date_histogram", "field": "to.date", "settings": {"interval": "auto"}})
    metric: _Json = {"id": "1", "type": "count"}
    if panel.has_percentiles:
        percents = {"percents": [str(percent) for percent in _PERCENTS]}
        metric = {"id": "1", "type": "percentiles", "field": panel.field, "settings": percents}
    return {
        "refId": "A",
        "datasource": _SOURCE,
        "query": ANY,
        "timeField": TIME,
        "alias": "{{metric}}" if panel.has_percentiles else f"{{{{term {panel.field}}}}}",
        "metrics": [metric],
        "bucketAggs": [{"id": str(number), **bucket} for number, bucket in enumerate(buckets, 2)],
    }


def _bars_or_lines(panel: Panel) -> _Json:
    if panel.has_percentiles:
        return {"fieldConfig": {"defaults": {"unit": "s"}, "overrides": []}}
    custom = {"drawStyle": "bars", "fillOpacity": 80, "stacking": {"mode": "normal", "group": "A"}}
    return {"fieldConfig": {"defaults": {"custom": custom}, "overrides": []}}


def _names(panel: Panel) -> _Json:
    """Return a transformation that leaves out the column of the filter."""
    options = {"excludeByName": {"filter": True}, "renameByName": {panel.field: panel.field.rpartition(".")[2]}}
    return {"id": "organize", "options": options}


FILES: Final = {CONTRIB / "kibana" / "mailtrace.ndjson": kibana, CONTRIB / "grafana" / "mailtrace.json": grafana}


def main() -> None:
    """Write the files, or check them."""
    outdated = [path for path, text in FILES.items() if not path.exists() or path.read_text() != text()]
    if sys.argv[1:] == ["--check"]:
        for path in outdated:
            print(f"{path.name} is out of date: run make docs")
        sys.exit(1 if outdated else 0)
    for path in outdated:
        path.parent.mkdir(exist_ok=True)
        path.write_text(FILES[path]())


if __name__ == "__main__":
    main()
