"""Shards that are missing and searches that the cluster ends: no answer is a part of the whole one without a word."""

import json
from datetime import timezone
from functools import partial

import pytest

from helpers.elasticsearch_transactions import AT, DAY, mail
from helpers.http_proxy import proxy
from mailtrace.errors import StoreUnavailableError
from mailtrace.indexing.merge import write
from mailtrace.message.transaction import SECOND
from mailtrace.search.groups import Grouping
from mailtrace.search.query import Query

MAILS = [mail(number) for number in range(20)]


@pytest.fixture
def store(store_of):
    store = store_of()
    write(store, MAILS)
    store.commit([])
    return store


def questions(store):
    return [
        lambda: list(store.search(Query())),
        lambda: list(store.search(Query(limit=10))),
        lambda: store.count(Query()),
        lambda: store.group(Query(), Grouping("from", timezone.utc)),
        lambda: store.find({each.key: (AT, AT) for each in MAILS}),
        lambda: store.lacking_beginning([each.key for each in MAILS]),
        # Without the refresh before, which takes a minute to fail.
        lambda: [list(rows) for rows in store._searches.slices(store._setup.indices("open"))],
    ]


def test_a_row_in_a_shard_that_no_node_has(missing):
    rows = [MAILS[0], mail(1, AT + 5 * DAY * SECOND)]
    with pytest.raises(StoreUnavailableError, match=r"has only a part of the answer \(\S+-2011\.12\.20: "):
        missing.read(rows)
    assert len(missing.read(rows[:1])) == 1


@pytest.fixture
def missing(client, elasticsearch_prefix, store):
    """Return the store after an index was made whose shard no node may hold."""
    store._server.pauses = (0.01,)
    client.indices.create(
        index=f"{elasticsearch_prefix}-2011.12.20",
        settings={"index.routing.allocation.require._name": "nowhere"},
        wait_for_active_shards=0,
    )
    return store


@pytest.mark.parametrize("number", range(7))
def test_a_shard_that_no_node_has(missing, number):
    with pytest.raises(StoreUnavailableError, match=r"missing shards|all shards failed|shards failed"):
        questions(missing)[number]()


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("number", range(7))
def test_an_answer_that_the_server_says_is_a_part(elasticsearch_url, store_of, number):
    """The server itself refuses such answers; this is for those that it might give."""

    def answer(lacks, path, _):
        return (200, HEADERS, json.dumps(lacks).encode()) if "_search" in path or "_pit" in path else None

    for lacks, message in (
        ({"timed_out": True, "_shards": {"total": 2, "failed": 0}}, "a time-out of the cluster has ended the search"),
        ({"timed_out": False, "_shards": {"total": 2, "failed": 1}}, "1 of 2 shards failed"),
    ):
        with proxy(elasticsearch_url, partial(answer, lacks)) as url:
            asked = store_of(url)
            asked._server.pauses = (0.01,)
            with pytest.raises(StoreUnavailableError, match=rf"has only a part of the answer \({message}"):
                questions(asked)[number]()


def test_a_refresh_whose_shards_have_all_failed_is_repeated(elasticsearch_url, store_of):
    """The server answers with the status of a shard, here of one whose node has just been killed."""
    reason = {"type": "node_disconnected_exception", "reason": "disconnected"}
    failed = {"total": 1, "successful": 0, "failed": 1, "failures": [{"shard": 0, "index": "a", "reason": reason}]}
    refreshes = []

    def answer(path, _):
        if "_refresh" not in path:
            return None
        refreshes.append(path)
        return (500, HEADERS, json.dumps({"_shards": failed}).encode()) if len(refreshes) <= 2 else None

    with proxy(elasticsearch_url, answer) as url:
        asked = store_of(url)
        asked._server.pauses = (0.01,) * 5
        write(asked, MAILS)
        asked.commit([])
        assert len(refreshes) > 2
        assert len(list(asked.search(Query()))) == len(MAILS)


HEADERS = {"Content-Type": "application/json", "X-elastic-product": "Elasticsearch"}
