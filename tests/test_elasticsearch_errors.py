"""Servers that are none, are not Elasticsearch, or not for this user."""

import socket
import subprocess
from urllib.parse import quote

import pytest
from elasticsearch import Elasticsearch
from elasticsearch_mails import mail, put
from elasticsearch_node import NoServerError, elasticsearch_server, give_up, own_prefix, run_folder
from http_proxy import proxy

from mailtrace.documents import document
from mailtrace.errors import StoreError, StoreMissingError, StoreUnavailableError
from mailtrace.query import Query
from mailtrace.stores.elasticsearch import ElasticsearchStore


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
