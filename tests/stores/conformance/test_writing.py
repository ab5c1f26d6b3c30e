"""Every store keeps the same rows."""

from itertools import permutations
from random import Random

import pytest

from helpers.stores.contents import found, put, state
from helpers.stores.transactions import AT, DAY, EVER, newest_first, sendmail_id, through_sendmail, transaction, whole
from mailtrace.errors import StoreMissingError
from mailtrace.indexing.merge import Changes
from mailtrace.logs.checkpoint import Checkpoint
from mailtrace.message.document import document
from mailtrace.message.transaction import SECOND, Transaction, joined
from mailtrace.mta.facts import Client, Envelope, MessageId, Refusal
from mailtrace.mta.queue_ids import NOQUEUE
from mailtrace.search.patterns import Pattern
from mailtrace.search.query import Query
from mailtrace.stores.base import Removal, Replacement, Row

SHORT = "5298B228B8B"
TIMED = sendmail_id(AT, 1)
MIDNIGHT = AT - AT % DAY


def test_a_store_without_a_run_is_missing(open_store):
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
    assert put(store, mail) == Changes(1, 0, [])
    assert found(store) == [document(mail)]
    assert [list(one) for one in found(store)] == [list(document(mail) or ())]


def test_a_nearly_empty_document_comes_back_as_it_was(store):
    mail = transaction(SHORT, [(AT, MessageId(None))])
    put(store, mail)
    (only,) = found(store)
    assert only == document(mail)
    assert only["to"] == []
    assert only["msgid"] is None


@pytest.mark.parametrize("queue_id", [SHORT, TIMED])
def test_a_transaction_written_twice_is_stored_once(open_store, store, queue_id):
    facts, mta = (whole(), "postfix") if queue_id == SHORT else (through_sendmail(), "sendmail")
    assert put(store, transaction(queue_id, facts, mta=mta)).created == 1
    before = state(store, ("mx", queue_id))
    other = open_store()
    other.prepare()
    assert put(other, transaction(queue_id, facts, mta=mta)) == Changes(0, 0, [])
    assert state(other, ("mx", queue_id)) == before


@pytest.mark.parametrize("cut", range(1, 5))
@pytest.mark.parametrize("order", [1, -1])
def test_halves_of_a_short_queue_id_make_the_whole(store, cut, order):
    facts = whole()
    for half in [facts[:cut], facts[cut:]][::order]:
        put(store, transaction(SHORT, half))
    assert found(store) == [document(transaction(SHORT, facts))]
    rows = store.find({("mx", SHORT): EVER})["mx", SHORT]
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


def test_a_late_beginning_is_joined_and_the_document_without_it_removed(store):
    facts = whole(MIDNIGHT - SECOND)
    put(store, transaction(SHORT, facts[1:]))
    (before,) = store.find({("mx", SHORT): EVER})["mx", SHORT]
    assert put(store, transaction(SHORT, facts[:1])).created == 1
    (after,) = store.find({("mx", SHORT): EVER})["mx", SHORT]
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


def test_a_complete_transaction_joins_its_end_that_was_stored_before(store):
    facts = whole(MIDNIGHT - SECOND)
    put(store, transaction(SHORT, facts[1:]))
    put(store, transaction(SHORT, facts))
    assert found(store) == [document(transaction(SHORT, facts))]
    assert len(store.find({("mx", SHORT): EVER})["mx", SHORT]) == 1


def test_keys_lacking_a_beginning_have_a_transaction_without_one(store):
    begun, headless = transaction(SHORT, whole()), transaction("ABCDE00001", whole()[1:])
    store.create([Row(part.id, part, document(part)) for part in (begun, headless)])
    asked = [("mx", SHORT), ("mx", "ABCDE00001"), ("relay", "ABCDE00001"), ("mx", "ABCDE00002")]
    assert store.lacking_beginning(asked) == {("mx", "ABCDE00001")}
    assert store.lacking_beginning([]) == set()
    (row,) = store.read([headless]).values()
    put(store, transaction("ABCDE00001", whole()[:1]))
    assert store.lacking_beginning(asked) == set()
    assert store.read([row.transaction]) == {}


def test_refusals_without_a_queue_id_are_one_document_for_each_line(store):
    refusal = Refusal("rejected", "rejected (no)", "alice@bar.com", "bob@foo.com", "unknown [192.0.2.1]")
    lines = []
    for line in ("7 NOQUEUE: reject", "8 NOQUEUE: reject"):
        lines.append(Transaction("mx", NOQUEUE, "postfix", line=line))
        lines[-1].add(AT, refusal)
    put(store, *lines)
    assert put(store, *lines) == Changes(0, 0, [])
    assert found(store) == newest_first(lines)
    assert len(found(store, Query(queue_ids=(NOQUEUE,)))) == 2
    assert {row.transaction.line for row in store.read(lines).values()} == {line.line for line in lines}


def test_two_writers_end_in_the_same_state_as_one(open_store, store):
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
    """Return transactions in pieces of one or two facts, in random order, some pieces twice."""
    parts = []
    for number in range(6):
        facts, mta = (through_sendmail(AT + number), "sendmail") if number % 2 else (whole(AT + number), "postfix")
        queue_id = sendmail_id(AT, number) if number % 2 else f"ABCDE0000{number}"
        pieces = [facts[1:3], *(facts[at : at + 2] for at in range(0, len(facts), 2))]
        parts += [transaction(queue_id, piece, mta=mta) for piece in pieces]
    random.shuffle(parts)
    return parts


@pytest.mark.parametrize("queue_id", [SHORT, TIMED])
def test_a_stub_is_found_only_by_look_ups(store, queue_id):
    mta = "postfix" if queue_id == SHORT else "sendmail"
    stub = transaction(queue_id, [(AT, Client("bob.desktop [10.10.10.10]"))], mta=mta)
    assert put(store, stub) == Changes(0, 0, [])
    assert found(store) == []
    assert found(store, Query(queue_ids=(queue_id,), hosts=(Pattern.of_text("mx"),))) == []
    assert store.count(Query()) == 0
    (row,) = store.find({("mx", queue_id): EVER, ("mx", "ABCDE"): EVER}).get(("mx", queue_id), [])
    assert row == store.read([stub])[stub.id]._replace(transaction=row.transaction)
    assert row.transaction.facts == stub.facts
    assert row.transaction.mta == mta
    put(store, transaction(queue_id, [(AT + 1, Envelope("", 1, 1))], mta=mta))
    assert store.count(Query()) == 1


def test_look_ups_see_what_another_writer_has_committed(open_store, store):
    other = open_store()
    other.prepare()
    store.find({("mx", SHORT): EVER})
    store.commit([])
    put(other, transaction(SHORT, whole()[:3]))
    assert len(store.find({("mx", SHORT): EVER})["mx", SHORT]) == 1
    assert len(store.read([transaction(SHORT, whole()[:3])])) == 1


def test_look_ups_distinguish_hosts_and_the_case_of_queue_ids(store):
    put(store, transaction("4jYzBQ12Rrz1TN4R", whole()), transaction(SHORT, whole(), host="mx.foo.com"))
    assert store.find(dict.fromkeys([("mx", "4jyzbq12rrz1tn4r"), ("mx", SHORT), ("foo", SHORT)], EVER)) == {}
    assert store.find({}) == {}
    assert store.read([]) == {}


def test_many_keys_are_looked_up_at_once(store):
    parts = [transaction(f"{0xABCDE00000 + i:X}", whole(AT + i)[:3]) for i in range(1300)]
    put(store, *parts)
    rows = store.find({part.key: EVER for part in parts})
    assert {key: row.transaction.facts for key, (row,) in rows.items()} == {part.key: part.facts for part in parts}


def test_creating_an_existing_row_is_a_conflict_and_changes_nothing(store):
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


def test_a_row_that_changed_since_it_was_read_is_neither_replaced_nor_removed(store):
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
    assert store.find({("mx", SHORT): EVER}) == {}


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


def test_old_checkpoints_are_deleted_and_new_documents_kept(store):
    put(store, transaction(SHORT, whole()))
    store.commit([Checkpoint("old", 1, "", "a", {}, 1000.0), Checkpoint("new", 1, "", "b", {}, 3000.0)])
    assert store.expire(2000.0) == 0
    assert [each.log for each in store.checkpoints()] == ["new"]
    store.commit([])
    assert len(found(store)) == 1
