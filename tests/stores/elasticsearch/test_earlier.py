"""Indices that an earlier mailtrace created: written and searched together with those of this one."""

from random import Random

import pytest

from helpers.elasticsearch_transactions import AT, DAY, INDEX, mail, put
from helpers.stores.queries import random_queries
from helpers.stores.transactions import newest_first, random_transactions
from mailtrace.message.document import document
from mailtrace.message.transaction import SECOND, Transaction
from mailtrace.search.groups import BY, Grouping, groups_of
from mailtrace.search.query import Query, matches
from mailtrace.stores.elasticsearch import earlier
from mailtrace.syslog.timezones import zone_of

DAYS = [f"2011.12.{day}" for day in range(13, 18)]


@pytest.fixture
def older(client, elasticsearch_prefix):
    """Create indices of these days with an earlier mapping, as if an earlier mailtrace had set up the server."""

    def make(*days):
        for day in days:
            client.indices.create(index=f"{elasticsearch_prefix}-{day}", mappings=earlier.mapping())

    return make


@pytest.mark.parametrize("days", [DAYS[::2], DAYS], ids=["some days", "every day"])
def test_queries_and_groups_are_the_same_in_both_mappings(store_of, older, days):
    random = Random(len(days))
    transactions = random_transactions(random, 120)
    older(*days)
    store = store_of()
    assert [] == put(store, *transactions).refused
    documents = newest_first(transactions)
    assert documents == list(store.search(Query()))
    queries = list(random_queries(random, transactions))
    for query in random.sample(queries, 150):
        wanted = [each for each in documents if matches(query, each)]
        assert (wanted[::-1] if query.oldest_first else wanted)[: query.limit] == list(store.search(query)), query
    for by, query in zip(BY, random.sample(queries, len(BY)), strict=True):
        grouping = Grouping(by, zone_of("UTC"))
        found = [each for each in documents if matches(query, each)]
        assert groups_of(query, grouping, found) == store.group(query, grouping), (query, by)


def test_lines_are_joined_with_what_an_earlier_version_stored(client, store_of, elasticsearch_prefix, older):
    older(INDEX)
    whole = [mail(number) for number in range(3)]
    for piece in (slice(0, 3), slice(3, None)):
        parts = [Transaction(one.host, one.queue_id, "postfix") for one in whole]
        for part, one in zip(parts, whole, strict=True):
            for time, fact in one.facts[piece]:
                part.add(time, fact)
        put(store_of(), *parts)
    assert sorted(map(str, map(document, whole))) == sorted(map(str, store_of().search(Query())))
    hits = client.search(index=f"{elasticsearch_prefix}-{INDEX}")["hits"]["hits"]
    assert {"bob@foo.com"} == {hit["_source"]["search"]["from"] for hit in hits}


def test_an_index_that_is_created_again_gets_the_present_mapping(client, store_of, elasticsearch_prefix, older):
    """Deleted meanwhile, by the retention or by hand: what was known of its mapping is outdated."""
    older(INDEX, "2011.12.16")
    store = store_of()
    put(store, mail(1), mail(2, AT + DAY * SECOND))
    client.indices.delete(index=f"{elasticsearch_prefix}-{INDEX}")
    assert [] == put(store, mail(3)).refused
    assert [mail(2, AT + DAY * SECOND).queue_id, mail(3).queue_id] == [
        each["transaction"] for each in store.search(Query())
    ]
    for day, kind in ((INDEX, "alias"), ("2011.12.16", "keyword")):
        found = client.indices.get_mapping(index=f"{elasticsearch_prefix}-{day}")[f"{elasticsearch_prefix}-{day}"]
        assert kind == found["mappings"]["properties"]["search"]["properties"]["from"]["type"]
