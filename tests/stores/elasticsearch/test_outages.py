"""Messages about a server that is down or busy: one when the outage lasts, one at its end, and no more."""

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timezone

import pytest

from helpers.elasticsearch_server import free_port
from helpers.elasticsearch_transactions import mail
from helpers.http_proxy import proxy
from mailtrace.errors import StoreUnavailableError
from mailtrace.indexing.follower import Follower
from mailtrace.indexing.indexer import Indexer
from mailtrace.indexing.merge import write
from mailtrace.indexing.writer import Writer
from mailtrace.logs.rotation import Calendar
from mailtrace.message.document import document
from mailtrace.search.query import Query
from mailtrace.stores.elasticsearch.store import ElasticsearchStore

AWAY = "{url} does not answer (connection refused): retrying for at least a minute; nothing is lost"
BACK = "{url} answers again; everything read so far is stored"
MAILS = [mail(number) for number in range(2500)]
ONE_REQUEST = 100
"""Transactions that a single request writes."""
QUICK = (0.01, 0.01, 0.01)
"""Pauses before the retries that are not reported."""


def quick(store, pauses):
    store._server.pauses = pauses
    return store


def save(store, mails):
    write(store, mails)
    store.commit([])


def same(store, mails):
    return Counter(map(str, store.search(Query()))) == Counter(str(document(each)) for each in mails)


def until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_each_outage_and_its_end_are_reported_once_however_many_requests_fail(elasticsearch_url, store_of):
    messages, port = [], 0
    with proxy(elasticsearch_url, lambda *_: None) as url:
        store, port = quick(store_of(url, notify=messages.append), (*QUICK, *[0.1] * 200)), int(url.rpartition(":")[2])
    with ThreadPoolExecutor(1) as pool:
        for n, mails in enumerate([MAILS[:1500], MAILS[1500:]]):
            writing = pool.submit(save, store, mails)
            until(lambda n=n: len(messages) > 2 * n)
            time.sleep(0.5)
            with proxy(elasticsearch_url, lambda *_: None, port):
                writing.result(30)
    assert messages == [AWAY.format(url=url), BACK.format(url=url)] * 2
    assert same(store_of(), MAILS)


def test_an_outage_that_outlasts_all_retries_is_reported_once_though_runs_are_repeated(elasticsearch_url, store_of):
    messages, port = [], 0
    with proxy(elasticsearch_url, lambda *_: None) as url:
        store, port = quick(store_of(url, notify=messages.append), (*QUICK, 0.01)), int(url.rpartition(":")[2])
    for _ in range(3):
        with pytest.raises(StoreUnavailableError, match="is Elasticsearch running there") as error:
            save(store, MAILS)
        assert error.value.is_reported
    assert messages == [AWAY.format(url=url)]
    with proxy(elasticsearch_url, lambda *_: None, port):
        save(store, MAILS)
        assert same(store, MAILS)
    assert messages == [AWAY.format(url=url), BACK.format(url=url)]


def busy(times, status=429):
    """Return a proxy's answers: it refuses so many bulk requests in a row, then lets one through."""
    asked = []

    def answer(path, _):
        if not path.startswith("/_bulk"):
            return None
        asked.append(path)
        if len(asked) % (times + 1) == 0:
            return None
        error = {"type": "es_rejected_execution_exception", "reason": "queue is full"}
        body = json.dumps({"error": error, "status": status}).encode()
        return status, {"Content-Type": "application/json", "X-elastic-product": "Elasticsearch"}, body

    return answer


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_is_busy_again_and_again_is_reported_once(elasticsearch_url, store_of, status):
    messages = []
    with proxy(elasticsearch_url, busy(4, status)) as url:
        store = quick(store_of(url, notify=messages.append), (*QUICK, 0.01, 0.01))
        for at in range(0, 4 * ONE_REQUEST, ONE_REQUEST):
            save(store, MAILS[at : at + ONE_REQUEST])
        assert same(store, MAILS[: 4 * ONE_REQUEST])
    away = f"{url} is temporarily unavailable (queue is full): retrying for at least a minute; nothing is lost"
    assert messages == [away, BACK.format(url=url)]


def test_a_short_outage_is_not_reported(elasticsearch_url, store_of):
    messages = []
    with proxy(elasticsearch_url, busy(3)) as url:
        store = quick(store_of(url, notify=messages.append), (*QUICK, 0.01))
        save(store, MAILS[:ONE_REQUEST])
        assert same(store, MAILS[:ONE_REQUEST])
    assert messages == []


def test_a_single_refused_document_is_reported_with_the_servers_reason(client, store_of, elasticsearch_prefix):
    """A full disk: mailtrace continues by itself if there is space again within a minute."""
    messages = []
    store = quick(store_of(notify=messages.append), (*QUICK, *[0.1] * 200))
    save(store, MAILS[:10])
    block, index = "index.blocks.read_only_allow_delete", f"{elasticsearch_prefix}-*"
    client.indices.put_settings(index=index, settings={block: True})
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(save, store, MAILS)
        until(lambda: messages)
        client.indices.put_settings(index=index, settings={block: None})
        writing.result(30)
    assert " cannot write now (index [" in messages[0]
    assert "disk usage exceeded flood-stage watermark" in messages[0]
    assert messages[1:] == [BACK.format(url=store.name)]
    assert same(store, MAILS)


LINE = (
    "2011-12-15T15:27:1{n}Z mx postfix/smtp[5]: 4DFC{n}1A2B3C: to=<r{n}@example.net>, relay=none,"
    " delay=1, delays=0/0/0/1, dsn=4.4.1, status=deferred (no route)\n"
)


class Followed:
    """A log that is followed into a store, and the messages of both the store and the follower."""

    def __init__(self, folder, url, prefix):
        self.log, self.messages = folder / "mail.log", []
        self.store = quick(ElasticsearchStore(url, prefix=prefix, notify=self.messages.append), (*QUICK, 0.01))
        self.follower = Follower([str(self.log)], self.messages.append)
        calendar = Calendar(timezone.utc, "UTC")
        self.indexer = Indexer(self.store, calendar, writer=Writer(self.store, self.follower.wait_to_retry))

    def add(self, n):
        with self.log.open("a") as out:
            out.write(LINE.format(n=n))

    def __enter__(self):
        self.log.touch()
        self.pool = ThreadPoolExecutor(1)
        self.run = self.pool.submit(self.follower.follow, self.indexer)
        return self

    def __exit__(self, *_):
        self.follower.stop(self.indexer)
        self.run.result(30)
        self.store.close()


@pytest.fixture
def followed(elasticsearch_url, elasticsearch_prefix, tmp_path):
    """A log that is followed into a store behind a proxy, which is up only in the context of `reach`."""
    with Followed(tmp_path, f"http://127.0.0.1:{free_port()}", elasticsearch_prefix) as run:
        run.reach = lambda: proxy(elasticsearch_url, lambda *_: None, int(run.store.name.rpartition(":")[2]))
        yield run


def test_a_follower_reports_an_outage_that_outlasts_all_retries_once(followed, store_of):
    followed.add(1)
    until(lambda: len(followed.messages) == 1)
    with followed.reach():
        until(lambda: len(followed.messages) == 2)
    assert followed.messages == [
        f"{followed.store.name} does not answer (connection refused): is Elasticsearch running there?;"
        " waiting for it, nothing is lost",
        "the store answers again; everything read so far is stored",
    ]
    followed.add(2)
    until(lambda: len(followed.messages) == 3)
    time.sleep(4)  # by now the follower has retried too
    with followed.reach():
        until(lambda: len(followed.messages) == 4)
    assert followed.messages[2:] == [AWAY.format(url=followed.store.name), BACK.format(url=followed.store.name)]
    assert store_of().count(Query()) == 2


def test_a_follower_also_waits_with_its_daily_task(followed, store_of):
    failures = [StoreUnavailableError("it is away")]

    def daily():
        if failures:
            raise failures.pop()

    followed.follower.daily = daily
    followed.add(1)
    until(lambda: len(followed.messages) == 1)
    with followed.reach():
        until(lambda: not failures)
        followed.add(2)
        until(lambda: store_of().count(Query()) == 2)
        until(lambda: len(followed.messages) == 4)
    assert followed.messages[2:] == ["it is away; waiting for it, nothing is lost", followed.messages[1]]
