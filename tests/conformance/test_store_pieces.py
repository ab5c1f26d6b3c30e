"""What is written piece by piece, in any order, is found as if it had been written at once."""

from collections.abc import Iterator
from random import Random

import pytest
from asking import random_queries
from mails import newest_first, random_transactions, transaction
from storing import found, put

from mailtrace.groups import BY, Grouping, groups_of
from mailtrace.query import Query, matches
from mailtrace.stores import sqlite_parts
from mailtrace.stores.base import Store
from mailtrace.stores.sqlite import SqliteStore
from mailtrace.transactions import Transaction
from mailtrace.zones import zone_of


def pieces(random: Random, transactions: list[Transaction]) -> Iterator[Transaction]:
    """Some whole, some in two pieces, all in any order."""
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
    """Of everything and of random queries: those of which something else is found than the specification says."""
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
def test_pieces_come_to_what_the_whole_is(store, monkeypatch, seed):
    monkeypatch.setattr(sqlite_parts, "PART_SIZE", 20)
    random = Random(seed)
    transactions = random_transactions(random, 120)
    put_in_pieces(store, random, transactions, 50)
    assert [] == list(differences(store, random, transactions, 20))


def test_pieces_of_many_chunks_come_to_what_the_whole_is(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_parts, "PART_SIZE", 1500)
    random = Random(1)
    transactions = random_transactions(random, 8000)
    store = SqliteStore(str(tmp_path / "store.db"))
    put_in_pieces(store, random, transactions, 1700)
    assert [] == list(differences(store, random, transactions, 12))
