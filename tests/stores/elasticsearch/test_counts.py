"""New and updated transactions are counted exactly, however many answers of the server are lost."""

import random
from contextlib import closing
from datetime import timezone

import pytest

from helpers.elasticsearch_server import own_prefix
from helpers.http_proxy import proxy
from helpers.reliability.rotated_log import generated
from mailtrace.indexing.indexer import Indexer, Limits
from mailtrace.indexing.writer import Writer
from mailtrace.logs.rotation import Calendar
from mailtrace.search.query import Query
from mailtrace.stores.elasticsearch.store import ElasticsearchStore

LIMITS = Limits(30_000, 200)
"""Many small batches, of which some transactions are in several."""


class Index:
    """A log that is indexed piece by piece."""

    def __init__(self, folder):
        folder.mkdir()
        self.log = folder / "mail.log"

    def add(self, store, lines):
        """Append lines and index them; return the numbers of new and updated transactions."""
        with self.log.open("ab") as log:
            log.write(b"".join(lines))
        writer = Writer(store, retry=lambda *_: True)
        report = Indexer(store, Calendar(timezone.utc, "UTC"), limits=LIMITS, writer=writer).index([str(self.log)])
        assert report.refused == []
        return report.created, report.updated


@pytest.mark.parametrize("seed", range(3))
def test_counts_after_lost_answers(elasticsearch_url, store_of, tmp_path, seed):
    chance, lines = random.Random(seed), generated(1000, seed)
    pieces = [lines[: len(lines) // 3], lines[len(lines) // 3 :]]
    lost = []

    def loses(path):
        is_lost = path.startswith("/_bulk") and chance.random() < 0.6
        lost.extend([path] * is_lost)
        return is_lost

    with proxy(elasticsearch_url, lambda *_: None, loses=loses) as url:
        store, index = store_of(url), Index(tmp_path / "disturbed")
        # Some writes fail and are repeated, as when a followed log waits for the server.
        store._server.pauses = (0.01,)
        disturbed = [index.add(store, piece) for piece in pieces]
    found = list(map(str, store_of().search(Query())))
    assert len(lost) >= 10
    with (
        own_prefix(elasticsearch_url) as prefix,
        closing(ElasticsearchStore(elasticsearch_url, prefix=prefix)) as store,
    ):
        index = Index(tmp_path / "undisturbed")
        assert disturbed == [index.add(store, piece) for piece in pieces]
        assert found == list(map(str, store.search(Query())))
