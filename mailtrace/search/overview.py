"""The overview of a span of time. `overview_of` is its specification: every store must return the same overview."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from heapq import nlargest, nsmallest
from typing import TYPE_CHECKING, Final, NamedTuple

from mailtrace.search.groups import percentile
from mailtrace.search.tally import AGES, COMPARED, DELAYS, REASONED, SECOND, Span, Tally, Totals

if TYPE_CHECKING:  # keeps `--help` quick
    from mailtrace.message.document import Document
    from mailtrace.search.query import Query

MOST: Final = 10
"""How many values of a kind are shown."""
UNLIKE: Final = 10
"""A number is unlike the one before if it is at least so many times as large, and at least so large."""
_QUARTER: Final = 900 * SECOND
"""In every time zone, hours begin at a quarter of an hour."""


class Ranked(NamedTuple):
    """One of the most frequent values."""

    value: str
    number: int
    bytes: int


class Reason(NamedTuple):
    """Why recipient results had an outcome: a status with `*` for the parts that vary."""

    reason: str
    number: int


class Hop(NamedTuple):
    """A next hop, with the delays of its deliveries in seconds."""

    relay: str
    number: int
    median_delay: float
    p95_delay: float


class Period(NamedTuple):
    """An hour or a day."""

    begin: str
    """In ISO 8601."""
    received: int
    outcomes: dict[str, int]
    """Recipients of what came in this period, by final outcome."""


class Queue(NamedTuple):
    """Recipients whose mail is in the queue at the end of the span."""

    since: int
    """The earliest date of the messages that were looked at, in microseconds since 1970."""
    number: int
    outcomes: dict[str, int]
    ages: list[int]
    """How many have a message younger than each limit in `AGES` and not younger than the one before; then the rest."""
    oldest: int | None
    """The date of the oldest message, in microseconds since 1970."""
    domains: list[Waiter]


class Waiter(NamedTuple):
    """A domain of recipients whose mail is in the queue."""

    domain: str
    number: int
    oldest: int
    """The date of the oldest message, in microseconds since 1970."""


class Change(NamedTuple):
    """A number that is unlike the one of the span before."""

    kind: str
    """`login` or `client` (what was received), or `deferring` (deferred recipient results of a domain)."""
    value: str
    before: int
    now: int


class Overview(NamedTuple):
    """What came, what became of it, and what is unlike before."""

    span: Span
    now: Totals
    before: Totals | None
    """None if nothing is known of the span before."""
    periods: list[Period]
    top: dict[str, list[Ranked]]
    """The most frequent values of `from`, `to-domain`, `client` and `login`."""
    reasons: dict[str, list[Reason]]
    """By outcome, for those in `REASONED` that have any."""
    hops: list[Hop]
    """Those with the largest 95th percentile."""
    delays: list[int]
    """How many deliveries took less than each limit in `DELAYS` and not less than the one before; then the rest."""
    queue: Queue
    unlike: list[Change]

    @property
    def is_empty(self) -> bool:
        """Whether nothing came, and nothing waits."""
        return not (self.now.received or self.now.refused or self.queue.number)


def overview_of(query: Query, span: Span, documents: Iterable[Document]) -> Overview:
    """Return the overview of documents, all of which match the query, whatever their dates."""
    tally = Tally(span)
    for document in documents:
        tally.add(query, document)
    return finished(tally)


def finished(tally: Tally) -> Overview:
    """Return the overview of what has been counted."""
    now, before = tally.now, tally.before
    is_known = bool(before.received or before.refused)
    top = {by: _top(tally.numbers[by], tally.bytes[by]) for by in tally.bytes}
    return Overview(
        tally.span,
        now,
        before if is_known else None,
        list(_periods(tally)),
        {"from": top["from"], "to-domain": _top(tally.domains, tally.domain_bytes), **top},
        {outcome: found for outcome in REASONED if (found := _reasons(tally, outcome))},
        _slowest(tally),
        _distribution(tally),
        _queue(tally),
        list(_changes(tally)) if is_known else [],
    )


def largest(numbers: Mapping[str | None, int]) -> list[tuple[str, int]]:
    """Return the most frequent known values, the largest number first, then in the order of the values."""
    known = [(value, number) for value, number in numbers.items() if value is not None]
    return nsmallest(MOST, known, key=lambda pair: (-pair[1], pair[0]))


def frequent(totals: Mapping[str | None, int], one: int) -> dict[str | None, int]:
    """Return those values, with their totals, that can be in an overview.

    These are the most frequent ones, and those with a number so large that it may be unlike the one before. A total is
    the number times `one`, and something less than `one`.
    """
    # One of the most frequent may be what is unknown.
    least = min([UNLIKE * one, *nlargest(MOST + 1, totals.values())]) // one * one
    return {value: total for value, total in totals.items() if total >= least}


def _top(numbers: Mapping[str | None, int], sizes: Mapping[str | None, int]) -> list[Ranked]:
    return [Ranked(value, number, sizes.get(value, 0)) for value, number in largest(numbers)]


def _reasons(tally: Tally, outcome: str) -> list[Reason]:
    found: dict[str | None, int] = {why: number for (its, why), number in tally.reasons.items() if its == outcome}
    return [Reason(why, number) for why, number in largest(found)]


def _slowest(tally: Tally) -> list[Hop]:
    hops = [
        Hop(relay, counts.total(), _delay(counts, 50), _delay(counts, 95))
        for relay, counts in ((relay, _known(delays)) for relay, delays in tally.delays.items() if relay is not None)
        if counts
    ]
    return sorted(hops, key=lambda hop: (-hop.p95_delay, -hop.number, hop.relay))[:MOST]


def _known(delays: Counter[int | None]) -> Counter[int]:
    return Counter({delay: number for delay, number in delays.items() if delay is not None})


def _delay(counts: Counter[int], percent: int) -> float:
    return percentile(sorted(counts.items()), percent) or 0.0


def _distribution(tally: Tally) -> list[int]:
    found = [0] * (len(DELAYS) + 1)
    for delays in tally.delays.values():
        for delay, number in _known(delays).items():
            found[bisect_right(DELAYS, delay)] += number
    return found


def _queue(tally: Tally) -> Queue:
    waiting = tally.waiting
    domains = [Waiter(domain, number, waiting.oldest[domain]) for domain, number in largest(waiting.domains)]
    ages = [waiting.ages[index] for index in range(len(AGES) + 1)]
    oldest = min(waiting.oldest.values(), default=None)
    return Queue(tally.span.waiting.since, sum(ages), dict(waiting.outcomes), ages, oldest, domains)


def _changes(tally: Tally) -> Iterator[Change]:
    """Yield what is unlike before, the largest numbers of each kind first."""
    deferring = "deferring", tally.now.deferring, tally.before.deferring
    for kind, now, before in (*((by, tally.numbers[by], tally.numbers_before[by]) for by in COMPARED), deferring):
        risen = {
            value: number
            for value, number in now.items()
            if number >= UNLIKE and number >= UNLIKE * before.get(value, 0)
        }
        for value, number in largest(risen):
            yield Change(kind, value, before[value], number)


def _periods(tally: Tally) -> Iterator[Period]:
    outcomes: dict[str, dict[str, int]] = {}
    for (period, outcome), number in tally.outcomes.items():
        outcomes.setdefault(period, {})[outcome] = number
    for begin in _begins(tally.span, {*tally.received, *outcomes}):
        yield Period(begin, tally.received[begin], outcomes.get(begin, {}))


def _begins(span: Span, found: set[str]) -> Iterable[str]:
    """Return every hour of the span, or the days from the first to the last with mail; these may be years apart."""
    if span.is_by_hour:
        dates = (*range(span.since, span.until, _QUARTER), span.until)
        return dict.fromkeys(map(span.period, dates))
    days = sorted(map(date.fromisoformat, found))
    length = (days[-1] - days[0]).days + 1 if days else 0
    return [(days[0] + timedelta(days=day)).isoformat() for day in range(length)]
