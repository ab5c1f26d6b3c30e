"""Errors for a server that is down, is not Elasticsearch, or refuses the user."""

import subprocess

import pytest

from helpers.elasticsearch_server import free_port
from helpers.http_proxy import proxy
from mailtrace.errors import StoreError, StoreUnavailableError
from mailtrace.search.query import Query
from mailtrace.stores.elasticsearch.store import ElasticsearchStore


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


def test_a_server_that_is_down_is_reported_in_one_line(capfd):
    port = free_port()
    message = error_of(f"http://localhost:{port}", StoreUnavailableError)
    assert message == f"http://localhost:{port} does not answer (connection refused): is Elasticsearch running there?"
    assert error_of("http://nowhere.invalid", StoreUnavailableError).startswith("http://nowhere.invalid:9200 does not")
    assert capfd.readouterr() == ("", "")


def test_the_client_itself_prints_nothing_if_there_is_no_server():
    script = (
        "from mailtrace.stores.elasticsearch.store import ElasticsearchStore\n"
        "from mailtrace.errors import StoreUnavailableError\n"
        f"try: ElasticsearchStore('http://127.0.0.1:{free_port()}').prepare()\n"
        "except StoreUnavailableError: print('caught')\n"
    )
    import sys

    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("caught\n", "")


@pytest.mark.parametrize(
    "url", ["localhost:9200", "ftp://host", "http://", "http://host:port", "sqlite:x", "http://[::1"]
)
def test_a_wrong_url_is_reported(url):
    with pytest.raises(StoreError, match="is not the URL of an Elasticsearch server: write http://HOST:9200"):
        ElasticsearchStore(url)


def test_a_password_is_never_shown():
    port = free_port()
    store = ElasticsearchStore(f"http://bob:s%40cret@127.0.0.1:{port}/")
    assert store.name == f"http://127.0.0.1:{port}"
    with pytest.raises(StoreUnavailableError) as error:
        store.prepare()
    assert "cret" not in str(error.value)
    with pytest.raises(StoreError) as refused:
        ElasticsearchStore("ftp://bob:s@cret@host")
    assert "cret" not in str(refused.value).replace("secret", "")


HTML = {"Content-Type": "text/html; charset=utf-8"}
JSON = {"Content-Type": "application/json"}
OURS = {**JSON, "X-elastic-product": "Elasticsearch"}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((200, JSON, b"{}"), "is not Elasticsearch: mailtrace needs Elasticsearch 8 or 9"),
        (
            (404, HTML, b"<html>nothing\nhere"),
            "is a web server or proxy: mailtrace needs Elasticsearch 8 or 9",
        ),
        (
            (200, HTML, b"<html><head><title lang=en>Sign in\n- Example</title></head>"),
            'is a web server or proxy with the page "Sign in - Example": mailtrace needs',
        ),
        (
            (302, {**HTML, "Location": "https://login.example.org/?next=/_ilm&token=x"}, b""),
            "is a web server or proxy that redirects to https://login.example.org: mailtrace needs Elasticsearch",
        ),
        (
            (200, JSON, b'{"version":{"distribution":"opensearch","number":"1.3.20"}}'),
            "is OpenSearch 1.3.20: mailtrace needs Elasticsearch 8 or 9, or OpenSearch 2 or 3",
        ),
        ((200, JSON, b'{"version":{"number":"7.10.2"}}'), "is Elasticsearch 7.10.2: mailtrace needs Elasticsearch"),
        ((200, JSON, b'{"version":7}'), "is not Elasticsearch: mailtrace needs"),
        ((200, JSON, b"[]"), "is not Elasticsearch: mailtrace needs"),
        ((406, JSON, b'{"error":"Content-Type not supported"}'), "is not Elasticsearch: mailtrace needs"),
        (
            (406, OURS, b'{"error":"Content-Type not supported"}'),
            "is too old an Elasticsearch: mailtrace needs",
        ),
        (
            (400, OURS, b'{"error":{"type":"media_type_header_exception","reason":"Invalid media-type value"}}'),
            "is too old an Elasticsearch",
        ),
        ((403, HTML, b"<html>no"), "denies this request: <html>no"),
        ((500, OURS, b'{"error":{"type":"x","reason":"broken\\nin two"}}'), "refuses the request: broken in two"),
        ((200, OURS, b"no JSON"), "sent an answer that mailtrace cannot read"),
    ],
)
def test_another_server_is_reported_in_one_line(answer, message):
    with proxy(None, lambda *_: answer) as url:
        assert error_of(url).startswith(f"{url} {message}")
