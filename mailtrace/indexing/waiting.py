"""Message IDs and senders of Postfix messages that are not active yet, usually because they are on hold.

MailScanner requeues such a message under another queue ID, for which Postfix logs neither of the two again.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Final, NamedTuple, TypeGuard

from mailtrace.message.order import TimedFact
from mailtrace.message.transaction import Key, Transaction
from mailtrace.mta.facts import REQUEUE, Envelope, Fact, MessageId, Origin, Refusal, Submitted

_MAX_MESSAGES: Final = 2_000


class _Headers(NamedTuple):
    msgid: str | None = None
    sender: str | None = None


class WaitingMessages:
    """Keeps the newest of these messages, also after their transactions have left memory."""

    def __init__(self) -> None:
        self._known: OrderedDict[Key, _Headers] = OrderedDict()

    def keep(self, transaction: Transaction) -> None:
        """Keep message ID and sender of an open transaction; forget it once it is active."""
        if transaction.mta != "postfix":
            return
        if _is_active(transaction.facts):
            self.forget(transaction)
            return
        known = self._joined(transaction.key, transaction.facts)
        if known != _Headers():
            self._known[transaction.key] = known
            if len(self._known) > _MAX_MESSAGES:
                self._known.popitem(last=False)

    def forget(self, transaction: Transaction) -> None:
        """Forget a message that is active or has left the queue."""
        self._known.pop(transaction.key, None)

    def facts_of_requeue(self, host: str, origin: Origin, before: Transaction | None) -> list[Fact]:
        """Return the facts that a requeued message keeps: its origin with the sender, and its message ID.

        `before` is its transaction under the previous queue ID, if that is in memory.
        """
        key, facts = (host, origin.origin), before.facts if before is not None else []
        msgid, sender = _Headers() if _is_active(facts) else self._joined(key, facts)
        # The queue ID may be reused.
        self._known.pop(key, None)
        kept: list[Fact] = [Origin(origin.origin, REQUEUE, sender)]
        if msgid is not None:
            kept.append(MessageId(msgid))
        return kept

    def _joined(self, key: Key, facts: Iterable[TimedFact]) -> _Headers:
        """Return what is known of a message. Facts in memory win over kept ones, in case the queue ID was reused."""
        msgid: str | None = None
        sender: str | None = None
        for _, fact in facts:
            if isinstance(fact, MessageId) and msgid is None:
                msgid = fact.msgid
            elif sender is None and (isinstance(fact, Submitted) or _is_hold(fact)):
                sender = fact.sender
        kept = self._known.get(key, _Headers())
        return _Headers(kept.msgid if msgid is None else msgid, kept.sender if sender is None else sender)

    def state(self) -> list[list[Any]]:
        """Return what is kept, for the checkpoint."""
        return [[*key, *known] for key, known in self._known.items()]

    def resume(self, state: list[list[Any]]) -> None:
        """Load what an earlier run kept; what this run already has is newer."""
        for host, queue_id, msgid, sender in state:
            self._known.setdefault((host, queue_id), _Headers(msgid, sender))


def _is_hold(fact: Fact) -> TypeGuard[Refusal]:
    return isinstance(fact, Refusal) and fact.outcome == "held"


def _is_active(facts: Iterable[TimedFact]) -> bool:
    return any(type(fact) is Envelope for _, fact in facts)
