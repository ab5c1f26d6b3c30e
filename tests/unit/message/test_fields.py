"""The field table matches the documents, the searches and the Elasticsearch template."""

from datetime import datetime
from itertools import chain
from pathlib import Path

import pytest

from helpers.commands import documents, index
from mailtrace.message.fields import DOCUMENT, RECIPIENT_RESULT
from mailtrace.search.comparisons import CRITERIA
from mailtrace.search.groups import VALUES
from mailtrace.search.query import OUTCOMES
from mailtrace.stores.elasticsearch.template import template

ROOT = Path(__file__).parents[3]
CORPORA = ROOT / "tests" / "corpora"


def is_date(value) -> bool:
    return isinstance(value, str) and datetime.fromisoformat(value).utcoffset() is not None


IS_OF = {
    "text": lambda value: isinstance(value, str),
    "date": is_date,
    "integer": lambda value: type(value) is int,
    "number": lambda value: type(value) in (int, float),
    "boolean": lambda value: type(value) is bool,
    "recipient results": lambda value: isinstance(value, list),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Documents from a log of each kind."""
    store = f"sqlite:{tmp_path_factory.mktemp('store')}/mailtrace.db"
    index(store, [ROOT / "sample_logs" / "sendmail.log"], "-y", "2011")
    for name in ("postfix-iso8601", "sendmail-traditional", "multi-host"):
        index(store, sorted((CORPORA / name).glob("*log.gz")))
    return documents(store)


def test_documents_and_recipient_results_have_these_fields_in_this_order(found):
    assert len(found) > 100
    assert {tuple(document) for document in found} == {tuple(field.name for field in DOCUMENT)}
    results = chain.from_iterable(document["to"] for document in found)
    assert {tuple(result) for result in results} == {tuple(field.name for field in RECIPIENT_RESULT)}


@pytest.mark.parametrize("where, field", [*(("", one) for one in DOCUMENT), *(("to", one) for one in RECIPIENT_RESULT)])
def test_a_field_has_its_type(found, where, field):
    holders = found if not where else list(chain.from_iterable(document["to"] for document in found))
    values = [holder[field.name] for holder in holders]
    assert all(IS_OF[field.kind](value) for value in values if value is not None)
    assert field.nullable or None not in values
    assert field.name in ("orig_client", "instance") or any(value is not None for value in values)


def test_outcomes_are_known(found):
    assert {result["outcome"] for document in found for result in document["to"]} <= set(OUTCOMES)


def test_elasticsearch_maps_every_field():
    mapping = template("mailtrace", {}, lifecycle=False, array_objects=False)["template"]["mappings"]["properties"]
    assert {field.name for field in DOCUMENT} <= set(mapping)
    assert {field.name for field in RECIPIENT_RESULT} <= set(mapping["to"]["properties"])


def test_the_table_marks_the_fields_that_are_compared_or_counted():
    """The embedded store has a column for each of these, for `delay` and for `last`."""
    compared = {name for criterion in CRITERIA for name in criterion.columns}
    compared |= {value.column for value in VALUES.values()} | {"to.last", "to.delay"}
    searched = [field.name for field in DOCUMENT if field.searched]
    assert {*searched, *(f"to.{field.name}" for field in RECIPIENT_RESULT if field.searched)} == compared
