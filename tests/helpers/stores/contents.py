"""Read the contents of a store, for tests of stores."""

from helpers.stores.transactions import EVER
from mailtrace.indexing.merge import Changes, write
from mailtrace.message.transaction import Transaction
from mailtrace.search.query import Query
from mailtrace.stores.base import Store


def put(store: Store, *transactions: Transaction) -> Changes:
    written = write(store, transactions)
    store.commit([])
    assert written.refused == []
    return written


def found(store: Store, query: Query | None = None) -> list[dict]:
    return list(store.search(query or Query()))


def state(store: Store, *keys: tuple[str, str]) -> dict:
    """Return everything that a store has for these keys, except the versions."""
    rows = store.find(dict.fromkeys(keys, EVER))
    store.commit([])
    return {
        "documents": found(store),
        "rows": {key: sorted((row.id, sorted(map(repr, row.transaction.facts))) for row in rows[key]) for key in rows},
    }
