"""Run each test with every store: use `store`, or `open_store` to open several on the same data."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailtrace.stores.base import Store


@pytest.fixture(params=["sqlite", "elasticsearch"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Return a function that opens another store on the data of this test."""
    opener = {"sqlite": _sqlite, "elasticsearch": _elasticsearch}[request.param](request, tmp_path)
    opened: list[Store] = []

    def open_one() -> Store:
        opened.append(opener())
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


def _sqlite(_: pytest.FixtureRequest, folder: Path) -> Callable[[], Store]:
    from mailtrace.stores.sqlite.store import SqliteStore

    return lambda: SqliteStore(str(folder / "mailtrace.db"))


def _elasticsearch(request: pytest.FixtureRequest, _: Path) -> Callable[[], Store]:
    from mailtrace.stores.elasticsearch.store import ElasticsearchStore

    url = request.getfixturevalue("elasticsearch_url")
    prefix = request.getfixturevalue("elasticsearch_prefix")
    return lambda: ElasticsearchStore(url, prefix=prefix)


@pytest.fixture
def store(open_store: Callable[[], Store]) -> Store:
    """Return a prepared store."""
    made = open_store()
    made.prepare()
    return made
