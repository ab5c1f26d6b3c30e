"""A transaction from its lines: what they say, read again in the order of their times.

Some lines of a transaction do not name its queue ID: those of the session before it (`sessions.py`), and those of the
queue ID that the message had before (`waiting.py`).
"""

from collections.abc import Iterable
from typing import Final

from mailtrace.message.sessions import Sessions, Told
from mailtrace.message.transaction import SECOND, Transaction
from mailtrace.message.waiting import headers_of, inherit
from mailtrace.mta import kept_facts
from mailtrace.mta.facts import (
    REQUEUE,
    Accepted,
    Announced,
    Authenticated,
    Client,
    Event,
    Origin,
    Parsed,
    Refusal,
    Sender,
)
from mailtrace.mta.grammars import parse
from mailtrace.mta.queue_ids import NOQUEUE
from mailtrace.syslog.records import Record

_DISORDER: Final = 5 * SECOND
_OF_SESSION: Final = (Authenticated, Announced)


def transaction_of(host: str, queue_id: str, mta: str, lines: Iterable[Record]) -> Transaction:
    """Return the transaction with this queue ID that these lines make."""
    found = Transaction(host, queue_id, mta)
    others: list[tuple[Record, Parsed]] = []
    own: list[tuple[Record, list[Event]]] = []
    for line in lines:
        if line.program == kept_facts.PROGRAM:
            found.line = line.pid
            found.add(line.time, kept_facts.fact_of(line.text), (line,))
            continue
        parsed = parse(line.program, line.text)
        events = [event for event in events_of(parsed) if event.queue_id == queue_id]
        if events:
            own.append((line, events))
        else:
            others.append((line, parsed))
    if others or queue_id == NOQUEUE:
        _add_with_others(found, own, others)
    else:
        for line, events in own:
            for event in events:
                found.add(line.time, event.fact, (line,))
    return found


def events_of(parsed: Parsed) -> list[Event]:
    """Return the events in what a grammar returned."""
    if type(parsed) is list:
        return parsed
    return [parsed] if type(parsed) is Event else []


def _add_with_others(
    found: Transaction, own: list[tuple[Record, list[Event]]], others: list[tuple[Record, Parsed]]
) -> None:
    """Add lines with those that do not name the queue ID, in the order in which a log has them."""
    sessions, before = Sessions(), _under_other_ids(found, others)
    every = [(line, parsed, None) for line, parsed in others] + [(line, None, events) for line, events in own]
    for line, parsed, events in sorted(every, key=_when):
        if events is not None:
            for event in events:
                _add_event(found, line, event, sessions, before)
        elif type(parsed) is Accepted:
            add_told(found, line, sessions.accept(line))
        else:
            sessions.keep(line, parsed)


def _when(one: tuple[Record, Parsed, list[Event] | None]) -> tuple[int, bool, Record]:
    """Lines of a session come before the line that begins the message, even where a log has them in disorder."""
    line, parsed, events = one
    is_before = events is None and type(parsed) is not Accepted
    return line.time - (_DISORDER if is_before else 0), type(parsed) not in _OF_SESSION, line


def _under_other_ids(found: Transaction, others: Iterable[tuple[Record, Parsed]]) -> dict[str, Transaction]:
    """Return what the lines say about other queue IDs, by these."""
    before: dict[str, Transaction] = {}
    for line, parsed in others:
        for queue_id, fact in events_of(parsed):
            one = before.setdefault(queue_id, Transaction(found.host, queue_id, found.mta))
            one.add(line.time, fact, (line,))
    return before


def _add_event(
    found: Transaction, line: Record, event: Event, sessions: Sessions, before: dict[str, Transaction]
) -> None:
    fact = event.fact
    if found.queue_id == NOQUEUE:
        add_refusal(found, line, event, sessions)
    elif isinstance(fact, Origin) and fact.kind == REQUEUE and fact.origin in before:
        inherit(found, line, fact, headers_of(before[fact.origin]))
    else:
        found.add(line.time, fact, (line,))
        if isinstance(fact, (Client, Sender)):
            add_told(found, line, sessions.begin(line, fact, is_replay=True))


def add_told(transaction: Transaction, record: Record, told: Told) -> None:
    """Add what was kept for a message, at the time of the line that begins or accepts it."""
    for fact in told.facts:
        transaction.add(record.time, fact, told.lines)


def add_refusal(transaction: Transaction, record: Record, event: Event, sessions: Sessions) -> None:
    """Add a refusal without a queue ID, which is a transaction of its own."""
    transaction.line = f"{record.pid} {record.text}"
    fact = event.fact
    if isinstance(fact, Refusal) and sessions.open:
        add_told(transaction, record, sessions.refuse(record, fact))
    else:
        transaction.add(record.time, fact, (record,))
