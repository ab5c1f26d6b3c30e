"""Message IDs and senders of Postfix messages that are not active yet, usually because they are on hold.

MailScanner requeues such a message under another queue ID, for which Postfix logs neither of the two again.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Final, NamedTuple, TypeGuard

from mailtrace.message.order import TimedFact
from mailtrace.message.transaction import Key, Lines, Transaction
from mailtrace.mta.facts import REQUEUE, Envelope, Fact, MessageId, Origin, Refusal, Submitted
from mailtrace.syslog.records import Record

_MAX_MESSAGES: Final = 2_000


class Headers(NamedTuple):
    """What a message keeps under its next queue ID, with the lines that say it."""

    msgid: str | None = None
    sender: str | None = None
    of_msgid: Lines = ()
    of_sender: Lines = ()


_NONE: Final = Headers()


class WaitingMessages:
    """Keeps the newest of these messages, also after their transactions have left memory."""

    def __init__(self) -> None:
        self._known: OrderedDict[Key, Headers] = OrderedDict()

    def keep(self, transaction: Transaction) -> None:
        """Keep message ID and sender of an open transaction; forget it once it is active."""
        if transaction.mta != "postfix":
            return
        if _is_active(transaction.facts):
            self.forget(transaction)
            return
        known = self._joined(transaction)
        if known != _NONE:
            self._known[transaction.key] = known
            if len(self._known) > _MAX_MESSAGES:
                self._known.popitem(last=False)

    def forget(self, transaction: Transaction) -> None:
        """Forget a message that is active or has left the queue."""
        self._known.pop(transaction.key, None)

    def requeued(self, host: str, origin: Origin, before: Transaction | None) -> Headers:
        """Return what a requeued message keeps.

        `before` is its transaction under the previous queue ID, if that is in memory.
        """
        key = (host, origin.origin)
        found = self._known.get(key, _NONE)
        if before is not None:
            found = _NONE if _is_active(before.facts) else self._joined(before)
        # The queue ID may be reused.
        self._known.pop(key, None)
        return found

    def _joined(self, transaction: Transaction) -> Headers:
        """Return what is known of a message. Facts in memory win over kept ones, in case the queue ID was reused."""
        found, kept = headers_of(transaction), self._known.get(transaction.key, _NONE)
        if found.msgid is None:
            found = found._replace(msgid=kept.msgid, of_msgid=kept.of_msgid)
        return found if found.sender is not None else found._replace(sender=kept.sender, of_sender=kept.of_sender)

    def state(self) -> list[list[Any]]:
        """Return what is kept, for the checkpoint."""
        return [[*key, known.msgid, known.sender, *map(_as_lists, known[2:])] for key, known in self._known.items()]

    def resume(self, state: list[list[Any]]) -> None:
        """Load what an earlier run kept; what this run already has is newer."""
        for host, queue_id, msgid, sender, *lines in state:
            sources = [tuple(Record(*line) for line in source) for source in lines] or [(), ()]
            self._known.setdefault((host, queue_id), Headers(msgid, sender, *sources))


def _as_lists(lines: Iterable[Record]) -> list[list[Any]]:
    return [list(line) for line in lines]


def headers_of(transaction: Transaction) -> Headers:
    """Return message ID and sender of a message, each from the first line that says it."""
    found = _NONE
    for (_, fact), lines in zip(transaction.facts, transaction.sources, strict=True):
        if isinstance(fact, MessageId) and found.msgid is None:
            found = found._replace(msgid=fact.msgid, of_msgid=lines)
        elif found.sender is None and (isinstance(fact, Submitted) or _is_hold(fact)):
            found = found._replace(sender=fact.sender, of_sender=lines)
    return found


def inherit(transaction: Transaction, record: Record, origin: Origin, headers: Headers) -> None:
    """Add the line that gives a message another queue ID: its origin with the sender, and its message ID."""
    kept = Origin(origin.origin, REQUEUE, headers.sender)
    is_kept_only = headers.sender is not None and not headers.of_sender
    transaction.add(record.time, kept, () if is_kept_only else (record, *headers.of_sender))
    if headers.msgid is not None:
        transaction.add(record.time, MessageId(headers.msgid), headers.of_msgid and (record, *headers.of_msgid))


def _is_hold(fact: Fact) -> TypeGuard[Refusal]:
    return isinstance(fact, Refusal) and fact.outcome == "held"


def _is_active(facts: Iterable[TimedFact]) -> bool:
    return any(type(fact) is Envelope for _, fact in facts)
