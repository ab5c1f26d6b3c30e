"""Fixtures that all tests share: a real Elasticsearch or OpenSearch, started when the first test needs it."""

import os
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from helpers.elasticsearch_server import (
    IS_OPENSEARCH,
    NoServerError,
    client_of,
    give_up,
    own_prefix,
)
from helpers.shared_server import SharedServer

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

    from mailtrace.stores.elasticsearch.store import ElasticsearchStore


_RUNNING = os.environ.get("MAILTRACE_TEST_ELASTICSEARCH")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # the process that starts and ends all others
        SharedServer.prepared()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the server before the first test needs it."""
    if not _RUNNING and not session.config.option.collectonly and any(map(_needs_server, session.items)):
        SharedServer().begin()


def _needs_server(item: pytest.Item) -> bool:
    stores = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return "elasticsearch_url" in getattr(item, "fixturenames", ()) or "elasticsearch" in stores


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        SharedServer().end()


@pytest.fixture(scope="session")
def elasticsearch_url() -> str:
    """Return the URL of the server in MAILTRACE_TEST_ELASTICSEARCH, or of the one that this test run shares."""
    try:
        return _RUNNING or SharedServer().url()
    except NoServerError as error:
        give_up(str(error))
        raise


@pytest.fixture
def server_turn(request: pytest.FixtureRequest, elasticsearch_url: str) -> Iterator[str]:
    """Return the URL of the server, which other processes of the test run use too, except with `server_alone`."""
    with SharedServer().turn(alone="server_alone" in request.fixturenames):
        yield elasticsearch_url


@pytest.fixture
def server_alone(server_turn: str) -> Iterator["Elasticsearch"]:
    """Return a client for a test that changes, or counts, what belongs to the whole server."""
    with client_of(server_turn) as client:
        yield client


@pytest.fixture
def elasticsearch_prefix(server_turn: str) -> Iterator[str]:
    """Return an index prefix for one test."""
    with own_prefix(server_turn) as prefix:
        yield prefix


@pytest.fixture
def client(elasticsearch_url: str) -> Iterator["Elasticsearch"]:
    """Return a client of the server."""
    with client_of(elasticsearch_url) as client:
        yield client


@pytest.fixture
def store_of(elasticsearch_url: str, elasticsearch_prefix: str) -> Iterator[Callable[..., "ElasticsearchStore"]]:
    """Return a function that opens stores with the prefix of this test; `now` is their clock."""
    from mailtrace.stores.elasticsearch.store import ElasticsearchStore

    made = []

    def make(url=elasticsearch_url, now=time.time, **options):
        if IS_OPENSEARCH and "notify" in options and not made:
            make()  # the first store says that the server does not delete expired indices
        made.append(ElasticsearchStore(url, prefix=elasticsearch_prefix, now=now, **options))
        made[-1].prepare()
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def commands_prefix(monkeypatch: pytest.MonkeyPatch, elasticsearch_prefix: str) -> str:
    """Make the two commands, if run in this process, use the prefix of this test; return it."""
    from mailtrace.stores.elasticsearch.store import ElasticsearchStore

    real = ElasticsearchStore.__init__
    monkeypatch.setattr(
        ElasticsearchStore, "__init__", lambda self, url, **rest: real(self, url, prefix=elasticsearch_prefix, **rest)
    )
    return elasticsearch_prefix
