"""The numbers of an overview, counted from the columns of blocks in one pass."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache, cached_property
from typing import Any, Final

from mailtrace.search.groups import Grouping, microseconds_of
from mailtrace.search.overview import frequent
from mailtrace.search.query import Query
from mailtrace.search.tally import NOQUEUE, OF_DOCUMENTS, REASONED, WAITING, Span, Tally, Totals, age_class, of_attempts
from mailtrace.stores.sqlite.block import Block, Mask, flags, selected
from mailtrace.stores.sqlite.columns import DOMAIN
from mailtrace.stores.sqlite.filter import Filter, is_last
from mailtrace.stores.sqlite.groups import ONE, Counts, times_of, weights_of

_NOQUEUE: Final = (f'"{NOQUEUE}"'.encode(),)


def tally_of_blocks(query: Query, span: Span, blocks: Iterable[Block]) -> Tally:
    """Return the numbers of the documents that match."""
    tally, details, period = Tally(span), _Details(span), cache(span.period)
    now, before, waiting = (_Window(query, each) for each in (span, span.before, span.waiting))
    for block in blocks:
        known = None
        if part := before.part(block):
            known = part
            part.add_totals(tally.before)
            for name, counter in tally.numbers_before.items():
                counter.update(part.values(name, part.received))
        if part := now.part(block):
            known = part
            part.add_totals(tally.now)
            part.add_periods(tally, period)
            details.add(part)
        if part := waiting.part(block, known):
            part.add_waiting(tally)
    details.finish(tally)
    return tally


class _Window:
    """The documents that match in a span."""

    def __init__(self, query: Query, span: Span) -> None:
        self._span = span
        self._rows, self._results = Filter(span.of(query)), Filter(span.of(of_attempts(query)))

    def part(self, block: Block, known: "_Part | None" = None) -> "_Part | None":
        """Return these documents of a block; None if it has none. `known` are those of a span within this one."""
        if block.until < self._span.since or block.since > self._span.until:
            return None
        if known and known.rows.bit_count() == block.documents:
            return known
        rows = self._rows.rows(block)
        return _Part(block, rows, self._results.counted(block, rows, final=False)) if rows else None


class _Part:
    """Documents of a block, and their recipient results that count."""

    def __init__(self, block: Block, rows: Mask, results: Mask) -> None:
        self.block, self.rows, self.results = block, rows, results
        self.final = results & is_last(block)
        self.received = rows & ~self._refused()

    def _refused(self) -> Mask:
        if not self.block.has("transaction", _NOQUEUE):
            return 0
        return self.block.with_value("transaction", lambda values: [value == NOQUEUE for value in values])

    @cached_property
    def outcomes(self) -> list[tuple[str, Mask]]:
        """The final outcomes that occur, each with its recipient results."""
        outcomes = self.block.column("to.outcome").values
        return [(outcome, found) for outcome in outcomes if (found := self.with_outcome(self.final, outcome))]

    @cached_property
    def weights(self) -> list[int]:
        """The sizes of the rows, as in `Counts`."""
        return weights_of(self.block, ONE - 1)

    def with_outcome(self, results: Mask, *outcomes: str) -> Mask:
        """Return those of some recipient results that have one of these outcomes."""
        wanted = self.block.with_value("to.outcome", lambda values: [value in outcomes for value in values])
        return results & wanted

    def add_totals(self, totals: Totals) -> None:
        """Add what is counted of both spans."""
        sent = self.block.rows_of(self.with_outcome(self.final, "sent"))
        totals.received += self.received.bit_count()
        totals.refused += (self.rows & ~self.received).bit_count()
        totals.bytes_in += sum(selected(self.received, self.weights)) % ONE
        totals.bytes_out += sum(selected(sent, self.weights)) % ONE
        _add(totals.outcomes, ((outcome, found.bit_count()) for outcome, found in self.outcomes))
        _add(totals.deferring, Counter(self.values(DOMAIN, self.with_outcome(self.results, "deferred"))).items())

    def values(self, name: str, mask: Mask) -> Iterator[Any]:
        """Return the value of a column for each row, or recipient result, in a mask."""
        values, codes = self.block.column(name)
        return map(values.__getitem__, selected(mask, codes))

    def add_periods(self, tally: Tally, period: Callable[[int], str]) -> None:
        """Add what is counted by hour or day; `period` is `Span.period`, with a memory."""
        begins, codes = times_of(self.block, period)
        for begin in begins:
            if rows := self.rows & flags(codes, bytes(begin == each for each in begins)):
                results = self.block.results_of(rows)
                _add(tally.received, [(begin, (rows & self.received).bit_count())])
                _add(tally.outcomes, (((begin, its), (results & found).bit_count()) for its, found in self.outcomes))

    def add_waiting(self, tally: Tally) -> None:
        """Add what is in the queue."""
        waiting, block = tally.waiting, self.block
        kept = block.with_value("removed", lambda values: [not value for value in values])
        results = kept and block.results_of(kept) & self.with_outcome(self.final, *WAITING)
        if results:
            dates = list(map(block.dates.__getitem__, selected(results, block.result_rows)))
            waiting.outcomes.update(self.values("to.outcome", results))
            waiting.ages.update(age_class(tally.span.until - date) for date in dates)
            for domain, date in zip(self.values(DOMAIN, results), dates, strict=True):
                waiting.add(domain, 1, date)


class _Details:
    """What is counted of the span itself, by values."""

    def __init__(self, span: Span) -> None:
        zone = span.zone
        self._documents = {name: Counts(Grouping(name, zone)) for name in OF_DOCUMENTS}
        self._domains = Counts(Grouping("to-domain", zone))
        self._reasons = Counts(Grouping("outcome", zone, "status"))
        self._relays = Counts(Grouping("relay", zone))

    def add(self, part: _Part) -> None:
        """Count the documents of a block."""
        for counts in self._documents.values():
            counts.add(part.block, part.received, part.weights)
        is_each = part.received == part.rows
        received = part.final if is_each else part.final & part.block.results_of(part.received)
        self._domains.add(part.block, received, part.weights)
        self._reasons.add(part.block, part.with_outcome(part.results, *REASONED))
        self._relays.add(part.block, part.with_outcome(part.final, "sent"))

    def finish(self, tally: Tally) -> None:
        """Add what was counted."""
        for name, counts in self._documents.items():
            _add_with_bytes(tally.numbers[name], tally.bytes[name], frequent(counts.totals, ONE))
        _add_with_bytes(tally.domains, tally.domain_bytes, self._domains.totals)
        tally.reasons.update(self._reasons.totals)
        for relay, delays in self._relays.delays.items():
            found = tally.delays.setdefault(relay, Counter())
            _add(found, ((None if one is None else microseconds_of(one), delays[one]) for one in delays))


def _add_with_bytes(numbers: dict[Any, int], sizes: dict[Any, int], totals: dict[Any, int]) -> None:
    for value, total in totals.items():
        numbers[value], sizes[value] = divmod(total, ONE)


def _add(counter: dict[Any, int], counts: Iterable[tuple[Any, int]]) -> None:
    # `counter[value] += number` is slower for new values.
    get = counter.get
    for value, number in counts:
        if number:
            counter[value] = get(value, 0) + number
