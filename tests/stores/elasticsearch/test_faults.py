"""Faults of a cluster during writes: nothing acknowledged is lost or doubled, and a message says what to do."""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest

from helpers.commands import documents, index
from helpers.elasticsearch_server import IS_OPENSEARCH, SERVERS, client_of, free_port, give_up, start_options
from helpers.elasticsearch_transactions import AT, DAY, INDEX, mail
from helpers.http_proxy import proxy
from mailtrace.errors import StoreError, StoreUnavailableError
from mailtrace.indexing.merge import write
from mailtrace.logs.checkpoint import Checkpoint
from mailtrace.message.document import document
from mailtrace.message.transaction import SECOND
from mailtrace.mta.facts import Result
from mailtrace.search.query import Query

GENERATOR = Path(__file__).parents[2] / "generator" / "genlog.py"
COMMAND = Path(sys.executable).parent / "mailtrace-index"
CHECKPOINT = Checkpoint("log", 1, "tail", "/var/log/mail.log")


def save(store, *mails):
    """Write transactions and then a checkpoint, as the indexer does."""
    written = write(store, mails)
    store.commit([CHECKPOINT])
    return written


def same(found, mails):
    """Return whether the documents are those of these transactions, each once."""
    return Counter(map(str, found)) == Counter(str(document(each)) for each in mails)


def impatient(store):
    store._server.pauses = (0.01,)
    return store


MAILS = [mail(number) for number in range(2500)]


@pytest.mark.parametrize("times", [1, 4])
def test_answers_to_bulk_requests_that_are_lost(elasticsearch_url, store_of, times):
    """The server has written the documents, but its answer is lost; the client itself makes three attempts."""
    lost = []

    def loses(path):
        if path.startswith("/_bulk") and len(lost) < times:
            lost.append(path)
        else:
            return False
        return True

    with proxy(elasticsearch_url, lambda *_: None, loses=loses) as url:
        store = store_of(url)
        assert save(store, *MAILS).refused == []
        assert len(lost) == times
        assert same(store.search(Query()), MAILS)


def test_a_connection_that_stays_lost_ends_the_run_before_its_checkpoint(elasticsearch_url, store_of):
    with proxy(elasticsearch_url, lambda *_: None, loses=lambda path: path.startswith("/_bulk")) as url:
        store = impatient(store_of(url))
        with pytest.raises(
            StoreUnavailableError, match=r"^http://\S+ does not answer \(.*is (Elasticsearch|OpenSearch) running"
        ):
            save(store, *MAILS)
    later = store_of()
    assert later.checkpoints() == []
    save(later, *MAILS)
    assert same(later.search(Query()), MAILS)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (
            "index.blocks.read_only_allow_delete",
            r"cannot write: .*: a disk of the server is too full: free some space, then run",
        ),
        ("index.blocks.read_only", r"cannot write: .*: an administrator has blocked \S+: remove the block, then run"),
        ("index.blocks.write", r"cannot write: .*: an administrator has blocked \S+: remove the block, then run"),
    ],
)
def test_an_index_that_stays_read_only(client, store_of, elasticsearch_prefix, block, message):
    index, store = f"{elasticsearch_prefix}-{INDEX}", impatient(store_of())
    save(store, *MAILS[:10])
    client.indices.put_settings(index=index, settings={block: True})
    with pytest.raises(StoreError, match=message):
        write(store, MAILS)
    assert store.count(Query()) == 10
    client.indices.put_settings(index=index, settings={block: None})
    assert save(store_of(), *MAILS).refused == []
    assert same(store.search(Query()), MAILS)


def test_an_index_that_is_closed_during_a_run(client, store_of, elasticsearch_prefix):
    index, messages, store = f"{elasticsearch_prefix}-{INDEX}", [], store_of()
    save(store, *MAILS[:10])
    client.indices.close(index=index)
    for parts in (MAILS[10:20], MAILS[:20]):
        with pytest.raises(StoreError, match=rf"cannot write: .*closed.*: open it with POST /{index}/_open, or delete"):
            write(store, parts)
    with pytest.raises(StoreError, match=rf"cannot read {index}: .*open it with POST"):
        store.read(MAILS[:1])
    searching = store_of(notify=messages.append)
    assert list(searching.search(Query())) == []
    assert messages == [f"{index} is closed and not searched: open it with POST /{index}/_open"]
    client.indices.open(index=index)
    assert save(store_of(), *MAILS).refused == []
    assert same(store.search(Query()), MAILS)


def created_again(client, index, before):
    """Return whether an index has the mapping it had before, and an origination date that is no earlier."""
    after = client.indices.get(index=index)[index]
    ages = [
        int(
            each["mappings"].pop("_meta")["origination"]
            if IS_OPENSEARCH
            else each["settings"]["index"]["lifecycle"]["origination_date"]
        )
        for each in (before, after)
    ]
    return after["mappings"] == before["mappings"] and ages[0] <= ages[1]


def test_an_index_that_is_deleted_during_a_run_is_created_again_as_it_was(client, store_of, elasticsearch_prefix):
    index, store = f"{elasticsearch_prefix}-{INDEX}", store_of()
    save(store, *MAILS[:10])
    before = client.indices.get(index=index)[index]
    client.indices.delete(index=index)
    assert save(store, *MAILS[10:20]).created == 10
    assert same(store.search(Query()), MAILS[10:20])
    assert created_again(client, index, before)


def test_an_index_that_is_deleted_between_a_write_and_the_commit_is_not_missed(client, store_of, elasticsearch_prefix):
    store = store_of()
    write(store, MAILS[:10])
    client.indices.delete(index=f"{elasticsearch_prefix}-{INDEX}")
    store.commit([CHECKPOINT])
    assert save(store, *MAILS[10:20]).created == 10
    assert same(store.search(Query()), MAILS[10:20])


def test_checkpoints_that_are_deleted_during_a_run_are_saved_again(client, store_of, elasticsearch_prefix):
    store = store_of()
    save(store, mail(1))
    client.indices.delete(index=f"{elasticsearch_prefix}_checkpoints")
    save(store, mail(2))
    later = store_of()
    assert later.checkpoints() == [CHECKPOINT]
    later.expire(0)


def test_an_index_that_is_deleted_between_a_look_up_and_a_write(client, store_of, elasticsearch_prefix, monkeypatch):
    index, store = f"{elasticsearch_prefix}-{INDEX}", store_of()
    save(store, *MAILS[:10])
    before = client.indices.get(index=index)[index]
    more = [mail(number) for number in range(10)]
    for each in more:
        result = each.facts[3][1]
        assert isinstance(result, Result)
        each.add(AT + 9 * SECOND, result._replace(recipient="carol@bar.com"))
    real, doomed = store.replace, [index]

    def replace(rows):
        if rows and doomed:
            client.indices.delete(index=doomed.pop())
        return real(rows)

    monkeypatch.setattr(store, "replace", replace)
    assert save(store, *more).refused == []
    assert not doomed
    assert same(store.search(Query()), more)
    assert created_again(client, index, before)


@pytest.fixture
def few_shards(server_alone):
    """Return a function that limits how many more shards the cluster allows."""
    setting = "cluster.max_shards_per_node"

    def limit(more):
        there = server_alone.cluster.health()["active_shards"]
        server_alone.cluster.put_settings(persistent={setting: there + more + 1})

    yield limit
    server_alone.cluster.put_settings(persistent={setting: None})


DAYS = [mail(number, AT + number * DAY * SECOND) for number in range(40)]


def test_a_cluster_that_has_no_room_for_another_index(store_of, few_shards):
    store = store_of()
    few_shards(3)
    save(store, *DAYS[:3])
    with pytest.raises(StoreError, match=r"maximum (\w+ )?shards open: raise cluster\.max_shards_per_node or delete"):
        write(store, DAYS)
    store.commit([])
    assert same(store.search(Query()), DAYS[:3])
    # A monthly index needs a shard as well: raising the limit is what helps.
    later = store_of(index_period="month")
    with pytest.raises(StoreError, match=r"maximum (\w+ )?shards open"):
        write(later, DAYS)
    few_shards(2)
    assert save(later, *DAYS).created == 37
    assert same(later.search(Query()), DAYS)


def test_a_backfill_that_the_cluster_has_no_room_for_is_refused_before_it_writes(
    client, elasticsearch_url, few_shards, tmp_path, commands_prefix
):
    logs = []
    for year in range(2009, 2012):
        logs.append(tmp_path / f"mail.{year}.log")
        logs[-1].write_text(
            "".join(
                f"{year}-{month:02}-15T15:27:19Z mx postfix/qmgr[1]: 3S{month:02}Hc2zVzz{year}:"
                f" from=<bob@foo.com>, size=1, nrcpt=1 (queue active)\n"
                for month in range(1, 13)
            )
        )
    few_shards(90)
    status, summary = index(elasticsearch_url, logs)
    assert status == 2
    assert " has room for 90 more indices, but these logs span about " in summary
    assert ": use --index-period month, or raise cluster.max_shards_per_node; " in summary
    assert summary.endswith("nothing has been written\n")
    assert summary.count("\n") == 1
    assert not client.indices.exists(index=f"{commands_prefix}-*", allow_no_indices=False)
    status, summary = index(elasticsearch_url, logs, "--index-period", "month")
    assert (status, "transactions: 36 new" in summary) == (0, True)


def test_a_server_that_is_killed_in_the_middle_of_bulk_requests(tmp_path):
    """It restarts with what it acknowledged; the run waits for it, and stores the same as without the outage."""
    embedded, command = f"sqlite:{tmp_path}/s.db", [str(COMMAND), "-", "--tz", "UTC", "--store"]
    generate = [sys.executable, str(GENERATOR), "--transactions", "6000", "--mta", "mixed", "--hosts", "mx1,mx2"]
    log = subprocess.run(generate, capture_output=True, check=True).stdout
    subprocess.run([*command, embedded], input=log, capture_output=True, check=True)
    folder = Path(tempfile.mkdtemp(prefix="mailtrace-data-"))
    folder.chmod(0o755)
    try:
        options = ["--port", str(free_port()), *start_options("--ilm"), "--data", str(folder / "data")]
        # The server must be up again within the minute for which the run waits.
        options += ["--jvm", "-XX:TieredStopAtLevel=1"]
        url, process = started(options)
        run = subprocess.Popen([*command, url], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        # Keep the rest of the log back, so that the server is killed before the run ends.
        run.stdin.write(log[: len(log) * 9 // 10])
        run.stdin.flush()
        until_written(url)
        subprocess.run(["kill", "-9", process], check=True)
        time.sleep(1)
        assert run.poll() is None
        url, process = started(options)
        _, summary = run.communicate(log[len(log) * 9 // 10 :], timeout=180)
        assert run.returncode == 0, summary
        lines = [line for line in summary.decode().splitlines() if line.startswith("mailtrace-index: ")]
        outages = [line for line in lines if "(ISM)" not in line]
        away = rf"mailtrace-index: {url} does not answer \(.*\): retrying for at least a minute; nothing is lost"
        # On a busy machine, the server may be slow before it is killed: in the same outage or in one before.
        slow = rf"mailtrace-index: {url} has not answered for 2 seconds: waiting up to \d+ seconds"
        assert all(re.fullmatch(f"{away}|{slow}", line) for line in outages[::2]), outages
        assert set(outages[1::2]) == {f"mailtrace-index: {url} answers again; everything read so far is stored"}
        assert len(outages) in (2, 4)
        assert documents(url) == documents(embedded)
    finally:
        subprocess.run(["bash", SERVERS / "stop.sh", *options[:2]], capture_output=True, check=False)
        shutil.rmtree(folder)


def started(options):
    """Start a server; return its URL and process ID."""
    done = subprocess.run(["bash", SERVERS / "start.sh", *options], capture_output=True, text=True, check=False)
    if done.returncode:
        give_up(done.stderr)
    variables = dict(line.split("=", 1) for line in done.stdout.splitlines())
    name = "OPENSEARCH" if IS_OPENSEARCH else "ES"
    return variables[f"{name}_URL"], variables[f"{name}_PID"]


def until_written(url):
    with client_of(url) as client:
        for _ in range(600):
            stats = client.indices.stats(index="mailtrace-*", metric="indexing")
            if stats["_all"].get("total", {}).get("indexing", {}).get("index_total", 0) > 1000:
                return
            time.sleep(0.05)
    raise AssertionError("nothing is written")
