"""Journeys through logs of real servers: exactly the true links between transactions."""

from itertools import pairwise

import pytest

from helpers.accuracy.corpus import Corpus
from helpers.accuracy.spelling import short
from mailtrace.search.query import Query
from mailtrace.stores import open_store
from mailtrace.tracing.journey import journeys


def _steps(hop):
    """Return each pair of linked hops, whether the second is a notice, and what links them."""
    here = hop.document["host"], hop.document["transaction"]
    for later in [*(later for branch in hop.branches for later in branch.hops), *hop.made]:
        yield here, (later.document["host"], later.document["transaction"]), later
        yield from _steps(later)


def _paths(hop, before=()):
    path = (*before, (hop.document["host"], hop.document["transaction"]))
    yield path
    for later in [*(later for branch in hop.branches for later in branch.hops), *hop.made]:
        yield from _paths(later, path)


class _Truth:
    def __init__(self, corpus):
        self._names = {host: short(name) for host, name in corpus.truth["hostname_in_log"].items()}
        self.paths = {
            msgid: [tuple(map(self._key, path)) for path in paths]
            for msgid, paths in corpus.truth["hops_by_msgid"].items()
        }
        self.notices = {tuple(map(self._key, pair)) for pair in corpus.truth["notices"]}
        self.steps = {tuple(map(self._key, pair)) for pair in corpus.truth["next"]} | self.notices
        self.steps |= {step for paths in self.paths.values() for path in paths for step in pairwise(path)}

    def _key(self, hop):
        return self._names[hop[0]], hop[1]


def _own(step):
    return tuple((short(host), queue_id) for host, queue_id in step)


@pytest.mark.parametrize("name", ["multi-host", "exim-multi-host"])
def test_every_step_of_every_journey_is_the_true_one(name, tmp_path):
    corpus = Corpus.read(name)
    truth = _Truth(corpus)
    store = f"sqlite:{tmp_path}/store.db"
    assert {indexed.status for indexed in corpus.index(store)} == {0}
    found = list(journeys(open_store(store), Query()))
    steps = [(_own((here, there)), later) for journey in found for here, there, later in _steps(journey.root)]
    assert {step for step, later in steps if later.is_notice} == truth.notices
    assert {step for step, _ in steps} == truth.steps
    assert len(steps) == len(truth.steps)
    assert sum(journey.hops for journey in found) == open_store(store).count(Query())
    ways = {_own(path) for journey in found for path in _paths(journey.root)}
    for msgid, paths in truth.paths.items():
        for path in paths:
            assert any(way[-len(path) :] == path for way in ways), (msgid, path)
