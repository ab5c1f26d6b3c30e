"""The reducer: groups lines into transactions by host and queue ID.

It holds the transactions that have changed since the last checkpoint, and those from before that are still open. All
others are in the store; `merge.py` joins them with new lines.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from mailtrace.indexing.classify import Used, count, meaning_of
from mailtrace.indexing.collected import EndedMessage, Popped, transaction_of_collected
from mailtrace.indexing.found import Item, OpenMessage
from mailtrace.indexing.report import Report
from mailtrace.indexing.short_way import ShortWay, ordinary_of
from mailtrace.message.part import Collected, Encoded, Writer, record_of
from mailtrace.message.replay import add_refusal, add_told
from mailtrace.message.sessions import Sessions
from mailtrace.message.transaction import TURNING, Key, Lines, Transaction
from mailtrace.message.waiting import WaitingMessages, inherit
from mailtrace.mta.facts import (
    REQUEUE,
    Accepted,
    Client,
    Event,
    MessageId,
    Origin,
    Parsed,
    Sender,
    Submitted,
)
from mailtrace.mta.grammars import grammar_of
from mailtrace.mta.queue_ids import NOQUEUE, time_of
from mailtrace.mta.rules import Ordinary
from mailtrace.syslog.clock_check import ClockCheck
from mailtrace.syslog.frame import Frames, Record, Unframed

MAX_HELD: Final = 3_000
"""How many changed transactions are held in memory before they are written."""
_MAX_OPEN: Final = 5_000
"""How many open transactions are kept in memory after they were written."""


def _is_new(transaction: Popped) -> bool:
    return isinstance(transaction, EndedMessage) or not transaction.written


class Reducer:
    """Adds each line to its transaction.

    The lines of a message that begins in the usual way are only collected until it ends; whoever writes it parses them
    at once. A line that is not plain takes the message out of that short way.
    """

    def __init__(self, report: Report | None = None, clock: ClockCheck | None = None) -> None:
        self._report, self._clock = report or Report(), clock or ClockCheck()
        self._short = ShortWay(self._report, self._clock, self._may_begin)
        self._changed: dict[Key, Transaction] = {}
        self._unchanged: dict[Key, Transaction] = {}
        """Open transactions that have been written and have not changed since."""
        self._complete: list[Popped] = []
        self._sessions, self._waiting = Sessions(), WaitingMessages()
        self._open_sessions = self._sessions.open

    def add_lines(self, lines: Iterable[str], frames: Frames) -> None:
        """Add the next lines of a log, and count them."""
        self._short.add_lines(lines, frames, self.add_line)

    def add_line(self, record: Record | Unframed, may_be_short: bool = True) -> None:
        """Add a line of any program, and count it; perhaps it cannot take the short way."""
        if may_be_short and isinstance(record, Record) and self._short.add_record(record):
            return
        meaning = meaning_of(record)
        count(meaning, self._report)
        if isinstance(meaning, Used):
            self._add_used(meaning)

    def add_found(self, found: Iterable[Item]) -> None:
        """Add what another process has found in the next lines, and count the lines that it has not counted."""
        for item in found:
            if isinstance(item, Used):
                self._report.used += 1
                self._add_used(item)
            elif isinstance(item, OpenMessage):
                self._add_open(item)
            elif self._is_alone(item):
                self._report.used += item.number
                self._complete.append(item)
            else:
                for line in item.lines:
                    self.add_line(line, False)

    def _is_alone(self, whole: Encoded) -> bool:
        """Return whether nothing that was read before belongs to a whole transaction."""
        if whole.queue_id == NOQUEUE:
            return not self._sessions.may_tell_of_refusal((whole.host, whole.beginning[1].pid))
        return self._may_begin_with(whole.queue_id, whole.beginning)

    def _add_open(self, message: OpenMessage) -> None:
        """Add a message that has begun in other lines."""
        key, lines = message
        if self._may_begin_with(key[1], lines[0]):
            self._short.put(key, lines)
        else:
            for line in lines:
                self.add_line(record_of(key[1], *line), False)

    def _may_begin_with(self, queue_id: str, beginning: Collected) -> bool:
        _, writer, rest = beginning
        is_open = queue_id in self._short.open.get(writer.host, ())
        return not is_open and self._may_begin(writer, queue_id, rest, ordinary_of(writer.program))

    def _add_used(self, used: Used) -> None:
        record, mta, parsed = used
        self._sample(record, parsed)
        self.add(record, mta, parsed)

    def _may_begin(self, writer: Writer, queue_id: str, rest: str, ordinary: Ordinary) -> bool:
        """Return whether a message with a usual beginning begins with nothing that was known before."""
        key = writer.host, queue_id
        if (lines := self._short.closed.pop(key, None)) is not None:
            self._complete.append(EndedMessage(key, lines))
        if key in self._changed or key in self._unchanged:
            return False
        process = writer.host, writer.pid
        return process not in self._open_sessions or not self._sessions.may_tell(process, ordinary.client_of(rest))

    def _find(self, key: Key) -> Transaction | None:
        """Return the changed transaction of a key, which takes the general way from now on."""
        if (lines := self._short.pop(key)) is not None:
            self._changed[key] = transaction_of_collected(key, lines, self._report)
        return self._changed.get(key)

    def _sample(self, record: Record, parsed: Parsed) -> None:
        """Compare the time of a line with that in the IDs of the message that it begins."""
        event = parsed[0] if type(parsed) is list and parsed else parsed
        if type(event) is Event:
            queue_id, fact = event
            if type(fact) in (Client, Submitted, Sender):
                grammar = grammar_of(record.program)
                assert grammar is not None
                self._clock.sample(record.time, queue_id, grammar.mta)
            elif type(fact) is MessageId and fact.msgid:
                self._clock.sample_message_id(record.time, queue_id, fact.msgid)

    def add(self, record: Record, mta: str, parsed: Parsed) -> None:
        """Add what a grammar returned for a line."""
        if type(parsed) is Event:
            queue_id, fact = parsed
            time, host, _, _, _ = record
            found = self._find((host, queue_id))
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
                self._add_event(self._find((record.host, parsed.queue_id)), record, mta, event, login.lines)
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
            transaction = self._find(before) or self._unchanged.get(before)
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
        return len(self._short) + len(self._changed) + len(self._complete)

    def pop_finished(self) -> list[Popped]:
        """Remove and return all finished transactions."""
        finished, still_open = self._pop_complete(), {}
        for key, transaction in self._changed.items():
            if transaction.is_finished:
                finished.append(transaction)
                self._waiting.forget(transaction)
            else:
                still_open[key] = transaction
        self._changed = still_open
        return sorted(finished, key=_is_new)

    def _pop_complete(self) -> list[Popped]:
        complete = [*self._complete, *(EndedMessage(key, lines) for key, lines in self._short.pop_closed())]
        self._complete = []
        return complete

    def pop_changed(self) -> list[Popped]:
        """Return all transactions that have changed since the last call; later events do not change them.

        Finished and idle transactions are removed; open ones are kept, and the list has copies of them.
        """
        changed, self._unchanged = self._pop_complete(), {}
        for key, lines in self._short.pop_open():
            self._changed[key] = transaction_of_collected(key, lines, self._report)
        for key, transaction in self._changed.items():
            is_finished = transaction.is_finished
            (self._waiting.forget if is_finished else self._waiting.keep)(transaction)
            if is_finished or len(self._unchanged) >= _MAX_OPEN:
                changed.append(transaction)
            else:
                copies = transaction.facts.copy(), transaction.sources.copy()
                changed.append(replace(transaction, facts=copies[0], sources=copies[1]))
                transaction.written = True
                self._unchanged[key] = transaction
        self._changed = {}
        # Stored transactions come first, so that the store updates neighbouring rows together.
        return sorted(changed, key=_is_new)

    def state(self) -> dict[str, Any]:
        """Return the state of sessions and waiting messages, for the checkpoint."""
        return {"sessions": self._sessions.state(), "waiting": self._waiting.state()}

    def resume(self, state: dict[str, Any]) -> None:
        """Load the state that an earlier run saved."""
        self._sessions.resume(state.get("sessions", []))
        self._waiting.resume(state.get("waiting", []))
