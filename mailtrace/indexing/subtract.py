"""Take lines out of what a store has: the opposite of merging (`merge.py`), and just as repeatable.

Transactions that have no line left are removed. Others get a new document, and a new ID where that depended on a line.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from mailtrace.errors import StoreError
from mailtrace.indexing.merge import Plan, apply, plan_rows
from mailtrace.message.lines import kept_line
from mailtrace.message.part import Part, lines_to_keep
from mailtrace.message.replay import transaction_of
from mailtrace.message.transaction import Key, Transaction, lines_of, time_span_of
from mailtrace.message.whole import general
from mailtrace.mta.kept_facts import values_of
from mailtrace.mta.queue_ids import NOQUEUE
from mailtrace.stores.base import Refused, Store, Stored
from mailtrace.syslog.records import Record

_ROUNDS: Final = 100
"""How often a write is repeated after conflicts with other writers."""
_SLICE: Final = 500
"""How many transactions are looked up at a time, to limit memory."""


def subtract(store: Store, parts: Sequence[Part]) -> list[Refused]:
    """Take the lines of these transactions out of the store, without a commit; return what the store refuses.

    Raises:
        StoreError: the store cannot be written, or conflicts with other writers do not end.
    """
    refused: list[Refused] = []
    for at in range(0, len(parts), _SLICE):
        some = [general(part) for part in parts[at : at + _SLICE]]
        for _ in range(_ROUNDS):
            plan = _plan(store, some)
            written, conflicts = apply(store, plan)
            if not conflicts:
                break
        else:
            raise StoreError(f"{store.name}: other processes keep changing the same transactions: try again later")
        refused += written.refused
    return refused


def _plan(store: Store, parts: Sequence[Transaction]) -> Plan:
    plan = Plan.empty()
    by_id: dict[str, list[Transaction]] = {}
    by_key: dict[Key, list[Transaction]] = {}
    for part in parts:
        if part.is_timed or part.queue_id == NOQUEUE:
            by_id.setdefault(part.id, []).append(part)
        else:
            by_key.setdefault(part.key, []).append(part)
    for id_, row in store.read([group[0] for group in by_id.values()]).items():
        _plan_rest(plan, [row], by_id[id_])
    for key, rows in store.find({key: time_span_of(group) for key, group in by_key.items()}).items():
        _plan_rest(plan, rows, by_key[key])
    return plan


def _plan_rest(plan: Plan, stored: list[Stored], parts: Sequence[Transaction]) -> None:
    """Plan the rows of what remains of stored transactions of one key."""
    lines = {line for part in parts for line in _lines(part)}
    rest = [_without(row.transaction, lines) for row in stored]
    if any(left is not row.transaction for left, row in zip(rest, stored, strict=True)):
        plan_rows(plan, stored, [left for left in rest if left.facts])


def _lines(part: Transaction) -> Iterator[Record]:
    """Yield the lines of a transaction, and those for facts that a store of version 0.1 kept without their lines."""
    for time, *rest in lines_to_keep(part):
        yield Record(time, part.host, *rest)
    for time, fact in part.facts:
        yield kept_line(part.host, time, values_of(fact), part.line)


def _without(transaction: Transaction, lines: set[Record]) -> Transaction:
    """Return a transaction without some lines; the same one if it has none of them."""
    before = lines_of(transaction)
    rest = [line for line in before if line not in lines]
    if len(rest) == len(before):
        return transaction
    return transaction_of(transaction.host, transaction.queue_id, transaction.mta, rest)
