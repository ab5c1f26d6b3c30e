"""The documents of every store can be derived again from its lines."""

from random import Random

import pytest

from helpers.stores.contents import found, put, state
from helpers.stores.transactions import (
    AT,
    newest_first,
    random_transactions,
    sendmail_id,
    through_sendmail,
    transaction,
    whole,
)
from mailtrace.errors import StoreError
from mailtrace.indexing.rebuild import is_outdated, rebuild
from mailtrace.message.document import document
from mailtrace.message.transaction import SECOND, Transaction
from mailtrace.mta.facts import Refusal
from mailtrace.mta.queue_ids import NOQUEUE
from mailtrace.mta.version import GRAMMAR_VERSION
from mailtrace.stores.base import Row

SHORT = "5298B228B8B"
NO_ID = "ab" * 12


def refusal() -> Transaction:
    made = transaction(NOQUEUE, [])
    made.line = "7 NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 550 5.1.1 no"
    made.add(AT, Refusal("rejected", "rejected (550 5.1.1 no)", "bob@foo.com", "alice@bar.com"))
    return made


MADE = [
    transaction(SHORT, whole()),
    transaction(sendmail_id(AT, 7), through_sendmail(), mta="sendmail"),
    refusal(),
]


def test_a_new_store_is_made_by_the_grammar_of_this_version(store):
    assert GRAMMAR_VERSION == store.grammar()
    assert not is_outdated(store)


@pytest.mark.parametrize("made", MADE, ids=["short", "timed", "refusal"])
def test_stale_documents_are_derived_again(store, made):
    wanted = document(made)
    assert wanted is not None
    store.create([Row(made.id, made, {**wanted, "from": "stale@foo.com"})])
    store.set_grammar(0)
    store.commit([])
    assert ["stale@foo.com"] == [each["from"] for each in found(store)]
    assert is_outdated(store)
    assert [] == rebuild(store)
    assert [wanted] == found(store)
    assert not is_outdated(store)


@pytest.mark.parametrize("made", MADE, ids=["short", "timed", "refusal"])
def test_a_transaction_whose_id_changes_is_moved(store, made):
    store.create([Row(NO_ID, made, document(made))])
    store.commit([])
    rebuild(store)
    assert [document(made)] == found(store)
    assert {made.id} == store.read([made]).keys()
    store.commit([])
    put(store, made)
    assert [document(made)] == found(store)


def test_a_transaction_of_two_messages_is_divided(store):
    later = AT + 3600 * SECOND
    made = transaction(SHORT, [*whole(), *whole(later)])
    store.create([Row(made.id, made, document(made))])
    store.commit([])
    rebuild(store)
    assert newest_first([transaction(SHORT, whole()), transaction(SHORT, whole(later))]) == found(store)


def test_a_rebuild_changes_nothing_that_is_up_to_date(store):
    transactions = random_transactions(Random(7), 150)
    put(store, *transactions)
    keys = [made.key for made in transactions]
    before = state(store, *keys)
    counts = []
    store.set_grammar(0)
    store.commit([])
    assert [] == rebuild(store, counts.append)
    assert before == state(store, *keys)
    assert counts[-1] == sum(map(len, before["rows"].values()))


def test_what_another_process_writes_meanwhile_is_kept(store, open_store):
    first, second = transaction(SHORT, whole()[:3]), transaction(SHORT, whole()[3:])
    put(store, first)

    slices = store.slices

    def then_written():
        for rows in slices():
            store.commit([])
            put(open_store(), second)
            yield rows

    store.slices = then_written
    rebuild(store)
    assert [document(transaction(SHORT, whole()))] == found(store)


def test_a_store_of_a_newer_version_is_refused(store, open_store):
    put(store, *MADE)
    store.set_grammar(GRAMMAR_VERSION + 1)
    store.commit([])
    for use in (lambda other: other.prepare(), found):
        with pytest.raises(StoreError, match=r"was written by a newer mailtrace: install that version here too$"):
            use(open_store())
