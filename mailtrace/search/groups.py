"""Groups of `--by`. `groups_of` is their specification: every store must return the same groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from heapq import nlargest, nsmallest
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, overload

from mailtrace.search.query import OUTCOMES, Query, last_of, matched_results
from mailtrace.search.reasons import reason_in, reason_of

if TYPE_CHECKING:  # keeps `--help` quick
    from mailtrace.message.document import Document
    from mailtrace.message.recipients import RecipientResult

LONGEST_DELAY: Final = 2**62
"""In microseconds. A forged delay may be longer than a store's integers can hold."""
LARGEST_SIZE: Final = 2**40
"""In bytes. A larger message is forged, and would hide what all others add up to."""


def folded(value: str | None) -> str | None:
    """Return a value in lower case, because groups ignore case."""
    return None if value is None else value.lower()


def domain_of(address: str | None) -> str | None:
    """Return the domain of an address in lower case: empty for the null sender, null without a domain."""
    if not address:
        return address
    _, at, domain = address.lower().rpartition("@")
    return domain if at else None


def domains_of(addresses: Iterable[str | None]) -> list[str | None]:
    """Return `domain_of` for addresses that are in lower case."""
    # Nearly all are complete addresses, for which this is faster.
    return [each.rpartition("@")[2] if each and "@" in each else domain_of(each) for each in addresses]


class Value(NamedTuple):
    """The value by which a grouping counts."""

    column: str
    """The field of the document that it is made from; `to.NAME` is a field of a recipient result."""
    of: Callable[[Any], str | None]
    """Returns the value to count, from the field's value."""

    @property
    def is_of_results(self) -> bool:
        """Whether it is a field of a recipient result."""
        return self.column.startswith("to.")


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
    "ever": Value("to.outcome", str),
    "status": Value("to.status", lambda status: reason_of(status or "")),
}
OF_TIMES: Final = ("hour", "day")
"""Groupings by the date of the transaction."""
BY: Final = (*VALUES, *OF_TIMES)
"""Every way of grouping."""
_WITH_BYTES: Final = ("from", "from-domain", "client", "login", "to-domain")
_OF_DELAYS: Final = ("median", "p95")
SORTS: Final = ("count", *_OF_DELAYS, "bytes", "name")
"""Every order of groups."""


class Grouping(NamedTuple):
    """By which value, or pair of values, to count, in which time zone and order."""

    by: str
    """One of `BY`."""
    zone: tzinfo
    """The time zone of hours and days."""
    then: str | None = None
    """Another one, if pairs of values are counted."""
    sort: str | None = None
    """One of `SORTS`; null for the largest first, but hours and days in the order of time, the latest first."""

    @property
    def names(self) -> tuple[str, ...]:
        """The one or two ways of grouping."""
        return (self.by,) if self.then is None else (self.by, self.then)

    @property
    def counts_recipients(self) -> bool:
        """Whether recipients, or attempts to deliver to them, are counted, instead of transactions."""
        return any(name in VALUES and VALUES[name].is_of_results for name in self.names)

    @property
    def counts_attempts(self) -> bool:
        """Whether every delivery attempt is counted, instead of each recipient once."""
        return "ever" in self.names

    @property
    def counts_final_results(self) -> bool:
        """Whether a recipient counts by its final result, even if the query asks for earlier ones."""
        return "outcome" in self.names and not self.counts_attempts

    @property
    def counted(self) -> str:
        """What is counted."""
        return "attempts" if self.counts_attempts else "recipients" if self.counts_recipients else "transactions"

    @property
    def has_delays(self) -> bool:
        """Whether the groups have delays."""
        return self.counts_recipients and ("relay" in self.names or self.sort in _OF_DELAYS)

    @property
    def has_bytes(self) -> bool:
        """Whether the groups have bytes."""
        return self.sort == "bytes" or any(name in _WITH_BYTES for name in self.names)

    @property
    def is_of_times(self) -> bool:
        """Whether the groups are hours or days."""
        return self.by in OF_TIMES

    @property
    def can_be_sorted(self) -> bool:
        """Whether the groups have what they are sorted by: only recipients have delays."""
        return self.counts_recipients or self.sort not in _OF_DELAYS

    def time(self, date: datetime, name: str | None = None) -> str:
        """Return the day of a date, or its hour with the offset from UTC, in ISO 8601."""
        local = date.astimezone(self.zone)
        if (name or self.by) == "day":
            return local.date().isoformat()
        return local.replace(minute=0, second=0, microsecond=0).isoformat(timespec="minutes")


class Group(NamedTuple):
    """The number of transactions or recipients with the same value, or the same two values."""

    value: str | None
    """Null if the value is unknown."""
    number: int
    median_delay: float | None = None
    """In seconds, of the deliveries with a delay; only if the grouping has delays."""
    p95_delay: float | None = None
    """The 95th percentile, likewise."""
    bytes: int | None = None
    """The sizes of the transactions, each counted once in a group; only if the grouping has bytes."""
    second: str | None = None
    """The second value; null if it is unknown, or if there is only one."""


Key: TypeAlias = tuple[str | None, ...]
"""The one or two values of a group."""


class Groups(Sequence[Group]):
    """The groups of a grouping in its order. Of very many groups, those that come first are found without the others.

    Groups are given by their values (pairs if the grouping has two), how often each was counted, and its bytes if the
    grouping has any. `delays` returns the sorted delays of a value, as for `percentile`.
    """

    def __init__(
        self,
        grouping: Grouping,
        values: Sequence[Any],
        numbers: Sequence[int],
        sizes: Sequence[int],
        delays: Callable[[Any], list[tuple[int, int]]],
    ) -> None:
        self._grouping, self._values = grouping, values
        self._numbers, self._sizes, self._delays = numbers, sizes, delays
        self._every: list[Group] | None = None

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, at: int) -> Group: ...
    @overload
    def __getitem__(self, at: slice) -> list[Group]: ...
    def __getitem__(self, at: int | slice) -> Group | list[Group]:
        if isinstance(at, slice) and at.start is None and at.step is None and 0 < (at.stop or 0) < len(self):
            return self._first(at.stop)
        return self._all()[at]

    def __iter__(self) -> Iterator[Group]:
        return iter(self._all())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._all() == list(other)

    __hash__ = None  # type: ignore[assignment]

    def _key(self, at: int) -> Key:
        return self._values[at] if self._grouping.then else (self._values[at],)

    def _group(self, at: int) -> Group:
        (value, *second), delays = self._key(at), self._delays(self._values[at])
        size = self._sizes[at] if self._grouping.has_bytes else None
        return Group(value, self._numbers[at], percentile(delays, 50), percentile(delays, 95), size, *second)

    def _all(self) -> list[Group]:
        if self._every is None:
            self._every = in_order(map(self._group, range(len(self))), self._grouping)
        return self._every

    def _first(self, number: int) -> list[Group]:
        sort = self._grouping.sort or (None if self._grouping.is_of_times else "count")
        ranks = {"count": self._numbers, "bytes": self._sizes}.get(sort or "")
        if ranks is None or self._every is not None:
            return self._all()[:number]
        least, numbers = nlargest(number, ranks)[-1], self._numbers
        chosen = (at for at, rank in enumerate(ranks) if rank >= least)
        first = nsmallest(number, chosen, key=lambda at: (-ranks[at], -numbers[at], _by_name(*self._key(at))))
        return list(map(self._group, first))


class GroupCounter:
    """Counts for groups: of documents one by one, or of numbers that a store has counted."""

    def __init__(self, grouping: Grouping) -> None:
        self._grouping = grouping
        self._counts: Counter[Key] = Counter()
        self._bytes: Counter[Key] = Counter()
        self._delays: dict[Key, Counter[int]] = {}

    def add(self, query: Query, document: Document) -> None:
        """Count a document that matches the query."""
        if self._grouping.counts_recipients:
            results = _counted_results(query, self._grouping, document)
            keys = [self._key(document, result) for result in results]
            for key, result in zip(keys, results, strict=True):
                self.count(key, result["attempts"] if self._grouping.counts_attempts else 1)
                self.delay(key, result.get("delay"))
        else:
            keys = [self._key(document, {})]
            self.count(keys[0])
        for key in set(keys):
            self.size(key, size_of(document.get("size")))

    def _key(self, document: Document, result: RecipientResult) -> Key:
        return tuple([_value_of(self._grouping, name, document, result) for name in self._grouping.names])

    def count(self, key: Key, number: int = 1) -> None:
        """Count a group, `number` times."""
        self._counts[key] += number

    def size(self, key: Key, size: int) -> None:
        """Add bytes to a group."""
        if self._grouping.has_bytes:
            self._bytes[key] += size

    def delay(self, key: Key, delay: float | None, number: int = 1) -> None:
        """Count a delay in seconds for a group, `number` times."""
        if self._grouping.has_delays and delay is not None:
            self._delays.setdefault(key, Counter())[microseconds_of(delay)] += number

    def groups(self) -> list[Group]:
        """Return the groups in the order of the grouping."""
        return in_order([self._group(key) for key in self._counts], self._grouping)

    def _group(self, key: Key) -> Group:
        delays = sorted(self._delays.get(key, {}).items())
        size = self._bytes[key] if self._grouping.has_bytes else None
        second = key[1] if len(key) > 1 else None
        return Group(key[0], self._counts[key], percentile(delays, 50), percentile(delays, 95), size, second)


def in_order(groups: Iterable[Group], grouping: Grouping) -> list[Group]:
    """Return groups in the order of a grouping: numbers from the largest, names from A to Z, unknown ones last."""
    found = sorted(groups, key=lambda group: _by_name(group.value, group.second))
    if grouping.sort != "name":
        found.sort(key=lambda group: group.number, reverse=True)
    if grouping.sort is None and grouping.is_of_times:
        found.sort(key=_begin, reverse=True)
    elif grouping.sort == "bytes":
        found.sort(key=lambda group: group.bytes or 0, reverse=True)
    elif grouping.sort == "median":
        found.sort(key=lambda group: _slowness(group.median_delay), reverse=True)
    elif grouping.sort == "p95":
        found.sort(key=lambda group: _slowness(group.p95_delay), reverse=True)
    return found


def _by_name(value: str | None, second: str | None = None) -> tuple[bool, str, bool, str]:
    return value is None, value or "", second is None, second or ""


def _slowness(delay: float | None) -> tuple[bool, float]:
    return delay is not None, delay or 0


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
    counter, asked = GroupCounter(grouping), query_for(grouping, query)
    for document in documents:
        counter.add(asked, document)
    return counter.groups()


def query_for(grouping: Grouping, query: Query) -> Query:
    """Return the query whose results are counted: attempts are those of the recipients that a query asks about."""
    return replace(query, ever=OUTCOMES) if grouping.counts_attempts and not query.ever else query


def _value_of(grouping: Grouping, name: str, document: Document, result: RecipientResult) -> str | None:
    """The value of a document, or of one of its recipient results, by which a grouping counts."""
    if name in OF_TIMES:
        return grouping.time(datetime.fromisoformat(document["date"]), name)
    if name == "status":
        return reason_in(document, result)
    value = VALUES[name]
    return value.of(result[value.column.removeprefix("to.")] if value.is_of_results else document[value.column])


def _counted_results(query: Query, grouping: Grouping, document: Document) -> list[RecipientResult]:
    """The recipient results of a document to count: by default each recipient once, by the final result.

    If the query is about delivery attempts, earlier results count too, except for what became of the recipients. If a
    word of the query matches only recipients, only their results count.
    """
    found = matched_results(query, document)
    if grouping.counts_final_results:
        return last_of(found, document)
    return found if query.asks_of_attempts else [result for result in found if result["last"]]


def size_of(size: int | None) -> int:
    """Return the size of a transaction in bytes; 0 if it is unknown or forged."""
    return size if size is not None and size <= LARGEST_SIZE else 0


def delay_of(result: RecipientResult) -> int | None:
    """Return the delay of a recipient result in microseconds, at most `LONGEST_DELAY`; null if it is unknown."""
    delay = result["delay"]
    return None if delay is None else microseconds_of(delay)


def microseconds_of(delay: float) -> int:
    """Return a delay, given in seconds, in microseconds, at most `LONGEST_DELAY`."""
    return round(delay * 1_000_000) if delay < LONGEST_DELAY // 1_000_000 else LONGEST_DELAY
