"""Every store gives the same overview."""

from random import Random

import pytest

from helpers.stores.contents import put
from helpers.stores.queries import random_queries
from helpers.stores.transactions import AT, newest_first, random_transactions, transaction
from mailtrace.mta.facts import Client
from mailtrace.output.overview_json import overview_json
from mailtrace.search.overview import overview_of
from mailtrace.search.patterns import Pattern
from mailtrace.search.query import Query, matches, microseconds
from mailtrace.search.tally import Span
from mailtrace.syslog.timezones import zone_of

HOUR = 3_600_000_000


def spans(random, documents):
    """Spans of several lengths that end at a document or an hour after it."""
    dates = sorted({each["date"] for each in documents})
    for length in (HOUR, 24 * HOUR, 24 * HOUR * 30, 24 * HOUR * 3000):
        for _ in range(3):
            until = microseconds(random.choice(dates)) + random.choice([0, HOUR])
            zone = zone_of(random.choice(["UTC", "Europe/Madrid", "Asia/Kathmandu", "+00:07"]))
            yield Span(until - length, until, zone)


@pytest.mark.parametrize("seed", range(2))
def test_overviews_are_those_of_overview_of(store, seed):
    random = Random(seed)
    transactions = random_transactions(random, 150)
    put(store, *transactions, transaction("ABCDE0FFFF", [(AT, Client("bob.desktop [10.10.10.10]"))]))
    documents = newest_first(transactions)
    seen = 0
    in_queue = Query(queued=True), Query(queued=True, recipients=(Pattern.of("*@bar.com"),))
    queries = [Query(), *in_queue, *random.sample(list(random_queries(random, transactions)), 12)]
    for span in spans(random, documents):
        for query in queries:
            asked = span.whole.of(query)
            wanted = overview_of(query, span, (each for each in documents if matches(asked, each)))
            found = store.overview(query, span)
            assert found == wanted, (query, span)
            assert overview_json(found) == overview_json(wanted), (query, span)
            seen += bool(wanted.top["from"]) + bool(wanted.reasons) + bool(wanted.queue.number) + bool(wanted.before)
    assert seen > 20
