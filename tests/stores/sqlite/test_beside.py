"""The embedded store while others write it: searches without the right to write, and indexers side by side."""

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from threading import Barrier, Thread

import pytest

from helpers.requirements import need_root
from helpers.stores import other_process
from helpers.stores.contents import found, put
from helpers.stores.other_process import mail, pieces
from helpers.stores.transactions import AT, DAY, newest_first, transaction, whole
from mailtrace.errors import StoreMissingError, StoreUnavailableError
from mailtrace.message.transaction import SECOND
from mailtrace.search.groups import Grouping
from mailtrace.search.query import Query
from mailtrace.stores.sqlite.columns import DATES, HIDDEN, NUMBERS
from mailtrace.stores.sqlite.schema import CHUNK_BITS, COLUMN_BITS, TERM_BITS
from mailtrace.stores.sqlite.store import SqliteStore
from mailtrace.syslog.timezones import zone_of

NOBODY = 65534
NEW = 5_000_000 * SECOND


def other(path: Path, action: str, seed: int = 0) -> "subprocess.Popen[str]":
    command = [sys.executable, other_process.__file__, str(path), action, str(seed)]
    paths = [str(Path(other_process.__file__).parents[2]), *sys.path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, text=True)


@contextmanager
def as_nobody() -> Iterator[None]:
    need_root()
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def path() -> Iterator[Path]:
    """A store in a folder that another user can enter: those of pytest are for this one."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        made = Path(name) / "mailtrace.db"
        made.touch(0o644)
        yield made


def test_a_reader_that_may_not_write_never_finds_a_whole_store_damaged(path):
    """Indexers come and go: each creates the files beside the store, and deletes them when it closes the store."""
    writer, store = other(path, "come"), SqliteStore(str(path))
    answers = 0
    with as_nobody():
        while writer.poll() is None:
            try:
                counted = store.count(Query())
                assert sum(group.number for group in store.group(Query(), Grouping("hour", zone_of("UTC")))) <= 20_000
                documents = found(store)
            except (StoreMissingError, StoreUnavailableError):
                # Not there yet; or being written for longer than a reader waits, which is said.
                continue
            answers += counted > 0
            assert len({each["transaction"] for each in documents}) == len(documents)
    assert writer.wait() == 0
    assert answers > 0


@pytest.mark.parametrize("expires", [False, True])
def test_a_search_that_began_when_nobody_wrote_goes_on_when_somebody_does(path, expires):
    store = SqliteStore(str(path), now=lambda: AT / SECOND)
    mails = [transaction(f"{0xABCDE00000 + n:X}", whole(AT + n * SECOND)) for n in range(2000)]
    put(store, *mails)
    store.close()
    with as_nobody():
        search = store.search(Query())
        seen = [next(search)]
    writer = SqliteStore(str(path), now=lambda: AT / SECOND)
    if expires:
        assert 2000 == writer.expire(AT / SECOND + 86_400)
    put(writer, *(transaction(f"{0xBBCDE00000 + n:X}", whole(NEW + AT + n * SECOND)) for n in range(3000)))
    writer.close()
    with as_nobody():
        seen += search
    wanted = newest_first(mails)
    assert wanted[: len(seen)] == seen
    assert expires or len(wanted) == len(seen)


def test_a_search_in_a_pager_does_not_keep_the_write_ahead_log_from_being_emptied(path):
    store, writer = SqliteStore(str(path)), SqliteStore(str(path))
    put(writer, *(transaction(f"{0xABCDE00000 + n:X}", whole(AT + n * SECOND)) for n in range(2000)))
    search = store.search(Query())
    next(search)
    for round_ in range(20):
        first = 0xBBCDE00000 + 10_000 * round_
        put(writer, *(transaction(f"{first + n:X}", whole(NEW + AT + n * SECOND)) for n in range(2000)))
    # SQLite empties it when it has 4 MB, unless somebody still reads what was before it.
    assert path.with_name("mailtrace.db-wal").stat().st_size < 8 << 20
    assert 1999 == sum(1 for _ in search)
    writer.close()


@pytest.mark.parametrize("oldest_first", [True, False])
def test_results_are_in_order_and_without_doubles_while_an_indexer_writes(path, oldest_first):
    store, writer = SqliteStore(str(path)), SqliteStore(str(path))
    mails = [transaction(f"{0xABCDE00000 + n:X}", whole(AT + n // 3 * SECOND)) for n in range(2500)]
    put(writer, *mails)
    seen = []
    for number, document in enumerate(store.search(Query(oldest_first=oldest_first, limit=2400))):
        seen.append(document)
        if number % 100 == 0:
            put(writer, transaction(f"{0xBBCDE00000 + number:X}", whole(AT + (-DAY if oldest_first else DAY))))
            put(writer, transaction(mails[number].queue_id, whole(AT + number // 3 * SECOND)[:2]))
    assert newest_first(mails)[:: -1 if oldest_first else 1][:2400] == seen
    writer.close()


def test_two_indexers_that_expire_the_same_documents_delete_each_once(path):
    store = SqliteStore(str(path), now=lambda: AT / SECOND)
    put(store, *(transaction(f"{0xABCDE00000 + n:X}", whole(AT + n * DAY)) for n in range(300)))
    together, deleted = Barrier(2), []

    def expire() -> None:
        other = SqliteStore(str(path))
        other.prepare()
        together.wait()
        deleted.append(other.expire(other_process.LATER))
        other.close()

    threads = [Thread(target=expire) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 2 == len(deleted)
    assert 300 == sum(deleted)
    assert 0 == store.expire(other_process.LATER)
    store.close()


def check_layout(path: Path) -> None:
    """Check that tables agree with each other."""
    connection = sqlite3.connect(path)
    assert [("ok",)] == connection.execute("PRAGMA integrity_check").fetchall()
    blocks = dict(connection.execute("SELECT block, size FROM blocks").fetchall())
    numbers = [number for (number,) in connection.execute("SELECT number FROM transactions")]
    assert all(any(block <= number < block + size for block, size in blocks.items()) for number in numbers)
    assert all(any(block <= number < block + size for number in numbers) for block, size in blocks.items())
    chunks = {term >> TERM_BITS for (term,) in connection.execute("SELECT term FROM terms")}
    assert chunks == {block >> CHUNK_BITS for block in blocks}
    columns = {number for (number,) in connection.execute("SELECT number FROM columns")}
    assert columns == {block << COLUMN_BITS | number for block in blocks for number in NUMBERS.values()}
    for block, size, documents in connection.execute("SELECT block, size, documents FROM blocks"):
        sql = "SELECT codes FROM columns WHERE number = ?"
        (dates,) = connection.execute(sql, (block << COLUMN_BITS | NUMBERS[DATES],)).fetchone()
        assert documents == sum(date != HIDDEN for date in memoryview(dates).cast("q"))
        assert size == len(dates) // 8
    connection.close()


@pytest.mark.parametrize("seed", range(3))
def test_two_writers_a_reader_expiry_and_kills_in_random_order(path, seed):
    random = Random(seed)
    store = SqliteStore(str(path), now=lambda: AT / SECOND)
    put(store, *pieces(random, 100))
    running = {action: other(path, action.strip("2"), seed) for action in ("write", "write2", "expire")}
    for _ in range(12):
        action = random.choice(list(running))
        running[action].kill()
        running[action].wait()
        running[action] = other(path, action.strip("2"), random.randrange(1 << 30))
        end = time.monotonic() + random.choice([0.1, 0.4, 0.8])
        while time.monotonic() < end:
            documents = found(store)
            dates = [each["date"] for each in documents]
            assert dates == sorted(dates, reverse=True)
            assert len({each["transaction"] for each in documents}) == len(documents)
    for each in running.values():
        each.kill()
        each.wait()
    mails = [mail(number) for number in range(400)]
    put(store, *mails)
    assert newest_first(mails) == found(store)
    store.close()
    check_layout(path)
