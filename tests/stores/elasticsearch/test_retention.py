"""How long documents are kept on an Elasticsearch server."""

import time
from datetime import datetime, timezone

import pytest
from elasticsearch import ApiError

from helpers.commands import index as run_index
from helpers.elasticsearch_server import (
    IS_OPENSEARCH,
    NoServerError,
    client_of,
    elasticsearch_server,
    give_up,
    needs_elasticsearch,
    own_prefix,
)
from helpers.elasticsearch_transactions import AT, DAY, INDEX, mail, put
from mailtrace.message.document import document
from mailtrace.message.transaction import SECOND
from mailtrace.search.query import Query
from mailtrace.stores.elasticsearch.store import ElasticsearchStore


def origination(client, index):
    state = client.indices.get(index=index, flat_settings=True)[index]
    kept = state["mappings"]["_meta"] if IS_OPENSEARCH else state["settings"]
    return int(kept["origination" if IS_OPENSEARCH else "index.lifecycle.origination_date"]) / 1000


def test_todays_index_counts_from_the_end_of_the_day(client, store_of, elasticsearch_prefix):
    put(store_of(), mail(at=int(time.time()) * SECOND))
    today = datetime.now(timezone.utc)
    end = today.replace(hour=0, minute=0, second=0, microsecond=0).timestamp() + DAY
    assert origination(client, f"{elasticsearch_prefix}-{today:%Y.%m.%d}") == end


def test_a_process_that_only_writes_sets_the_origination_too(client, elasticsearch_url, commands_prefix, tmp_path):
    log = tmp_path / "mail.log"
    log.write_text("2011-12-15T15:27:19Z mx postfix/qmgr[1]: 5298B228B8B: from=<bob@foo.com>, size=1, nrcpt=1 (x)\n")
    before = time.time()
    assert run_index(elasticsearch_url, [log], "--jobs", "2").status == 0
    assert before - 1 <= origination(client, f"{commands_prefix}-{INDEX}") <= time.time()


def test_an_old_days_index_counts_from_now(client, store_of, elasticsearch_prefix):
    before = time.time()
    put(store_of(), mail())
    assert before - 1 <= origination(client, f"{elasticsearch_prefix}-{INDEX}") <= time.time()


def test_only_new_documents_prolong_an_index(client, store_of, elasticsearch_prefix):
    index, now = f"{elasticsearch_prefix}-{INDEX}", int(time.time())
    put(store_of(now=lambda: now - 10 * DAY), mail(1))
    assert origination(client, index) == now - 10 * DAY
    later = store_of(now=lambda: now)
    put(later, mail(1))
    assert origination(client, index) == now - 10 * DAY
    put(later, mail(1), mail(2))
    assert origination(client, index) == now


def test_an_index_is_prolonged_by_more_than_an_hour_or_not_at_all(client, store_of, elasticsearch_prefix):
    index, start = f"{elasticsearch_prefix}-{INDEX}", int(time.time()) - 5 * DAY
    clock = [start]
    store = store_of(now=lambda: clock[0])
    put(store, mail(1))
    clock[0] = start + 3600
    put(store, mail(2))
    assert origination(client, index) == start
    clock[0] = start + 3601
    put(store, mail(3))
    assert origination(client, index) == start + 3601


@needs_elasticsearch
def test_expired_indices_are_deleted_and_can_be_indexed_again(client, store_of, elasticsearch_prefix):
    store = store_of(now=lambda: time.time() - 91 * DAY)
    put(store, mail())
    end = time.monotonic() + 30
    while client.indices.exists(index=f"{elasticsearch_prefix}-{INDEX}"):
        assert time.monotonic() < end, "the policy does not delete"
        time.sleep(0.2)
    assert list(store.search(Query())) == []
    put(store, mail())
    assert list(store.search(Query())) == [document(mail())]


@needs_elasticsearch
def test_a_server_with_lifecycle_management_deletes_indices_itself(store_of):
    store = store_of(now=lambda: time.time() - 80 * DAY)
    put(store, mail())
    assert store.expire(time.time()) == 0
    assert store.count(Query()) == 1


@pytest.fixture(scope="module")
def without_lifecycle():
    """The URL of a server without lifecycle management."""
    try:
        with elasticsearch_server() as url:
            yield url
    except NoServerError as error:
        give_up(str(error))


def test_mailtrace_deletes_expired_indices_on_a_server_without_lifecycle_management(without_lifecycle):
    now = time.time()
    with own_prefix(without_lifecycle) as prefix, client_of(without_lifecycle) as client:
        store = ElasticsearchStore(without_lifecycle, prefix=prefix, now=lambda: now - 100 * DAY)
        store.prepare()
        with pytest.raises(ApiError):
            client.ilm.get_lifecycle()
        put(store, mail(1), mail(2), mail(3, AT + DAY * SECOND), mail(4, int(now) * SECOND))
        store.close()
        later = ElasticsearchStore(without_lifecycle, prefix=prefix, now=lambda: now)
        later.prepare()
        put(later, mail(1), mail(5, AT + DAY * SECOND))
        client.indices.create(index=f"{prefix}-foreign")
        assert later.expire(now - 90 * DAY) == 2
        assert later.expire(now - 90 * DAY) == 0
        wanted = [mail(4, int(now) * SECOND), mail(5, AT + DAY * SECOND), mail(3, AT + DAY * SECOND)]
        assert sorted(map(str, later.search(Query()))) == sorted(str(document(each)) for each in wanted)
        assert client.indices.exists(index=f"{prefix}-foreign")
        later.close()
