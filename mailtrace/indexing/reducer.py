"""The reducer: groups lines into transactions by host and queue ID.

It holds the transactions that have changed since the last checkpoint, and those from before that are still open. All
others are in the store; `merge.py` joins them with new lines.
"""

from dataclasses import replace
from typing import Any, Final

from mailtrace.message.replay import add_refusal, add_told
from mailtrace.message.sessions import Sessions
from mailtrace.message.transaction import TURNING, Key, Lines, Transaction
from mailtrace.message.waiting import WaitingMessages, inherit
from mailtrace.mta.facts import (
    REQUEUE,
    Accepted,
    Client,
    Event,
    Origin,
    Parsed,
    Sender,
)
from mailtrace.mta.queue_ids import NOQUEUE, time_of
from mailtrace.syslog.frame import Record

MAX_HELD: Final = 3_000
"""How many changed transactions are held in memory before they are written."""
_MAX_OPEN: Final = 5_000
"""How many open transactions are kept in memory after they were written."""


def _is_new(transaction: Transaction) -> bool:
    return not transaction.written


class Reducer:
    """Adds each event to its transaction."""

    def __init__(self) -> None:
        self._changed: dict[Key, Transaction] = {}
        self._unchanged: dict[Key, Transaction] = {}
        """Open transactions that have been written and have not changed since."""
        self._complete: list[Transaction] = []
        self._sessions, self._waiting = Sessions(), WaitingMessages()
        self._open_sessions = self._sessions.open

    def add(self, record: Record, mta: str, parsed: Parsed) -> None:
        """Add what a grammar returned for a line."""
        if type(parsed) is Event:
            queue_id, fact = parsed
            time, host, _, _, _ = record
            found = self._changed.get((host, queue_id))
            if found is not None and time >= found.open_from and type(fact) not in TURNING:
                # Fast path for most lines: this fact neither begins nor ends a message.
                found.facts.append((time, fact))
                found.sources.append((record,))
            else:
                self._add_event(found, record, mta, parsed, (record,))
        elif type(parsed) is list:
            for event in parsed:
                self.add(record, mta, event)
        elif type(parsed) is Accepted:
            login = self._sessions.accept(record)
            for fact in login.facts:
                event = Event(parsed.queue_id, fact)
                self._add_event(self._changed.get((record.host, parsed.queue_id)), record, mta, event, login.lines)
        else:
            self._sessions.keep(record, parsed)

    def _add_event(self, found: Transaction | None, record: Record, mta: str, event: Event, lines: Lines) -> None:
        """Add an event that can begin or end a transaction, or belong to another one than `found`."""
        queue_id, fact = event
        if queue_id == NOQUEUE:
            self._add_refusal(record, mta, event)
            return
        key = (record.host, queue_id)
        if found is None:
            found = self._unchanged.pop(key, None) or Transaction(record.host, queue_id, mta)
            self._changed[key] = found
        if found.facts and time_of(queue_id, mta) is None and not found.continues(record.time, fact):
            self._complete.append(found)
            self._waiting.forget(found)
            self._changed[key] = found = Transaction(record.host, queue_id, mta)
        if type(fact) is Origin and fact.kind == REQUEUE:
            before = (record.host, fact.origin)
            transaction = self._changed.get(before, self._unchanged.get(before))
            inherit(found, record, fact, self._waiting.requeued(record.host, fact, transaction))
            return
        found.add(record.time, fact, lines)
        if self._open_sessions and (type(fact) is Client or type(fact) is Sender):
            add_told(found, record, self._sessions.begin(record, fact))

    def _add_refusal(self, record: Record, mta: str, event: Event) -> None:
        """Add a refusal without a queue ID, which is a transaction of its own."""
        refused = Transaction(record.host, NOQUEUE, mta)
        add_refusal(refused, record, event, self._sessions)
        self._complete.append(refused)

    @property
    def held(self) -> int:
        """How many transactions are waiting to be written."""
        return len(self._changed) + len(self._complete)

    def pop_finished(self) -> list[Transaction]:
        """Remove and return all finished transactions."""
        finished, still_open = self._complete, {}
        for key, transaction in self._changed.items():
            if transaction.is_finished:
                finished.append(transaction)
                self._waiting.forget(transaction)
            else:
                still_open[key] = transaction
        self._changed, self._complete = still_open, []
        return sorted(finished, key=_is_new)

    def pop_changed(self) -> list[Transaction]:
        """Return all transactions that have changed since the last call; later events do not change them.

        Finished and idle transactions are removed; open ones are kept, and the list has copies of them.
        """
        changed, self._unchanged = self._complete, {}
        for key, transaction in self._changed.items():
            is_finished = transaction.is_finished
            (self._waiting.forget if is_finished else self._waiting.keep)(transaction)
            if is_finished or len(self._unchanged) >= _MAX_OPEN:
                changed.append(transaction)
            else:
                changed.append(replace(transaction, facts=transaction.facts.copy(), sources=transaction.sources.copy()))
                transaction.written = True
                self._unchanged[key] = transaction
        self._changed, self._complete = {}, []
        # Stored transactions come first, so that the store updates neighbouring rows together.
        return sorted(changed, key=_is_new)

    def state(self) -> dict[str, Any]:
        """Return the state of sessions and waiting messages, for the checkpoint."""
        return {"sessions": self._sessions.state(), "waiting": self._waiting.state()}

    def resume(self, state: dict[str, Any]) -> None:
        """Load the state that an earlier run saved."""
        self._sessions.resume(state.get("sessions", []))
        self._waiting.resume(state.get("waiting", []))
