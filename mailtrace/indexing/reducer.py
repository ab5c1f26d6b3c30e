"""The reducer: events become transactions, by host and queue ID.

It holds what the lines since the last save have touched, and what is still open of the lines before; the store has the
rest, and joins what belongs together.
"""

from dataclasses import replace
from typing import Any, Final

from mailtrace.indexing.sessions import Sessions
from mailtrace.indexing.waiting import Waiting
from mailtrace.message.transaction import TURNING, Key, Transaction
from mailtrace.mta.facts import (
    REQUEUE,
    Accepted,
    Announced,
    Authenticated,
    Client,
    Event,
    Fact,
    Origin,
    Parsed,
    Refusal,
    Sender,
)
from mailtrace.mta.queue_ids import NOQUEUE, time_of
from mailtrace.syslog.frame import Record

MAX_HELD: Final = 3_000
"""How many transactions are held in memory, at most, before they must be written."""
_MAX_OLDER: Final = 5_000


def _is_new(transaction: Transaction) -> bool:
    return not transaction.written


class Reducer:
    """Puts each event to its transaction."""

    def __init__(self) -> None:
        self._touched: dict[Key, Transaction] = {}
        self._older: dict[Key, Transaction] = {}
        self._complete: list[Transaction] = []
        self._sessions, self._waiting = Sessions(), Waiting()
        self._open_sessions = self._sessions.open

    def take(self, record: Record, mta: str, parsed: Parsed) -> None:
        """Take in what a line says."""
        if type(parsed) is Event:
            queue_id, fact = parsed
            time, host, _, _, _ = record
            found = self._touched.get((host, queue_id))
            if found is not None and time >= found.open_from and type(fact) not in TURNING:
                # Most lines come here: nothing is asked whose answer is known.
                found.facts.append((time, fact))
            else:
                self._add(found, record, mta, parsed)
        elif type(parsed) is list:
            for event in parsed:
                self.take(record, mta, event)
        elif type(parsed) is Authenticated:
            self._sessions.log_in(record, parsed)
        elif type(parsed) is Announced:
            self._sessions.announce(record, parsed)
        elif type(parsed) is Accepted and (login := self._sessions.accept(record)) is not None:
            self.take(record, mta, Event(parsed.queue_id, login))

    def _add(self, found: Transaction | None, record: Record, mta: str, event: Event) -> None:
        """Take in what may begin or end a transaction, or belong to another one than the one in memory."""
        queue_id, fact = event
        if queue_id == NOQUEUE:
            self._refuse(record, mta, fact)
            return
        key = (record.host, queue_id)
        if found is None:
            found = self._older.pop(key, None) or Transaction(record.host, queue_id, mta)
            self._touched[key] = found
        if found.facts and time_of(queue_id, mta) is None and not found.continues(record.time, fact):
            self._complete.append(found)
            self._waiting.forget(found)
            self._touched[key] = found = Transaction(record.host, queue_id, mta)
        if type(fact) is Origin and fact.kind == REQUEUE:
            self._hand_on(found, record, fact)
            return
        found.add(record.time, fact)
        if self._open_sessions and (type(fact) is Client or type(fact) is Sender):
            for said in self._sessions.begin(record, fact):
                found.add(record.time, said)

    def _refuse(self, record: Record, mta: str, fact: Fact) -> None:
        """Take in what was refused without a queue ID: a transaction of its own."""
        refused = Transaction(record.host, NOQUEUE, mta, line=f"{record.pid} {record.text}")
        facts = self._sessions.refuse(record, fact) if self._open_sessions and isinstance(fact, Refusal) else [fact]
        for said in facts:
            refused.add(record.time, said)
        self._complete.append(refused)

    def _hand_on(self, found: Transaction, record: Record, origin: Origin) -> None:
        """Take in that a message goes on under this queue ID, with what was known under the one before."""
        key = (record.host, origin.origin)
        before = self._touched.get(key, self._older.get(key))
        for said in self._waiting.handed_on(record.host, origin, before):
            found.add(record.time, said)

    @property
    def held(self) -> int:
        """How many transactions are waiting to be written."""
        return len(self._touched) + len(self._complete)

    def hand_over_finished(self) -> list[Transaction]:
        """Return every finished transaction, which leaves; what is open stays as it is."""
        finished, still_open = self._complete, {}
        for key, transaction in self._touched.items():
            if transaction.is_finished:
                finished.append(transaction)
                self._waiting.forget(transaction)
            else:
                still_open[key] = transaction
        self._touched, self._complete = still_open, []
        return sorted(finished, key=_is_new)

    def hand_over(self) -> list[Transaction]:
        """Return every transaction that has changed since this was last asked, none of which will change any more.

        What is finished leaves, and what was idle since; of what is open a copy is given.
        """
        changed, self._older = self._complete, {}
        for key, transaction in self._touched.items():
            is_finished = transaction.is_finished
            (self._waiting.forget if is_finished else self._waiting.keep)(transaction)
            if is_finished or len(self._older) >= _MAX_OLDER:
                changed.append(transaction)
            else:
                changed.append(replace(transaction, facts=transaction.facts.copy()))
                transaction.written = True
                self._older[key] = transaction
        self._touched, self._complete = {}, []
        # What a store has already comes first: it changes at once what lies together.
        return sorted(changed, key=_is_new)

    def state(self) -> dict[str, Any]:
        """Return what lines without a queue ID have said, and of messages on hold, for a later run to go on with."""
        return {"sessions": self._sessions.state(), "waiting": self._waiting.state()}

    def resume(self, state: dict[str, Any]) -> None:
        """Go on with what an earlier run knew."""
        self._sessions.resume(state.get("sessions", []))
        self._waiting.resume(state.get("waiting", []))
