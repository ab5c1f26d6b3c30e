"""The reducer: events become transactions, by host and queue ID.

It holds what the lines since the last save have touched, and what is still open of the lines before; the store has the
rest, and joins what belongs together.
"""

from collections import OrderedDict
from dataclasses import replace
from typing import Any, Final

from mailtrace.mta.events import Authenticated, Event, Login, Parsed, Sender
from mailtrace.queue_ids import NOQUEUE, time_of
from mailtrace.syslog import Record
from mailtrace.transactions import TURNING, Key, Transaction

MAX_HELD: Final = 3_000
"""How many transactions are held in memory, at most, before they must be written."""
_MAX_OLDER: Final = 5_000
_MAX_LOGINS: Final = 5_000


def _is_new(transaction: Transaction) -> bool:
    return not transaction.written


class Reducer:
    """Puts each event to its transaction."""

    def __init__(self) -> None:
        self._touched: dict[Key, Transaction] = {}
        self._older: dict[Key, Transaction] = {}
        self._complete: list[Transaction] = []
        self._logins: OrderedDict[tuple[str, str], Authenticated] = OrderedDict()

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
            self._log_in((record.host, record.pid), parsed)

    def _add(self, found: Transaction | None, record: Record, mta: str, event: Event) -> None:
        """Take in what may begin or end a transaction, or belong to another one than the one in memory."""
        queue_id, fact = event
        if queue_id == NOQUEUE:
            refused = Transaction(record.host, NOQUEUE, mta, line=f"{record.pid} {record.text}")
            refused.add(record.time, fact)
            self._complete.append(refused)
            return
        key = (record.host, queue_id)
        if found is None:
            found = self._older.pop(key, None) or Transaction(record.host, queue_id, mta)
            self._touched[key] = found
        if found.facts and time_of(queue_id, mta) is None and not found.continues(record.time, fact):
            self._complete.append(found)
            self._touched[key] = found = Transaction(record.host, queue_id, mta)
        found.add(record.time, fact)
        if type(fact) is Sender and self._logins:
            session = self._logins.get((record.host, record.pid))
            if session is not None and session.client == fact.client:
                found.add(record.time, Login(session.login))

    def _log_in(self, process: tuple[str, str], session: Authenticated) -> None:
        self._logins[process] = session
        self._logins.move_to_end(process)
        if len(self._logins) > _MAX_LOGINS:
            self._logins.popitem(last=False)

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
            if transaction.is_finished or len(self._older) >= _MAX_OLDER:
                changed.append(transaction)
            else:
                changed.append(replace(transaction, facts=transaction.facts.copy()))
                transaction.written = True
                self._older[key] = transaction
        self._touched, self._complete = {}, []
        # What a store has already comes first: it changes at once what lies together.
        return sorted(changed, key=_is_new)

    def state(self) -> list[list[Any]]:
        """Return the sessions that had logged in, for a later run to go on with."""
        return [[*process, *session] for process, session in self._logins.items()]

    def resume(self, state: list[list[Any]]) -> None:
        """Go on with the sessions that an earlier run knew."""
        for host, pid, login, client in state:
            self._logins.setdefault((host, pid), Authenticated(login, client))
