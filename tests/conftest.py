"""The servers that tests share: a real Elasticsearch, started when the first test asks for it."""

import os
from collections.abc import Iterator

import pytest
from elasticsearch_node import NoServerError, elasticsearch_server, give_up, own_prefix


@pytest.fixture(scope="session")
def elasticsearch_url() -> Iterator[str]:
    """The URL of the server that MAILTRACE_TEST_ELASTICSEARCH names, else of one started for this run."""
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
    """A prefix for one test."""
    with own_prefix(elasticsearch_url) as prefix:
        yield prefix
