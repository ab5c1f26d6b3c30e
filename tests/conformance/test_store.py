"""What every store must do, whichever it is."""

from collections.abc import Callable, Iterator
from itertools import permutations
from random import Random

import pytest
from mails import (
    AT,
    DAY,
    newest_first,
    random_queries,
    random_transactions,
    sendmail_id,
    sent,
    through_sendmail,
    transaction,
    whole,
)

from mailtrace.documents import document
from mailtrace.errors import StoreMissingError
from mailtrace.mta.events import Client, Envelope, MessageId, Refusal, Result
from mailtrace.query import Pattern, Query, matches
from mailtrace.queue_ids import NOQUEUE
from mailtrace.stores.base import Checkpoint, Removal, Replacement, Row, Store
from mailtrace.stores.writing import Written, write
from mailtrace.transactions import SECOND, Transaction, joined

SHORT = "5298B228B8B"
TIMED = sendmail_id(AT, 1)
MIDNIGHT = AT - AT % DAY


def put(store: Store, *transactions: Transaction) -> Written:
    written = write(store, transactions)
    store.commit([])
    assert written.refused == []
    return written


def found(store: Store, query: Query | None = None) -> list[dict]:
    return list(store.search(query or Query()))


def state(store: Store, *keys: tuple[str, str]) -> dict:
    """Everything that a store holds of these keys, but the versions."""
    rows = store.find(keys)
    store.commit([])
    return {
        "documents": found(store),
        "rows": {key: sorted((row.id, sorted(map(repr, row.transaction.facts))) for row in rows[key]) for key in rows},
    }


def test_a_store_that_nothing_was_indexed_in_is_missing(open_store):
    store = open_store()
    with pytest.raises(StoreMissingError, match="nothing has been indexed"):
        found(store)
    with pytest.raises(StoreMissingError, match="nothing has been indexed"):
        store.count(Query(limit=1))


def test_a_prepared_store_is_empty_and_not_missing(store):
    store.commit([])
    assert found(store) == []
    assert found(store, Query(limit=1)) == []
    assert store.count(Query()) == 0
    assert store.checkpoints() == []


def test_preparing_again_changes_nothing(open_store, store):
    put(store, transaction(SHORT, whole()))
    store.commit([Checkpoint("log", 1, "tail", "/var/log/mail.log")])
    other = open_store()
    other.prepare()
    assert found(other) == [document(transaction(SHORT, whole()))]
    assert len(other.checkpoints()) == 1


def test_a_document_comes_back_as_it_was(store):
    mail = transaction(SHORT, whole(recipients=["alice@bar.com", "carol@bar.com"]))
    assert put(store, mail) == Written(1, 0, [])
    assert found(store) == [document(mail)]
    assert [list(one) for one in found(store)] == [list(document(mail) or ())]


def test_a_document_with_hardly_anything_comes_back_as_it_was(store):
    mail = transaction(SHORT, [(AT, MessageId(None))])
    put(store, mail)
    (only,) = found(store)
    assert only == document(mail)
    assert only["to"] == []
    assert only["msgid"] is None


@pytest.mark.parametrize("queue_id", [SHORT, TIMED])
def test_written_twice_is_stored_once(open_store, store, queue_id):
    facts, mta = (whole(), "postfix") if queue_id == SHORT else (through_sendmail(), "sendmail")
    assert put(store, transaction(queue_id, facts, mta=mta)).created == 1
    before = state(store, ("mx", queue_id))
    other = open_store()
    other.prepare()
    assert put(other, transaction(queue_id, facts, mta=mta)) == Written(0, 0, [])
    assert state(other, ("mx", queue_id)) == before


@pytest.mark.parametrize("cut", range(1, 5))
@pytest.mark.parametrize("order", [1, -1])
def test_halves_of_a_short_queue_id_make_the_whole(store, cut, order):
    facts = whole()
    for half in [facts[:cut], facts[cut:]][::order]:
        put(store, transaction(SHORT, half))
    assert found(store) == [document(transaction(SHORT, facts))]
    rows = store.find([("mx", SHORT)])["mx", SHORT]
    assert [set(row.transaction.facts) for row in rows] == [set(facts)]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_parts_of_a_timed_queue_id_make_the_whole(store, order):
    facts = through_sendmail()
    parts = [facts[:1], facts[1:3], facts[3:]]
    for i in order:
        put(store, transaction(TIMED, parts[i], mta="sendmail"))
    assert found(store) == [document(transaction(TIMED, facts, mta="sendmail"))]


@pytest.mark.parametrize("order", [1, -1])
def test_halves_without_a_beginning_make_the_whole(store, order):
    facts = whole()[1:]
    for half in [facts[:2], facts[2:]][::order]:
        put(store, transaction(SHORT, half))
    assert found(store) == [document(transaction(SHORT, facts))]


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_a_short_queue_id_used_twice_is_two_documents(store, order):
    first, second = whole(AT), whole(AT + 15 * SECOND, sender="carol@bar.com")
    halves = [first[:3], first[3:], second[:3], second[3:]]
    for i in order:
        put(store, transaction(SHORT, halves[i]))
    assert found(store) == [document(transaction(SHORT, second)), document(transaction(SHORT, first))]


def test_a_late_beginning_joins_and_the_document_without_one_goes(store):
    facts = whole(MIDNIGHT - SECOND)
    put(store, transaction(SHORT, facts[1:]))
    (before,) = store.find([("mx", SHORT)])["mx", SHORT]
    assert put(store, transaction(SHORT, facts[:1])).created == 1
    (after,) = store.find([("mx", SHORT)])["mx", SHORT]
    assert before.id != after.id
    assert set(after.transaction.facts) == set(facts)
    assert found(store) == [document(transaction(SHORT, facts))]
    assert store.read([transaction(SHORT, facts[1:])]) == {}


def test_a_document_that_a_killed_run_left_twice_is_joined(store):
    facts = whole(MIDNIGHT - SECOND)
    for part in (transaction(SHORT, facts[1:]), transaction(SHORT, facts)):
        assert store.create([Row(part.id, part, document(part))]).conflicts == set()
    store.commit([])
    assert len(found(store)) == 2
    put(store, transaction(SHORT, facts[2:3]))
    assert found(store) == [document(transaction(SHORT, facts))]


def test_a_whole_transaction_takes_up_its_end_that_was_stored_before(store):
    facts = whole(MIDNIGHT - SECOND)
    put(store, transaction(SHORT, facts[1:]))
    put(store, transaction(SHORT, facts))
    assert found(store) == [document(transaction(SHORT, facts))]
    assert len(store.find([("mx", SHORT)])["mx", SHORT]) == 1


def test_headless_are_keys_with_a_transaction_that_has_no_beginning(store):
    begun, headless = transaction(SHORT, whole()), transaction("ABCDE00001", whole()[1:])
    store.create([Row(part.id, part, document(part)) for part in (begun, headless)])
    asked = [("mx", SHORT), ("mx", "ABCDE00001"), ("relay", "ABCDE00001"), ("mx", "ABCDE00002")]
    assert store.headless(asked) == {("mx", "ABCDE00001")}
    assert store.headless([]) == set()
    (row,) = store.read([headless]).values()
    put(store, transaction("ABCDE00001", whole()[:1]))
    assert store.headless(asked) == set()
    assert store.read([row.transaction]) == {}


def test_refusals_without_a_queue_id_are_one_document_for_each_line(store):
    refusal = Refusal("rejected", "rejected (no)", "alice@bar.com", "bob@foo.com", "unknown [192.0.2.1]")
    lines = []
    for line in ("7 NOQUEUE: reject", "8 NOQUEUE: reject"):
        lines.append(Transaction("mx", NOQUEUE, "postfix", line=line))
        lines[-1].add(AT, refusal)
    put(store, *lines)
    assert put(store, *lines) == Written(0, 0, [])
    assert found(store) == newest_first(lines)
    assert len(found(store, Query(queue_ids=(NOQUEUE,)))) == 2
    assert {row.transaction.line for row in store.read(lines).values()} == {line.line for line in lines}


def test_two_writers_leave_what_one_does(open_store, store):
    parts = _parts(Random(7))
    writers = store, open_store()
    writers[1].prepare()
    for i, part in enumerate(parts):
        put(writers[i % 2], part)
    keys = {part.key for part in parts}
    left = state(store, *keys)
    assert left == state(writers[1], *keys)
    wholes = [joined(part for part in parts if part.key == key) for key in keys]
    assert left["documents"] == newest_first(wholes)


def _parts(random: Random) -> list[Transaction]:
    """Messages in pieces of one or two facts, in any order, some pieces twice."""
    parts = []
    for number in range(6):
        facts, mta = (through_sendmail(AT + number), "sendmail") if number % 2 else (whole(AT + number), "postfix")
        queue_id = sendmail_id(AT, number) if number % 2 else f"ABCDE0000{number}"
        pieces = [facts[1:3], *(facts[at : at + 2] for at in range(0, len(facts), 2))]
        parts += [transaction(queue_id, piece, mta=mta) for piece in pieces]
    random.shuffle(parts)
    return parts


@pytest.mark.parametrize("queue_id", [SHORT, TIMED])
def test_a_stub_is_found_by_look_ups_alone(store, queue_id):
    mta = "postfix" if queue_id == SHORT else "sendmail"
    stub = transaction(queue_id, [(AT, Client("bob.desktop [10.10.10.10]"))], mta=mta)
    assert put(store, stub) == Written(0, 0, [])
    assert found(store) == []
    assert found(store, Query(queue_ids=(queue_id,), hosts=("mx",))) == []
    assert store.count(Query()) == 0
    (row,) = store.find([("mx", queue_id), ("mx", "ABCDE")]).get(("mx", queue_id), [])
    assert row == store.read([stub])[stub.id]._replace(transaction=row.transaction)
    assert row.transaction.facts == stub.facts
    assert row.transaction.mta == mta
    put(store, transaction(queue_id, [(AT + 1, Envelope("", 1, 1))], mta=mta))
    assert store.count(Query()) == 1


def test_look_ups_see_what_another_writer_has_committed(open_store, store):
    other = open_store()
    other.prepare()
    store.find([("mx", SHORT)])
    store.commit([])
    put(other, transaction(SHORT, whole()[:3]))
    assert len(store.find([("mx", SHORT)])["mx", SHORT]) == 1
    assert len(store.read([transaction(SHORT, whole()[:3])])) == 1


def test_look_ups_tell_hosts_and_the_case_of_queue_ids(store):
    put(store, transaction("4jYzBQ12Rrz1TN4R", whole()), transaction(SHORT, whole(), host="mx.foo.com"))
    assert store.find([("mx", "4jyzbq12rrz1tn4r"), ("mx", SHORT), ("foo", SHORT)]) == {}
    assert store.find([]) == {}
    assert store.read([]) == {}


def test_many_keys_are_looked_up_at_once(store):
    parts = [transaction(f"{0xABCDE00000 + i:X}", whole(AT + i)[:3]) for i in range(1300)]
    put(store, *parts)
    rows = store.find([part.key for part in parts])
    assert {key: row.transaction.facts for key, (row,) in rows.items()} == {part.key: part.facts for part in parts}


def test_creating_what_is_there_is_a_conflict_and_changes_nothing(store):
    one, other = transaction(TIMED, whole()), transaction(TIMED, whole(sender="carol@bar.com"))
    assert store.create([Row(one.id, one, document(one))]).conflicts == set()
    outcome = store.create([Row(one.id, other, document(other)), _row("ABCDE00001")])
    assert outcome.conflicts == {one.id}
    assert outcome.refused == []
    store.commit([])
    assert document(one) in found(store)
    assert len(found(store)) == 2


def _row(queue_id: str) -> Row:
    part = transaction(queue_id, whole())
    return Row(part.id, part, document(part))


def test_what_has_changed_since_it_was_read_is_neither_replaced_nor_removed(store):
    first, second, third = (transaction(SHORT, whole()[:cut]) for cut in (3, 4, 5))
    store.create([Row(first.id, first, document(first))])
    stale = store.read([first])[first.id].version
    assert store.replace([Replacement(Row(first.id, second, document(second)), stale)]).conflicts == set()
    assert store.replace([Replacement(Row(first.id, third, document(third)), stale)]).conflicts == {first.id}
    store.remove([Removal(first.id, first.start, stale)])
    store.commit([])
    assert found(store) == [document(second)]
    store.remove([Removal(first.id, first.start, store.read([first])[first.id].version)])
    store.commit([])
    assert found(store) == []
    assert store.find([("mx", SHORT)]) == {}


def test_checkpoints_come_back_and_are_replaced(open_store, store):
    one = Checkpoint("log1", 4096, "tail", "/var/log/mail \udcff.log", {"year": 2011, "logins": {"a": ["b", 1]}}, 5.5)
    other = Checkpoint("log2", 2**40, "", "ü", {}, 6.25)
    store.commit([one, other])
    assert sorted(store.checkpoints(), key=lambda each: each.log) == [one, other]
    store.commit([])
    one.offset, one.state = 8192, {"year": 2012}
    second = open_store()
    second.prepare()
    second.commit([one])
    assert sorted(second.checkpoints(), key=lambda each: each.log) == [one, other]


def test_old_checkpoints_leave_and_new_documents_stay(store):
    put(store, transaction(SHORT, whole()))
    store.commit([Checkpoint("old", 1, "", "a", {}, 1000.0), Checkpoint("new", 1, "", "b", {}, 3000.0)])
    assert store.expire(2000.0) == 0
    assert [each.log for each in store.checkpoints()] == ["new"]
    store.commit([])
    assert len(found(store)) == 1


@pytest.mark.parametrize("seed", range(2))
def test_queries_find_what_the_specification_says(store, seed):
    random = Random(seed)
    transactions = random_transactions(random, 200)
    put(store, *transactions, transaction("ABCDE0FFFF", [(AT, Client("bob.desktop [10.10.10.10]"))]))
    documents = newest_first(transactions)
    hits = 0
    for query in random_queries(random, transactions):
        wanted = [each for each in documents if matches(query, each)]
        assert found(store, query) == wanted[: query.limit], query
        assert store.count(query) == len(wanted), query
        hits += len(wanted)
    assert hits > 2000


def test_recipient_and_outcome_are_of_the_same_entry(store):
    facts = [*whole()[:3], (AT + SECOND, sent("alice@bar.com")), (AT + SECOND, sent("carol@bar.com", "deferred"))]
    put(store, transaction(SHORT, facts))
    alice, carol = (Pattern.of(f"{name}@bar.com") for name in ("alice", "carol"))
    assert store.count(Query(recipients=(alice,), outcomes=("sent",))) == 1
    assert store.count(Query(recipients=(carol,), outcomes=("sent",))) == 0
    assert store.count(Query(recipients=(alice,), outcomes=("deferred",))) == 0
    put(store, transaction(SHORT, [(AT + 9 * SECOND, sent("carol@bar.com"))]))
    assert store.count(Query(recipients=(carol,), outcomes=("deferred",))) == 0


def test_microseconds_keep_their_order(store):
    times = [AT, AT + 1, AT + 10, AT + 100_000, AT + 999_999, AT + SECOND]
    mails = [transaction(f"ABCDE0000{i}", whole(time)) for i, time in enumerate(times)]
    put(store, *Random(1).sample(mails, len(mails)))
    assert found(store) == newest_first(mails)
    assert [each["date"] for each in found(store, Query(since=AT + 1, until=AT + 100_000))] == [
        "2011-12-15T15:27:19.100000+00:00",
        "2011-12-15T15:27:19.000010+00:00",
        "2011-12-15T15:27:19.000001+00:00",
    ]


@pytest.mark.parametrize("limit", [None, 1, 1000, 1001, 2400, 5000])
def test_many_documents_are_a_stream_without_gaps(many, limit):
    store, mails = many
    assert found(store, Query(limit=limit)) == newest_first(mails)[:limit]


@pytest.fixture
def many(store: Store) -> tuple[Store, list[Transaction]]:
    mails = [transaction(f"{0xABCDE00000 + i:X}", whole(AT + i // 3)) for i in range(2500)]
    put(store, *mails)
    return store, mails


def test_a_search_that_is_not_read_to_its_end_can_be_left(many):
    store, mails = many
    search: Iterator[dict] = iter(store.search(Query()))
    assert next(search) == newest_first(mails)[0]
    search.close()
    assert store.count(Query()) == 2500


def test_what_is_committed_during_a_search_does_not_disturb_it(many, open_store):
    store, mails = many
    search = iter(store.search(Query()))
    seen = [next(search)]
    other: Callable[[], Store] = open_store
    writer = other()
    writer.prepare()
    put(writer, transaction("ABCDE99999", whole(AT + DAY)))
    seen += search
    assert seen == newest_first(mails)


def test_a_transaction_of_100000_recipients_is_stored_and_found(store):
    recipients = [f"user{i}@list.example" for i in range(100_000)]
    mail = transaction(SHORT, whole(recipients=recipients))
    put(store, mail)
    (only,) = found(store, Query(recipients=(Pattern.of("USER99999@list.example"),), outcomes=("sent",)))
    assert only == document(mail)
    assert store.count(Query(recipients=(Pattern.of("user100000@list.example"),))) == 0
    put(store, transaction(SHORT, [(AT + 2 * SECOND, sent("one.more@list.example"))]))
    assert store.count(Query(recipients=(Pattern.of("one.more@list.example"),))) == 1


def test_the_longest_values_are_stored_and_found(store):
    long = "\U00010400" * 8191
    facts = [
        (AT, Client(long, login=long, orig_client=long)),
        (AT, MessageId(long)),
        (AT, Envelope(long, 1, 1)),
        (AT, Result(long, long, long, long, "sent", "2.0.0", 1.0)),
    ]
    mail = transaction(SHORT, facts)
    put(store, mail)
    asked = Pattern.of(long)
    for query in (
        Query(senders=(asked,)),
        Query(recipients=(asked,)),
        Query(msgids=(long,)),
        Query(clients=(long,)),
        Query(senders=(Pattern.of(long[:-1] + "?"),)),
    ):
        assert found(store, query) == [document(mail)]


@pytest.mark.parametrize("value", ["x" * 40_000, "\U00010400" * 9000, "bob\udcff", "*" + "x" * 40_000, "*\udcff*"])
def test_what_no_document_can_have_is_not_found(store, value):
    put(store, transaction(SHORT, whole()))
    for query in (
        Query(senders=(Pattern.of(value),)),
        Query(recipients=(Pattern.of(value),)),
        Query(recipients=(Pattern.of(f"@{value}"),)),
        Query(msgids=(value,)),
        Query(queue_ids=(value,)),
        Query(clients=(value,)),
        Query(hosts=(value,)),
    ):
        assert found(store, query) == []
        assert store.count(query) == 0
    assert store.count(Query(senders=(Pattern.of(value), Pattern.of("bob@foo.com")))) == 1
    keys = [(value, SHORT), ("mx", value)]
    assert store.find(keys) == {}
    assert store.headless(keys) == set()


def test_addresses_that_are_none_and_numbers_beyond_measure_are_stored(store):
    result = Result("alice@bar.com", None, "mx[1.2.3.999]:25", "sent", "sent", "not a dsn" * 9999, 1e300)
    facts = [(AT, Client("bad [300.1.1.1]")), (AT, Envelope("", 2**63 - 1, 2**40)), (AT, result)]
    mail = transaction(SHORT, facts)
    put(store, mail)
    assert found(store, Query(clients=("300.1.1.1",))) == [document(mail)]


def test_documents_before_1970_and_after_2262_keep_their_order(store):
    mails = [transaction(f"ABCDE0000{i}", whole(at)) for i, at in enumerate([-DAY - 1, -1, 0, AT, 300 * 366 * DAY])]
    put(store, *mails)
    assert found(store) == newest_first(mails)
    assert found(store, Query(until=-1)) == newest_first(mails[:2])
