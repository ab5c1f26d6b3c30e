"""What is the embedded store's own: its file."""

import sqlite3

import pytest

from mailtrace.errors import StoreError, StoreMissingError
from mailtrace.search.query import Query
from mailtrace.stores.sqlite.store import SqliteStore


def test_a_file_that_an_indexer_is_just_making_is_no_strange_one(tmp_path):
    """It is a database first, and has its tables a moment later."""
    path = tmp_path / "store.db"
    with sqlite3.connect(path) as made:
        made.execute("PRAGMA auto_vacuum = INCREMENTAL")
        made.execute("PRAGMA journal_mode = WAL")
    with pytest.raises(StoreMissingError, match="nothing has been indexed at"):
        SqliteStore(str(path)).count(Query())
    made.close()


def test_another_programs_database_is_told(tmp_path):
    path = tmp_path / "store.db"
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE mails (id)")
    made.close()
    with pytest.raises(StoreError, match="is not a mailtrace store"):
        SqliteStore(str(path)).count(Query())
