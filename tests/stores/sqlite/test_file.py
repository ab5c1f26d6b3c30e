"""The file of the embedded store: its permissions, expiry, and its size after expiry."""

import os
import shutil
import sqlite3
import stat
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest

from helpers.stores.contents import found, put
from helpers.stores.transactions import transaction, whole
from mailtrace.errors import StoreError
from mailtrace.indexing.rebuild import rebuild
from mailtrace.message.transaction import SECOND
from mailtrace.search.groups import Grouping
from mailtrace.search.query import Query
from mailtrace.stores.sqlite.store import SqliteStore

NOON = int(datetime(2011, 12, 15, 12, tzinfo=timezone.utc).timestamp())
HOUR = 3600
NOBODY = 65534


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o177], ids=oct)
def umask(request):
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def ids(store: SqliteStore) -> list[str]:
    return [document["transaction"] for document in found(store)]


@pytest.mark.usefixtures("umask")
def test_the_group_can_read_a_new_store_whatever_the_umask(tmp_path):
    path = tmp_path / "store" / "mailtrace.db"
    store = SqliteStore(str(path))
    store.prepare()
    put(store, transaction("3PwnbN2V4Bz1xq", whole()))
    assert 0o2750 == mode(path.parent)
    made = {each.name: mode(each) for each in path.parent.iterdir()}
    assert "mailtrace.db-wal" in made
    assert {0o640} == set(made.values())
    store.close()


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("is_link", [False, True])
def test_the_group_reaches_a_new_store_through_new_folders_and_links(tmp_path, is_link):
    path = tmp_path / "one" / "two" / "mailtrace.db"
    if is_link:
        path.parent.mkdir(parents=True)
        path.parent.chmod(0o750)
        path.parent.parent.chmod(0o750)
        (tmp_path / "link.db").symlink_to(path)
    SqliteStore(str(tmp_path / "link.db") if is_link else str(path)).prepare()
    assert [0o640, 0o750, 0o750] == [mode(each) & 0o777 for each in (path, path.parent, path.parent.parent)]


@pytest.mark.usefixtures("umask")
def test_a_file_that_the_admin_created_keeps_its_mode(tmp_path):
    path = tmp_path / "store" / "mailtrace.db"
    path.parent.mkdir()
    path.parent.chmod(0o700)
    path.touch()
    path.chmod(0o660)
    store = SqliteStore(str(path))
    store.prepare()
    store.close()
    assert (0o700, 0o660) == (mode(path.parent), mode(path))


def stored(path: Path, indexed: int, *times: int) -> SqliteStore:
    """Return a store of transactions with these dates, all first indexed at the same time."""
    store = SqliteStore(str(path / "mailtrace.db"), now=lambda: indexed)
    for n, at in enumerate(times):
        put(store, transaction(f"ID{n}", whole(at * SECOND)))
    return store


@pytest.mark.parametrize("kept", [True, False])
def test_only_documents_older_than_the_limit_are_deleted(tmp_path, kept):
    store = stored(tmp_path, NOON - HOUR, NOON)
    assert store.expire(NOON if kept else NOON + 1) == (0 if kept else 1)
    assert ids(store) == (["ID0"] if kept else [])
    store.close()


@pytest.mark.parametrize("kept", [True, False])
def test_documents_indexed_at_the_limit_are_kept_however_old(tmp_path, kept):
    store = stored(tmp_path, NOON, NOON - 900 * 24 * HOUR)
    assert store.expire(NOON if kept else NOON + 1) == (0 if kept else 1)
    assert ids(store) == (["ID0"] if kept else [])
    store.close()


@pytest.mark.parametrize("times", [(NOON, NOON + 2 * HOUR), (NOON + 2 * HOUR, NOON)])
def test_a_part_is_deleted_only_when_its_last_document_expires(tmp_path, times):
    """Documents in one part are deleted together."""
    store = stored(tmp_path, NOON - HOUR, *times)
    store.expire(NOON + HOUR)
    assert f"ID{times.index(NOON + 2 * HOUR)}" in ids(store)
    assert store.expire(NOON + 2 * HOUR + 1) > 0
    assert ids(store) == []
    store.close()


def test_documents_that_are_derived_again_expire_as_before(tmp_path):
    now = [NOON]
    store = SqliteStore(str(tmp_path / "mailtrace.db"), now=lambda: now[0])
    old = NOON - 900 * 24 * HOUR
    put(store, transaction("ID0", whole(old * SECOND)))
    now[0] += 48 * HOUR
    put(store, transaction("ID1", whole(old * SECOND)))
    now[0] += 480 * HOUR
    rebuild(store)
    assert ["ID0", "ID1"] == sorted(ids(store))
    for days, left in ((0, ["ID0", "ID1"]), (1, ["ID1"]), (3, [])):
        store.expire(NOON + days * 24 * HOUR)
        assert left == sorted(ids(store))
    store.close()


def test_other_days_are_kept(tmp_path):
    day = 24 * HOUR
    store = stored(tmp_path, NOON - 3 * day, NOON - 2 * day, NOON - day, NOON)
    assert 2 == store.expire(NOON)
    assert ["ID2"] == ids(store)
    store.close()


def test_expiry_returns_the_space(tmp_path):
    path = tmp_path / "mailtrace.db"
    store = SqliteStore(str(path), now=lambda: NOON - HOUR)
    put(store, *(transaction(f"ID{n}", whole((NOON + n) * SECOND)) for n in range(5000)))
    put(store, transaction("KEPT", whole((NOON + 48 * HOUR) * SECOND)))
    store.close()
    full = path.stat().st_size
    assert 5000 == store.expire(NOON + 24 * HOUR)
    store.close()
    assert ["KEPT"] == ids(store)
    assert path.stat().st_size < full // 5


@pytest.fixture
def unwritable():
    """A folder for a store, and what lets this process only read there: as another user, if it is root."""
    with tempfile.TemporaryDirectory() as name:
        folder, me = Path(name), os.geteuid()

        def lock() -> None:
            for each in folder.iterdir():
                each.chmod(0o444)
            folder.chmod(0o555)
            os.seteuid(me or NOBODY)

        yield folder, lock
        os.seteuid(me)
        folder.chmod(0o755)


def test_a_store_in_a_folder_that_may_not_be_written_is_read_as_it_stands(unwritable):
    folder, lock = unwritable
    store = stored(folder, NOON, NOON)
    store.close()
    lock()
    assert ["ID0"] == ids(store)
    assert 1 == store.count(Query())


def test_a_store_that_was_left_in_the_middle_is_not_read_without_its_last_commits(unwritable, tmp_path):
    folder, lock = unwritable
    store = stored(tmp_path, NOON, NOON)
    for name in ("mailtrace.db", "mailtrace.db-wal"):
        shutil.copy(tmp_path / name, folder / name)
    store.close()
    lock()
    with pytest.raises(StoreError, match=r"cannot be used: its last writer was killed, .*: run mailtrace-index once"):
        SqliteStore(str(folder / "mailtrace.db")).count(Query())


def test_the_next_indexer_completes_what_was_left_in_the_middle(unwritable, tmp_path):
    folder, lock = unwritable
    store = stored(tmp_path, NOON, NOON)
    for name in ("mailtrace.db", "mailtrace.db-wal"):
        shutil.copy(tmp_path / name, folder / name)
    store.close()
    again = SqliteStore(str(folder / "mailtrace.db"))
    again.prepare()
    again.close()
    lock()
    assert ["ID0"] == ids(again)


def test_a_damaged_store_is_called_damaged_although_a_writer_was_killed(tmp_path):
    stored(tmp_path, NOON, NOON).close()
    path = tmp_path / "mailtrace.db"
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 60_000)
    path.with_name("mailtrace.db-wal").touch()
    with pytest.raises(StoreError, match=r"is damaged \(.*\): move it away"):
        SqliteStore(str(path)).count(Query())


def large_store(folder: Path) -> Path:
    """Return the path of a store of many pages."""
    store = SqliteStore(str(folder / "mailtrace.db"), now=lambda: NOON)
    put(store, *(transaction(f"ID{n}", whole((NOON + n) * SECOND)) for n in range(3000)))
    store.close()
    return store.path


def overwrite(path: Path, at: int, size: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xff" * size)


@pytest.mark.parametrize("has_log", [False, True])
@pytest.mark.parametrize(
    "damage",
    [
        lambda path: os.truncate(path, 8192),
        lambda path: os.truncate(path, path.stat().st_size // 2),
        lambda path: overwrite(path, 4096, path.stat().st_size - 4096),
    ],
    ids=["cut", "half", "overwritten"],
)
@pytest.mark.parametrize("ask", [lambda store: store.count(Query()), found], ids=["count", "search"])
def test_a_damaged_store_is_called_damaged_at_once(tmp_path, damage, ask, has_log):
    path = large_store(tmp_path)
    damage(path)
    if has_log:
        path.with_name("mailtrace.db-wal").touch()
    began = time.monotonic()
    for _ in range(2):  # the first one leaves an empty write-ahead log
        with pytest.raises(StoreError, match=r"is damaged \(.*\): move it away"):
            ask(SqliteStore(str(path)))
    assert time.monotonic() - began < 2


def test_a_damaged_store_that_may_not_be_written_is_called_damaged(unwritable):
    folder, lock = unwritable
    os.truncate(large_store(folder), 8192)
    lock()
    with pytest.raises(StoreError, match=r"is damaged \(.*\): move it away"):
        SqliteStore(str(folder / "mailtrace.db")).count(Query())


@pytest.mark.parametrize(
    ("table", "column", "ask"),
    [
        ("columns", "texts", lambda store: store.count(Query(min_delay=1))),
        ("columns", "codes", lambda store: store.group(Query(), Grouping("to", timezone.utc))),
        ("transactions", "lines", found),
        ("transactions", "lines", lambda store: store.find({("mx", "ID0"): (0, 2 * NOON * SECOND)})),
        ("checkpoints", "state", lambda store: store.known_logs()),
        ("checkpoints", "state", lambda store: store.checkpoints()),
    ],
)
def test_contents_that_cannot_be_decoded_are_damage(tmp_path, table, column, ask):
    """SQLite does not notice them: they are in pages that are well-formed."""
    path = large_store(tmp_path)
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO checkpoints VALUES ('a', 1, 'b', 'c', '{}', 1)")
        connection.execute(f"UPDATE {table} SET {column} = ?", (b"\xff" * 99,))
    connection.close()
    store = SqliteStore(str(path))
    with pytest.raises(StoreError, match=r"is damaged \(unreadable contents\): move it away"):
        ask(store)
    store.close()


def test_missing_columns_are_damage(tmp_path):
    path = large_store(tmp_path)
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM columns")
    connection.close()
    with pytest.raises(StoreError, match=r"is damaged \(unreadable contents\): move it away"):
        SqliteStore(str(path)).count(Query(min_delay=1))
