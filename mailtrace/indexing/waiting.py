"""What the log said of messages that the queue manager has not taken up: those that wait on hold, as a rule.

MailScanner gives such a message another queue ID, under which neither its message ID nor its sender is logged again.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Final, NamedTuple, TypeGuard

from mailtrace.message.order import TimedFact
from mailtrace.message.transaction import Key, Transaction
from mailtrace.mta.facts import REQUEUE, Envelope, Fact, MessageId, Origin, Refusal, Submitted

_MOST: Final = 2_000


class _Known(NamedTuple):
    msgid: str | None = None
    sender: str | None = None


class Waiting:
    """Keeps the newest of these messages, beyond the transactions in memory."""

    def __init__(self) -> None:
        self._known: OrderedDict[Key, _Known] = OrderedDict()

    def keep(self, transaction: Transaction) -> None:
        """Keep what is known of a message that stays open, for when its transaction has left the memory."""
        if transaction.mta != "postfix":
            return
        if _is_taken_up(transaction.facts):
            self.forget(transaction)
            return
        known = self._joined(transaction.key, transaction.facts)
        if known != _Known():
            self._known[transaction.key] = known
            if len(self._known) > _MOST:
                self._known.popitem(last=False)

    def forget(self, transaction: Transaction) -> None:
        """Forget a message that has been delivered, or has left the queue."""
        self._known.pop(transaction.key, None)

    def handed_on(self, host: str, origin: Origin, before: Transaction | None) -> list[Fact]:
        """Return what a message that has another queue ID now takes with it from its transaction before."""
        key, facts = (host, origin.origin), before.facts if before is not None else []
        msgid, sender = _Known() if _is_taken_up(facts) else self._joined(key, facts)
        # The queue ID may be given again.
        self._known.pop(key, None)
        told: list[Fact] = [Origin(origin.origin, REQUEUE, sender)]
        if msgid is not None:
            told.append(MessageId(msgid))
        return told

    def _joined(self, key: Key, facts: Iterable[TimedFact]) -> _Known:
        """What is known of a message: what is in memory is newer, should the queue ID have been given again."""
        msgid: str | None = None
        sender: str | None = None
        for _, fact in facts:
            if isinstance(fact, MessageId) and msgid is None:
                msgid = fact.msgid
            elif sender is None and (isinstance(fact, Submitted) or _is_hold(fact)):
                sender = fact.sender
        kept = self._known.get(key, _Known())
        return _Known(kept.msgid if msgid is None else msgid, kept.sender if sender is None else sender)

    def state(self) -> list[list[Any]]:
        """Return what is kept, for a later run to go on with."""
        return [[*key, *known] for key, known in self._known.items()]

    def resume(self, state: list[list[Any]]) -> None:
        """Go on with what an earlier run kept; what this run knows already is newer."""
        for host, queue_id, msgid, sender in state:
            self._known.setdefault((host, queue_id), _Known(msgid, sender))


def _is_hold(fact: Fact) -> TypeGuard[Refusal]:
    return isinstance(fact, Refusal) and fact.outcome == "held"


def _is_taken_up(facts: Iterable[TimedFact]) -> bool:
    return any(type(fact) is Envelope for _, fact in facts)
