"""Logs of real servers: every transaction, field by field."""

from pathlib import Path

import pytest
from commands import documents, index
from corpus import YEAR, Corpus, Found
from corpus_faults import corpus_faults

CORPORA = (
    "postfix-traditional",
    "postfix-iso8601",
    "postfix-maillog-file",
    "sendmail-traditional",
    "multi-host",
    "rotation",
    "id-reuse",
)


def _indexed(corpus, store):
    for logs, zone in corpus.logs():
        indexed = index(store, logs, "--tz", zone, "-y", YEAR)
        assert indexed.status == 0, indexed.summary
    return Found(documents(store))


@pytest.mark.parametrize("name", CORPORA)
def test_every_transaction_of_a_corpus_is_exact(name, tmp_path, scored):
    corpus = Corpus.read(name)
    found = _indexed(corpus, f"sqlite:{tmp_path}/store.db")
    scored(name, len(corpus.transactions) + len(corpus.rejects), corpus_faults(corpus, found))


def test_every_corpus_is_scored():
    folder = Path(__file__).parent.parent / "corpora"
    assert sorted(CORPORA) == sorted(path.name for path in folder.iterdir() if path.is_dir())
