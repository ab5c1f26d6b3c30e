"""Transactions written in pieces, in any order, are found as if they were written at once."""

from collections.abc import Iterator
from itertools import pairwise, permutations
from random import Random
from typing import Final

import pytest

from helpers.stores.contents import found, put
from helpers.stores.queries import random_queries
from helpers.stores.transactions import AT, DAY, EVER, newest_first, random_transactions, sent, transaction, whole
from mailtrace.message.order import TimedFact
from mailtrace.message.transaction import SECOND, Transaction, segments
from mailtrace.mta.facts import Refusal, Removed
from mailtrace.search.groups import BY, Grouping, groups_of
from mailtrace.search.query import Query, matches
from mailtrace.stores.base import Store
from mailtrace.stores.sqlite import new_blocks
from mailtrace.stores.sqlite.store import SqliteStore
from mailtrace.syslog.timezones import zone_of

HOUR = 3600 * SECOND


def pieces(random: Random, transactions: list[Transaction]) -> Iterator[Transaction]:
    """Return transactions in random order, some of them in two pieces."""
    found = []
    for each in transactions:
        cut = random.choice([len(each.facts), random.randrange(len(each.facts))])
        parts = [part for part in (each.facts[:cut], each.facts[cut:]) if part]
        found += [transaction(each.queue_id, part, host=each.host, mta=each.mta) for part in parts]
    random.shuffle(found)
    return iter(found)


def put_in_pieces(store: Store, random: Random, transactions: list[Transaction], size: int) -> None:
    every = list(pieces(random, transactions))
    for at in range(0, len(every), size):
        put(store, *every[at : at + size])


def differences(store: Store, random: Random, transactions: list[Transaction], queries: int) -> Iterator[object]:
    """Return the queries, random ones among them, whose result differs from that of `matches`."""
    documents = newest_first(transactions)
    for query in [Query(), *random.sample(list(random_queries(random, transactions)), queries)]:
        wanted = [each for each in documents if matches(query, each)]
        if store.count(query) != len(wanted):
            yield "count", query
        if found(store, query) != (wanted[::-1] if query.oldest_first else wanted)[: query.limit]:
            yield "search", query
        for by in BY if query == Query() else random.sample(BY, 2):
            grouping = Grouping(by, zone_of("Europe/Madrid"))
            if store.group(query, grouping) != groups_of(query, grouping, wanted):
                yield by, query


@pytest.mark.parametrize("seed", range(2))
def test_pieces_make_the_whole(store, monkeypatch, seed):
    monkeypatch.setattr(new_blocks, "CHUNK_SIZE", 20)
    monkeypatch.setattr(new_blocks, "_FULL", 10)
    monkeypatch.setattr(new_blocks, "_JOINED_BITS", (3, 1))
    random = Random(seed)
    transactions = random_transactions(random, 120)
    put_in_pieces(store, random, transactions, 50)
    assert [] == list(differences(store, random, transactions, 20))


def test_pieces_of_many_chunks_make_the_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(new_blocks, "CHUNK_SIZE", 1500)
    random = Random(1)
    transactions = random_transactions(random, 8000)
    store = SqliteStore(str(tmp_path / "store.db"))
    put_in_pieces(store, random, transactions, 1700)
    assert [] == list(differences(store, random, transactions, 12))


def uses(random: Random) -> Iterator[list[TimedFact]]:
    """Return several uses of one short queue ID within weeks, with lost lines; each lasts seconds, hours or days."""
    at = AT
    for _ in range(random.randrange(2, 9)):
        facts = whole(at, sender=random.choice(["bob@foo.com", "carol@bar.com"]))
        longer = random.choice([0, 0, 5 * 3600 * SECOND, DAY, 3 * DAY])
        facts = facts[:3] + [(time + longer, fact) for time, fact in facts[3:]]
        at = facts[-1][0] + random.choice([10 * SECOND, 3600 * SECOND, DAY, 4 * DAY])
        if random.random() < 0.3:
            facts = facts[1:]
        yield facts[:-1] if random.random() < 0.2 else facts


def pieces_of_uses(random: Random, queue_id: str, every: list[TimedFact]) -> list[Transaction]:
    """Return the facts of a queue ID, cut at random places."""
    cuts = sorted(random.sample(range(len(every)), min(len(every), 9)))
    return [transaction(queue_id, every[a:b]) for a, b in pairwise([0, *cuts, len(every)]) if a < b]


@pytest.mark.parametrize("seed", range(3))
def test_uses_of_queue_ids_are_the_same_whatever_the_order_of_writing(store, seed):
    random = Random(seed)
    facts = {f"5298{number:03X}": [fact for use in uses(random) for fact in use] for number in range(20)}
    pieces = [piece for queue_id in facts for piece in pieces_of_uses(random, queue_id, facts[queue_id])]
    random.shuffle(pieces)
    for at in range(0, len(pieces), 20):
        put(store, *pieces[at : at + 20])
    at_once = [each for queue_id in facts for each in segments([transaction(queue_id, facts[queue_id])])]
    assert found(store) == newest_first(at_once)
    rows = store.find({("mx", queue_id): EVER for queue_id in facts})
    assert sorted(row.id for some in rows.values() for row in some) == sorted(each.id for each in at_once)


EVENING = AT - AT % DAY + 20 * HOUR
NIGHT = EVENING + 5 * HOUR


def delivered(at: int, outcome: str = "sent") -> TimedFact:
    return at, sent(f"r{at // SECOND}@bar.com", outcome)


BEGUN: Final = [*whole(EVENING)[:3], delivered(EVENING + 2 * SECOND)]
ENDED: Final = [(EVENING + 3 * SECOND, Removed("removed"))]
TAIL: Final = [delivered(EVENING + 10 * HOUR), (EVENING + 10 * HOUR + SECOND, Removed("removed"))]
AT_ONCE: Final = [(NIGHT, fact) for _, fact in whole(NIGHT)]
"""A complete use within one second."""


@pytest.mark.parametrize(
    "known",
    [
        (BEGUN, [(NIGHT, Refusal("rejected", "rejected (no)", "q@bar.com"))], AT_ONCE, TAIL, ENDED),
        (BEGUN, [delivered(NIGHT - 3 * SECOND, "deferred")], whole(NIGHT), TAIL, ENDED),
    ],
)
def test_lines_that_divide_two_uses_keep_every_other_line(store, known):
    """The end of one use is read last and moves lines to the next use, on the next day."""
    orders = list(permutations(known))
    ids = [f"5298{number:03X}" for number in range(len(orders))]
    for pieces in zip(*orders, strict=True):
        put(store, *(transaction(queue_id, piece) for queue_id, piece in zip(ids, pieces, strict=True)))
    rows = store.find({("mx", queue_id): EVER for queue_id in ids})
    store.commit([])
    facts = [fact for piece in known for fact in piece]
    for queue_id, order in zip(ids, orders, strict=True):
        wanted = {each.id: set(each.facts) for each in segments([transaction(queue_id, facts)])}
        assert {row.id: set(row.transaction.facts) for row in rows["mx", queue_id]} == wanted, order


def test_lines_that_a_wrong_clock_dated_days_later_are_found(store):
    facts = whole()
    strange = [*facts[:3], (AT + 3 * DAY, facts[3][1]), facts[4]]
    tail = [
        delivered(AT + 3 * DAY - 60 * SECOND, "deferred"),
        delivered(AT + 3 * DAY + 60 * SECOND),
        (AT + 3 * DAY + 61 * SECOND, Removed("removed")),
    ]
    for number, order in enumerate(([strange, tail], [tail, strange])):
        queue_id = f"5298{number:03X}"
        for piece in order:
            put(store, transaction(queue_id, piece))
        rows = store.find({("mx", queue_id): EVER})["mx", queue_id]
        store.commit([])
        wanted = {each.id: set(each.facts) for each in segments([transaction(queue_id, [*strange, *tail])])}
        assert {row.id: set(row.transaction.facts) for row in rows} == wanted
