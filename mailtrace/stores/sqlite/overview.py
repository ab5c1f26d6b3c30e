"""The numbers of an overview, counted from the columns of blocks in one pass."""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import count
from typing import Any, Final

from mailtrace.search.groups import delay_of, domain_of
from mailtrace.search.query import Query
from mailtrace.search.tally import NOQUEUE, OF_DOCUMENTS, REASONED, WAITING, Span, Tally, Totals, age_class, of_attempts
from mailtrace.stores.sqlite.block import Block, Mask, selected
from mailtrace.stores.sqlite.columns import REASON, typecode
from mailtrace.stores.sqlite.filter import Filter, is_last

_SIZE_BITS: Final = 64
_ONE: Final = 1 << _SIZE_BITS
_SIZE_MASK: Final = _ONE - 1
_MINUTE: Final = 60_000_000
_SHORTEST: Final = 3600 * 1_000_000
"""Less than this is between two dates of one hour, also when clocks are set back."""
_NOQUEUE: Final = (f'"{NOQUEUE}"'.encode(),)


def tally_of_blocks(query: Query, span: Span, blocks: Iterable[Block]) -> Tally:
    """Return the numbers of the documents that match."""
    tally, sums = Tally(span), _Sums()
    now, before, waiting = (_Window(query, each) for each in (span, span.before, span.waiting))
    for block in blocks:
        known = None
        if part := before.part(block):
            known = part
            part.add_totals(tally.before)
            part.add_numbers(tally)
        if part := now.part(block):
            known = part
            part.add_totals(tally.now)
            part.add_details(tally)
            part.add_sums(sums)
        if part := waiting.part(block, known):
            part.add_waiting(tally)
    sums.finish(tally)
    return tally


class _Sums:
    """What has very many distinct values: numbers and sizes are added up in one integer, so each is handled once."""

    def __init__(self) -> None:
        self.fields: dict[str, dict[str | None, int]] = {name: {} for name in OF_DOCUMENTS}
        self.delays: dict[tuple[str | None, float | None], int] = {}

    def finish(self, tally: Tally) -> None:
        """Add all to a tally."""
        for name, sums in self.fields.items():
            _split(sums, tally.numbers[name], tally.bytes[name])
        for (relay, delay), number in self.delays.items():
            tally.delay(relay, delay_of({"delay": delay}), number)


def _split(sums: dict[str | None, int], numbers: "Counter[str | None]", sizes: "Counter[str | None]") -> None:
    numbers.update({value: packed >> _SIZE_BITS for value, packed in sums.items() if packed})
    sizes.update({value: packed & _SIZE_MASK for value, packed in sums.items() if packed})


class _Window:
    """The documents that match in a span."""

    def __init__(self, query: Query, span: Span) -> None:
        self._span = span
        self._rows, self._results = Filter(span.of(query)), Filter(span.of(of_attempts(query)))

    def part(self, block: Block, known: "_Part | None" = None) -> "_Part | None":
        """Return these documents of a block; None if it has none. `known` are those of a span within this one."""
        if block.until < self._span.since or block.since > self._span.until:
            return None
        if known and known.is_whole_block:
            return known
        rows = self._rows.rows(block)
        return _Part(block, rows, self._results.counted(block, rows, final=False)) if rows else None


class _Part:
    """Documents of a block, and their recipient results that count."""

    def __init__(self, block: Block, rows: Mask, results: Mask) -> None:
        self._block, self._rows, self._results = block, rows, results
        self._final = results & is_last(block)
        self._received = rows & ~self._refused()

    @property
    def is_whole_block(self) -> bool:
        """Whether a longer span has no more rows of the block."""
        return self._rows.bit_count() == self._block.documents

    def _refused(self) -> Mask:
        if not self._block.has("transaction", _NOQUEUE):
            return 0
        return self._block.with_value("transaction", lambda values: [value == NOQUEUE for value in values])

    def _by_outcome(self, results: Mask) -> Iterator[tuple[str, Mask]]:
        """Yield the outcomes that occur in a mask, each with its recipient results."""
        for outcome in self._block.column("to.outcome").values:
            if found := self._with_outcome(results, outcome):
                yield outcome, found

    def _with_outcome(self, results: Mask, *outcomes: str) -> Mask:
        return results and results & self._block.with_value(
            "to.outcome", lambda values: [value in outcomes for value in values]
        )

    def _counted(self, name: str, mask: Mask) -> Iterator[tuple[Any, int]]:
        """Yield the values of a column in a mask, each with its number."""
        values, codes = self._block.column(name)
        return ((values[code], number) for code, number in Counter(selected(mask, codes)).items())

    @cached_property
    def _sizes(self) -> "array[int]":
        """The size of each row; 0 if it is unknown."""
        values, codes = self._block.column("size")
        return array("q", map([value or 0 for value in values].__getitem__, codes))

    def add_totals(self, totals: Totals) -> None:
        """Add what is counted of both spans."""
        received, sizes = self._received, self._sizes
        totals.received += received.bit_count()
        totals.refused += (self._rows & ~received).bit_count()
        totals.bytes_in += sum(selected(received, sizes))
        sent = set(selected(self._with_outcome(self._final, "sent"), self._block.result_rows))
        totals.bytes_out += sum(map(sizes.__getitem__, sent))
        _add(totals.outcomes, ((outcome, found.bit_count()) for outcome, found in self._by_outcome(self._final)))
        if deferred := self._with_outcome(self._results, "deferred"):
            counted = self._counted("to.recipient", deferred)
            _add(totals.deferring, ((domain_of(address), number) for address, number in counted))

    def add_numbers(self, tally: Tally) -> None:
        """Add what is compared with the span before."""
        for name, numbers in tally.numbers_before.items():
            _add(numbers, self._counted(name, self._received))

    def add_details(self, tally: Tally) -> None:
        """Add what is counted of the span itself."""
        self._add_domains(tally)
        self._add_periods(tally)
        if results := self._with_outcome(self._results, *REASONED):
            _add(tally.reasons, self._pairs("to.outcome", REASON, results))

    def _add_domains(self, tally: Tally) -> None:
        block, sizes = self._block, self._sizes
        results = self._final
        if self._received != self._rows:
            results &= block.results_of(self._received)
        values, codes = block.column("to.recipient")
        # Nearly all are addresses in lower case, for which this is the same as `domain_of`, and faster.
        domains = [value.rpartition("@")[2] if value and "@" in value else domain_of(value) for value in values]
        names = list(dict.fromkeys(domains))
        code_of = dict(zip(names, count()))
        codes_of_domains = [code_of[domain] for domain in domains]
        of_results = list(map(codes_of_domains.__getitem__, selected(results, codes)))
        _add(tally.domains, ((names[code], number) for code, number in Counter(of_results).items()))
        once = set(zip(of_results, selected(results, block.result_rows), strict=True))
        _add(tally.domain_bytes, _sums(names, ((code, sizes[row]) for code, row in once)))

    def _add_periods(self, tally: Tally) -> None:
        for period, rows, results in self._by_period(tally.span):
            tally.received[period] += (rows & self._received).bit_count()
            for outcome, found in self._by_outcome(results & self._final):
                tally.outcomes[period, outcome] += found.bit_count()

    def _by_period(self, span: Span) -> Iterator[tuple[str, Mask, Mask]]:
        """Yield each period with its rows and their recipient results."""
        block = self._block
        first, last = max(block.since, span.since), min(block.until, span.until)
        if span.period(first) == span.period(last) and last - first < _SHORTEST:
            yield span.period(first), self._rows, self._final
            return
        minutes = array("q", [date // _MINUTE for date in block.dates])
        periods = {minute: span.period(minute * _MINUTE) for minute in set(selected(self._rows, minutes))}
        codes = {period: code for code, period in enumerate(dict.fromkeys(periods.values()))}
        code_of = {minute: codes[period] for minute, period in periods.items()}
        of_rows = array(typecode(len(codes)), [code_of.get(minute, 0) for minute in minutes])
        of_results = array(of_rows.typecode, map(of_rows.__getitem__, block.result_rows))
        for period, code in codes.items():
            yield period, _equal(of_rows, code) & self._rows, _equal(of_results, code)

    def add_sums(self, sums: _Sums) -> None:
        """Add numbers and sizes of what was received, and next hops and delays of what was sent."""
        sizes = [_ONE + size for size in selected(self._received, self._sizes)]
        for name, found in sums.fields.items():
            values, codes = self._block.column(name)
            _add(found, _sums(values, zip(selected(self._received, codes), sizes, strict=True)))
        _add(sums.delays, self._pairs("to.relay_host", "to.delay", self._with_outcome(self._final, "sent")))

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
        _add(waiting.outcomes, ((outcome, found.bit_count()) for outcome, found in self._by_outcome(results)))
        found = [dates[row] for row in selected(results, block.result_rows)]
        _add(waiting.ages, Counter(age_class(tally.span.until - date) for date in found).items())
        values, codes = block.column("to.recipient")
        for code, date in zip(selected(results, codes), found, strict=True):
            waiting.add(domain_of(values[code]), 1, date)


def _add(counter: dict[Any, int], counts: Iterable[tuple[Any, int]]) -> None:
    # `counter[value] += number` is slower for new values.
    get = counter.get
    for value, number in counts:
        counter[value] = get(value, 0) + number


def _equal(codes: "array[int]", code: int) -> Mask:
    """Return the mask of the rows, or recipient results, with a code."""
    if codes.typecode != "B":
        return int.from_bytes(bytes(map(code.__eq__, codes)), "little")
    return int.from_bytes(codes.tobytes().translate(bytes(code == each for each in range(1 << 8))), "little")


def _sums(values: Sequence[Any], pairs: Iterable[tuple[int, int]]) -> Iterable[tuple[Any, int]]:
    """Return the values, each with the sum of the numbers that are paired with its code."""
    sums = [0] * len(values)
    for code, number in pairs:
        sums[code] += number
    return zip(values, sums, strict=True)
