"""The embedded store and files that are not a store, or not yet."""

import sqlite3
from pathlib import Path

import pytest

from helpers.requirements import lacking
from helpers.stores.contents import found, put
from helpers.stores.transactions import transaction, whole
from mailtrace.errors import StoreError, StoreMissingError
from mailtrace.indexing.merge import write
from mailtrace.indexing.writer import Writer
from mailtrace.mta.version import GRAMMAR_VERSION
from mailtrace.search.query import Query
from mailtrace.stores.sqlite.store import SqliteStore

OPEN_FILES = Path("/proc/self/fd")


def test_a_file_that_an_indexer_is_just_creating_is_a_missing_store(tmp_path):
    """SQLite creates the database first and the tables a moment later."""
    path = tmp_path / "store.db"
    with sqlite3.connect(path) as made:
        made.execute("PRAGMA auto_vacuum = INCREMENTAL")
        made.execute("PRAGMA journal_mode = WAL")
    with pytest.raises(StoreMissingError, match="nothing has been indexed at"):
        SqliteStore(str(path)).count(Query())
    made.close()


def test_a_database_of_another_program_is_reported(tmp_path):
    path = tmp_path / "store.db"
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE mails (id)")
    made.close()
    with pytest.raises(StoreError, match="is not a mailtrace store"):
        SqliteStore(str(path)).count(Query())


def test_closing_discards_uncommitted_writes_and_lets_others_write(tmp_path):
    store, other = (SqliteStore(str(tmp_path / "mailtrace.db")) for _ in range(2))
    put(store, transaction("KEPT", whole()))
    write(store, [transaction("LOST", whole())])
    store.close()
    put(other, transaction("NEXT", whole()))
    assert {"KEPT", "NEXT"} == {each["transaction"] for each in found(store)}
    put(store, transaction("AGAIN", whole()))
    assert 3 == other.count(Query())
    store.close()
    store.close()
    other.close()


def test_a_closed_store_and_a_finished_search_leave_no_file_open(tmp_path):
    if not OPEN_FILES.is_dir():
        lacking("only Linux tells which files a process has open")
    store = SqliteStore(str(tmp_path / "mailtrace.db"))
    put(store, transaction("KEPT", whole()))
    assert 1 == store.count(Query())
    store.close()
    assert 1 == store.count(Query())
    next(store.search(Query()))
    assert [] == [each for each in OPEN_FILES.iterdir() if tmp_path in each.resolve().parents]


@pytest.mark.parametrize(
    ("version", "told"),
    [
        (2, r"mailtrace.db was written by an older mailtrace \(layout 2\): move it away, then index again$"),
        (
            6,
            r"mailtrace.db was written by a newer mailtrace \(layout 6\): update mailtrace, or choose another store"
            r" with --store$",
        ),
    ],
)
def test_a_store_of_another_version_is_reported(tmp_path, version, told):
    path = tmp_path / "mailtrace.db"
    store = SqliteStore(str(path))
    put(store, transaction("KEPT", whole()))
    store.close()
    with sqlite3.connect(path) as made:
        made.execute(f"PRAGMA user_version = {version}")
    made.close()
    for use in (lambda: store.count(Query()), store.prepare):
        with pytest.raises(StoreError, match=told):
            use()


def test_a_file_says_whose_it_is(tmp_path):
    """At offset 68, where `file` and its magic look for it."""
    path = tmp_path / "mailtrace.db"
    store = SqliteStore(str(path))
    put(store, transaction("KEPT", whole()))
    store.close()
    assert b"mtrc" == path.read_bytes()[68:72]


def test_a_folder_is_not_a_store(tmp_path):
    with pytest.raises(StoreError, match="is a folder"):
        SqliteStore(str(tmp_path)).prepare()


def test_a_file_that_is_not_a_database_is_reported(tmp_path):
    path = tmp_path / "mailtrace.db"
    path.write_text("no database, but longer than a header of one hundred bytes\n" * 9)
    store = SqliteStore(str(path))
    for use in (lambda: store.count(Query()), store.prepare):
        with pytest.raises(
            StoreError, match=r"mailtrace\.db is not a mailtrace store: choose another file with --store$"
        ):
            use()


def test_an_empty_file_is_not_a_store_until_it_is_prepared(tmp_path):
    path = tmp_path / "mailtrace.db"
    path.touch()
    store = SqliteStore(str(path))
    with pytest.raises(StoreMissingError, match="nothing has been indexed at"):
        store.count(Query())
    store.prepare()
    assert 0 == store.count(Query())
    store.close()


def test_a_store_knows_the_grammar_that_made_its_documents(tmp_path):
    store, other = (SqliteStore(str(tmp_path / "mailtrace.db")) for _ in range(2))
    assert GRAMMAR_VERSION == store.grammar()
    store.set_grammar(0)
    store.commit([])
    assert 0 == other.grammar()
    other.close()
    store.set_grammar(GRAMMAR_VERSION)
    store.close()
    assert 0 == store.grammar()
    store.close()


def test_what_was_written_is_counted_if_the_next_write_fails(tmp_path):
    store = SqliteStore(str(tmp_path / "mailtrace.db"))
    writer = Writer(store)
    writer.start([transaction("FIRST", whole())], [])
    with sqlite3.connect(store.path) as other:
        other.execute("ALTER TABLE columns RENAME TO lost")
    other.close()
    assert 1 == writer.start([transaction("SECOND", whole())], []).changes.created
    with pytest.raises(StoreError, match="cannot be used"):
        writer.wait()
    store.close()
