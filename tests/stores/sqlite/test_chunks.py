"""The chunks and blocks of the embedded store: which rows they hold, and how rows are found."""

import sqlite3
from pathlib import Path

import pytest

from helpers.stores.contents import found, put
from helpers.stores.transactions import AT, DAY, EVER, sent, transaction, whole
from mailtrace.indexing.rebuild import rebuild
from mailtrace.message.document import document
from mailtrace.message.transaction import SECOND, TimeSpan
from mailtrace.mta.facts import Client, Removed
from mailtrace.search.groups import Grouping
from mailtrace.search.patterns import Pattern
from mailtrace.search.query import Query
from mailtrace.stores.base import Removal
from mailtrace.stores.sqlite.columns import NUMBERS
from mailtrace.stores.sqlite.new_blocks import CHUNK_SIZE
from mailtrace.stores.sqlite.schema import CHUNK_BITS, COLUMN_BITS, TERM_BITS
from mailtrace.stores.sqlite.store import SqliteStore
from mailtrace.syslog.timezones import zone_of

KEY = ("mx", "5298B228B8B")
HOUR = 3600 * SECOND
NOON = AT - AT % DAY + DAY // 2
INDEXED = 1_400_000_000
UTC = zone_of("UTC")


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "mailtrace.db")


def settled(at: int):
    return transaction(KEY[1], whole(at))


def starts(store: SqliteStore, span: TimeSpan) -> list[int]:
    return sorted(row.transaction.start for row in store.find({KEY: span}).get(KEY, []))


def test_a_settled_message_is_found_from_a_day_and_an_hour_after_it_to_an_hour_before(path):
    store = SqliteStore(path)
    put(store, settled(NOON))
    for at in (NOON + DAY + HOUR, NOON, NOON - HOUR):
        assert [NOON] == starts(store, (at, at))
    for at in (NOON + DAY + HOUR + 1, NOON - HOUR - 1):
        assert [] == starts(store, (at, at))
    assert [NOON] == starts(store, (NOON - 9 * DAY, NOON + 9 * DAY))
    store.close()


def test_messages_near_a_message_that_was_found_are_found_too(path):
    """Each message takes nearly a day, so each reaches the next, but none beyond a gap."""
    store = SqliteStore(path)
    for day in (0, 1, 2, 6):
        facts = whole(NOON + day * DAY)
        put(store, transaction(KEY[1], [*facts[:-1], (NOON + (day + 1) * DAY - HOUR, Removed("removed"))]))
    assert [NOON, NOON + DAY, NOON + 2 * DAY] == starts(store, (NOON - HOUR, NOON - HOUR))
    assert [NOON, NOON + DAY, NOON + 2 * DAY] == starts(store, (NOON + 3 * DAY, NOON + 3 * DAY))
    assert [NOON + 6 * DAY] == starts(store, (NOON + 6 * DAY, NOON + 6 * DAY))
    store.close()


def test_unsettled_messages_are_found_at_any_time(path):
    store = SqliteStore(path)
    put(store, transaction(KEY[1], whole(NOON)[:3]))
    assert [NOON] == starts(store, (NOON + 999 * DAY, NOON + 999 * DAY))
    store.close()


@pytest.mark.parametrize("apart", [False, True])
def test_rows_indexed_more_than_a_day_later_do_not_delay_expiry(path, apart):
    now = [INDEXED]
    store = SqliteStore(path, now=lambda: now[0])
    put(store, transaction("EARLY", whole(NOON)))
    now[0] += 86_400 + apart
    put(store, transaction("LATE", whole(NOON)))
    assert (1 if apart else 0) == store.expire(INDEXED + 1)
    assert ({"LATE"} if apart else {"EARLY", "LATE"}) == {each["transaction"] for each in found(store)}
    store.close()


def test_a_beginning_that_is_read_late_is_found_by_its_date(path):
    store = SqliteStore(path)
    for facts in (whole(NOON)[2:], whole(NOON)[:2]):
        put(store, transaction(KEY[1], facts))
        put(store, transaction("ABCDE00001", whole(NOON + 5 * SECOND)))
    for query in (Query(until=NOON), Query(since=NOON, until=NOON), Query(senders=(Pattern.of("bob*"),), until=NOON)):
        assert [document(settled(NOON))] == found(store, query)
        assert 1 == store.count(query)
    store.close()


def test_a_message_that_changed_is_found_by_its_new_values(path):
    store = SqliteStore(path)
    mails = [transaction(f"ABCDE0000{n}", [*whole(NOON + n)[:3]]) for n in range(3)]
    put(store, *mails)
    put(store, transaction("ABCDE00001", [(NOON + 9, sent("carol@bar.com", "deferred"))]))
    put(store, transaction("ABCDE00001", [(NOON + 10, sent("carol@bar.com"))]))
    for outcome, ids in (("queued", ["ABCDE00002", "ABCDE00000"]), ("sent", ["ABCDE00001"]), ("deferred", [])):
        query = Query(outcomes=(outcome,))
        assert ids == [each["transaction"] for each in found(store, query)]
        assert len(ids) == store.count(query)
    store.close()


@pytest.mark.parametrize("oldest_first", [True, False])
@pytest.mark.parametrize("at", [NOON, -9 * SECOND])
def test_documents_of_one_day_are_in_their_order_wherever_they_lie(path, at, oldest_first):
    now = [INDEXED]
    store = SqliteStore(path, now=lambda: now[0])
    put(store, transaction("ID0", whole(at)), transaction("ID2", whole(at + 2)), transaction("ID4", whole(at + 4)))
    now[0] += 86_401
    put(store, transaction("ID1", whole(at + 1)), transaction("ID3", whole(at + 3)))
    ids = [each["transaction"] for each in found(store, Query(oldest_first=oldest_first))]
    assert [f"ID{n}" for n in range(5)][:: 1 if oldest_first else -1] == ids
    store.close()


def test_what_lies_beyond_the_first_block_is_found_and_counted_by_its_terms(path):
    store = SqliteStore(path)
    for first in (0, 1100):
        put(store, *(transaction(f"ID{n}", whole(NOON + n)) for n in range(first, first + 1100)))
    for n in (0, 1099, 1100, 2199):
        query = Query(queue_ids=(f"ID{n}",))
        assert 1 == store.count(query)
        assert [f"ID{n}"] == [each["transaction"] for each in found(store, query)]
    store.close()


def sizes(path: str) -> list[int]:
    with sqlite3.connect(path) as connection:
        found = [size for (size,) in connection.execute("SELECT size FROM blocks ORDER BY block")]
    connection.close()
    return found


def test_a_chunk_that_grows_slowly_has_few_blocks(path):
    store = SqliteStore(path)
    for n in range(0, 3000, 10):
        put(store, *(transaction(f"ID{at}", whole(NOON + at)) for at in range(n, n + 10)))
    assert 3000 == sum(sizes(path))
    assert len(sizes(path)) <= 12
    assert [f"ID{n}" for n in range(3000)] == [each["transaction"] for each in found(store, Query(oldest_first=True))]
    with sqlite3.connect(path) as connection:
        blocks = {number for (number,) in connection.execute("SELECT block FROM blocks")}
        assert blocks == {number >> COLUMN_BITS for (number,) in connection.execute("SELECT number FROM columns")}
    connection.close()
    store.close()


def test_old_versions_of_a_row_are_neither_found_nor_counted(path):
    store = SqliteStore(path)
    put(store, *(transaction(f"ID{n}", whole(NOON + n)[:3]) for n in range(9)))
    for n in range(9):
        put(store, transaction(f"ID{n}", whole(NOON + n)[3:]))
    assert 9 == store.count(Query())
    assert 0 == store.count(Query(outcomes=("queued",)))
    assert [("sent", 9)] == [(group.value, group.number) for group in store.group(Query(), Grouping("outcome", UTC))]
    assert [f"ID{n}" for n in range(9)] == [each["transaction"] for each in found(store, Query(oldest_first=True))]
    store.close()


def used(path: str) -> int:
    """Return the bytes of the pages of a store that hold something."""
    with sqlite3.connect(path) as connection:
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
    connection.close()
    return (pages - free) * size


def chunks(path: str) -> list[set[int]]:
    """Return the chunks that each table of a store has something of."""
    tables = (("blocks", "block", 0), ("columns", "number", COLUMN_BITS), ("terms", "term", TERM_BITS - CHUNK_BITS))
    with sqlite3.connect(path) as connection:
        found = [
            {row[0] for row in connection.execute(f"SELECT DISTINCT {number} >> {CHUNK_BITS + bits} FROM {table}")}
            for table, number, bits in (("transactions", "number", 0), *tables)
        ]
    connection.close()
    return found


def test_a_rebuild_takes_no_more_space_than_the_store_had(path):
    store = SqliteStore(path)
    for day, number in ((0, 9_000), (1, 1_000)):
        put(store, *(transaction(f"ID{n}", whole(NOON + day * DAY + n)) for n in range(number)))
    store.close()
    before, size = used(path), Path(path).stat().st_size
    for _ in range(2):
        rebuild(store)
        store.close()
        assert used(path) <= 1.1 * before
        assert Path(path).stat().st_size <= 1.5 * size
        assert all(found == chunks(path)[0] for found in chunks(path))
    assert 10_000 == store.count(Query())
    assert 1_000 == store.count(Query(since=NOON + DAY - HOUR))
    assert 2 == store.count(Query(queue_ids=("ID999",)))
    store.close()


def test_blocks_without_rows_are_deleted_and_those_with_a_stub_are_not(path):
    store = SqliteStore(path)
    stub = transaction("STUB", [(NOON, Client("bob.desktop [10.10.10.10]"))])
    assert document(stub) is None
    put(store, *(transaction(f"ID{n}", whole(NOON + n)) for n in range(9)), stub)
    rows = store.read([transaction(f"ID{n}", whole(NOON + n)) for n in range(9)]).values()
    store.remove([Removal(row.id, row.transaction.start, row.version) for row in rows])
    store.commit([])
    assert [10] == sizes(path)
    ((row,),) = store.find({("mx", "STUB"): EVER}).values()
    store.remove([Removal(row.id, row.transaction.start, row.version)])
    store.commit([])
    assert [] == sizes(path)
    assert [set()] * 4 == chunks(path)
    store.close()


def test_blocks_are_not_joined_over_one_that_was_deleted(path):
    store = SqliteStore(path)
    mails = [transaction(f"ID{n}", whole(NOON + n)) for n in range(360)]
    for first, end in ((0, 100), (100, 150), (150, 160)):
        put(store, *mails[first:end])
    assert [100, 50, 10] == sizes(path)
    rows = store.read(mails[100:150]).values()
    store.remove([Removal(row.id, row.transaction.start, row.version) for row in rows])
    store.commit([])
    assert [100, 10] == sizes(path)
    put(store, *mails[160:])
    put(store, *mails[100:110])
    assert [100, 210, 10] == sizes(path)
    wanted = [f"ID{n}" for n in (*range(110), *range(150, 360))]
    assert wanted == [each["transaction"] for each in found(store, Query(oldest_first=True))]
    assert 320 == store.count(Query())
    store.close()


def test_a_chunk_has_no_more_rows_than_numbers_for_them():
    assert CHUNK_SIZE == 2**CHUNK_BITS


def test_columns_have_a_number_each():
    assert max(NUMBERS.values()) < 2**COLUMN_BITS


def test_recipients_that_differ_only_in_case_stay_two_in_blocks_that_are_joined(path):
    store = SqliteStore(path)
    results = [sent("Bob@bar.com", "deferred"), sent("bob@bar.com")]
    for n in range(40):
        facts = [*whole(NOON + n)[:3], *((NOON + n + 1, result) for result in results)]
        put(store, transaction(f"ID{n}", facts))
    assert len(sizes(path)) < 40
    assert 40 == store.count(Query(outcomes=("sent",)))
    assert 0 == store.count(Query(outcomes=("sent",), ever=("deferred",)))
    (group,) = store.group(Query(), Grouping("to", UTC, sort="bytes"))
    assert ("bob@bar.com", 80) == (group.value, group.number)
    assert sum(each["size"] for each in found(store)) == group.bytes
    store.close()
