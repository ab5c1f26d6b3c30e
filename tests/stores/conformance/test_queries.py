"""Every store finds the same documents."""

from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import datetime, timezone
from itertools import permutations
from random import Random

import pytest

from helpers.stores.contents import found, put
from helpers.stores.queries import random_queries
from helpers.stores.transactions import AT, DAY, EVER, newest_first, random_transactions, sent, transaction, whole
from mailtrace.message.document import document
from mailtrace.message.order import TimedFact
from mailtrace.message.transaction import SECOND, Transaction
from mailtrace.mta.facts import Client, Envelope, Held, MessageId, Refusal, Removed, Result
from mailtrace.search.groups import BY, SORTS, Grouping, groups_of
from mailtrace.search.patterns import Pattern
from mailtrace.search.query import Query, Word, matches
from mailtrace.stores.base import Store
from mailtrace.syslog.timezones import zone_of

SHORT = "5298B228B8B"


@pytest.mark.parametrize("seed", range(2))
def test_queries_find_what_matches(store, seed):
    random = Random(seed)
    transactions = random_transactions(random, 200)
    put(store, *transactions, transaction("ABCDE0FFFF", [(AT, Client("bob.desktop [10.10.10.10]"))]))
    documents = newest_first(transactions)
    hits = 0
    for query in random_queries(random, transactions):
        wanted = [each for each in documents if matches(query, each)]
        assert found(store, query) == (wanted[::-1] if query.oldest_first else wanted)[: query.limit], query
        assert store.count(query) == len(wanted), query
        hits += len(wanted)
    assert hits > 2000


def test_a_message_without_a_result_is_queued_and_a_requeued_one_is_not_deferred(store):
    waiting: list[TimedFact] = [(AT, Client("bob.desktop [10.10.10.10]")), (AT, Envelope("bob@foo.com", 1, 1))]
    deferred = Result("alice@bar.com", None, "none", "deferred (timed out)", "deferred", "4.4.1", 1.0)
    put(store, transaction(SHORT, waiting), transaction("5298B228B8C", [*waiting, (AT + SECOND, deferred)]))
    (queued,) = found(store, Query(outcomes=("queued",)))
    (result,) = queued["to"]
    assert (SHORT, None, "queued (no result yet)") == (queued["transaction"], result["recipient"], result["status"])
    assert store.count(Query(outcomes=("deferred",))) == 1
    put(store, transaction(SHORT, [(AT + SECOND, deferred)]))
    put(store, transaction("5298B228B8C", [(AT + 9 * SECOND, Removed("requeued", "16F49228B8B"))]))
    assert [SHORT] == [each["transaction"] for each in found(store, Query(outcomes=("deferred",)))]
    (requeued,) = found(store, Query(outcomes=("queued",)))
    assert "queued under 16F49228B8B" == requeued["to"][-1]["status"]
    assert [requeued] == found(store, Query(links=("16F49228B8B",)))


_PAIRS = [
    *list(permutations(BY, 2))[::7],
    ("ever", "relay"),
    ("ever", "to-domain"),
    ("relay", "outcome"),
    ("from", "ever"),
]


@pytest.mark.parametrize("by", [*((by, None) for by in BY), *dict.fromkeys(_PAIRS)])
def test_groups_are_those_of_groups_of(store, by):
    random = Random(str(by))
    transactions = random_transactions(random, 100)
    put(store, *transactions, transaction("ABCDE0FFFF", [(AT, Client("bob.desktop [10.10.10.10]"))]))
    documents = newest_first(transactions)
    sizes = set()
    for query in random.sample(list(random_queries(random, transactions)), 40 if by[1] is None else 10):
        zone = zone_of(random.choice(["UTC", "Europe/Madrid", "Asia/Kathmandu", "+00:07"]))
        grouping = Grouping(by[0], zone, by[1], random.choice([None, *SORTS]))
        wanted = groups_of(query, grouping, (each for each in documents if matches(query, each)))
        first = random.randrange(1, 5)
        assert store.group(query, grouping)[:first] == wanted[:first], (query, grouping)
        assert store.group(query, grouping) == wanted, (query, grouping)
        sizes.add(len(wanted))
    assert len(sizes) > 2


def test_every_grouping_is_that_of_the_documents(store):
    transactions = random_transactions(Random(1), 100)
    put(store, *transactions)
    documents, groupings = newest_first(transactions), [Grouping(by, zone_of("UTC")) for by in BY]
    recipients = (Pattern.of("*@foo.com"),)
    for query in (Query(recipients=recipients), Query(ever=("deferred",)), Query(queued=True)):
        found = [each for each in documents if matches(query, each)]
        assert found
        for grouping in groupings:
            assert store.group(query, grouping) == groups_of(query, grouping, found)


@pytest.mark.parametrize("sort", [None, *SORTS])
def test_groups_of_relays_have_bytes_and_delays_in_every_order(store, sort):
    """The size of a message to several recipients of a group counts once; a forged one does not count."""
    for number in range(9):
        recipients = [f"{name}@{domain}" for name in "ab" for domain in ("x.test", f"y{number % 3}.test")]
        facts = whole(AT + number, recipients=recipients)
        facts[2] = (AT + number, Envelope("bob@foo.com", 2**60 if number == 8 else 10**number, len(recipients)))
        put(store, transaction(f"ABCDE0000{number}", facts))
    grouping = Grouping("to-domain", zone_of("UTC"), "relay", sort)
    groups = store.group(Query(), grouping)
    assert groups == groups_of(Query(), grouping, found(store))
    assert {group.value: group.bytes for group in groups} == {
        "x.test": 11_111_111,
        "y0.test": 1_001_001,
        "y1.test": 10_010_010,
        "y2.test": 100_100,
    }


def test_recipient_and_outcome_are_of_the_same_result(store):
    facts = [*whole()[:3], (AT + SECOND, sent("alice@bar.com")), (AT + SECOND, sent("carol@bar.com", "deferred"))]
    put(store, transaction(SHORT, facts))
    alice, carol = (Pattern.of(f"{name}@bar.com") for name in ("alice", "carol"))
    assert store.count(Query(recipients=(alice,), outcomes=("sent",))) == 1
    assert store.count(Query(recipients=(carol,), outcomes=("sent",))) == 0
    assert store.count(Query(recipients=(alice,), outcomes=("deferred",))) == 0
    put(store, transaction(SHORT, [(AT + 9 * SECOND, sent("carol@bar.com"))]))
    assert store.count(Query(recipients=(carol,), outcomes=("deferred",))) == 0


def test_what_became_of_a_recipient_and_what_happened_before_are_asked_together(store):
    alice, carol = "alice@bar.com", "carol@bar.com"
    arrival: list[TimedFact] = [*whole()[:2], (AT, Envelope("bob@foo.com", 1, 2))]
    late: list[TimedFact] = [
        (AT + 700 * SECOND, sent(alice)._replace(delay=700.0)),
        (AT + 700 * SECOND, Removed("removed")),
    ]
    put(
        store,
        transaction("ABCDE00001", [*arrival, (AT + SECOND, sent(alice, "deferred")), *late]),
        transaction("ABCDE00002", [*arrival, (AT + SECOND, sent(carol, "deferred")), *late]),
        transaction("ABCDE00003", [*arrival, (AT + SECOND, sent(alice, "deferred", carol)), *late]),
    )
    asked = Query(outcomes=("sent",), ever=("deferred",))
    assert ["ABCDE00001"] == [each["transaction"] for each in found(store, asked)]
    assert store.count(asked) == 1
    utc = zone_of("UTC")
    assert [("sent", 1)] == [group[:2] for group in store.group(asked, Grouping("outcome", utc))]
    assert [("deferred", 1)] == [group[:2] for group in store.group(asked, Grouping("ever", utc))]
    assert [("deferred", 3), ("sent", 3)] == [group[:2] for group in store.group(Query(), Grouping("ever", utc))]
    assert store.count(Query(min_delay=700)) == 3
    assert store.count(Query(min_delay=701)) == 0
    assert store.count(replace(asked, min_delay=700)) == 1


def test_attempts_with_the_same_result_are_counted_each(store):
    attempts = [(AT + i * SECOND, sent("alice@bar.com", "deferred")) for i in range(5)]
    put(store, transaction(SHORT, [*whole()[:2], *attempts, (AT + 9 * SECOND, sent("alice@bar.com"))]))
    groups = store.group(Query(), Grouping("ever", zone_of("UTC")))
    assert [("deferred", 5), ("sent", 1)] == [group[:2] for group in groups]


def test_the_queue_has_what_is_deferred_held_waiting_or_untried(store):
    arrival: list[TimedFact] = [(AT, Client("bob.desktop [10.10.10.10]")), (AT, Envelope("bob@foo.com", 1, 2))]
    alice: TimedFact = AT + SECOND, sent("alice@bar.com")
    carol: TimedFact = AT + SECOND, sent("carol@bar.com")
    later: TimedFact = AT + SECOND, sent("carol@bar.com", "deferred")
    put(
        store,
        transaction("ABCDE00001", arrival),
        transaction("ABCDE00002", [*arrival, alice, later]),
        transaction("ABCDE00003", [*arrival, later, (AT + 2 * SECOND, Held("held by the operator"))]),
        transaction("ABCDE00004", [*arrival, alice]),
        transaction("ABCDE00005", [*arrival, alice, carol]),
        transaction("ABCDE00006", [*arrival, alice, later, (AT + 9 * SECOND, Removed("deleted"))]),
        transaction("ABCDE00007", [*arrival, alice, carol, (AT + 9 * SECOND, Removed("removed"))]),
        transaction("ABCDE00008", [(AT, Refusal("rejected", "rejected (no)", "bob@foo.com", "alice@bar.com"))]),
    )
    of_carol = Pattern.of("carol@bar.com")
    for query, wanted in (
        (Query(queued=True), [1, 2, 3, 4]),
        (Query(queued=True, recipients=(of_carol,)), [2, 3]),
        (Query(queued=True, recipients=(Pattern.of("alice@bar.com"),)), []),
        (Query(queued=True, outcomes=("held",)), [3]),
        (Query(queued=True, ever=("deferred",)), [2, 3]),
        (Query(queued=True, words=(Word.of("bob@foo.com"),)), [1, 2, 3, 4]),
        (Query(queued=True, words=(Word.of("alice@bar.com"),)), []),
    ):
        assert wanted == sorted(int(each["transaction"][-1]) for each in found(store, query)), query
        assert store.count(query) == len(wanted), query
    assert len(found(store, Query(queued=True, limit=2))) == 2


def test_a_network_of_any_length_finds_its_addresses(store):
    for number, client in enumerate(("pc.foo.com [192.0.2.77]", "unknown [193.0.2.77]", "unknown [2001:db8::7]")):
        facts = whole(AT + number)
        facts[0] = (AT + number, Client(client))
        put(store, transaction(f"ABCDE0000{number}", facts))
    for bits in range(33):
        clients = [each["client_ip"] for each in found(store, Query(clients=(Pattern.of_peer(f"192.0.2.77/{bits}"),)))]
        assert ["192.0.2.77"] == clients[-1:], bits
        assert len(clients) == (2 if bits < 8 else 1), bits


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


def test_a_search_need_not_be_read_to_its_end(many):
    store, mails = many
    search = store.search(Query())
    assert isinstance(search, Generator)
    assert next(search) == newest_first(mails)[0]
    search.close()
    assert store.count(Query()) == 2500


def test_a_commit_during_a_search_does_not_change_its_results(many, open_store):
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
    assert [group.number for group in store.group(Query(), Grouping("to-domain", zone_of("UTC")))] == [100_001]
    assert [store.count(Query(min_delay=seconds)) for seconds in (0, 1)] == [1, 0]
    assert store.count(Query(ever=("sent",), outcomes=("sent",))) == 1
    for by in ("ever", "outcome"):
        groups = store.group(Query(ever=("sent",)), Grouping(by, zone_of("UTC")))
        assert [("sent", 100_001)] == [group[:2] for group in groups]


def test_the_longest_values_are_stored_and_found(store):
    long = "\U00010400" * 8191
    facts: list[TimedFact] = [
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
        Query(msgids=(asked,)),
        Query(clients=(asked,)),
        Query(senders=(Pattern.of(long[:-1] + "?"),)),
    ):
        assert found(store, query) == [document(mail)]


@pytest.mark.parametrize(
    ("sender", "pattern"),
    [
        ("\u212aELVIN@foo.com", "*kelvin@*"),
        ("\u0130STANBUL@foo.com", "*stanbul@*"),
        ("\u0130STANBUL@foo.com", "i\u0307stanbul@*"),
        ("\u00c9T\u00c9.SUMMER@foo.com", "*.summer@*"),
        ("\u00c9T\u00c9.SUMMER@foo.com", "\u00e9t\u00e9*"),
    ],
)
def test_letters_that_are_ascii_only_in_lower_case_are_found_by_patterns(store, sender, pattern):
    """The Kelvin sign and the Turkish İ are not ASCII, but in lower case they are, or begin with, ASCII letters."""
    mail = transaction(SHORT, [(AT, Envelope(sender, 1, 1)), (AT, sent("alice@bar.com"))])
    put(store, mail)
    query = Query(senders=(Pattern.of(pattern),))
    made = document(mail)
    assert made is not None
    assert matches(query, made)
    assert found(store, query) == [made]


@pytest.mark.parametrize("value", ["x" * 40_000, "\U00010400" * 9000, "bob\udcff", "*" + "x" * 40_000, "*\udcff*"])
def test_values_that_no_document_can_have_are_not_found(store, value):
    put(store, transaction(SHORT, whole()))
    for query in (
        Query(senders=(Pattern.of(value),)),
        Query(recipients=(Pattern.of(value),)),
        Query(recipients=(Pattern.of(f"@{value}"),)),
        Query(msgids=(Pattern.of_text(value),)),
        Query(queue_ids=(value,)),
        Query(clients=(Pattern.of_peer(value),)),
        Query(hosts=(Pattern.of_text(value),)),
    ):
        assert found(store, query) == []
        assert store.count(query) == 0
    assert store.count(Query(senders=(Pattern.of(value), Pattern.of("bob@foo.com")))) == 1


def test_look_ups_of_very_long_names_find_nothing(store):
    put(store, transaction(SHORT, whole()))
    keys = [("x" * 40_000, SHORT), ("mx", "x" * 40_000)]
    assert store.find(dict.fromkeys(keys, EVER)) == {}
    assert store.lacking_beginning(keys) == set()


def test_invalid_addresses_and_huge_numbers_are_stored(store):
    result = Result("alice@bar.com", None, "mx[1.2.3.999]:25", "sent", "sent", "not a dsn" * 9999, 1e300)
    facts: list[TimedFact] = [(AT, Client("bad [300.1.1.1]")), (AT, Envelope("", 2**63 - 1, 2**40)), (AT, result)]
    mail = transaction(SHORT, facts)
    put(store, mail)
    assert found(store, Query(clients=(Pattern.of_peer("300.1.1.1"),))) == [document(mail)]


def test_documents_before_1970_and_after_2262_keep_their_order(store):
    mails = [transaction(f"ABCDE0000{i}", whole(at)) for i, at in enumerate([-DAY - 1, -1, 0, AT, 300 * 366 * DAY])]
    put(store, *mails)
    assert found(store) == newest_first(mails)
    assert found(store, Query(until=-1)) == newest_first(mails[:2])
    assert found(store, Query(since=-1, until=AT)) == newest_first(mails[1:4])
    assert found(store, Query(since=AT + 1)) == newest_first(mails[4:])
    ends = [int(datetime(year, 6, 1, tzinfo=timezone.utc).timestamp()) * SECOND for year in (1, 9999)]
    for since, until in (ends, (None, ends[1]), (ends[0], None)):
        assert store.count(Query(since=since, until=until)) == 5
