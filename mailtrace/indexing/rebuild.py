"""Derive the documents of a store again from its lines, after a newer version has learnt to read them better.

Each slice is written under the condition that nothing has changed meanwhile, and committed. So searches and, where the
store allows it, other indexers go on, and a rebuild that was killed can be repeated.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from mailtrace.indexing.merge import write
from mailtrace.message.document import document
from mailtrace.message.transaction import segments
from mailtrace.mta.queue_ids import NOQUEUE
from mailtrace.mta.version import GRAMMAR_VERSION
from mailtrace.stores.base import Refused, Removal, Replacement, Row, Store, Stored

Count: TypeAlias = Callable[[int], None]
"""Called with the number of transactions so far."""


def is_outdated(store: Store) -> bool:
    """Return whether an older version made any document of a store."""
    return store.grammar() < GRAMMAR_VERSION


def rebuild(store: Store, count: Count = lambda _: None) -> list[Refused]:
    """Derive all documents of a store again; return those that the store refuses.

    Raises:
        StoreError: the store cannot be written; what was committed before is right, and the next run does the rest.
    """
    number, refused = 0, list[Refused]()
    for rows in store.slices():
        refused += _derive(store, [row for row in rows if row.transaction.facts])
        store.commit([])
        number += len(rows)
        count(number)
    store.set_grammar(GRAMMAR_VERSION)
    store.commit([])
    return refused


def _derive(store: Store, rows: Sequence[Stored]) -> list[Refused]:
    """Derive the documents of these rows. What another process changes meanwhile it has derived itself."""
    kept = [row for row in rows if [one.id for one in segments([row.transaction])] == [row.id]]
    moved = {row.id: row for row in rows} if len(kept) < len(rows) else {}
    for row in kept:
        moved.pop(row.id, None)
    refused = store.replace([_replacement(row) for row in kept]).refused
    return refused + _move(store, list(moved.values()))


def _replacement(row: Stored) -> Replacement:
    return Replacement(Row(row.id, row.transaction, document(row.transaction)), row.version)


def _move(store: Store, rows: Sequence[Stored]) -> list[Refused]:
    """Write transactions whose lines make other IDs than those under which they are stored."""
    short = [row for row in rows if not row.transaction.is_timed and row.transaction.queue_id != NOQUEUE]
    refused = write(store, [row.transaction for row in rows], {row.transaction.key for row in short}).refused
    # With the other lines of its key, a transaction may have kept its ID.
    refused += store.replace([_replacement(row) for row in short]).refused
    alone = [row for row in rows if row.transaction.is_timed or row.transaction.queue_id == NOQUEUE]
    if not refused:
        store.remove([Removal(row.id, row.transaction.start, row.version) for row in alone])
    return refused
