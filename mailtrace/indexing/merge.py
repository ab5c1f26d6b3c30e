"""How transactions get into a store: a write never replaces what is there, it joins it.

Most transactions are new and complete: they are created, without a look-up. Where an ID exists already, or a short
queue ID was read without its beginning or end, what is stored is read, joined and written back under the condition that
it has not changed, again until that holds.
"""

from collections.abc import Iterator, Mapping, Sequence
from operator import add
from typing import Final, NamedTuple

from mailtrace.errors import StoreError
from mailtrace.message.document import document
from mailtrace.message.transaction import Key, Transaction, joined, segments, time_span_of
from mailtrace.stores.base import Refused, Removal, Replacement, Row, Store, Stored

_ROUNDS: Final = 100
"""How often a write is tried against other writers: each round that fails, another's has succeeded."""


_SLICE: Final = 1_000
"""How many transactions that are stored already are joined with those at once."""


class Written(NamedTuple):
    """What a batch changed."""

    created: int
    updated: int
    refused: list[Refused]


class _Plan(NamedTuple):
    create: dict[str, Transaction]
    replace: list[tuple[Replacement, frozenset[str]]]
    """What changes, and the IDs that must have been written before: its lines may go to them."""
    remove: list[tuple[Removal, frozenset[str]]]
    """What goes, and the IDs that must have been written before."""
    parts: dict[str, list[Transaction]]
    """The transactions that each written ID was made of, stored ones too: those to try again should it conflict."""
    promoted: set[str]
    """IDs of stubs that become documents."""
    uncertain: set[str]
    """IDs that depend on what else is stored of their key."""


def write(store: Store, transactions: Sequence[Transaction]) -> Written:
    """Join transactions with what the store has. They are on their way, not yet committed.

    Raises:
        StoreError: the store cannot be written, or other writers never let a row be.
    """
    written, uncertain = Written(0, 0, []), {part.key for part in transactions if not part.is_certain}
    batches = _batches(transactions, uncertain)
    for round_ in range(_ROUNDS):
        again: list[Transaction] = []
        for batch in batches:
            done, left = _attempt(store, batch, uncertain, lookup=round_ > 0)
            written = Written(*map(add, written, done))
            again += left
        if not again:
            return written
        batches = _sliced(again)
    raise StoreError(f"{store.name}: other writers are changing the same transactions all the time: try again later")


def _batches(transactions: Sequence[Transaction], uncertain: set[Key]) -> list[Sequence[Transaction]]:
    """What to try at once: all, unless much of it is to be joined, which brings what is stored into memory too."""
    joining = [part for part in transactions if part.written or part.key in uncertain]
    if len(joining) <= _SLICE:
        return [transactions]
    return [*_sliced(joining), [part for part in transactions if not part.written and part.key not in uncertain]]


def _sliced(transactions: Sequence[Transaction]) -> list[Sequence[Transaction]]:
    return [transactions[at : at + _SLICE] for at in range(0, len(transactions), _SLICE)]


def _attempt(
    store: Store, transactions: Sequence[Transaction], uncertain: set[Key], *, lookup: bool
) -> tuple[Written, list[Transaction]]:
    """Write transactions; return what that changed, and those to be written again."""
    plan = _plan(store, transactions, uncertain, lookup=lookup)
    stubs: set[str] = set()
    made = store.create(_rows(plan.create, stubs))
    replaced = [replacement for replacement, first in plan.replace if not first & made.conflicts]
    changed = store.replace(replaced)
    conflicts = made.conflicts | changed.conflicts
    conflicts |= {replacement.row.id for replacement, first in plan.replace if first & made.conflicts}
    store.remove([removal for removal, first in plan.remove if not first & conflicts])
    promoted = len(plan.promoted - conflicts)
    created = len(plan.create) - len(made.conflicts | stubs) - len(made.refused) + promoted
    updated = len(replaced) - len(changed.conflicts) - len(changed.refused) - promoted
    written = Written(created, updated, made.refused + changed.refused)
    return written, _to_look_after(store, plan, conflicts, uncertain)


def _rows(transactions: Mapping[str, Transaction], stubs: set[str]) -> Iterator[Row]:
    """Make the rows of new transactions one by one, so that their documents are not in memory together."""
    for id_, whole in transactions.items():
        row = Row(id_, whole, document(whole))
        if row.document is None:
            stubs.add(id_)
        yield row


def _to_look_after(store: Store, plan: _Plan, conflicts: set[str], uncertain: set[Key]) -> list[Transaction]:
    """The transactions to plan again, with what is stored by now.

    Two writers may store halves of a message at the same time, neither seeing the other's before: whoever looks after
    its own write finds what was written before that.
    """
    again = conflicts if store.is_exclusive else conflicts | plan.uncertain
    whole = {part.key for group in plan.parts.values() for part in group if part.begun and not part.is_timed}
    halves = store.lacking_beginning(list(whole - uncertain))
    uncertain |= halves
    parts = [part for id_ in again for part in plan.parts[id_]]
    if halves:
        parts += [part for group in plan.parts.values() for part in group if part.key in halves]
    return list(dict.fromkeys(parts))


def _plan(store: Store, transactions: Sequence[Transaction], uncertain: set[Key], *, lookup: bool) -> _Plan:
    """Look up what must be joined, and say what is to be written."""
    plan = _Plan({}, [], [], {}, set(), set())
    certain, by_key = _parted(transactions, uncertain)
    known = store.read([group[0] for group in certain.values() if lookup or any(part.written for part in group)])
    for id_, group in certain.items():
        _put(plan, id_, group, known.get(id_))
    if by_key:
        found = store.find({key: time_span_of(group) for key, group in by_key.items()})
        for key, group in by_key.items():
            _resegment(plan, group, found.get(key, []))
    return plan


def _parted(
    transactions: Sequence[Transaction], uncertain: set[Key]
) -> tuple[dict[str, list[Transaction]], dict[Key, list[Transaction]]]:
    """Notify transactions whose ID is certain from those that depend on what else is known of their key.

    A whole transaction under a short ID is certain, unless its end was stored before without its beginning.
    """
    certain: dict[str, list[Transaction]] = {}
    by_key: dict[Key, list[Transaction]] = {}
    for part in transactions:
        if part.key in uncertain:
            by_key.setdefault(part.key, []).append(part)
        else:
            certain.setdefault(part.id, []).append(part)
    return certain, by_key


def _put(plan: _Plan, id_: str, group: list[Transaction], stored: Stored | None) -> None:
    """Plan the row of one ID: new, joined with the stored one, or nothing where that knows it all."""
    if stored is None:
        plan.create[id_] = joined(group)
    else:
        whole = joined([stored.transaction, *group])
        if len(whole.facts) == len(stored.transaction.facts):
            return
        _replace(plan, stored, whole, frozenset())
    plan.parts[id_] = group


def _replace(plan: _Plan, stored: Stored, whole: Transaction, first: frozenset[str]) -> None:
    row = Row(stored.id, whole, document(whole))
    plan.replace.append((Replacement(row, stored.version), first))
    if row.document is not None and document(stored.transaction) is None:
        plan.promoted.add(stored.id)


def _resegment(plan: _Plan, group: list[Transaction], stored: list[Stored]) -> None:
    """Plan all rows of one short queue ID: whose each line is depends on the lines around it."""
    before = {row.id: row for row in stored}
    after: dict[str, Transaction] = {}
    every = [*(row.transaction for row in stored), *group]
    for whole in segments(every):
        after[whole.id] = joined([after[whole.id], whole]) if whole.id in after else whole
    for id_, whole in after.items():
        old = before.get(id_)
        if old is None:
            plan.create[id_] = whole
        elif set(old.transaction.facts) != set(whole.facts):
            _replace(plan, old, whole, frozenset(after))
        else:
            continue
        plan.parts[id_] = every
        plan.uncertain.add(id_)
    gone = (Removal(id_, row.transaction.start, row.version) for id_, row in before.items() if id_ not in after)
    plan.remove.extend((removal, frozenset(after)) for removal in gone)
