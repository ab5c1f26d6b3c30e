"""The numbers of an overview, counted from the columns of blocks in one pass."""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import compress
from typing import Any, Final

from mailtrace.search.groups import delay_of, domain_of
from mailtrace.search.query import Query
from mailtrace.search.tally import NOQUEUE, OF_DOCUMENTS, REASONED, WAITING, Span, Tally, Totals, age_class, of_attempts
from mailtrace.stores.sqlite.block import Block, Column, Mask, selected
from mailtrace.stores.sqlite.columns import REASON
from mailtrace.stores.sqlite.filter import Filter, is_last

_NOQUEUE: Final = (f'"{NOQUEUE}"'.encode(),)


def tally_of_blocks(query: Query, span: Span, blocks: Iterable[Block]) -> Tally:
    """Return the numbers of the documents that match."""
    tally = Tally(span)
    now, before, waiting = (_Window(query, each) for each in (span, span.before, span.waiting))
    for block in blocks:
        if part := before.part(block):
            part.add_totals(tally.before)
        if part := now.part(block):
            part.add_totals(tally.now)
            part.add_details(tally)
        if part := waiting.part(block):
            part.add_waiting(tally)
    return tally


class _Window:
    """The documents that match in a span."""

    def __init__(self, query: Query, span: Span) -> None:
        self._span = span
        self._rows, self._results = Filter(span.of(query)), Filter(span.of(of_attempts(query)))

    def part(self, block: Block) -> "_Part | None":
        """Return these documents of a block; None if it has none."""
        if block.until < self._span.since or block.since > self._span.until:
            return None
        rows = self._rows.rows(block)
        return _Part(block, rows, self._results.counted(block, rows)) if rows else None


class _Part:
    """Documents of a block, and their recipient results that count."""

    def __init__(self, block: Block, rows: Mask, results: Mask) -> None:
        self._block, self._rows, self._results = block, rows, results
        self._final = results & is_last(block)
        self._received = rows & ~self._refused()

    def _refused(self) -> Mask:
        if not self._block.has("transaction", _NOQUEUE):
            return 0
        return self._block.with_value("transaction", lambda values: [value == NOQUEUE for value in values])

    def _with_outcome(self, results: Mask, *outcomes: str) -> Mask:
        return results and results & self._block.with_value(
            "to.outcome", lambda values: [value in outcomes for value in values]
        )

    def _counted(self, name: str, mask: Mask) -> Iterator[tuple[Any, int]]:
        """Yield the values of a column in a mask, each with its number."""
        values, codes = self._block.column(name)
        return ((values[code], number) for code, number in Counter(selected(mask, codes)).items())

    def _domains(self, results: Mask) -> Iterator[tuple[str | None, int]]:
        return ((domain_of(address), number) for address, number in self._counted("to.recipient", results))

    def _sizes(self) -> list[int]:
        """Return the size of each row; 0 if it is unknown."""
        values, codes = self._block.column("size")
        return list(map([value or 0 for value in values].__getitem__, codes))

    def add_totals(self, totals: Totals) -> None:
        """Add what is counted of both spans."""
        block, received = self._block, self._received
        totals.received += received.bit_count()
        totals.refused += (self._rows & ~received).bit_count()
        sizes = array("Q", self._sizes())
        totals.bytes_in += sum(selected(received, sizes))
        totals.bytes_out += sum(selected(block.rows_of(self._with_outcome(self._final, "sent")) & self._rows, sizes))
        _add(totals.outcomes, self._counted("to.outcome", self._final))
        for name in OF_DOCUMENTS:
            _add(totals.numbers[name], self._counted(name, received))
        _add(totals.deferring, self._domains(self._with_outcome(self._results, "deferred")))

    def add_details(self, tally: Tally) -> None:
        """Add what is counted of the span itself."""
        sizes = self._sizes()
        chosen = self._received.to_bytes(self._block.size, "little")
        for name in OF_DOCUMENTS:
            column = self._block.column(name)
            _add(tally.bytes[name], _sums(column, compress(zip(column.codes, sizes, strict=True), chosen)))
        self._add_domains(tally, sizes)
        self._add_periods(tally)
        self._add_delays(tally)
        self._add_reasons(tally)

    def _add_domains(self, tally: Tally, sizes: list[int]) -> None:
        block, results = self._block, self._final & self._block.results_of(self._received)
        values, codes = block.column("to.recipient")
        domains = list(map(domain_of, values))
        column = Column(list(dict.fromkeys(domains)), array("I"))
        known = {domain: code for code, domain in enumerate(column.values)}
        code_of = [known[domain] for domain in domains]
        pairs = list(
            zip(map(code_of.__getitem__, selected(results, codes)), selected(results, block.result_rows), strict=True)
        )
        _add(tally.domains, ((column.values[code], n) for code, n in Counter(code for code, _ in pairs).items()))
        _add(tally.domain_bytes, _sums(column, ((code, sizes[row]) for code, row in dict.fromkeys(pairs))))

    def _add_periods(self, tally: Tally) -> None:
        block, span = self._block, tally.span
        first, last = max(block.since, span.since), min(block.until, span.until)
        if span.period(first) == span.period(last) and last - first < _SHORTEST:
            periods = {0: span.period(first)}
            rows: list[int] = [0] * block.size
        else:
            rows = [date // _MINUTE for date in block.dates]
            periods = {minute: span.period(minute * _MINUTE) for minute in set(selected(self._rows, array("q", rows)))}
        minutes = array("q", rows)
        _add(tally.received, ((periods[at], n) for at, n in Counter(selected(self._received, minutes)).items()))
        values, codes = block.column("to.outcome")
        at = map(rows.__getitem__, selected(self._final, block.result_rows))
        pairs = Counter(zip(at, selected(self._final, codes), strict=True))
        _add(tally.outcomes, (((periods[minute], values[code]), n) for (minute, code), n in pairs.items()))

    def _add_delays(self, tally: Tally) -> None:
        sent = self._with_outcome(self._final, "sent")
        for (relay, delay), number in self._pairs("to.relay_host", "to.delay", sent):
            tally.delay(relay, delay_of({"delay": delay}), number)

    def _add_reasons(self, tally: Tally) -> None:
        if results := self._with_outcome(self._results, *REASONED):
            _add(tally.reasons, self._pairs("to.outcome", REASON, results))

    def _pairs(self, one: str, other: str, results: Mask) -> Iterator[tuple[tuple[Any, Any], int]]:
        """Yield the pairs of values of two columns in a mask, each with its number."""
        first, second = self._block.column(one), self._block.column(other)
        codes = zip(selected(results, first.codes), selected(results, second.codes), strict=True)
        return (((first.values[a], second.values[b]), number) for (a, b), number in Counter(codes).items())

    def add_waiting(self, tally: Tally) -> None:
        """Add what is in the queue."""
        block = self._block
        results = self._with_outcome(self._final, *WAITING)
        if results:
            results &= block.results_of(block.with_value("removed", lambda values: [not value for value in values]))
        if not results:
            return
        waiting, dates = tally.waiting, block.dates
        _add(waiting.outcomes, self._counted("to.outcome", results))
        found = [dates[row] for row in selected(results, block.result_rows)]
        _add(waiting.ages, Counter(age_class(tally.span.until - date) for date in found).items())
        values, codes = block.column("to.recipient")
        for code, date in zip(selected(results, codes), found, strict=True):
            waiting.add(domain_of(values[code]), 1, date)


_MINUTE: Final = 60_000_000
_SHORTEST: Final = 3600 * 1_000_000
"""Less than this is between two dates of one hour, also when clocks are set back."""


def _add(counter: Counter[Any], counts: Iterable[tuple[Any, int]]) -> None:
    for value, number in counts:
        counter[value] += number


def _sums(column: Column, pairs: Iterable[tuple[int, int]]) -> Iterator[tuple[Any, int]]:
    """Yield the values of a column, each with the sum of the numbers that are paired with its codes."""
    sums = [0] * len(column.values)
    seen = set()
    for code, number in pairs:
        sums[code] += number
        seen.add(code)
    return ((column.values[code], sums[code]) for code in seen)
