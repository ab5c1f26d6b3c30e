"""A transaction: what one mail server did with one message under one queue ID, as the set of facts its log tells.

What is stored is a function of that set, not of the order or the number of times in which its lines were read: facts
are joined as sets, and where one queue ID served several messages they are told apart anew, by `segments`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from mailtrace.message.order import TimedFact, in_order
from mailtrace.mta.facts import (
    BEGINNINGS,
    FACTS,
    Envelope,
    Expired,
    Fact,
    Login,
    MessageId,
    Origin,
    Removed,
    Result,
    Sender,
)
from mailtrace.mta.queue_ids import NOQUEUE, time_of

Key: TypeAlias = tuple[str, str]
"""What the lines of a transaction share: the host and the queue ID."""

TimeSpan: TypeAlias = tuple[int, int]
"""Two times, in microseconds since 1970 UTC, and all between them."""

SECOND: Final = 1_000_000
_DISORDER: Final = 5 * SECOND
"""How far the lines of one message may stand in the wrong order: daemons write, and relays forward, side by side."""
_NEVER: Final = 1 << 62
_LATE_LINK: Final = 3600 * SECOND
"""How long after a message has left the queue the line may come that says whose notice it was, or where it went on."""
_LONG: Final = 86_400 * SECOND
"""What has lines so far from its first one is not settled."""
FINAL: Final = frozenset({"sent", "bounced", "expired", "rejected", "discarded", "deleted"})
"""The outcomes after which nothing more happens to a recipient."""

_KIND: Final = {kind: i for i, kind in enumerate(FACTS)}
_BEGINNINGS: Final = frozenset(BEGINNINGS)
TURNING: Final = frozenset((*BEGINNINGS, Origin, Removed))
"""The facts that may be another message's although one of this queue ID is open."""


def by_time(timed: TimedFact) -> int:
    """Return the time of a fact, in microseconds: the key by which facts are sorted."""
    return timed[0]


@dataclass(slots=True, eq=False)
class Transaction:
    """The facts of one transaction, in the order in which they were read."""

    host: str
    queue_id: str
    mta: str
    """postfix or sendmail."""
    facts: list[TimedFact] = field(default_factory=list)
    line: str = ""
    """A refusal without a queue ID is known by its line: process ID and text."""
    begun: TimedFact | None = None
    finished: int | None = None
    """When the message left the queue (Postfix), in microseconds."""
    first: int = _NEVER
    """The time of the first line, in microseconds."""
    open_from: int = _NEVER
    """From when on any fact that neither begins nor ends a message surely is this one's: begun, and not finished."""
    ordered: int = 0
    """How many facts are known to be in order, each once: all of them, where `joined` made it."""
    written: bool = False
    """Whether a store has it already, in part."""

    def add(self, time: int, fact: Fact) -> None:
        """Add what a line of that time says."""
        self.facts.append((time, fact))
        if time < self.first:
            self.first = time
        kind = type(fact)
        if kind in _BEGINNINGS:
            if self.begun is None or time < self.begun[0]:
                self.begun = (time, fact)
                self.open_from = time if self.finished is None else _NEVER
        elif kind is Removed:
            self.finished = time if self.finished is None else max(time, self.finished)
            self.open_from = _NEVER

    @property
    def key(self) -> Key:
        """The host and the queue ID."""
        return self.host, self.queue_id

    @property
    def is_timed(self) -> bool:
        """Whether the queue ID tells when it was given, and so is never given again."""
        return time_of(self.queue_id, self.mta) is not None

    @property
    def start(self) -> int:
        """What tells this transaction from others of its key: the ID's own time, else the beginning's; microseconds."""
        carried = time_of(self.queue_id, self.mta)
        if carried is not None:
            return carried * SECOND
        return self.begun[0] if self.begun else self.first

    @property
    def id(self) -> str:
        """The document's ID: the same wherever and whenever these lines are read."""
        return transaction_id(self.host, self.queue_id, self.start, self.line)

    @property
    def is_certain(self) -> bool:
        """Whether these facts alone tell the ID: no line read earlier or later can change it.

        What was read before a beginning can be the end of the ID's former use.
        """
        if self.is_timed or self.queue_id == NOQUEUE:
            return True
        return self.begun is not None and self.begun == self.facts[0] and self.is_finished

    @property
    def is_settled(self) -> bool:
        """Whether only lines of about its own time can change what it is: it is whole, and was done within a day."""
        if self.is_timed or self.queue_id == NOQUEUE:
            return True
        if not self.is_certain or self.finished is None:
            return False
        first, last = time_span_of([self])
        return last - first <= _LONG

    @property
    def may_lack_beginning(self) -> bool:
        """Whether a beginning may be missing that is in another log: not of a notice that is known as one."""
        if self.begun is not None or self.is_timed or self.queue_id == NOQUEUE:
            return False
        return not any(type(fact) is Origin for _, fact in self.facts)

    @property
    def is_finished(self) -> bool:
        """Whether the message has left the queue; sendmail does not say so, and its final results are counted."""
        if self.finished is not None or self.queue_id == NOQUEUE:
            return True
        expected = self.begun[1].nrcpt if self.begun and isinstance(self.begun[1], Sender) else None
        if expected is None:
            return False
        final = {fact.recipient for _, fact in self.facts if type(fact) is Result and fact.outcome in FINAL}
        return len(final) >= expected

    def continues(self, time: int, fact: Fact) -> bool:
        """Return whether a fact read after these can belong to the same message, or must be of the ID's next user.

        A short ID is given again as soon as its file is gone (Postfix, `mail_queue_enter`).
        """
        kind = type(fact)
        if kind in _BEGINNINGS:
            return self._takes_beginning(time, fact)
        if self.begun is not None and time < self.begun[0] - _DISORDER:
            return False
        if kind is Origin:
            return self.begun is None and (self.finished is None or time <= self.finished + _LATE_LINK)
        if self.finished is None or time <= self.finished:
            return True
        if kind is Removed and self._is_requeued:
            # The file is there until pickup(8) has read it, so the ID is not given again before.
            return time <= self.finished + _LATE_LINK
        # A before-queue filter's client is told behind the message, which may have been delivered meanwhile.
        late = _DISORDER if kind is Login else SECOND
        return time <= self.finished + late and not self._begins_another(fact)

    @property
    def _is_requeued(self) -> bool:
        return any(type(fact) is Removed and fact.how == "requeued" for _, fact in self.facts)

    def _takes_beginning(self, time: int, fact: Fact) -> bool:
        if self.begun is not None:
            return self.begun == (time, fact)
        if self.finished is not None and time > self.finished:
            return False
        return time <= max(map(by_time, self.facts)) + _DISORDER

    def _begins_another(self, fact: Fact) -> bool:
        """Whether a line just after the end is the first of a notice, which has no beginning, under the same ID."""
        kind = type(fact)
        return kind in (MessageId, Envelope) and any(type(known) is kind and known != fact for _, known in self.facts)


def transaction_id(host: str, queue_id: str, start: int, line: str = "") -> str:
    """Return the document's ID for a transaction that began at `start`, in microseconds."""
    from hashlib import blake2b  # noqa: PLC0415 # no search needs it, and it takes its time to load

    name = f"{host}\0{queue_id}\0{start}\0{line}"
    return blake2b(name.encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()


def is_beginning(fact: Fact) -> bool:
    """Return whether a transaction begins with this fact."""
    return type(fact) in _BEGINNINGS


def joined(parts: Iterable[Transaction]) -> Transaction:
    """Return one transaction with the facts of all: each once, in the order that they have by themselves."""
    parts = list(parts)
    first = parts[0]
    if len(parts) > 1:
        return _whole(first, in_order([fact for part in parts for fact in part.facts]))
    if first.ordered != len(first.facts):
        facts = in_order(first.facts)
        if facts is not first.facts:
            return _whole(first, facts)
        first.ordered = len(facts)
    return first


def _whole(part: Transaction, facts: list[TimedFact]) -> Transaction:
    whole = Transaction(part.host, part.queue_id, part.mta, line=part.line)
    for time, fact in facts:
        whole.add(time, fact)
    whole.ordered = len(facts)
    return whole


def time_span_of(parts: Iterable[Transaction]) -> TimeSpan:
    """Return the times of the first and of the last line of these."""
    times = [time for part in parts for time, _ in part.facts]
    return min(times), max(times)


def starts_near(span: TimeSpan) -> TimeSpan:
    """Return between which starts a settled transaction must lie to share a line with others of these times."""
    return span[0] - _LONG - _LATE_LINK, span[1] + _LATE_LINK


def segments(parts: Iterable[Transaction]) -> list[Transaction]:
    """Return the transactions that the facts of these, all of one key, make up: one, or one for each use of the ID."""
    whole = joined(parts)
    if whole.is_timed or whole.queue_id == NOQUEUE:
        return [whole]
    found: list[Transaction] = []
    for time, fact in _in_turns(whole.facts):
        for candidate in reversed(found):
            if candidate.continues(time, fact):
                candidate.add(time, fact)
                break
        else:
            found.append(Transaction(whole.host, whole.queue_id, whole.mta))
            found[-1].add(time, fact)
    return found


def _in_turns(facts: list[TimedFact]) -> list[TimedFact]:
    """Return facts in order, but the end of one use of a queue ID before the next, which may begin in the same second.

    The ID is free only then.
    """
    starts = sorted({time for time, fact in facts if type(fact) in _BEGINNINGS})
    former = dict(zip(starts[1:], starts, strict=False))
    if not former:
        return facts
    ends = [time for time, fact in facts if type(fact) is Removed]
    open_since = {time: begun for time, begun in former.items() if not any(begun <= end < time for end in ends)}
    return sorted(facts, key=lambda timed: (timed[0], not _ends_former(*timed, open_since.get(timed[0]))))


def _ends_former(time: int, fact: Fact, begun: int | None) -> bool:
    """Whether a fact of the time at which a message begins is of the one before, begun then and still open."""
    if begun is None:
        return False
    if type(fact) is Result:
        return fact.delay is None or 2 * fact.delay * SECOND > time - begun
    return type(fact) in (Expired, Removed)


def pack(facts: Iterable[TimedFact]) -> list[list[object]]:
    """Return facts as plain lists, for a store to keep."""
    return [[time, _KIND[type(fact)], *fact] for time, fact in facts]


def unpack(rows: Iterable[list[Any]]) -> list[TimedFact]:
    """Return the facts of `pack`; members that an older version did not write have their defaults."""
    return [(time, FACTS[kind](*members)) for time, kind, *members in rows]
