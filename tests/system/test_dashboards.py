"""The dashboards of contrib/ are as the table they are made from; what they name exists."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from helpers.dashboards import fields_in, grafana_dashboard, grafana_requests, kibana_objects, kibana_requests
from mailtrace.message.fields import DOCUMENT, RECIPIENT_RESULT
from mailtrace.stores.elasticsearch.template import mapping

ROOT = Path(__file__).parents[2]
PUBLIC = {field.name for field in DOCUMENT} | {f"to.{field.name}" for field in RECIPIENT_RESULT}


def mapped(properties: dict, prefix: str = "") -> set[str]:
    """Return the names of all fields of a mapping."""
    found = set()
    for name, field in properties.items():
        found.add(prefix + name)
        found |= mapped(field.get("properties", {}), f"{prefix}{name}.")
    return found


def test_they_are_as_the_table_they_are_made_from():
    command = [sys.executable, str(ROOT / "tools" / "dashboards.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stdout + done.stderr)


@pytest.mark.parametrize(
    "request_", [*kibana_requests(), *grafana_requests("mailtrace-*")], ids=lambda each: each.title
)
def test_they_name_only_public_members_that_the_template_maps(request_):
    fields = fields_in(request_.body)
    assert len(fields) > 1
    assert fields <= (PUBLIC | {"to.search.reason"}) & mapped(mapping()["properties"])
    assert "mailtrace-*" == request_.indices


def test_every_reference_of_the_export_leads_to_an_object_in_it():
    objects = {(each["type"], each["id"]): each for each in kibana_objects()}
    assert len(objects) == len(kibana_objects())
    for each in objects.values():
        names = {reference["name"] for reference in each["references"]}
        assert {(reference["type"], reference["id"]) for reference in each["references"]} <= set(objects)
        assert names == references_in(each["attributes"])


def references_in(value: object) -> set[str]:
    """Return the names of the references that attributes use, also within strings of JSON."""
    if isinstance(value, str) and value.startswith(("{", "[")):
        return references_in(json.loads(value))
    if isinstance(value, list):
        return set().union(*map(references_in, value))
    if not isinstance(value, dict):
        return set()
    found = {inner for name, inner in value.items() if name in ("indexRefName", "panelRefName")}
    return found.union(*map(references_in, value.values()))


OLD = {
    "index-pattern": {"title", "timeFieldName"},
    "visualization": {"title", "description", "version", "visState", "uiStateJSON", "kibanaSavedObjectMeta"},
    "search": {"title", "description", "version", "columns", "sort", "kibanaSavedObjectMeta"},
    "dashboard": {
        *("title", "description", "version", "timeRestore", "timeFrom", "timeTo", "optionsJSON", "panelsJSON"),
        "kibanaSavedObjectMeta",
    },
}
"""The attributes in Kibana 7.10, from which OpenSearch Dashboards descends: it rejects others."""


def test_the_export_has_only_what_every_version_knows():
    assert {each["type"] for each in kibana_objects()} == set(OLD)
    for each in kibana_objects():
        assert set(each) == {"type", "id", "attributes", "references"}
        assert set(each["attributes"]) == OLD[each["type"]]


def test_the_data_source_of_grafana_is_what_its_dashboard_asks_for():
    sources = yaml.safe_load((ROOT / "contrib" / "grafana" / "datasource.yaml").read_text())["datasources"]
    of_time = {target["timeField"] for panel in grafana_dashboard()["panels"] for target in panel["targets"]}
    assert [("elasticsearch", {"index": "mailtrace-*", "timeField": of_time.pop()})] == [
        (source["type"], source["jsonData"]) for source in sources
    ]
    assert not of_time


@pytest.mark.parametrize(
    "panels",
    [
        [each["gridData"] for each in json.loads(kibana_objects()[-1]["attributes"]["panelsJSON"])],
        [each["gridPos"] for each in grafana_dashboard()["panels"]],
    ],
    ids=["kibana", "grafana"],
)
def test_no_panel_covers_another(panels):
    covered = [(x, y) for p in panels for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
    assert len(panels) >= 10
    assert len(covered) == len(set(covered))
