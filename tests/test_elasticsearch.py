"""What is Elasticsearch's own: what is set up there, how long it stays, and what a server can answer amiss."""

import json
import socket
import subprocess
import time
from datetime import datetime, timezone
from threading import Thread, Timer
from urllib.parse import quote

import pytest
from elasticsearch import Elasticsearch
from elasticsearch_node import NoServerError, elasticsearch_server, give_up, own_prefix, run_folder
from http_proxy import proxy

from mailtrace import __version__
from mailtrace.documents import document
from mailtrace.errors import StoreError, StoreMissingError, StoreUnavailableError
from mailtrace.mta.events import Client, Envelope, MessageId, Removed, Result
from mailtrace.query import Pattern, Query
from mailtrace.stores.base import Checkpoint
from mailtrace.stores.elasticsearch import ElasticsearchStore
from mailtrace.stores.elasticsearch_searches import Searches
from mailtrace.stores.writing import write
from mailtrace.transactions import SECOND, Transaction

AT = 1323962839 * SECOND
"""2011-12-15 15:27:19 UTC."""
DAY = 86400
INDEX = "2011.12.15"


def mail(number: int = 0, at: int = AT, host: str = "mx") -> Transaction:
    made = Transaction(host, f"{0xABCDE00000 + number:X}", "postfix")
    made.add(at, Client("bob.desktop [10.10.10.10]"))
    made.add(at, MessageId(f"{number}@foo.com"))
    made.add(at, Envelope("bob@foo.com", 1234, 1))
    made.add(at + SECOND, Result("alice@bar.com", None, "mx[192.0.2.1]:25", "sent (250 Ok)", "sent", "2.0.0", 1.0))
    made.add(at + SECOND, Removed("removed"))
    return made


@pytest.fixture
def client(elasticsearch_url):
    with Elasticsearch(elasticsearch_url, request_timeout=60) as client:
        yield client


@pytest.fixture
def store_of(elasticsearch_url, elasticsearch_prefix):
    """Makes stores on this test's prefix; `now` is the time that they believe it is."""
    made = []

    def make(url=elasticsearch_url, now=time.time, **options):
        made.append(ElasticsearchStore(url, prefix=elasticsearch_prefix, now=now, **options))
        made[-1].prepare()
        return made[-1]

    yield make
    for store in made:
        store.close()


def put(store, *mails):
    written = write(store, mails)
    store.commit([])
    return written


def origination(client, index):
    settings = client.indices.get_settings(index=index, flat_settings=True)[index]["settings"]
    return int(settings["index.lifecycle.origination_date"]) / 1000


# --- what is set up


def test_the_template_is_that_of_daily_indices(client, store_of, elasticsearch_prefix):
    store_of()
    found = client.indices.get_index_template(name=elasticsearch_prefix, flat_settings=True)["index_templates"][0]
    template = found["index_template"]
    assert template["index_patterns"] == [f"{elasticsearch_prefix}-*"]
    assert template["_meta"] == {"mailtrace": __version__}
    settings = template["template"]["settings"]
    assert settings.pop("index.mapping.array_objects.limit", "1000000") == "1000000"
    assert settings == {
        "index.number_of_shards": "1",
        "index.auto_expand_replicas": "0-1",
        "index.mapping.nested_objects.limit": "1000000",
        "index.lifecycle.name": elasticsearch_prefix,
    }
    mappings = template["template"]["mappings"]
    assert mappings["dynamic"] in (False, "false")
    assert mappings["properties"]["to"]["type"] == "nested"
    assert mappings["properties"]["client_ip"] == {"type": "ip", "ignore_malformed": True}
    assert mappings["properties"]["date"]["type"] == "date_nanos"


@pytest.mark.parametrize(("options", "age"), [({}, "90d"), ({"retention_days": 7}, "7d")])
def test_the_policy_deletes_after_the_retention(client, store_of, elasticsearch_prefix, options, age):
    store_of(**options)
    policy = client.ilm.get_lifecycle(name=elasticsearch_prefix)[elasticsearch_prefix]["policy"]
    assert list(policy["phases"]) == ["delete"]
    assert policy["phases"]["delete"]["min_age"] == age


def test_an_administrators_policy_stays(client, store_of, elasticsearch_prefix):
    mine = {"phases": {"delete": {"min_age": "365d", "actions": {"delete": {}}}}}
    client.ilm.put_lifecycle(name=elasticsearch_prefix, policy=mine)
    store_of()
    found = client.ilm.get_lifecycle(name=elasticsearch_prefix)[elasticsearch_prefix]
    assert (found["version"], found["policy"]["phases"]["delete"]["min_age"]) == (1, "365d")


@pytest.mark.parametrize(("version", "stays"), [(__version__, True), ("999.0", True), ("0.0.9", False), (None, False)])
def test_an_older_versions_template_is_renewed_and_no_other(client, store_of, elasticsearch_prefix, version, stays):
    store_of()
    found = client.indices.get_index_template(name=elasticsearch_prefix)["index_templates"][0]["index_template"]
    found["template"]["settings"]["index"]["number_of_shards"] = "2"
    meta = {"mailtrace": version} if version else {}
    body = {name: found[name] for name in ("index_patterns", "template", "priority")}
    client.indices.put_index_template(name=elasticsearch_prefix, meta=meta, **body)
    store_of()
    again = client.indices.get_index_template(name=elasticsearch_prefix)["index_templates"][0]["index_template"]
    assert again["template"]["settings"]["index"]["number_of_shards"] == ("2" if stays else "1")


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
        assert {name: found[name] for name in document(part) if name != "to"} == {
            name: value for name, value in document(part).items() if name != "to"
        }
        assert (found["id"], found["stub"], found["start"]) == (part.id, False, part.start)


# --- how long it stays


def test_todays_index_counts_from_the_end_of_the_day(client, store_of, elasticsearch_prefix):
    put(store_of(), mail(at=int(time.time()) * SECOND))
    today = datetime.now(timezone.utc)
    end = today.replace(hour=0, minute=0, second=0, microsecond=0).timestamp() + DAY
    assert origination(client, f"{elasticsearch_prefix}-{today:%Y.%m.%d}") == end


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


def test_what_is_past_its_time_goes_and_can_be_indexed_again(client, store_of, elasticsearch_prefix):
    store = store_of(now=lambda: time.time() - 91 * DAY)
    put(store, mail())
    end = time.monotonic() + 30
    while client.indices.exists(index=f"{elasticsearch_prefix}-{INDEX}"):
        assert time.monotonic() < end, "the policy does not delete"
        time.sleep(0.2)
    assert list(store.search(Query())) == []
    put(store, mail())
    assert list(store.search(Query())) == [document(mail())]


def test_the_server_itself_deletes_where_it_can(store_of):
    store = store_of(now=lambda: time.time() - 80 * DAY)
    put(store, mail())
    assert store.expire(time.time()) == 0
    assert store.count(Query()) == 1


@pytest.fixture(scope="module")
def without_lifecycle():
    """The URL of a server that knows no lifecycles."""
    try:
        with elasticsearch_server() as url:
            yield url
    except NoServerError as error:
        give_up(str(error))


def test_a_server_without_lifecycles_is_kept_in_order_by_mailtrace(without_lifecycle):
    now = time.time()
    with own_prefix(without_lifecycle) as prefix, Elasticsearch(without_lifecycle, request_timeout=60) as client:
        store = ElasticsearchStore(without_lifecycle, prefix=prefix, now=lambda: now - 100 * DAY)
        store.prepare()
        assert not store.has_lifecycle
        put(store, mail(1), mail(2), mail(3, AT + DAY * SECOND), mail(4, int(now) * SECOND))
        store.close()
        later = ElasticsearchStore(without_lifecycle, prefix=prefix, now=lambda: now)
        later.prepare()
        put(later, mail(1), mail(5, AT + DAY * SECOND))
        client.indices.create(index=f"{prefix}-of-somebody")
        assert later.expire(now - 90 * DAY) == 2
        assert later.expire(now - 90 * DAY) == 0
        wanted = [mail(4, int(now) * SECOND), mail(5, AT + DAY * SECOND), mail(3, AT + DAY * SECOND)]
        assert sorted(map(str, later.search(Query()))) == sorted(str(document(each)) for each in wanted)
        assert client.indices.exists(index=f"{prefix}-of-somebody")
        later.close()


# --- several writers, busy servers, refused documents


def test_writers_at_the_same_moment_leave_what_one_does(store_of):
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
    rows = stores[0].find([("mx", each["transaction"]) for each in wanted])
    assert {key: len(found) for key, found in rows.items()} == {("mx", each["transaction"]): 1 for each in wanted}


def test_a_full_disk_is_waited_for(client, store_of, elasticsearch_prefix):
    store = store_of()
    put(store, mail(1))
    index = f"{elasticsearch_prefix}-{INDEX}"
    block = "index.blocks.read_only_allow_delete"  # what the server sets at its disk's flood stage: status 429
    client.indices.put_settings(index=index, settings={block: True})
    timer = Timer(1.0, lambda: client.indices.put_settings(index=index, settings={block: None}))
    timer.start()
    began = time.monotonic()
    assert put(store, mail(2)).created == 1
    assert time.monotonic() - began >= 0.9
    timer.join()
    assert store.count(Query()) == 2


def test_a_write_block_ends_the_run_and_refuses_no_document(client, store_of, elasticsearch_prefix):
    store = store_of()
    put(store, mail(1))
    client.indices.put_settings(index=f"{elasticsearch_prefix}-{INDEX}", settings={"index.blocks.write": True})
    with pytest.raises(StoreError, match=r"^http://\S+ cannot write: .*blocked"):
        put(store, mail(2))


def test_a_busy_server_is_asked_again(elasticsearch_url, store_of):
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


def test_a_proxy_that_takes_only_small_requests_is_given_those(elasticsearch_url, store_of):
    def answer(_, body):
        too_long = len(body) > 5000
        return (413, {"Content-Type": "text/html"}, b"<html>Request Entity Too Large</html>") if too_long else None

    with proxy(elasticsearch_url, answer) as url:
        store = store_of(url)
        big = mail(99)
        big.add(AT, MessageId("m" * 8000))
        written = put(store, *map(mail, range(20)), big)
        assert [refused.transaction for refused in written.refused] == [big.queue_id]
        assert store.count(Query()) == 20


def test_a_document_that_cannot_be_stored_is_refused_and_the_others_are_not(store_of):
    surrogate, number = mail(1), mail(2)
    surrogate.add(AT, Client("\ud800"))
    number.facts[2] = (AT, Envelope("bob@foo.com", 10**30, 1))
    endless = mail(3, host="h" * 40_000)
    store = store_of()
    refused = put(store, surrogate, mail(4), number, endless).refused
    assert [each.transaction for each in refused] == [mail(n).queue_id for n in (1, 2, 3)]
    assert all(each.reason and "\n" not in each.reason for each in refused)
    assert "immense term" in refused[2].reason
    assert list(store.search(Query())) == [document(mail(4))]


# --- searches


def test_a_search_goes_on_when_the_server_has_forgotten_it(client, store_of, monkeypatch):
    store = store_of()
    mails = [mail(number, AT + number) for number in range(2500)]
    put(store, *mails)
    opened = []
    real = Searches._open
    monkeypatch.setattr(Searches, "_open", lambda self: opened.append(real(self)) or opened[-1])
    search = store.search(Query())
    seen = [next(search)]
    client.close_point_in_time(id=opened[0])
    seen += search
    assert [each["transaction"] for each in seen] == [each.queue_id for each in reversed(mails)]
    assert len(opened) == 2


def test_strangers_in_the_pattern_are_not_found(client, store_of, elasticsearch_prefix):
    store = store_of()
    put(store, mail())
    client.index(index=f"{elasticsearch_prefix}-notes", document={"from": "bob@foo.com"}, refresh=True)
    assert list(store.search(Query(senders=(Pattern.of("bob@foo.com"),)))) == [document(mail())]
    assert store.count(Query()) == 1


# --- servers that are none, or not for us


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def error_of(url, kind=StoreError):
    store = ElasticsearchStore(url)
    with pytest.raises(kind) as writing:
        store.prepare()
    with pytest.raises(kind) as searching:
        list(store.search(Query()))
    store.close()
    assert str(writing.value) == str(searching.value)
    assert "\n" not in str(writing.value)
    return str(writing.value)


def test_a_server_that_is_not_there_is_said_in_one_line(capfd):
    port = free_port()
    told = error_of(f"http://localhost:{port}", StoreUnavailableError)
    assert told == f"http://localhost:{port} does not answer (connection refused): is Elasticsearch running there?"
    assert error_of("http://nowhere.invalid", StoreUnavailableError).startswith("http://nowhere.invalid:9200 does not")
    assert capfd.readouterr() == ("", "")


def test_nothing_is_printed_when_a_script_meets_no_server():
    script = (
        "from mailtrace.stores.elasticsearch import ElasticsearchStore\n"
        "from mailtrace.errors import StoreUnavailableError\n"
        f"try: ElasticsearchStore('http://127.0.0.1:{free_port()}').prepare()\n"
        "except StoreUnavailableError: print('told')\n"
    )
    import sys

    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("told\n", "")


@pytest.mark.parametrize(
    "url", ["localhost:9200", "ftp://host", "http://", "http://host:port", "sqlite:x", "http://[::1"]
)
def test_what_is_no_address_is_said(url):
    with pytest.raises(StoreError, match="is no address of an Elasticsearch server: write http://HOST:9200"):
        ElasticsearchStore(url)


def test_a_password_is_never_shown():
    port = free_port()
    store = ElasticsearchStore(f"http://bob:s%40cret@127.0.0.1:{port}/")
    assert store.name == f"http://127.0.0.1:{port}"
    with pytest.raises(StoreUnavailableError) as told:
        store.prepare()
    assert "cret" not in str(told.value)
    with pytest.raises(StoreError) as told:
        ElasticsearchStore("ftp://bob:s@cret@host")
    assert "cret" not in str(told.value).replace("secret", "")


JSON = {"Content-Type": "application/json"}
OURS = {**JSON, "X-elastic-product": "Elasticsearch"}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((200, JSON, b"{}"), "is not Elasticsearch: mailtrace needs an Elasticsearch 8 or 9 there"),
        ((404, {"Content-Type": "text/html"}, b"<html>nothing\nhere"), "is not Elasticsearch: mailtrace needs an"),
        ((406, JSON, b'{"error":"Content-Type not supported"}'), "is not Elasticsearch: mailtrace needs an"),
        (
            (406, OURS, b'{"error":"Content-Type not supported"}'),
            "is an Elasticsearch that is too old: mailtrace needs",
        ),
        (
            (400, OURS, b'{"error":{"type":"media_type_header_exception","reason":"Invalid media-type value"}}'),
            "is an Elasticsearch that is too old",
        ),
        ((403, {"Content-Type": "text/html"}, b"<html>no"), "does not allow it: <html>no"),
        ((500, OURS, b'{"error":{"type":"x","reason":"broken\\nin two"}}'), "refuses it: broken in two"),
        ((200, OURS, b"no JSON"), "answers what mailtrace cannot read"),
    ],
)
def test_a_server_that_is_another_is_said_in_one_line(answer, told):
    with proxy(None, lambda *_: answer) as url:
        assert error_of(url).startswith(f"{url} {told}")


@pytest.fixture(scope="module")
def secure():
    """A server with passwords and a CA of its own: the variables that start.sh tells."""
    try:
        with elasticsearch_server("--secure") as url:
            yield url.replace("http:", "https:")
    except NoServerError as error:
        give_up(str(error))


def test_users_passwords_and_certificates(secure, monkeypatch):
    assert "cannot be trusted" in error_of(secure)
    host = secure.removeprefix("https://")
    monkeypatch.setenv("SSL_CERT_FILE", ca_of(host))
    assert error_of(secure) == f"{secure} wants a user and a password that it knows: http://USER:PASSWORD@HOST:9200"
    assert error_of(f"https://elastic:wrong@{host}").startswith(f"{secure} wants a user")
    admin = f"https://elastic:mailtrace-test@{host}"
    reader = f"https://reader:{quote('p@ss:word/', safe='')}@{host}"
    with own_prefix(admin) as prefix, Elasticsearch(admin, ca_certs=ca_of(host)) as client:
        store = ElasticsearchStore(admin, prefix=prefix)
        store.prepare()
        put(store, mail())
        store.close()
        rights = {"names": [f"{prefix}*"], "privileges": ["read", "view_index_metadata"]}
        client.security.put_role(name="reader", indices=[rights])
        client.security.put_user(username="reader", password="p@ss:word/", roles=["reader"])
        store = ElasticsearchStore(reader, prefix=prefix)
        assert list(store.search(Query())) == [document(mail())]
        with pytest.raises(StoreError, match=rf"^{secure} does not allow it: action \[cluster:.* is unauthorized"):
            store.prepare()
        store.close()
        missing = ElasticsearchStore(admin, prefix=f"{prefix}none")
        with pytest.raises(StoreMissingError, match=f"^nothing has been indexed at {secure}"):
            missing.count(Query())
        missing.close()


def ca_of(host):
    return str(run_folder(host.rpartition(":")[2]) / "ca.crt")


def test_checkpoints_of_a_later_version_are_read(client, store_of, elasticsearch_prefix):
    store = store_of()
    told = {"log": "l", "offset": 1, "tail": "", "path": "p", "state": {}, "saved": 2.0, "further": 1}
    client.index(index=f"{elasticsearch_prefix}_checkpoints", id="l", document={"checkpoint": json.dumps(told)})
    assert store.checkpoints() == [Checkpoint("l", 1, "", "p", {}, 2.0)]
