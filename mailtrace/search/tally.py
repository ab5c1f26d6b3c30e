"""What is counted for an overview: of documents one by one, or of numbers that a store has counted."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Final, NamedTuple

from mailtrace.search.groups import delay_of, domain_of, folded
from mailtrace.search.query import OUTCOMES, Query, matched_results, microseconds

if TYPE_CHECKING:  # keeps `--help` quick
    from mailtrace.message.document import Document
    from mailtrace.message.recipients import RecipientResult

SECOND: Final = 1_000_000
_HOUR: Final = 3600 * SECOND
_DAY: Final = 24 * _HOUR
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LONGEST_BY_HOUR: Final = 2 * _DAY
"""A longer span is shown by day."""
_QUEUE_LIFETIME: Final = 5 * _DAY
"""How long both MTAs keep trying by default (`maximal_queue_lifetime`, `Timeout.queuereturn`)."""

NOQUEUE: Final = "NOQUEUE"
"""The queue ID of what was refused before it had one."""
WAITING: Final = ("deferred", "held", "queued")
"""The final outcomes of recipients whose mail is in the queue."""
REASONED: Final = ("rejected", "deferred", "bounced", "expired")
"""The outcomes whose reasons are counted, of every attempt."""
AGES: Final = (_HOUR, 4 * _HOUR, _DAY, 3 * _DAY)
"""The limits of the classes of ages in the queue, in microseconds; the last class has none."""
DELAYS: Final = (SECOND, 10 * SECOND, 60 * SECOND, 600 * SECOND, _HOUR, 4 * _HOUR, _DAY)
"""The limits of the classes of delivery delays, likewise."""
OF_DOCUMENTS: Final = ("from", "client", "login")
"""The fields of what was received whose most frequent values are shown."""
COMPARED: Final = ("login", "client")
"""Those whose values are compared with the span before."""


class Span(NamedTuple):
    """The time of an overview: both ends are included, in microseconds since 1970."""

    since: int
    until: int
    zone: tzinfo
    """The time zone of hours and days."""

    @property
    def is_by_hour(self) -> bool:
        """Whether it is shown by hour, not by day."""
        return self.until - self.since <= _LONGEST_BY_HOUR

    @property
    def before(self) -> Span:
        """The span of the same length before it."""
        return Span(2 * self.since - self.until - 1, self.since - 1, self.zone)

    @property
    def waiting(self) -> Span:
        """The span of the messages that may still be in the queue at its end."""
        return self._replace(since=self.since - _QUEUE_LIFETIME)

    @property
    def whole(self) -> Span:
        """The span of everything that an overview looks at."""
        return self._replace(since=min(self.before.since, self.waiting.since))

    def has(self, date: int) -> bool:
        """Return whether a date is in the span."""
        return self.since <= date <= self.until

    def of(self, query: Query) -> Query:
        """Return a query in this span only."""
        return replace(query, since=self.since, until=self.until, limit=None)

    def period(self, date: int) -> str:
        """Return the day of a date, or its hour with the offset from UTC, in ISO 8601."""
        local = (_EPOCH + timedelta(microseconds=date)).astimezone(self.zone)
        if not self.is_by_hour:
            return local.date().isoformat()
        return local.replace(minute=0, second=0, microsecond=0).isoformat(timespec="minutes")


@dataclass(slots=True)
class Totals:
    """The numbers of a span."""

    received: int = 0
    """Transactions with a queue ID."""
    refused: int = 0
    """Refusals without one."""
    bytes_in: int = 0
    """The sizes of what was received."""
    bytes_out: int = 0
    """The sizes of the messages that were sent to at least one recipient."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """Recipients by their final outcome."""
    deferring: Counter[str | None] = field(default_factory=Counter)
    """Recipient results that were deferred, final or not, by the domain of the recipient."""


@dataclass(slots=True)
class Waiting:
    """What is in the queue at the end of a span."""

    outcomes: Counter[str] = field(default_factory=Counter)
    ages: Counter[int] = field(default_factory=Counter)
    """Recipients by the class of their message's age: an index in `AGES`."""
    domains: Counter[str | None] = field(default_factory=Counter)
    oldest: dict[str | None, int] = field(default_factory=dict)
    """The date of the oldest message for a domain."""

    def add(self, domain: str | None, number: int, date: int) -> None:
        """Count recipients at a domain, with the date of their oldest message."""
        self.domains[domain] += number
        self.oldest[domain] = min(date, self.oldest.get(domain, date))


class Tally:
    """The numbers of an overview."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self.now, self.before, self.waiting = Totals(), Totals(), Waiting()
        self.received: Counter[str] = Counter()
        """By period."""
        self.outcomes: Counter[tuple[str, str]] = Counter()
        """Recipients by period and final outcome."""
        self.numbers, self.bytes = _counters(OF_DOCUMENTS), _counters(OF_DOCUMENTS)
        """What was received, and its size, by the value of each field."""
        self.numbers_before = _counters(COMPARED)
        self.domains: Counter[str | None] = Counter()
        """Recipients of what was received, by domain."""
        self.domain_bytes: Counter[str | None] = Counter()
        """A message counts once for each domain."""
        self.reasons: Counter[tuple[str, str]] = Counter()
        """Recipient results by outcome and reason."""
        self.delays: dict[str | None, Counter[int | None]] = {}
        """Sent recipients by next hop and delay, in microseconds."""

    def delay(self, relay: str | None, delay: int | None, number: int = 1) -> None:
        """Count recipients to whom a next hop delivered."""
        self.delays.setdefault(relay, Counter())[delay] += number

    def add(self, query: Query, document: Document) -> None:
        """Count a document that matches the query, whatever its date."""
        date = microseconds(document["date"])
        results = matched_results(of_attempts(query), document)
        if self.span.has(date):
            self._add_totals(self.now, document, results)
            self._add_details(document, results, self.span.period(date))
        elif self.span.before.has(date):
            self._add_totals(self.before, document, results)
            _count_values(self.numbers_before, document)
        if self.span.waiting.has(date) and not document["removed"]:
            self._add_waiting(results, date)

    @staticmethod
    def _add_totals(totals: Totals, document: Document, results: list[RecipientResult]) -> None:
        final = [result["outcome"] for result in results if result["last"]]
        totals.outcomes.update(final)
        totals.deferring.update(domain_of(one["recipient"]) for one in results if one["outcome"] == "deferred")
        size = document["size"] or 0
        totals.bytes_out += size if "sent" in final else 0
        if document["transaction"] == NOQUEUE:
            totals.refused += 1
            return
        totals.received += 1
        totals.bytes_in += size

    def _add_details(self, document: Document, results: list[RecipientResult], period: str) -> None:
        final, size = [result for result in results if result["last"]], document["size"] or 0
        if document["transaction"] != NOQUEUE:
            self.received[period] += 1
            domains = [domain_of(result["recipient"]) for result in final]
            self.domains.update(domains)
            self.domain_bytes.update(dict.fromkeys(domains, size))
            _count_values(self.numbers, document)
            for by in OF_DOCUMENTS:
                self.bytes[by][folded(document[by])] += size
        for result in final:
            self.outcomes[period, result["outcome"]] += 1
            if result["outcome"] == "sent":
                self.delay(folded(result["relay_host"]), delay_of(result))
        self.reasons.update(reasons_of(document, results))

    def _add_waiting(self, results: list[RecipientResult], date: int) -> None:
        for result in results:
            if result["last"] and result["outcome"] in WAITING:
                self.waiting.outcomes[result["outcome"]] += 1
                self.waiting.ages[age_class(self.span.until - date)] += 1
                self.waiting.add(domain_of(result["recipient"]), 1, date)


def _counters(names: Iterable[str]) -> dict[str, Counter[str | None]]:
    return {name: Counter() for name in names}


def _count_values(numbers: dict[str, Counter[str | None]], document: Document) -> None:
    """Count the values of a document, unless it is a refusal without a queue ID."""
    if document["transaction"] != NOQUEUE:
        for by, counter in numbers.items():
            counter[folded(document[by])] += 1


def reasons_of(document: Document, results: list[RecipientResult]) -> list[tuple[str, str]]:
    """Return outcome and reason of each recipient result that needs one."""
    from mailtrace.search.reasons import reason_in  # noqa: PLC0415 # keeps `--help` quick

    return [(result["outcome"], reason_in(document, result)) for result in results if result["outcome"] in REASONED]


def age_class(age: int) -> int:
    """Return the index in `AGES` of the limit that an age is below."""
    return bisect_right(AGES, age)


def of_attempts(query: Query) -> Query:
    """Return a query whose recipient results are all that match, final or not."""
    return query if query.asks_of_attempts else replace(query, ever=OUTCOMES)
