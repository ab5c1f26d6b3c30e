"""Which shards a search reads, and how much memory a search with many results takes."""

import json
import os
import subprocess
import sys
from datetime import timezone
from itertools import product
from pathlib import Path

import pytest

from helpers.elasticsearch_transactions import AT, DAY, mail, put
from mailtrace.message.document import document
from mailtrace.message.transaction import SECOND, Transaction
from mailtrace.mta.facts import Client, Envelope, Result
from mailtrace.search.groups import Grouping
from mailtrace.search.overview import overview_of
from mailtrace.search.query import OUTCOMES, Query
from mailtrace.search.tally import Span
from mailtrace.stores.elasticsearch import overview, searches

MANY = int(os.environ.get("MAILTRACE_MANY_DOCUMENTS", "12000"))
"""More documents than one search returns (`index.max_result_window` is 10,000)."""
MIB = 1 << 20
HOUR = 3600 * SECOND
MOST_BUCKETS = 65_535
"""The default of `search.max_buckets`, of OpenSearch; Elasticsearch allows one more."""
SEARCH = """
import json, sys
from pathlib import Path
from mailtrace.search.query import Query
from mailtrace.stores.elasticsearch.store import ElasticsearchStore
url, prefix, limit = sys.argv[1:]
store = ElasticsearchStore(url, prefix=prefix)
found = sum(1 for _ in store.search(Query(limit=int(limit) or None)))
peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
print(json.dumps([found, int(peak) * 1024]))
"""
INTERRUPTED = """
import os, signal, sys
from mailtrace.search.query import Query
from mailtrace.stores.elasticsearch.store import ElasticsearchStore
url, prefix = sys.argv[1:]
for _ in ElasticsearchStore(url, prefix=prefix).search(Query()):
    os.kill(os.getpid(), signal.SIGINT)
"""


@pytest.fixture
def searched(store_of, monkeypatch):
    """A store with 20 daily indices, and a list of how many shards each search read."""
    store = store_of()
    put(store, *(mail(number, AT + number % 20 * DAY * SECOND) for number in range(100)))
    shards, real = [], store._server.attempt

    def attempt(method, path, body=None, **parameters):
        answer = real(method, path, body, **parameters)
        if path.endswith("/_search"):
            shards.append(answer["_shards"]["total"] - answer["_shards"]["skipped"])
        return answer

    monkeypatch.setattr(store._server, "attempt", attempt)
    return store, shards


def test_a_search_reads_only_the_shards_of_its_days(searched):
    """If no shard matches, the server may still read one to build its answer."""
    store, shards = searched
    asks = [(5, 6, 2), (5, 5, 1), (None, 2, 3), (18, None, 2), (None, None, 20), (40, None, 0), (None, -40, 0)]
    for (first, last, days), limit in product(asks, [10, None]):
        since = None if first is None else AT + first * DAY * SECOND - HOUR
        until = None if last is None else AT + last * DAY * SECOND + HOUR
        query, wanted = Query(since=since, until=until, limit=limit), 5 * days
        shards.clear()
        assert len(list(store.search(query))) == min(wanted, limit or wanted)
        assert store.count(query) == wanted
        assert sum(group.number for group in store.group(query, Grouping("day", timezone.utc))) == wanted
        assert len(shards) >= 3
        assert {max(number, 1) for number in shards} == {max(days, 1)}, query


def test_a_search_with_many_results_takes_bounded_memory(client, store_of, elasticsearch_url, elasticsearch_prefix):
    store = store_of(index_period="month")
    for first in range(0, MANY, 5000):
        put(store, *(mail(number, AT + number * SECOND // 10) for number in range(first, min(first + 5000, MANY))))
    peaks = []
    for limit in (1, 0):
        command = [sys.executable, "-c", SEARCH, elasticsearch_url, elasticsearch_prefix, str(limit)]
        done = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True)
        number, peak = json.loads(done.stdout)
        assert number == (limit or MANY)
        peaks.append(peak)
    print(f"{MANY} documents: {peaks[1] / MIB:.0f} MiB, {(peaks[1] - peaks[0]) / MIB:.0f} MiB above one")
    assert peaks[1] - peaks[0] < 30 * MIB
    assert open_contexts(client, elasticsearch_prefix) == 0


def test_pages_read_only_the_shards_of_their_time_and_leave_nothing_out(searched, monkeypatch):
    """Mail is dense or rare, and some of it has the same time."""
    monkeypatch.setattr(searches, "_PAGE", 10)
    store, shards = searched
    dense = [mail(100 + number, AT + HOUR + number // 3 * HOUR) for number in range(200)]
    put(store, *dense)
    mails = [*dense, *(mail(number, AT + number % 20 * DAY * SECOND) for number in range(100))]
    for oldest_first in (True, False):
        shards.clear()
        expected = sorted(mails, key=lambda each: (each.first, each.id), reverse=not oldest_first)
        found = store.search(Query(oldest_first=oldest_first))
        assert [each["transaction"] for each in found] == [each.queue_id for each in expected]
        of_dense_mail = shards[1:20] if oldest_first else shards[-20:-1]
        assert max(of_dense_mail) <= 4, shards


def open_contexts(client, prefix):
    """Return how many points in time are open, for each shard that they read."""
    return client.indices.stats(index=f"{prefix}-*", metric="search")["_all"]["total"]["search"]["open_contexts"]


@pytest.fixture
def few_buckets(server_alone):
    """A server that allows a thousandth of the usual number of buckets in an answer."""
    limit = {"search.max_buckets": MOST_BUCKETS // 1000}
    server_alone.cluster.put_settings(persistent=limit)
    yield
    server_alone.cluster.put_settings(persistent=dict.fromkeys(limit))


@pytest.mark.usefixtures("few_buckets")
def test_an_overview_of_many_values_and_periods_stays_below_the_limit_of_buckets(store_of, monkeypatch):
    """At a thousandth of its usual scale, since it would take tens of thousands of transactions."""
    for name in ("_VALUES", "_QUARTERS"):
        monkeypatch.setattr(overview, name, getattr(overview, name) // 1000)
    many = [manifold(number) for number in range(30)]
    store = store_of()
    put(store, *many)
    documents = [made for each in many if (made := document(each)) is not None]
    for days in (1, 30):
        span = Span(AT - HOUR, AT + days * DAY * SECOND, timezone.utc)
        assert store.overview(Query(), span) == overview_of(Query(), span, documents)


def manifold(number: int) -> Transaction:
    """Return a transaction with values, a time and an outcome that no other has."""
    at, name = AT + number * HOUR, f"{number}.example"
    made = Transaction("mx", f"{0xABCDE00000 + number:X}", "postfix")
    made.add(at, Client(f"client.{name} [10.10.10.{number}]", f"login{number}"))
    made.add(at, Envelope(f"bob@from.{name}", 1234, 1))
    for attempt, outcome in enumerate(["deferred", OUTCOMES[number % len(OUTCOMES)], "sent"]):
        status = f"{outcome} ({'x' * number} said)"
        recipient = f"alice@{attempt}.{name}"
        made.add(
            at + SECOND, Result(recipient, None, f"mx.{name}[192.0.2.1]:25", status, outcome, "4.0.0", 1.5 + number)
        )
    return made


def test_ctrl_c_closes_the_point_in_time(client, store_of, elasticsearch_url, elasticsearch_prefix):
    put(store_of(), *(mail(number, AT + number) for number in range(2500)))
    command = [sys.executable, "-c", INTERRUPTED, elasticsearch_url, elasticsearch_prefix]
    done = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False)
    assert "KeyboardInterrupt" in done.stderr
    assert open_contexts(client, elasticsearch_prefix) == 0


def test_each_page_and_the_end_use_the_id_that_the_answer_before_gave(store_of, monkeypatch):
    """The server may renew the ID of a point in time; here it does so with every answer."""
    store = store_of()
    put(store, *(mail(number, AT + number) for number in range(2500)))
    used, real = [], store._server.attempt

    def known(pit):
        used.append(int(pit.partition(" ")[2] or 0))
        return pit.partition(" ")[0]

    def attempt(method, path, body=None, **parameters):
        if "pit" in (body or {}):
            body = {**body, "pit": {**body["pit"], "id": known(body["pit"]["id"])}}
        elif method == "DELETE":
            body = {name: known(pit) if isinstance(pit, str) else list(map(known, pit)) for name, pit in body.items()}
        answer = real(method, path, body, **parameters)
        if path == "/_search":
            answer["pit_id"] += f" {len(used)}"
        return answer

    monkeypatch.setattr(store._server, "attempt", attempt)
    assert len(list(store.search(Query()))) == 2500
    # Three pages, one that finds nothing else, and the end.
    assert used == [0, 1, 2, 3, 4]
