"""Embedded stores of older layouts: tests/samples/stores, made of two logs in sample_logs/."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from helpers.commands import documents, index
from mailtrace.errors import StoreError
from mailtrace.search.groups import Grouping, groups_of
from mailtrace.search.query import Query
from mailtrace.stores.sqlite import migration
from mailtrace.stores.sqlite.store import SqliteStore
from mailtrace.syslog.timezones import zone_of

SAMPLES = Path(__file__).parents[2] / "samples" / "stores"
WRITERS = {3: "mailtrace 0.1", 4: "an older mailtrace"}
LOGS = Path(__file__).parents[3] / "sample_logs"


@pytest.fixture
def old(tmp_path):
    return Path(shutil.copy(SAMPLES / "version-3.db", tmp_path / "mailtrace.db"))


@pytest.fixture
def expected(tmp_path):
    """Return the documents of the same logs in a store of this version."""
    store = f"sqlite:{tmp_path}/new.db"
    index(store, [LOGS / "sendmail.log"], "-y", "2011", "--tz", "Europe/Madrid")
    index(store, [LOGS / "mixed.log.gz"], "-y", "2026")
    return documents(store)


@pytest.fixture(params=WRITERS)
def older(request, tmp_path):
    return Path(shutil.copy(SAMPLES / f"version-{request.param}.db", tmp_path / "mailtrace.db")), request.param


def test_a_search_says_which_command_migrates_it(older):
    old, _ = older
    with pytest.raises(StoreError, match=r"was written by an older mailtrace: run mailtrace-index --rebuild once$"):
        list(SqliteStore(str(old)).search(Query()))


def test_documents_and_checkpoints_are_those_of_the_old_store(older, expected):
    (old, layout), told = older, []
    store = SqliteStore(str(old), notify=told.append)
    store.prepare()
    assert 2 == len(store.checkpoints())
    store.close()
    assert [f"{old} was written by {WRITERS[layout]}: converting it"] == told
    assert expected == documents(f"sqlite:{old}")
    assert not list(old.parent.glob("*-migrated*"))
    again = index(f"sqlite:{old}", [LOGS / "mixed.log.gz"], "-y", "2026")
    assert "nothing new to read" in again.summary


def test_lines_that_are_read_again_take_the_place_of_facts(old, expected):
    index(f"sqlite:{old}", [LOGS / "mixed.log.gz"], "-y", "2026", "--from-start")
    assert expected == documents(f"sqlite:{old}")
    shown = SqliteStore(str(old)).search(Query(mtas=("postfix",), with_lines=True))
    assert not [line for found in shown for line in found["lines"] if line["program"] == "mailtrace/kept-fact"]


def test_a_migration_that_was_killed_is_repeated(old, expected, monkeypatch):
    class Killed(BaseException):
        pass

    def kill(_):
        raise Killed

    before = old.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(migration, "_checkpoints", kill)
        with pytest.raises(Killed):
            SqliteStore(str(old)).prepare()
    assert len(before) == old.stat().st_size
    assert "mailtrace.db-migrated" in [path.name for path in old.parent.iterdir()]
    store = SqliteStore(str(old))
    store.prepare()
    store.close()
    assert expected == documents(f"sqlite:{old}")
    assert not list(old.parent.glob("*-migrated*"))


def test_retention_counts_from_the_first_indexing_of_old(old):
    with closing(sqlite3.connect(old)) as connection:
        ((indexed,),) = connection.execute("SELECT max(indexed) FROM parts")
    store = SqliteStore(str(old))
    store.prepare()
    assert 0 == store.expire(indexed - 1)
    assert 0 < store.expire(indexed + 1)
    store.close()


def test_groups_by_domain_are_those_of_a_new_store(tmp_path):
    """A store of layout 4 has no column of domains."""
    old = shutil.copy(SAMPLES / "version-4.db", tmp_path / "mailtrace.db")
    index(f"sqlite:{old}", [LOGS / "mixed.log.gz"], "-y", "2026")
    store = SqliteStore(str(old))
    documents = list(store.search(Query()))
    for by in ("to-domain", "to", "status"):
        grouping = Grouping(by, zone_of("UTC"))
        assert groups_of(Query(), grouping, documents) == list(store.group(Query(), grouping))
