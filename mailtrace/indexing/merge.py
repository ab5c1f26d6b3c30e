"""Merging of transactions into a store: a write adds lines to what is stored and loses none.

Most transactions are new and complete, and are created without a look-up. If an ID exists already, or if the beginning
or end is missing under a short queue ID, the stored transactions are read, joined and written back on condition that
they have not changed; on a conflict this is repeated.
"""

from collections.abc import Iterable, Iterator, Sequence
from operator import add
from typing import Final, NamedTuple

from mailtrace.errors import StoreError
from mailtrace.message.part import Encoded, Part, document_of
from mailtrace.message.transaction import Key, Transaction, has_new_lines, joined, segments, time_span_of
from mailtrace.message.whole import general
from mailtrace.stores.base import Refused, Removal, Replacement, Row, Store, Stored

_ROUNDS: Final = 100
"""How often a write is repeated after conflicts; in each round at least one writer succeeds."""
_SLICE: Final = 1_000
"""How many transactions are joined with stored ones at a time, to limit memory."""
_NEW, _UPDATED, _STUB = "n", "u", "s"
"""The ends of marks: what a row is counted as."""


class Changes(NamedTuple):
    """What a write changed."""

    created: int = 0
    """New documents."""
    updated: int = 0
    """Stored transactions that got new lines."""
    refused: list[Refused] = []  # noqa: RUF012 # never changed


class Plan(NamedTuple):
    """What to write."""

    run: str
    """Marks the rows; empty if the answer to a write cannot be lost."""

    create: dict[str, Part]
    """New transactions by ID."""
    replace: list[tuple[Replacement, frozenset[str]]]
    """Changed transactions, each with the IDs that must be written first because facts may move to them."""
    remove: list[tuple[Removal, frozenset[str]]]
    """Transactions to delete, each with the IDs that must be written first."""
    parts: dict[str, Sequence[Part]]
    """The transactions that each written ID was made of, stored ones included, for a retry after a conflict."""
    promoted: set[str]
    """IDs of stubs that get a document."""
    uncertain: set[str]
    """IDs that depend on other stored transactions of their key."""
    known: list[Stored]
    """Stored rows that already have all lines."""

    @classmethod
    def empty(cls, run: str = "") -> "Plan":
        """Return a plan without any row."""
        return cls(run, {}, [], [], {}, set(), set(), [])


class _Counted:
    """The IDs of rows that a write has counted.

    A row that already has all lines is counted too if it has the mark of this write: then it was written, but the
    answer was lost.
    """

    def __init__(self, run: str) -> None:
        self._run = run
        self._ids: set[str] = set()

    def add(self, ids: Iterable[str]) -> None:
        """Add the IDs of rows whose write was acknowledged."""
        if self._run:
            self._ids.update(ids)

    def without_answer(self, known: Iterable[Stored]) -> Changes:
        """Return the changes of those rows that were written without an answer."""
        if not self._run:
            return Changes()
        marks = [row.mark for row in known if row.id not in self._ids]
        self._ids.update(row.id for row in known)
        return Changes(marks.count(self._run + _NEW), marks.count(self._run + _UPDATED))


def write(store: Store, transactions: Sequence[Part], keys: Iterable[Key] = (), run: str = "") -> Changes:
    """Merge transactions into the store, without a commit; those of `keys` are divided again with all that is stored.

    If a write fails, repeat it with the same unique `run`: what it has written before is counted then.

    Raises:
        StoreError: the store cannot be written, or conflicts with other writers do not end.
    """
    uncertain = {*keys, *(part.key for part in transactions if not part.is_certain)}
    written, counted = Changes(), _Counted(run)
    batches = _batches(transactions, uncertain)
    for round_ in range(_ROUNDS):
        retry: list[Part] = []
        for batch in batches:
            plan = _plan(store, batch, Plan.empty(run), uncertain, lookup=round_ > 0)
            done, conflicts = apply(store, plan)
            counted.add(plan.parts.keys() - conflicts)
            failed = _to_retry(store, plan, conflicts, uncertain)
            for changes in (done, counted.without_answer(plan.known)):
                written = Changes(*map(add, written, changes))
            retry += failed
        if not retry:
            return written
        batches = _sliced(retry)
    raise StoreError(f"{store.name}: other processes keep changing the same transactions: try again later")


def _batches(transactions: Sequence[Part], uncertain: set[Key]) -> list[Sequence[Part]]:
    """Return the batches to write: one, unless many need a look-up, which takes memory for the stored ones too."""
    joining = [part for part in transactions if part.written or part.key in uncertain]
    if len(joining) <= _SLICE:
        return [transactions]
    return [*_sliced(joining), [part for part in transactions if not part.written and part.key not in uncertain]]


def _sliced(transactions: Sequence[Part]) -> list[Sequence[Part]]:
    return [transactions[at : at + _SLICE] for at in range(0, len(transactions), _SLICE)]


def apply(store: Store, plan: Plan) -> tuple[Changes, set[str]]:
    """Write what is planned; return the changes, and the IDs that other writers have changed meanwhile."""
    stubs: set[str] = set()
    creation = store.create(_rows(plan, stubs))
    replacements = [replacement for replacement, first in plan.replace if not first & creation.conflicts]
    change = store.replace(replacements)
    conflicts = creation.conflicts | change.conflicts
    conflicts |= {replacement.row.id for replacement, first in plan.replace if first & creation.conflicts}
    store.remove([removal for removal, first in plan.remove if not first & conflicts])
    promoted = len(plan.promoted - conflicts)
    created = len(plan.create) - len(creation.conflicts | stubs) - len(creation.refused) + promoted
    updated = len(replacements) - len(change.conflicts) - len(change.refused) - promoted
    return Changes(created, updated, creation.refused + change.refused), conflicts


def _rows(plan: Plan, stubs: set[str]) -> Iterator[Row]:
    """Yield the rows of new transactions, so that not all documents are in memory at once; add stubs to `stubs`."""
    new, stub = _mark(plan, _NEW), _mark(plan, _STUB)
    for id_, whole in plan.create.items():
        if isinstance(whole, Encoded):
            yield Row(id_, whole, None, new, whole.encoded)
            continue
        document = document_of(whole)
        if document is None:
            stubs.add(id_)
        yield Row(id_, whole, document, stub if document is None else new)


def _mark(plan: Plan, kind: str) -> str:
    return plan.run and plan.run + kind


def _to_retry(store: Store, plan: Plan, conflicts: set[str], uncertain: set[Key]) -> list[Part]:
    """Return the transactions to plan again with what is stored now, and add their keys to `uncertain`.

    Two writers can store the halves of a message at the same time without seeing each other's. A look-up after the
    write finds the other half for at least one of them.
    """
    again = conflicts if store.is_exclusive else conflicts | plan.uncertain
    whole = {part.key for group in plan.parts.values() for part in group if part.is_certain and not part.is_timed}
    halves = store.lacking_beginning(list(whole - uncertain))
    uncertain |= halves
    parts = [part for id_ in again for part in plan.parts[id_]]
    if halves:
        parts += [part for group in plan.parts.values() for part in group if part.key in halves]
    return list(dict.fromkeys(parts))


def _plan(store: Store, transactions: Sequence[Part], plan: Plan, uncertain: set[Key], *, lookup: bool) -> Plan:
    """Look up stored transactions where needed, and plan what to write."""
    certain, by_key = _divided(transactions, uncertain)
    known = store.read([group[0] for group in certain.values() if lookup or any(part.written for part in group)])
    for id_, group in certain.items():
        _plan_row(plan, id_, group, known.get(id_))
    if by_key:
        found = store.find({key: time_span_of(group) for key, group in by_key.items()})
        for key, parts in by_key.items():
            _plan_key(plan, parts, found.get(key, []))
    return plan


def _divided(
    transactions: Sequence[Part], uncertain: set[Key]
) -> tuple[dict[str, list[Part]], dict[Key, list[Transaction]]]:
    """Return transactions with a certain ID, by ID, and those that depend on others of their key, by key.

    A complete transaction under a short queue ID is certain, unless its end was stored earlier without its beginning.
    """
    certain: dict[str, list[Part]] = {}
    by_key: dict[Key, list[Transaction]] = {}
    for part in transactions:
        if part.key in uncertain:
            by_key.setdefault(part.key, []).append(general(part))
        else:
            certain.setdefault(part.id, []).append(part)
    return certain, by_key


def _plan_row(plan: Plan, id_: str, group: list[Part], stored: Stored | None) -> None:
    """Plan the row of one ID: create it, join it with the stored one, or do nothing if no line is new."""
    if stored is None:
        plan.create[id_] = group[0] if len(group) == 1 else joined(map(general, group))
    else:
        whole = joined([stored.transaction, *map(general, group)])
        if not has_new_lines(whole, stored.transaction):
            plan.known.append(stored)
            return
        _plan_replacement(plan, stored, whole, frozenset())
    plan.parts[id_] = group


def _plan_replacement(plan: Plan, stored: Stored, whole: Transaction, first: frozenset[str]) -> None:
    document = document_of(whole)
    is_promoted = document is not None and document_of(stored.transaction) is None
    if is_promoted:
        plan.promoted.add(stored.id)
    # A row that an earlier attempt of this write has made remains a new one.
    new = _mark(plan, _NEW)
    mark = new if is_promoted or stored.mark == new else _mark(plan, _UPDATED)
    plan.replace.append((Replacement(Row(stored.id, whole, document, mark), stored.version), first))


def _plan_key(plan: Plan, group: Sequence[Transaction], stored: list[Stored]) -> None:
    """Plan all rows of one short queue ID: to which message a line belongs depends on the lines around it."""
    plan_rows(plan, stored, [*(row.transaction for row in stored), *group])


def plan_rows(plan: Plan, stored: list[Stored], every: list[Transaction]) -> None:
    """Plan the rows that hold all these transactions, in place of the stored ones."""
    before = {row.id: row for row in stored}
    after: dict[str, Transaction] = {}
    for whole in segments(every) if every else ():
        after[whole.id] = joined([after[whole.id], whole]) if whole.id in after else whole
    for id_, whole in after.items():
        old = before.get(id_)
        if old is None:
            plan.create[id_] = whole
        elif has_new_lines(whole, old.transaction):
            _plan_replacement(plan, old, whole, frozenset(after))
        else:
            plan.known.append(old)
            continue
        plan.parts[id_] = every
        plan.uncertain.add(id_)
    removals = (Removal(id_, row.transaction.start, row.version) for id_, row in before.items() if id_ not in after)
    plan.remove.extend((removal, frozenset(after)) for removal in removals)
