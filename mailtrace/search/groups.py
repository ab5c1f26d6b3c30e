"""Groups of `--by`. `groups_of` is their specification: every store must return the same groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mailtrace.search.query import Query, matched_results
from mailtrace.search.reasons import reason_of

if TYPE_CHECKING:  # keeps `--help` quick
    from mailtrace.message.document import Document
    from mailtrace.message.recipients import RecipientResult

_LONGEST_DELAY: Final = 2**62
"""In microseconds. A forged delay may be longer than a store's integers can hold."""


def folded(value: str | None) -> str | None:
    """Return a value in lower case, because groups ignore case."""
    return None if value is None else value.lower()


def domain_of(address: str | None) -> str | None:
    """Return the domain of an address in lower case: empty for the null sender, null without a domain."""
    if not address:
        return address
    _, at, domain = address.lower().rpartition("@")
    return domain if at else None


class Value(NamedTuple):
    """The value by which a grouping counts."""

    column: str
    """The field of the document that it is made from; `to.NAME` is a field of a recipient result."""
    of: Callable[[Any], str | None]
    """Returns the value to count, from the field's value."""


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
"""Groupings by the date of the transaction."""
BY: Final = (*VALUES, *OF_TIMES)
"""Every way of grouping."""


class Grouping(NamedTuple):
    """By which value to count, in which time zone."""

    by: str
    """One of `BY`."""
    zone: tzinfo
    """The time zone of hours and days."""

    @property
    def counts_recipients(self) -> bool:
        """Whether recipients are counted, instead of transactions."""
        return not self.is_of_times and self.value.column.startswith("to.")

    @property
    def value(self) -> Value:
        """The value that is counted.

        Raises:
            KeyError: the groups are hours or days.
        """
        return VALUES[self.by]

    @property
    def member(self) -> str:
        """The field of a document, or of a recipient result, whose value is counted."""
        return self.value.column.removeprefix("to.")

    @property
    def has_delays(self) -> bool:
        """Whether the groups have delays."""
        return self.by == "relay"

    @property
    def is_of_times(self) -> bool:
        """Whether the groups are hours or days, in the order of time."""
        return self.by in OF_TIMES

    def time(self, date: datetime) -> str:
        """Return the day of a date, or its hour with the offset from UTC, in ISO 8601."""
        local = date.astimezone(self.zone)
        if self.by == "day":
            return local.date().isoformat()
        return local.replace(minute=0, second=0, microsecond=0).isoformat(timespec="minutes")


class Group(NamedTuple):
    """The number of transactions or recipients with the same value."""

    value: str | None
    """Null if the value is unknown."""
    number: int
    median_delay: float | None = None
    """In seconds, of the deliveries with a delay; only if grouped by relay."""
    p95_delay: float | None = None
    """The 95th percentile, likewise."""


class GroupCounter:
    """Counts for groups: of documents one by one, or of numbers that a store has counted."""

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
            for result in counted_results(query, document):
                self.count_result(result)

    def count_result(self, result: RecipientResult, number: int = 1) -> None:
        """Count a recipient result, `number` times."""
        value = self._grouping.value.of(result[self._grouping.member])
        self.count(value, number)
        if self._grouping.has_delays and (delay := delay_of(result)) is not None:
            self.delay(value, delay, number)

    def count(self, value: str | None, number: int = 1) -> None:
        """Count a value, `number` times."""
        self._counts[value] += number

    def delay(self, value: str | None, delay: int, number: int = 1) -> None:
        """Count a delay in microseconds for a value, `number` times."""
        self._delays.setdefault(value, Counter())[delay] += number

    def groups(self) -> list[Group]:
        """Return the groups: the largest first, or the latest hour or day first."""
        found = [self._group(value) for value in self._counts]
        if self._grouping.is_of_times:
            return sorted(found, key=_begin, reverse=True)
        return sorted(found, key=lambda group: (-group.number, group.value is None, group.value or ""))

    def _group(self, value: str | None) -> Group:
        delays = sorted(self._delays.get(value, {}).items())
        return Group(value, self._counts[value], percentile(delays, 50), percentile(delays, 95))


def _begin(group: Group) -> datetime:
    return datetime.fromisoformat(str(group.value))


def percentile(delays: list[tuple[int, int]], percent: int) -> float | None:
    """Return the percentile in seconds, by the nearest rank, of sorted delays in microseconds with their numbers."""
    rank = -(-sum(number for _, number in delays) * percent // 100)
    for delay, number in delays:
        rank -= number
        if rank <= 0:
            return delay / 1_000_000
    return None


def groups_of(query: Query, grouping: Grouping, documents: Iterable[Document]) -> list[Group]:
    """Return the groups of documents, all of which match the query."""
    counter = GroupCounter(grouping)
    for document in documents:
        counter.add(query, document)
    return counter.groups()


def counted_results(query: Query, document: Document) -> list[RecipientResult]:
    """Return the recipient results of a document to count: by default each recipient once, by the final result.

    If the query is about delivery attempts, earlier results count too.
    """
    found = matched_results(query, document)
    return found if query.asks_of_attempts else [result for result in found if result["last"]]


def delay_of(result: RecipientResult) -> int | None:
    """Return the delay of a recipient result in microseconds, at most `_LONGEST_DELAY`; null if it is unknown."""
    delay = result["delay"]
    if delay is None:
        return None
    return round(delay * 1_000_000) if delay < _LONGEST_DELAY // 1_000_000 else _LONGEST_DELAY
