"""The comparison finds faults: each field of a correct document is changed in turn."""

from copy import deepcopy

import pytest

from helpers.accuracy.corpus import YEAR, Corpus, Found
from helpers.accuracy.corpus_faults import corpus_faults
from helpers.commands import documents, index

CORPUS = "postfix-traditional"


@pytest.fixture(scope="module")
def right(tmp_path_factory):
    store = f"sqlite:{tmp_path_factory.mktemp('right')}/store.db"
    for logs, zone in Corpus.read(CORPUS).logs():
        index(store, logs, "--tz", zone, "-y", YEAR)
    return documents(store)


def _fields(found):
    return {fault.field for fault in corpus_faults(Corpus.read(CORPUS), Found(found))}


@pytest.mark.parametrize(
    ("member", "value", "field"),
    [
        ("transaction", "4jYzr032KGz1V3xx", "missing"),
        ("host", "elsewhere", "missing"),
        ("host", "MX1", "shape"),
        ("mta", "sendmail", "mta"),
        ("from", "mallory@example.org", "from"),
        ("from", None, "from"),
        ("client_ip", "192.0.2.250", "client"),
        ("client", "mail[192.0.2.1]", "shape"),
        ("login", "mallory", "login"),
        ("msgid", "other@example.org", "msgid"),
        ("date", "2025-11-24T00:00:00+00:00", "date"),
        ("date", "2026-11-24T00:00:00", "shape"),
        ("origin", "4jYzr032KGz1V3xx", "origin"),
        ("to", [], "recipient"),
        ("to", [], "reject"),
    ],
)
def test_a_wrong_member_is_seen(right, member, value, field):
    assert field in _fields([{**document, member: value} for document in right])


@pytest.mark.parametrize(
    ("member", "value", "field"),
    [
        ("recipient", "stranger@example.org", "stranger"),
        ("outcome", "deferred", "outcome"),
        ("outcome", "delivered", "shape"),
        ("relay", "elsewhere[192.0.2.250]:25", "relay"),
        ("queued_as", None, "queued_as"),
        ("last", False, "shape"),
        ("attempts", 0, "shape"),
    ],
)
def test_a_wrong_member_of_an_entry_is_seen(right, member, value, field):
    spoilt = deepcopy(right)
    for document in spoilt:
        for entry in document["to"]:
            entry[member] = value
    assert field in _fields(spoilt)


def test_a_recipient_in_another_case_is_seen(right):
    spoilt = deepcopy(right)
    for document in spoilt:
        for entry in document["to"]:
            entry["recipient"] = entry["recipient"] and entry["recipient"].upper()
    assert "case" in _fields(spoilt)


def test_documents_that_are_twice_there_are_seen(right):
    assert {"extra", "doubled"} <= _fields(right + right)


def test_entries_that_are_doubled_are_seen(right):
    assert "shape" in _fields([{**document, "to": document["to"] * 2} for document in right])


def test_what_was_right_has_no_faults(right):
    assert _fields(right) == set()
