"""The numbers of an overview, counted from the columns of blocks in one pass."""

from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, cached_property
from itertools import compress, count, pairwise, repeat
from typing import Any, Final, TypeAlias

from mailtrace.search.groups import domain_of, domains_of, microseconds_of
from mailtrace.search.overview import frequent, largest
from mailtrace.search.query import Query
from mailtrace.search.tally import NOQUEUE, OF_DOCUMENTS, REASONED, WAITING, Span, Tally, Totals, age_class, of_attempts
from mailtrace.stores.sqlite.block import Block, Mask, everything, selected
from mailtrace.stores.sqlite.columns import REASON, typecode
from mailtrace.stores.sqlite.filter import Filter, is_last
from mailtrace.stores.sqlite.groups import add_by_row

_MINUTE: Final = 60_000_000
_QUARTER: Final = 15 * _MINUTE
"""No period is shorter."""
_NOQUEUE: Final = (f'"{NOQUEUE}"'.encode(),)
_OTHER: Final = 255
"""Stands for every value that is not shown."""
_IS_CODE: Final = [bytes(code) + b"\1" + bytes(_OTHER - code) for code in range(1 << 8)]
_IS_SHOWN: Final = bytes(code != _OTHER for code in range(1 << 8))

_Delays: TypeAlias = defaultdict[str | None, dict[float | None, int]]
"""Sent recipients by next hop and delay in seconds."""


def tally_of_blocks(query: Query, span: Span, blocks: Iterable[Block]) -> Tally:
    """Return the numbers of the documents that match."""
    tally, received, delays = Tally(span), _Received(), _Delays(dict)
    period = cache(span.period)
    now, before, waiting = (_Window(query, each) for each in (span, span.before, span.waiting))
    for block in blocks:
        known = None
        if part := before.part(block):
            known = part
            part.add_totals(tally.before)
            part.add_numbers(tally.numbers_before)
        if part := now.part(block):
            known = part
            part.add_totals(tally.now)
            part.add_details(tally)
            part.add_periods(tally, period)
            part.add_delays(delays)
            part.add_received(received)
        if part := waiting.part(block, known):
            part.add_waiting(tally)
    received.finish(tally)
    for relay, numbers in delays.items():
        _add(tally.delays.setdefault(relay, Counter()), ((_microseconds(delay), numbers[delay]) for delay in numbers))
    return tally


class _Field:
    """The values of a field, numbered, because integers are counted faster than texts."""

    def __init__(self) -> None:
        self._known: defaultdict[str | None, int] = defaultdict(count().__next__)
        self._codes: list[int] = []
        """For each row the number of its value. Unlike those of an array, its integers need not be made again."""

    def add(self, values: Iterable[str | None], codes: Iterable[int]) -> None:
        """Append rows, given by the distinct values of a block and their codes."""
        of_values = list(map(self._known.__getitem__, values))
        self._codes.extend(map(of_values.__getitem__, codes))

    def numbers(self) -> dict[str | None, int]:
        """Return how often those values occur that can be in an overview."""
        numbers = [0] * len(self._known)
        for code in self._codes:
            numbers[code] += 1
        return frequent(zip(self._known, numbers, strict=True), numbers)

    def sums(self, shown: Iterable[str], sizes: Iterable[int]) -> dict[str, int]:
        """Return the sum of the sizes of some values, at most ten; `sizes` has one for each row."""
        sums = dict.fromkeys(shown, 0)
        values, places = list(sums), bytearray([_OTHER]) * len(self._known)
        for place, value in enumerate(values):
            places[self._known[value]] = place
        of_rows = bytes(map(places.__getitem__, self._codes))
        is_shown = of_rows.translate(_IS_SHOWN)
        for place, size in zip(compress(of_rows, is_shown), compress(sizes, is_shown), strict=True):
            sums[values[place]] += size
        return sums


class _Received:
    """The fields of what was received whose most frequent values are shown."""

    def __init__(self) -> None:
        self.fields = {name: _Field() for name in OF_DOCUMENTS}
        self.sizes: list[int] = []

    def finish(self, tally: Tally) -> None:
        """Count the values, and add up the sizes of those that are shown."""
        for name, field in self.fields.items():
            tally.numbers[name].update(field.numbers())
            shown = [value for value, _ in largest(tally.numbers[name])]
            tally.bytes[name].update(field.sums(shown, self.sizes))


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

    @cached_property
    def _outcomes(self) -> list[tuple[str, Mask]]:
        """The final outcomes that occur, each with its recipient results."""
        return list(self._by_outcome(self._final))

    def _with_outcome(self, results: Mask, *outcomes: str) -> Mask:
        return results and results & self._block.with_value(
            "to.outcome", lambda values: [value in outcomes for value in values]
        )

    def _values(self, name: str, mask: Mask) -> Iterator[Any]:
        """Return the value of a column for each row, or recipient result, in a mask."""
        values, codes = self._block.column(name)
        return map(values.__getitem__, selected(mask, codes))

    @cached_property
    def _result_rows(self) -> list[int]:
        # A list can be read several times in the time of an array.
        return self._block.result_rows.tolist()

    @cached_property
    def _sizes(self) -> list[int]:
        """The size of each row; 0 if it is unknown."""
        return [size or 0 for size in self._values("size", everything(self._block.size))]

    @cached_property
    def _domains(self) -> list[str | None]:
        """The domain of each distinct recipient."""
        return domains_of(self._block.column("to.recipient").values)

    def add_totals(self, totals: Totals) -> None:
        """Add what is counted of both spans."""
        received, sizes = self._received, self._sizes
        totals.received += received.bit_count()
        totals.refused += (self._rows & ~received).bit_count()
        totals.bytes_in += sum(selected(received, sizes))
        sent = set(selected(self._with_outcome(self._final, "sent"), self._result_rows))
        totals.bytes_out += sum(map(sizes.__getitem__, sent))
        _add(totals.outcomes, ((outcome, found.bit_count()) for outcome, found in self._outcomes))
        if deferred := self._with_outcome(self._results, "deferred"):
            counted = Counter(selected(deferred, self._block.column("to.recipient").codes))
            _add(totals.deferring, ((self._domains[code], number) for code, number in counted.items()))

    def add_numbers(self, numbers: Mapping[str, "Counter[str | None]"]) -> None:
        """Count the values of some fields of what was received."""
        for name, counter in numbers.items():
            counter.update(self._values(name, self._received))

    def add_received(self, received: _Received) -> None:
        """Append what was received."""
        received.sizes.extend(selected(self._received, self._sizes))
        for name, field in received.fields.items():
            values, codes = self._block.column(name)
            field.add(values, selected(self._received, codes))

    def add_details(self, tally: Tally) -> None:
        """Add what is counted of the span itself."""
        self._add_domains(tally)
        if results := self._with_outcome(self._results, *REASONED):
            _add(tally.reasons, self._pairs("to.outcome", REASON, results))

    def add_delays(self, delays: _Delays) -> None:
        """Add the delays of what was sent."""
        sent = self._with_outcome(self._final, "sent")
        (relays, of_relays), (values, of_values) = map(self._block.column, ("to.relay_host", "to.delay"))
        found = [delays[relay] for relay in relays]
        codes = zip(selected(sent, of_relays), selected(sent, of_values), strict=True)
        for (relay, delay), number in Counter(codes).items():
            numbers, value = found[relay], values[delay]
            numbers[value] = numbers.get(value, 0) + number

    def _add_domains(self, tally: Tally) -> None:
        results = self._final
        if self._received != self._rows:
            results &= self._block.results_of(self._received)
        code_of: defaultdict[str | None, int] = defaultdict(count().__next__)
        codes_of_domains = list(map(code_of.__getitem__, self._domains))
        codes = selected(results, self._block.column("to.recipient").codes)
        of_results, names = list(map(codes_of_domains.__getitem__, codes)), list(code_of)
        _add(tally.domains, ((names[code], number) for code, number in Counter(of_results).items()))
        sums = [0] * len(names)
        add_by_row(sums, of_results, selected(results, self._result_rows), self._sizes)
        _add(tally.domain_bytes, zip(names, sums, strict=True))

    def add_periods(self, tally: Tally, period: Callable[[int], str]) -> None:
        """Add what is counted by hour or day; `period` is `Span.period`, with a memory."""
        for begin, rows, results in self._by_period(tally.span, period):
            if number := (rows & self._received).bit_count():
                tally.received[begin] += number
            for outcome, found in self._outcomes:
                if number := (results & found).bit_count():
                    tally.outcomes[begin, outcome] += number

    def _by_period(self, span: Span, period: Callable[[int], str]) -> Iterator[tuple[str, Mask, Mask]]:
        """Yield each period with its rows and their recipient results."""
        block = self._block
        begins = list(_begins(period, max(block.since, span.since), min(block.until, span.until)))
        if len(begins) == 1:
            yield begins[0][1], self._rows, self._final
            return
        dates = [date for date, _ in begins[1:]]
        of_rows = array(typecode(len(begins)), map(bisect_right, repeat(dates), block.dates))
        of_results = array(of_rows.typecode, map(of_rows.__getitem__, self._result_rows))
        for code, (_, begin) in enumerate(begins):
            yield begin, _equal(of_rows, code) & self._rows, _equal(of_results, code)

    def _pairs(self, one: str, other: str, results: Mask) -> Iterator[tuple[tuple[Any, Any], int]]:
        """Yield the pairs of values of two columns in a mask, each with its number."""
        first, second = self._block.column(one), self._block.column(other)
        codes = zip(selected(results, first.codes), selected(results, second.codes), strict=True)
        return (((first.values[a], second.values[b]), number) for (a, b), number in Counter(codes).items())

    def add_waiting(self, tally: Tally) -> None:
        """Add what is in the queue."""
        block = self._block
        kept = block.with_value("removed", lambda values: [not value for value in values])
        results = kept and self._with_outcome(self._final, *WAITING)
        results = results and results & block.results_of(kept)
        if not results:
            return
        waiting, dates = tally.waiting, block.dates
        _add(waiting.outcomes, ((outcome, found.bit_count()) for outcome, found in self._by_outcome(results)))
        found = [dates[row] for row in selected(results, block.result_rows)]
        _add(waiting.ages, Counter(age_class(tally.span.until - date) for date in found).items())
        values, codes = block.column("to.recipient")
        for code, date in zip(selected(results, codes), found, strict=True):
            waiting.add(domain_of(values[code]), 1, date)


def _microseconds(delay: float | None) -> int | None:
    return None if delay is None else microseconds_of(delay)


def _add(counter: dict[Any, int], counts: Iterable[tuple[Any, int]]) -> None:
    # `counter[value] += number` is slower for new values.
    get = counter.get
    for value, number in counts:
        counter[value] = get(value, 0) + number


def _begins(period: Callable[[int], str], first: int, last: int) -> Iterator[tuple[int, str]]:
    """Yield the periods from one date to another, each with its first whole minute."""
    dates = [*range(first // _QUARTER * _QUARTER, last, _QUARTER), last // _MINUTE * _MINUTE]
    yield dates[0], period(dates[0])
    for at, following in pairwise(dates):
        if (name := period(following)) != period(at):
            minutes = range(at, following + 1, _MINUTE)
            yield next(minute for minute in minutes if period(minute) == name), name


def _equal(codes: "array[int]", code: int) -> Mask:
    """Return the mask of the rows, or recipient results, with a code."""
    if codes.typecode != "B":
        return int.from_bytes(bytes(map(code.__eq__, codes)), "little")
    return int.from_bytes(codes.tobytes().translate(_IS_CODE[code]), "little")
