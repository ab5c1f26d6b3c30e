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
    elasticsearch_server,
    give_up,
    own_prefix,
)

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

    from mailtrace.stores.elasticsearch.store import ElasticsearchStore


@pytest.fixture(scope="session")
def elasticsearch_url() -> Iterator[str]:
    """Return the URL of the server in MAILTRACE_TEST_ELASTICSEARCH, or of one started for this run."""
    if running := os.environ.get("MAILTRACE_TEST_ELASTICSEARCH"):
        yield running
        return
    try:
        with elasticsearch_server("--ilm") as url:
            yield url
    except NoServerError as error:
        give_up(str(error))


@pytest.fixture
def elasticsearch_prefix(elasticsearch_url: str) -> Iterator[str]:
    """Return an index prefix for one test."""
    with own_prefix(elasticsearch_url) as prefix:
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
