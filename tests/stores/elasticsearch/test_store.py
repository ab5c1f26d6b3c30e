"""What mailtrace sets up on Elasticsearch, how it writes and how it searches."""

import json
import time
from base64 import b64encode
from random import Random
from threading import Thread, Timer

import pytest

from helpers.elasticsearch_server import IS_OPENSEARCH, needs_elasticsearch
from helpers.elasticsearch_transactions import AT, DAY, EVER, INDEX, mail, put
from helpers.http_proxy import proxy
from mailtrace import __version__
from mailtrace.errors import StoreError
from mailtrace.indexing.merge import write
from mailtrace.logs.checkpoint import Checkpoint
from mailtrace.message.document import document
from mailtrace.message.transaction import SECOND, Transaction
from mailtrace.mta.facts import Envelope, MessageId
from mailtrace.search.patterns import Pattern
from mailtrace.search.query import Query
from mailtrace.stores.elasticsearch.searches import Searches
from mailtrace.stores.elasticsearch.template import COMPATIBLE, SCHEMA


def test_the_template_is_that_of_daily_indices(client, store_of, elasticsearch_prefix):
    store_of()
    found = client.indices.get_index_template(name=elasticsearch_prefix)["index_templates"][0]
    template = found["index_template"]
    assert template["index_patterns"] == [f"{elasticsearch_prefix}-*"]
    assert template["_meta"] == {"mailtrace": __version__, "schema": SCHEMA, "compatible": COMPATIBLE, "period": "day"}
    assert IS_OPENSEARCH or template["allow_auto_create"] is False
    settings = template["template"]["settings"]["index"]
    assert settings["mapping"].pop("array_objects", {"limit": "1000000"}) == {"limit": "1000000"}
    assert settings == {
        "number_of_shards": "1",
        "auto_expand_replicas": "0-1",
        "mapping": {"nested_objects": {"limit": "1000000"}},
        **({} if IS_OPENSEARCH else {"lifecycle": {"name": elasticsearch_prefix}}),
    }
    mappings = template["template"]["mappings"]
    assert mappings["dynamic"] in (False, "false")
    assert mappings["properties"]["to"]["type"] == "nested"
    assert mappings["properties"]["client_ip"]["type"] == "ip"
    assert mappings["properties"]["date"]["type"] == "date_nanos"


@needs_elasticsearch
@pytest.mark.parametrize(("options", "age"), [({}, "90d"), ({"retention_days": 7}, "7d")])
def test_the_policy_deletes_after_the_retention(client, store_of, elasticsearch_prefix, options, age):
    store_of(**options)
    policy = client.ilm.get_lifecycle(name=elasticsearch_prefix)[elasticsearch_prefix]["policy"]
    assert list(policy["phases"]) == ["delete"]
    assert policy["phases"]["delete"]["min_age"] == age


@needs_elasticsearch
def test_an_administrators_policy_stays(client, store_of, elasticsearch_prefix):
    mine = {"phases": {"delete": {"min_age": "365d", "actions": {"delete": {}}}}}
    client.ilm.put_lifecycle(name=elasticsearch_prefix, policy=mine)
    store_of()
    found = client.ilm.get_lifecycle(name=elasticsearch_prefix)[elasticsearch_prefix]
    assert (found["version"], found["policy"]["phases"]["delete"]["min_age"]) == (1, "365d")


@pytest.mark.parametrize(
    ("meta", "stays"),
    [
        ({"mailtrace": "0.0.9", "schema": SCHEMA}, True),
        ({"mailtrace": "999.0", "schema": SCHEMA + 1, "compatible": SCHEMA}, True),
        ({"mailtrace": __version__, "schema": SCHEMA - 1}, False),
        ({"mailtrace": __version__}, False),
        ({}, False),
    ],
)
def test_a_template_of_an_older_schema_is_renewed_and_no_other(client, store_of, elasticsearch_prefix, meta, stays):
    store_of()
    put_template(client, elasticsearch_prefix, meta)
    store_of()
    again = client.indices.get_index_template(name=elasticsearch_prefix)["index_templates"][0]["index_template"]
    limit = again["template"]["settings"]["index"]["mapping"]["nested_objects"]["limit"]
    assert limit == ("7" if stays else "1000000")


def put_template(client, prefix, meta):
    """Put the template again, with another `_meta` and another limit."""
    found = client.indices.get_index_template(name=prefix)["index_templates"][0]["index_template"]
    found["template"]["settings"]["index"]["mapping"]["nested_objects"]["limit"] = "7"
    body = {name: found[name] for name in ("index_patterns", "template", "priority")}
    client.indices.put_index_template(name=prefix, meta=meta, **body)


def test_what_only_a_newer_version_can_read_is_refused_in_one_line(client, store_of, elasticsearch_prefix):
    store = store_of()
    put_template(client, elasticsearch_prefix, {"schema": SCHEMA + 1, "compatible": SCHEMA + 1})
    with pytest.raises(StoreError, match=r"^\S+ was set up by a newer mailtrace: install that version here too$"):
        store_of()
    client.indices.put_mapping(
        index=f"{elasticsearch_prefix}_checkpoints", meta={"grammar": 0, "compatible": SCHEMA + 1}
    )
    for read in (lambda: list(store.search(Query())), lambda: store.count(Query()), store.prepare):
        with pytest.raises(StoreError, match=r"^\S+ was written by a newer mailtrace: install that version here too$"):
            read()


def test_members_that_a_newer_version_adds_are_left_out(client, store_of, elasticsearch_prefix):
    store = store_of()
    put(store, mail())
    index = f"{elasticsearch_prefix}-{INDEX}"
    (hit,) = client.search(index=index)["hits"]["hits"]
    source = hit["_source"]
    source["to"][0]["added"] = source["added"] = source["search"]["added"] = 1
    client.index(index=index, id=hit["_id"], document=source, refresh=True)
    assert [document(mail())] == list(store.search(Query()))


def test_checkpoints_are_outside_the_pattern_and_the_lifecycle(client, store_of, elasticsearch_prefix):
    store_of().commit([Checkpoint("log", 1, "tail", "/var/log/mail.log")])
    index = f"{elasticsearch_prefix}_checkpoints"
    assert client.exists(index=index, id="log")
    settings = client.indices.get_settings(index=index, flat_settings=True)[index]["settings"]
    assert not [name for name in settings if name.startswith("index.lifecycle")]


def test_a_transaction_is_in_the_index_of_its_day_in_utc(client, store_of, elasticsearch_prefix):
    midnight = AT - AT % (DAY * SECOND)
    put(store_of(), mail(1, midnight - 1), mail(2, midnight))
    for part, day in ((mail(1, midnight - 1), "2011.12.14"), (mail(2, midnight), INDEX)):
        found = client.get(index=f"{elasticsearch_prefix}-{day}", id=part.id)["_source"]
        wanted = {name: value for name, value in document(part).items() if name != "to" and value is not None}
        assert wanted == {name: found[name] for name in wanted}
        assert (found["id"], found["stub"]) == (part.id, False)


def test_concurrent_writers_store_the_same_as_one(store_of):
    parts = []
    for number in range(30):
        facts = mail(number).facts
        for piece in (facts[:2], facts[1:4], facts[3:]):
            parts.append(Transaction("mx", mail(number).queue_id, "postfix"))
            for time_, fact in piece:
                parts[-1].add(time_, fact)
    stores = [store_of() for _ in range(3)]
    threads = [
        Thread(target=lambda store=store, own=own: [put(store, part) for part in own])
        for store, own in zip(stores, (parts, parts[::-1], parts[1::2] + parts[::2]), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = [document(mail(number)) for number in range(30)]
    assert sorted(map(str, stores[0].search(Query()))) == sorted(map(str, wanted))
    rows = stores[0].find({("mx", each["transaction"]): EVER for each in wanted})
    assert {key: len(found) for key, found in rows.items()} == {("mx", each["transaction"]): 1 for each in wanted}


def test_writing_waits_for_a_full_disk(client, store_of, elasticsearch_prefix):
    store = store_of()
    put(store, mail(1))
    index = f"{elasticsearch_prefix}-{INDEX}"
    block = "index.blocks.read_only_allow_delete"  # set by the server at the flood stage of its disk: status 429
    client.indices.put_settings(index=index, settings={block: True})
    timer = Timer(1.0, lambda: client.indices.put_settings(index=index, settings={block: None}))
    timer.start()
    began = time.monotonic()
    assert put(store, mail(2)).created == 1
    assert time.monotonic() - began >= 0.9
    timer.join()
    assert store.count(Query()) == 2


def test_requests_to_a_busy_server_are_retried(elasticsearch_url, store_of):
    busy = []

    def answer(path, _):
        if path.startswith("/_bulk") and len(busy) < 3:
            busy.append(path)
            return 503, {"Content-Type": "text/plain"}, b"no server available"
        return None

    with proxy(elasticsearch_url, answer) as url:
        store = store_of(url)
        assert put(store, mail()).created == 1
        assert len(busy) == 3
        assert store.count(Query()) == 1


def test_requests_are_split_for_a_proxy_that_accepts_only_short_ones(elasticsearch_url, store_of):
    def answer(_, body):
        too_long = len(body) > 5000
        return (413, {"Content-Type": "text/html"}, b"<html>Request Entity Too Large</html>") if too_long else None

    with proxy(elasticsearch_url, answer) as url:
        store = store_of(url)
        big = mail(99)
        # The store compresses lines, so a long one must have little order.
        big.add(AT, MessageId(b64encode(Random(1).randbytes(6000)).decode()))
        written = put(store, *map(mail, range(20)), big)
        assert [refused.transaction for refused in written.refused] == [big.queue_id]
        assert store.count(Query()) == 20


def test_a_document_that_cannot_be_stored_is_refused_and_the_others_are_not(store_of):
    surrogate, number = mail(1), mail(2)
    surrogate.facts[1] = (AT, MessageId("\ud800"))
    number.facts[2] = (AT, Envelope("bob@foo.com", 10**30, 1))
    endless = mail(3, host="h" * 40_000)
    store = store_of()
    refused = put(store, surrogate, mail(4), number, endless).refused
    assert [each.transaction for each in refused] == [mail(n).queue_id for n in (1, 2, 3)]
    assert all(each.reason and "\n" not in each.reason for each in refused)
    assert "immense term" in refused[2].reason
    assert list(store.search(Query())) == [document(mail(4))]


def test_a_search_continues_after_the_server_has_dropped_its_point_in_time(store_of, monkeypatch):
    store = store_of()
    mails = [mail(number, AT + number) for number in range(2500)]
    put(store, *mails)
    opened = []
    real = Searches._open

    def open_and_note(self):
        opened.append(real(self))
        return opened[-1]

    monkeypatch.setattr(Searches, "_open", open_and_note)
    search = store.search(Query())
    seen = [next(search)]
    store._server.ask(*store._server.dialect.close_snapshot(opened[0]))
    seen += search
    assert [each["transaction"] for each in seen] == [each.queue_id for each in reversed(mails)]
    assert len(opened) == 2


def test_foreign_indices_with_the_prefix_are_not_searched(client, store_of, elasticsearch_prefix):
    store = store_of()
    put(store, mail())
    client.indices.create(index=f"{elasticsearch_prefix}-notes")
    client.index(index=f"{elasticsearch_prefix}-notes", document={"from": "bob@foo.com"}, refresh=True)
    assert list(store.search(Query(senders=(Pattern.of("bob@foo.com"),)))) == [document(mail())]
    assert store.count(Query()) == 1


def test_checkpoints_of_a_later_version_are_read(client, store_of, elasticsearch_prefix):
    store = store_of()
    saved = {"log": "l", "offset": 1, "tail": "", "path": "p", "state": {}, "saved": 2.0, "further": 1}
    client.index(index=f"{elasticsearch_prefix}_checkpoints", id="l", document={"checkpoint": json.dumps(saved)})
    assert store.checkpoints() == [Checkpoint("l", 1, "", "p", {}, 2.0)]


def test_more_checkpoints_than_one_search_returns_are_loaded_and_pruned(store_of):
    store = store_of()
    store.prepare()
    logs = [f"{number:024x}" for number in range(10_500)]
    store.commit([Checkpoint(log, 1, "tail", "mail.log", {}, 1000.0 + at % 2) for at, log in enumerate(logs)])
    assert sorted(logs) == sorted(checkpoint.log for checkpoint in store.checkpoints())
    store.expire(1001.0)
    assert logs[1::2] == sorted(checkpoint.log for checkpoint in store.checkpoints())
    store.expire(1002.0)
    assert [] == store.checkpoints()


def test_a_look_up_refreshes_what_this_process_has_written(store_of, elasticsearch_prefix, monkeypatch):
    store = store_of()
    refreshed, real = [], store._server.attempt

    def attempt(method, path, body=None, **parameters):
        if path.endswith("/_refresh"):
            refreshed.append(path.split("/")[1].removeprefix(elasticsearch_prefix))
        return real(method, path, body, **parameters)

    monkeypatch.setattr(store._server, "attempt", attempt)
    keys = [("mx", mail(number).queue_id) for number in range(3)]
    assert store.lacking_beginning(keys) == set()
    write(store, [mail(1), mail(2, AT + DAY * SECOND)])
    other = store_of()
    write(other, [mail(3)])
    assert len(store.find(dict.fromkeys(keys, EVER))) == 2
    assert refreshed == ["-*", f"-{INDEX},-2011.12.16".replace(",-", f",{elasticsearch_prefix}-")]


def test_what_was_written_without_an_answer_is_found_after_the_commit(
    client, elasticsearch_url, store_of, elasticsearch_prefix
):
    sent = []

    def loses(path):
        sent.extend([path] * path.startswith("/_bulk"))
        return path.startswith("/_bulk") and len(sent) == 2

    with proxy(elasticsearch_url, lambda *_: None, loses=loses) as url:
        store = store_of(url)
        put(store, mail(0))
        client.indices.put_settings(index=f"{elasticsearch_prefix}-*", settings={"refresh_interval": "-1"})
        put(store, mail(1))
    assert len(sent) == 3
    assert store_of().count(Query()) == 2
