"""Journeys are the same with every store."""

from datetime import timezone

from helpers.journeys import (
    held_and_requeued,
    list_mail,
    loop,
    mailbox,
    parted_in_sendmail,
    postfix,
    queued,
    spread,
    through_both,
)
from helpers.stores.contents import put
from helpers.stores.transactions import newest_first
from mailtrace.output.journeys import journey_json
from mailtrace.search.patterns import Pattern
from mailtrace.search.query import Query, matches
from mailtrace.tracing.journey import journeys


class Listed:
    """A store in memory that searches with `matches`."""

    def __init__(self, transactions):
        self.documents = newest_first(transactions)

    def search(self, query):
        found = [document for document in self.documents if matches(query, document)]
        return iter(found if query.limit is None else found[: query.limit])


def told(store, query=None):
    return [journey_json(journey, timezone.utc) for journey in journeys(store, query or Query())]


def test_a_way_of_each_kind(store):
    for transactions in (through_both(), held_and_requeued(), parted_in_sendmail(), loop(20), list_mail(5), spread(50)):
        put(store, *transactions)
        only = Query(queue_ids=tuple({made.queue_id for made in transactions}))
        queue_ids = [made.queue_id for made in transactions[:3]]
        for query in (only, *(Query(queue_ids=(queue_id,), limit=1) for queue_id in queue_ids)):
            found = told(store, query)
            assert len(found) >= 1
            assert found == told(Everything(store), query)


class Everything(Listed):
    """Return a store in memory with all documents of a store."""

    def __init__(self, store):
        self.documents = list(store.search(Query()))


def test_links_that_are_as_long_and_odd_as_a_log_can_have_them(store):
    odd = ["x" * 9000, "*", "a\\*b", "Ω", "\x00", "NOQUEUE", '"}', ""]
    transactions = [
        postfix("mx1", f"ABCDE{i}", queued("alice@bar.com", "mx[192.0.2.1]:25", "F" * (i * 4000 + 6)), origin=value)
        for i, value in enumerate(odd)
    ]
    put(store, *transactions, postfix("mx1", "FFFFFF", mailbox()))
    assert told(store) == told(Listed([*transactions, postfix("mx1", "FFFFFF", mailbox())]))


def test_what_a_search_asks_of_recipients_holds_in_a_journey(store):
    put(store, *through_both())
    query = Query(recipients=(Pattern.of("carol@*"),), outcomes=("bounced",))
    assert told(store, query) == told(Listed(through_both()), query)
    assert len(told(store, query)) == 1
