"""A transaction: what one mail server did with one message under one queue ID, as a set of lines from its log.

The set alone decides what is stored, whatever the order of reading and however often a line was read: sets of lines are
joined, and `segments` divides them again if a queue ID was used for several messages.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, TypeAlias

from mailtrace.message.order import TimedFact, in_order
from mailtrace.mta import kept_facts
from mailtrace.mta.facts import (
    BEGINNINGS,
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
from mailtrace.syslog.records import Record

Key: TypeAlias = tuple[str, str]
"""The host and the queue ID, which all lines of a transaction share."""

Lines: TypeAlias = tuple[Record, ...]
"""The lines that together say one fact; nearly always one."""

TimeSpan: TypeAlias = tuple[int, int]
"""First and last time, in microseconds since 1970 UTC; both are included."""

SECOND: Final = 1_000_000
_DISORDER: Final = 5 * SECOND
"""How far lines of one message can be out of order, because daemons and log relays write in parallel."""
_NEVER: Final = 1 << 62
_LATE_LINK: Final = 3600 * SECOND
"""How long after the removal of a message a line can follow that names its origin or its next queue ID."""
LONG: Final = 86_400 * SECOND
"""The longest duration of a settled transaction."""
FINAL: Final = frozenset({"sent", "bounced", "expired", "rejected", "discarded", "deleted"})
"""The outcomes after which nothing more happens to a recipient."""

_BEGINNINGS: Final = frozenset(BEGINNINGS)
TURNING: Final = frozenset((*BEGINNINGS, Origin, Removed))
"""The facts that can belong to another message while one with the same queue ID is open."""


def by_time(timed: TimedFact) -> int:
    """Return the time of a fact, in microseconds, as a sort key."""
    return timed[0]


class Keyed:
    """What has a key."""

    __slots__ = ()
    host: str
    queue_id: str
    mta: str

    @property
    def key(self) -> Key:
        """The host and the queue ID."""
        return self.host, self.queue_id

    @property
    def is_timed(self) -> bool:
        """Whether the queue ID contains a time, and so is never reused."""
        return time_of(self.queue_id, self.mta) is not None


@dataclass(slots=True, eq=False)
class Transaction(Keyed):
    """The facts of one transaction with their lines, in the order of reading."""

    host: str
    queue_id: str
    mta: str
    """`postfix`, `sendmail` or `exim`."""
    facts: list[TimedFact] = field(default_factory=list)
    sources: list[Lines] = field(default_factory=list)
    """The lines of each fact."""
    line: str = ""
    """For `NOQUEUE`: process ID and text of the line, which tell it from other refusals."""
    begun: TimedFact | None = None
    """The first fact that begins a message."""
    finished: int | None = None
    """When the message left the queue, which sendmail does not log; in microseconds."""
    first: int = _NEVER
    """The time of the first line, in microseconds."""
    open_from: int = _NEVER
    """From this time on, facts that are not in `TURNING` belong to this transaction, which is open."""
    ordered: int = 0
    """How many facts are known to be sorted and unique (`joined`)."""
    written: bool = False
    """Whether some of its facts have been written to the store."""

    def add(self, time: int, fact: Fact, source: Lines = ()) -> None:
        """Add a fact with its time, in microseconds, and its lines; without any it is kept as a line of its own."""
        self.facts.append((time, fact))
        self.sources.append(source or (self._kept(time, fact),))
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

    def _kept(self, time: int, fact: Fact) -> Record:
        return Record(time, self.host, kept_facts.PROGRAM, self.line, kept_facts.text_of(kept_facts.values_of(fact)))

    @property
    def start(self) -> int:
        """What distinguishes transactions with one key: the time in the queue ID, or of the beginning; microseconds."""
        seconds = time_of(self.queue_id, self.mta)
        if seconds is not None:
            return seconds * SECOND
        return self.begun[0] if self.begun else self.first

    @property
    def id(self) -> str:
        """The ID of the document, in hexadecimal: it depends on nothing but the lines."""
        return transaction_id(self.host, self.queue_id, self.start, self.line)

    @property
    def is_certain(self) -> bool:
        """Whether no other line can change the ID.

        Facts that were read before a beginning can belong to the previous use of the queue ID.
        """
        if self.is_timed or self.queue_id == NOQUEUE:
            return True
        return self.begun is not None and self.begun == self.facts[0] and self.is_finished

    @property
    def is_settled(self) -> bool:
        """Whether only lines from about the same time can change it: it is complete and took at most a day."""
        if self.is_timed or self.queue_id == NOQUEUE:
            return True
        if not self.is_certain or self.finished is None:
            return False
        first, last = time_span_of([self])
        return last - first <= LONG

    @property
    def may_lack_beginning(self) -> bool:
        """Whether its beginning may be in another log. A notice with a known origin has none."""
        if self.begun is not None or self.is_timed or self.queue_id == NOQUEUE:
            return False
        return not any(type(fact) is Origin for _, fact in self.facts)

    @property
    def is_finished(self) -> bool:
        """Whether the message has left the queue. Sendmail does not log this: all recipients must be final."""
        if self.finished is not None or self.queue_id == NOQUEUE:
            return True
        expected = self.begun[1].nrcpt if self.begun and isinstance(self.begun[1], Sender) else None
        if expected is None:
            return False
        final = {fact.recipient for _, fact in self.facts if type(fact) is Result and fact.outcome in FINAL}
        return len(final) >= expected

    def continues(self, time: int, fact: Fact) -> bool:
        """Return whether a fact that was read after these can belong to the same message.

        If not, it belongs to the next message with the queue ID: Postfix reuses a short ID as soon as its file is gone
        (`mail_queue_enter`).
        """
        kind = type(fact)
        if kind in _BEGINNINGS:
            return self._accepts_beginning(time, fact)
        if self.begun is not None and time < self.begun[0] - _DISORDER:
            return False
        if kind is Origin:
            return self.begun is None and (self.finished is None or time <= self.finished + _LATE_LINK)
        if self.finished is None or time <= self.finished:
            return True
        if kind is Removed and self._is_requeued:
            # The file exists until pickup(8) has read it, so the ID is not reused before.
            return time <= self.finished + _LATE_LINK
        # The client of a before-queue filter is logged after the message, which may have been delivered meanwhile.
        late = _DISORDER if kind is Login else SECOND
        return time <= self.finished + late and not self._begins_another(fact)

    @property
    def _is_requeued(self) -> bool:
        return any(type(fact) is Removed and fact.how == "requeued" for _, fact in self.facts)

    def _accepts_beginning(self, time: int, fact: Fact) -> bool:
        if self.begun is not None:
            return self.begun == (time, fact)
        if self.finished is not None and time > self.finished:
            return False
        return time <= max(map(by_time, self.facts)) + _DISORDER

    def _begins_another(self, fact: Fact) -> bool:
        """Return whether a fact just after the end is the first of a notice with the same ID; it has no beginning."""
        kind = type(fact)
        return kind in (MessageId, Envelope) and any(type(known) is kind and known != fact for _, known in self.facts)


def transaction_id(host: str, queue_id: str, start: int, line: str = "") -> str:
    """Return the document ID of a transaction: 24 hexadecimal digits. `start` is in microseconds."""
    from hashlib import blake2b  # noqa: PLC0415 # slow to import, and not needed by searches

    name = f"{host}\0{queue_id}\0{start}\0{line}"
    return blake2b(name.encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()


def joined(parts: Iterable[Transaction]) -> Transaction:
    """Return one transaction with the lines of all, its facts sorted (`order.in_order`) and without duplicates."""
    parts = list(parts)
    first = parts[0]
    if len(parts) == 1 and first.ordered == len(first.facts):
        return first
    facts = in_order([fact for part in parts for fact in part.facts] if len(parts) > 1 else first.facts)
    if facts is first.facts:
        first.ordered = len(facts)
        return first
    sources = _sources(parts, len(facts))
    made = Transaction(first.host, first.queue_id, first.mta, line=first.line)
    for timed in facts:
        made.add(*timed, sources[timed])
    made.ordered = len(facts)
    return made


def _sources(parts: list[Transaction], different: int) -> dict[TimedFact, Lines]:
    """Return the lines of each fact, sorted; a fact that was kept without lines needs none if its line is there.

    `different` is the number of different facts: if none is there twice, most need no sorting.
    """
    if different == sum(len(part.facts) for part in parts):
        pairs = [pair for part in parts for pair in zip(part.facts, part.sources, strict=True)]
        return {timed: lines if len(lines) == 1 else _sorted(set(lines)) for timed, lines in pairs}
    found: dict[TimedFact, set[Record]] = {}
    for part in parts:
        for timed, source in zip(part.facts, part.sources, strict=True):
            found.setdefault(timed, set()).update(source)
    return {timed: _sorted(lines) for timed, lines in found.items()}


def _sorted(lines: set[Record]) -> Lines:
    return tuple(sorted({line for line in lines if line.program != kept_facts.PROGRAM} or lines))


def lines_of(transaction: Transaction) -> list[Record]:
    """Return the lines of a transaction, without duplicates, in the order of the facts that they say."""
    return list(dict.fromkeys(chain.from_iterable(joined([transaction]).sources)))


def has_new_lines(whole: Transaction, stored: Transaction) -> bool:
    """Return whether a transaction has other lines than the stored one."""
    return set(chain.from_iterable(whole.sources)) != set(chain.from_iterable(stored.sources))


def time_span_of(parts: Iterable[Transaction]) -> TimeSpan:
    """Return the times of the first and the last line of these transactions."""
    times = [time for part in parts for time, _ in part.facts]
    return min(times), max(times)


def starts_near(span: TimeSpan) -> TimeSpan:
    """Return the range of `start` of settled transactions that can share lines with those of this time span."""
    return span[0] - LONG - _LATE_LINK, span[1] + _LATE_LINK


def segments(parts: Iterable[Transaction]) -> list[Transaction]:
    """Divide the facts of transactions with one key into one transaction for each use of the queue ID."""
    whole = joined(parts)
    if whole.is_timed or whole.queue_id == NOQUEUE:
        return [whole]
    sources = dict(zip(whole.facts, whole.sources, strict=True))
    found: list[Transaction] = []
    for time, fact in _by_use(whole.facts):
        candidate = next((one for one in reversed(found) if one.continues(time, fact)), None)
        if candidate is None:
            found.append(candidate := Transaction(whole.host, whole.queue_id, whole.mta))
        candidate.add(time, fact, sources[time, fact])
    return found


def _by_use(facts: list[TimedFact]) -> list[TimedFact]:
    """Move the end of one use of a queue ID before the beginning of the next, if both have the same time.

    The queue ID is free only after that end.
    """
    starts = sorted({time for time, fact in facts if type(fact) in _BEGINNINGS})
    previous = dict(zip(starts[1:], starts, strict=False))
    if not previous:
        return facts
    ends = [time for time, fact in facts if type(fact) is Removed]
    open_since = {time: begun for time, begun in previous.items() if not any(begun <= end < time for end in ends)}
    return sorted(facts, key=lambda timed: (timed[0], not _ends_previous(*timed, open_since.get(timed[0]))))


def _ends_previous(time: int, fact: Fact, begun: int | None) -> bool:
    """Return whether a fact belongs to the previous message although it has the time of a new beginning.

    `begun` is when the previous message began, None if it has ended.
    """
    if begun is None:
        return False
    if type(fact) is Result:
        return fact.delay is None or 2 * fact.delay * SECOND > time - begun
    return type(fact) in (Expired, Removed)
