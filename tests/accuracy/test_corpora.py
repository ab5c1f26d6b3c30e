"""Logs of real servers: every transaction is compared field by field."""

import gzip
import heapq
from pathlib import Path

import pytest

from helpers.accuracy.corpus import YEAR, Corpus, Found
from helpers.accuracy.corpus_faults import corpus_faults
from helpers.commands import documents, index

CORPORA = (
    "postfix-traditional",
    "postfix-iso8601",
    "postfix-maillog-file",
    "sendmail-traditional",
    "multi-host",
    "rotation",
    "id-reuse",
    "postfix-3.12",
    "exim-selectors",
    "exim-multi-host",
)


def _indexed(corpus, store):
    for indexed in corpus.index(store):
        assert indexed.status == 0, indexed.summary
    return Found(documents(store))


@pytest.mark.parametrize("name", CORPORA)
def test_every_transaction_of_a_corpus_is_exact(name, tmp_path, scored):
    corpus = Corpus.read(name)
    found = _indexed(corpus, f"sqlite:{tmp_path}/store.db")
    size = len(corpus.transactions) + len(corpus.rejects)
    assert [] == scored(name, size, corpus_faults(corpus, found))


def test_one_log_of_several_hosts_is_what_their_own_logs_are(tmp_path):
    corpus = Corpus.read("multi-host")
    own = [gzip.decompress(log.read_bytes()).splitlines(keepends=True) for logs, _ in corpus.logs() for log in logs]
    merged = tmp_path / "all.log"
    merged.write_bytes(b"".join(heapq.merge(*own, key=lambda line: line[: len("Nov 24 23:42:12")])))
    index(f"sqlite:{tmp_path}/merged.db", [merged], "-y", YEAR)
    separate = _indexed(corpus, f"sqlite:{tmp_path}/separate.db")
    assert documents(f"sqlite:{tmp_path}/merged.db") == separate.documents


def test_every_corpus_is_scored():
    folder = Path(__file__).parent.parent / "corpora"
    assert sorted(CORPORA) == sorted(path.name for path in folder.iterdir() if path.is_dir())
