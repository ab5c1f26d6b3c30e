"""What `--by` counts. This is the specification: every store must count just as `groups_of` does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from mailtrace.search.query import Query, holds, is_outside, is_recipient
from mailtrace.search.reasons import reason_of

if TYPE_CHECKING:  # for the sake of `--help`, which needs none
    from mailtrace.message.document import Document

_Entry: TypeAlias = dict[str, Any]

_LONGEST: Final = 2**62
"""Microseconds: a forged delay may be beyond measure."""


def folded(value: str | None) -> str | None:
    """Return a value in lower case: case does not count."""
    return None if value is None else value.lower()


def domain_of(address: str | None) -> str | None:
    """Return an address's domain; that of the null sender is empty, that of a local name null."""
    if not address:
        return address
    _, at, domain = address.lower().rpartition("@")
    return domain if at else None


class Value(NamedTuple):
    """What a grouping counts."""

    column: str
    """The member whose value it is; a recipient result's as `to.NAME`, of which each recipient's counts."""
    of: Callable[[Any], str | None]
    """What is counted, by the member's value."""


VALUES: Final = {
    "from": Value("from", folded),
    "from-domain": Value("from", domain_of),
    "client": Value("client", folded),
    "login": Value("login", folded),
    "host": Value("host", folded),
    "to": Value("to.recipient", folded),
    "to-domain": Value("to.recipient", domain_of),
    "relay": Value("to.relay_host", folded),
    "outcome": Value("to.outcome", str),
    "status": Value("to.status", lambda status: reason_of(status or "")),
}
OF_TIMES: Final = ("hour", "day")
"""What is counted once for each transaction, by its date."""
BY: Final = (*VALUES, *OF_TIMES)
"""Every way of grouping."""


class Grouping(NamedTuple):
    """By what to group."""

    by: str
    zone: tzinfo
    """In which hours and days begin."""

    @property
    def counts_recipients(self) -> bool:
        """Whether recipients are counted, not transactions."""
        return not self.is_of_times and self.value.column.startswith("to.")

    @property
    def value(self) -> Value:
        """What is counted, where that is not a time."""
        return VALUES[self.by]

    @property
    def member(self) -> str:
        """The member of a document, or of a recipient result, whose value is counted."""
        return self.value.column.removeprefix("to.")

    @property
    def has_delays(self) -> bool:
        """Whether each group has its delays."""
        return self.by == "relay"

    @property
    def is_of_times(self) -> bool:
        """Whether the groups have an order in time."""
        return self.by in OF_TIMES

    def time(self, at: datetime) -> str:
        """Return the hour, with its offset, or the day of a moment."""
        local = at.astimezone(self.zone)
        if self.by == "day":
            return local.date().isoformat()
        return local.replace(minute=0, second=0, microsecond=0).isoformat(timespec="minutes")


class Group(NamedTuple):
    """Transactions or recipients that have a value in common."""

    value: str | None
    """Null: those of which it is not known."""
    number: int
    median_delay: float | None = None
    """In seconds, of those with a delay; only by relay."""
    p95_delay: float | None = None


class GroupCounter:
    """Counts, however they come in: document by document, or counted elsewhere."""

    def __init__(self, grouping: Grouping) -> None:
        self._grouping = grouping
        self._counts: Counter[str | None] = Counter()
        self._delays: dict[str | None, Counter[int]] = {}

    def add(self, query: Query, document: Document) -> None:
        """Count a document that matches the query."""
        grouping = self._grouping
        if grouping.is_of_times:
            self.count(grouping.time(datetime.fromisoformat(document["date"])))
        elif not grouping.counts_recipients:
            self.count(grouping.value.of(document[grouping.member]))
        else:
            for entry in counted(query, document):
                self.count_result(entry)

    def count_result(self, entry: _Entry, number: int = 1) -> None:
        """Count so many recipient results that have what is counted of this one."""
        value = self._grouping.value.of(entry[self._grouping.member])
        self.count(value, number)
        if self._grouping.has_delays and (delay := delay_of(entry)) is not None:
            self.delay(value, delay, number)

    def count(self, value: str | None, number: int = 1) -> None:
        """Count so many with a value."""
        self._counts[value] += number

    def delay(self, value: str | None, delay: int, number: int = 1) -> None:
        """Count so many with a delay, in microseconds."""
        self._delays.setdefault(value, Counter())[delay] += number

    def groups(self) -> list[Group]:
        """Return the groups, the biggest first; by time, the latest first."""
        found = [self._group(value) for value in self._counts]
        if self._grouping.is_of_times:
            return sorted(found, key=_moment, reverse=True)
        return sorted(found, key=lambda group: (-group.number, group.value is None, group.value or ""))

    def _group(self, value: str | None) -> Group:
        delays = sorted(self._delays.get(value, {}).items())
        return Group(value, self._counts[value], _percentile(delays, 50), _percentile(delays, 95))


def _moment(group: Group) -> datetime:
    return datetime.fromisoformat(str(group.value))


def _percentile(delays: list[tuple[int, int]], percent: int) -> float | None:
    """The nearest rank's value, in seconds, of counted ones in their order."""
    rank = -(-sum(number for _, number in delays) * percent // 100)
    for delay, number in delays:
        rank -= number
        if rank <= 0:
            return delay / 1_000_000
    return None


def groups_of(query: Query, grouping: Grouping, documents: Iterable[Document]) -> list[Group]:
    """Return the groups of documents that match a query."""
    counter = GroupCounter(grouping)
    for document in documents:
        counter.add(query, document)
    return counter.groups()


def counted(query: Query, document: Document) -> list[_Entry]:
    """Return the entries of a document that count: each recipient once, by its last one.

    Earlier ones count where the query speaks of what happened on the way. Of a word that is found among the recipients
    only, just these count.
    """
    every = query.asks_of_attempts
    found = [entry for entry in document["to"] if (every or entry["last"]) and holds(query, entry)]
    inside = [word for word in query.words if not is_outside(word, document)]
    if not inside:
        return found
    return [entry for entry in found if any(is_recipient(word, entry) for word in inside)]


def delay_of(entry: _Entry) -> int | None:
    """Return an entry's delay in microseconds."""
    delay = entry["delay"]
    if delay is None:
        return None
    return round(delay * 1_000_000) if delay < _LONGEST // 1_000_000 else _LONGEST
