"""Every store gives the log lines of a transaction with its document, when they are asked for."""

import pytest

from helpers.stores.contents import found, put
from helpers.stores.transactions import AT, transaction, whole
from mailtrace.message.lines import shown
from mailtrace.message.replay import transaction_of
from mailtrace.message.transaction import SECOND, lines_of
from mailtrace.search.query import Query
from mailtrace.syslog.records import Record
from mailtrace.tracing.journey import journeys

SHORT = "5298B228B8B"


def lines(queue_id: str = SHORT, recipients: int = 1) -> list[Record]:
    texts = [
        ("smtpd", "client=bob.desktop[10.10.10.10]"),
        ("cleanup", "message-id=<1@foo.com>"),
        ("qmgr", f"from=<bob@foo.com>, size=1234, nrcpt={recipients} (queue active)"),
        *(
            ("smtp", f"to=<a{i}@bar.com>, relay=mx.bar.com[192.0.2.25]:25, delay=1, dsn=2.0.0, status=sent (250 Ok)")
            for i in range(recipients)
        ),
        ("qmgr", "removed"),
    ]
    return [
        Record(AT + min(i, 9) * SECOND // 10, "mx", f"postfix/{program}", str(i), f"{queue_id}: {text}")
        for i, (program, text) in enumerate(texts)
    ]


# The second one is so big that Elasticsearch keeps its document packed.
@pytest.mark.parametrize("recipients", [1, 3000])
def test_a_document_has_its_lines_when_they_are_asked_for(store, recipients):
    logged = lines(recipients=recipients)
    put(store, transaction_of("mx", SHORT, "postfix", logged))
    (without,) = found(store)
    assert "lines" not in without
    for query in (Query(with_lines=True), Query(queue_ids=(SHORT,), limit=1, with_lines=True)):
        (document,) = found(store, query)
        assert sorted(map(str, shown(logged))) == sorted(map(str, document.pop("lines")))
        assert without == document


def test_facts_that_were_kept_without_lines_are_lines_too(store):
    made = transaction(SHORT, whole())
    put(store, made)
    (document,) = found(store, Query(with_lines=True))
    assert shown(lines_of(made)) == document["lines"]
    assert "Client: client=bob.desktop [10.10.10.10]" == document["lines"][0]["text"]


def test_every_hop_of_a_journey_has_its_lines(store):
    put(store, transaction_of("mx", SHORT, "postfix", lines()))
    (journey,) = journeys(store, Query(with_lines=True))
    assert shown(lines()) == journey.root.document["lines"]
