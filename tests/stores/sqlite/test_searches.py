"""Searches of the embedded store: exact values by terms, patterns and groups by columns."""

import sqlite3

import pytest

from helpers.stores.contents import found, put
from helpers.stores.transactions import AT, DAY, sent, transaction, whole
from mailtrace.message.document import document
from mailtrace.message.transaction import SECOND
from mailtrace.mta.facts import Client, Envelope, MessageId
from mailtrace.search.groups import Grouping, groups_of
from mailtrace.search.patterns import Pattern
from mailtrace.search.query import Query, Word
from mailtrace.stores.sqlite.store import SqliteStore
from mailtrace.syslog.timezones import zone_of

HOUR = 3600 * SECOND
MIDNIGHT = AT - AT % DAY
MAIL = transaction(
    "5298B228B8B",
    [
        (AT, Client("Bob.laptop [10.10.10.11]", "Bob", "44CB19C84BB", "mx.foo.com [192.0.2.7]")),
        (AT, MessageId("One@foo.com")),
        (AT, Envelope("Bob@foo.com", 1, 1)),
        (AT + 1, sent("Alice@bar.com", orig_to="Team@list.example")),
    ],
)


@pytest.fixture
def path(tmp_path):
    """Return the path of a store with one message among others."""
    made = tmp_path / "mailtrace.db"
    store = SqliteStore(str(made))
    put(store, MAIL, *(transaction(f"ABCDE0000{n}", whole(AT + n - 2, sender="eve@x")) for n in range(5)))
    store.close()
    return made


def peer(asked):
    return (Pattern.of_peer(asked),)


@pytest.mark.parametrize(
    "query",
    [
        Query(queue_ids=("5298B228B8B",), since=AT, until=AT),
        Query(links=("44CB19C84BB",)),
        Query(senders=(Pattern.of("bob@foo.com"),)),
        Query(senders=(Pattern.of("@foo.com"),)),
        Query(recipients=(Pattern.of("alice@bar.com"),), senders=(Pattern.of("bob@foo.com"),)),
        Query(recipients=(Pattern.of("team@list.example"),)),
        Query(recipients=(Pattern.of("@list.example"),)),
        Query(msgids=(Pattern.of_text("one@foo.com"),)),
        Query(logins=(Pattern.of_text("bob"),)),
        Query(clients=peer("bob.laptop")),
        Query(clients=peer("10.10.10.11")),
        Query(clients=peer("192.0.2.7")),
        Query(clients=peer("Bob.laptop [10.10.10.11]")),
        Query(clients=peer("MX.foo.com [192.0.2.7]")),
        *(
            Query(words=(Word.of(word),))
            for word in ("5298B228B8B", "bob@foo.com", "one@foo.com", "10.10.10.11", "bob")
        ),
    ],
)
def test_exact_values_are_found_by_their_terms(path, query):
    assert [document(MAIL)] == found(SqliteStore(str(path)), query)
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM terms")
    connection.close()
    assert [] == found(SqliteStore(str(path)), query)


@pytest.mark.parametrize("query", [Query(senders=(Pattern.of("b?b@*"),)), Query(statuses=("sent",)), Query()])
def test_values_without_a_term_are_found_in_the_columns_alone(path, query):
    before = found(SqliteStore(str(path)), query)
    assert before
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM terms")
    connection.close()
    assert before == found(SqliteStore(str(path)), query)


@pytest.mark.parametrize("by", ["hour", "day"])
@pytest.mark.parametrize("query", [Query(), Query(senders=(Pattern.of("*@foo.com"),))])
def test_hours_and_days_begin_and_end_on_the_microsecond(tmp_path, by, query):
    times = [MIDNIGHT + hour * HOUR + at for hour in range(-1, 3) for at in (-1, 0, 1)]
    mails = [transaction(f"ABCDE000{n:02}", whole(at)) for n, at in enumerate(times)]
    store = SqliteStore(str(tmp_path / "mailtrace.db"))
    put(store, *mails)
    for zone in map(zone_of, ("UTC", "+05:30")):
        wanted = groups_of(query, Grouping(by, zone), [made for mail in mails if (made := document(mail)) is not None])
        assert wanted == store.group(query, Grouping(by, zone))
    store.close()


@pytest.mark.parametrize("oldest_first", [True, False])
def test_documents_of_several_days_are_found_in_the_order_of_their_dates(tmp_path, oldest_first):
    times = [at * SECOND for at in (-3 * 86400, -2, -1, 0, 1, 86400, 3 * 86400)]
    store = SqliteStore(str(tmp_path / "mailtrace.db"))
    for n in (3, 0, 6, 2, 5, 1, 4):
        put(store, transaction(f"ID{n}", whole(times[n])))
    ids = [each["transaction"] for each in found(store, Query(oldest_first=oldest_first))]
    assert [f"ID{n}" for n in range(7)][:: 1 if oldest_first else -1] == ids
    store.close()
