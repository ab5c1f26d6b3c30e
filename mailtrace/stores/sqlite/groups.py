"""Groups counted from the columns of blocks: each distinct value of a block is grouped once."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta, timezone
from functools import cache, partial
from itertools import compress, repeat
from operator import add
from typing import Any, Final

from mailtrace.search.groups import (
    LARGEST_SIZE,
    OF_TIMES,
    VALUES,
    Grouping,
    Groups,
    domain_of,
    domains_of,
    microseconds_of,
    query_for,
)
from mailtrace.search.query import Query
from mailtrace.stores.sqlite.block import Block, Mask, selected
from mailtrace.stores.sqlite.columns import ATTEMPTS, DOMAIN, HIDDEN, REASON, Column, numbered, typecode
from mailtrace.stores.sqlite.filter import Filter

_MINUTE: Final = 60_000_000
_EARLIEST: Final = HIDDEN // _MINUTE + 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_COLUMNS: Final = {"to-domain": DOMAIN, "status": REASON}
"""The groupings that have columns of their own."""
ONE: Final = 1 << 96
"""Numbers and bytes are added up together, as `number * ONE + bytes`: finding the group takes most of the time."""


def groups_of_blocks(query: Query, grouping: Grouping, blocks: Iterable[Block]) -> Groups:
    """Return the groups of the documents that match a query without `queued`."""
    counts, filter_, counted = Counts(grouping), Filter(query), Filter(query_for(grouping, query))
    for block in blocks:
        if mask := filter_.rows(block):
            if grouping.counts_recipients:
                mask = counted.counted(block, mask, final=grouping.counts_final_results)
            counts.add(block, mask, weights_of(block, LARGEST_SIZE) if grouping.has_bytes else [])
    return counts.groups()


def weights_of(block: Block, largest: int) -> list[int]:
    """Return what each row adds to a total with bytes; sizes over `largest` do not count."""
    values, codes = block.column("size")
    weights = [ONE + size if size and size <= largest else ONE for size in values]
    return list(map(weights.__getitem__, codes))


class Counts:
    """What has been counted for a grouping, by its value, or by its pair of values."""

    def __init__(self, grouping: Grouping) -> None:
        self._grouping = grouping
        self.one = ONE if grouping.has_bytes else 1
        self.totals: dict[Any, int] = {}
        """The sum of `ONE` for each that was counted, and of the bytes."""
        self._time = cache(lambda name, date: grouping.time(_EPOCH + timedelta(microseconds=date), name))
        self.delays: defaultdict[Any, dict[float | None, int]] = defaultdict(dict)

    def add(self, block: Block, mask: Mask, weights: Sequence[int] = ()) -> None:
        """Count the rows, or the recipient results, of a block; `weights` is needed if the grouping has bytes."""
        values, codes = self._column(block, mask)
        has_row_bytes = self._grouping.has_bytes and self._grouping.counts_recipients
        if has_row_bytes and len(set(values)) < len(values):
            values, of = numbered(values)
            codes = map(of.__getitem__, codes)
        codes = list(codes) if has_row_bytes or self._grouping.has_delays else codes
        totals = [0] * len(values)
        for code, number in zip(codes, self._numbers(block, mask, weights), strict=False):
            totals[code] += number
        if has_row_bytes:
            _add_sizes(totals, codes, selected(mask, block.result_rows), weights)
        if self._grouping.has_delays:
            self._add_delays(block, mask, codes, values)
        every, get = self.totals, self.totals.get
        for value, total in zip(compress(values, totals), filter(None, totals), strict=True):
            every[value] = get(value, 0) + total

    def _column(self, block: Block, mask: Mask) -> tuple[list[Any], Iterable[int]]:
        """Return the values, or pairs of values, in a block, and the code of each row or recipient result in a mask."""
        (values, codes), *others = [self._named(block, mask, name) for name in self._grouping.names]
        for more, its in others:
            pairs, codes = numbered(zip(codes, its, strict=True))
            values = [(values[one], more[other]) for one, other in pairs]
        return values, codes

    def _named(self, block: Block, mask: Mask, name: str) -> tuple[list[Any], Iterable[int]]:
        values, codes = self._values(block, name)
        if self._grouping.counts_recipients and not (name in VALUES and VALUES[name].is_of_results):
            return values, map(codes.__getitem__, selected(mask, block.result_rows))
        return values, selected(mask, codes)

    def _values(self, block: Block, name: str) -> Column:
        """Return the names of values; they are in lower case if they are compared regardless of case."""
        if name in OF_TIMES:
            return times_of(block, partial(self._time, name))
        if name in _COLUMNS:
            return block.column(_COLUMNS[name])
        values, codes = block.column(VALUES[name].column)
        return Column(domains_of(values) if VALUES[name].of is domain_of else values, codes)

    def _numbers(self, block: Block, mask: Mask, weights: Sequence[int]) -> Iterable[int]:
        """Return what to add for each row, or each recipient result."""
        if self._grouping.counts_attempts:
            values, codes = block.column(ATTEMPTS)
            return map([self.one * attempts for attempts in values].__getitem__, selected(mask, codes))
        is_of_rows = self._grouping.has_bytes and not self._grouping.counts_recipients
        return selected(mask, weights) if is_of_rows else repeat(self.one)

    def _add_delays(self, block: Block, mask: Mask, codes: Iterable[int], values: list[Any]) -> None:
        delays, its = block.column("to.delay")
        first = [code * len(delays) for code in range(len(values))]
        pairs = map(add, map(first.__getitem__, codes), selected(mask, its))
        for pair, number in Counter(pairs).items():
            code, delay = divmod(pair, len(delays))
            found = self.delays[values[code]]
            found[delays[delay]] = found.get(delays[delay], 0) + number

    def groups(self) -> Groups:
        """Return the groups."""
        numbers = [total // self.one for total in self.totals.values()]
        sizes = [total % ONE for total in self.totals.values()] if self._grouping.has_bytes else []
        return Groups(self._grouping, list(self.totals), numbers, sizes, self._sorted_delays)

    def _sorted_delays(self, value: Any) -> list[tuple[int, int]]:
        """Return the known delays of a group in microseconds, each with its number."""
        found: Counter[int] = Counter()
        for delay, number in self.delays.get(value, {}).items():
            if delay is not None:
                found[microseconds_of(delay)] += number
        return sorted(found.items())


def _add_sizes(totals: list[int], codes: Iterable[int], rows: Iterable[int], weights: Sequence[int]) -> None:
    """Add the size of each row, once for each code. Equal rows follow each other."""
    last, first = -1, -1
    others: set[int] = set()
    for code, row in zip(codes, rows, strict=True):
        if row != last:
            last, first = row, code
            if others:
                others = set()
            totals[code] += weights[row] - ONE
        elif code != first and code not in others:
            others.add(code)
            totals[code] += weights[row] - ONE


def times_of(block: Block, time: Callable[[int], str]) -> Column:
    """Return the hour or day of each row; `time` returns that of a date."""
    minutes = [date // _MINUTE for date in block.dates]
    different = list(dict.fromkeys(minutes))
    times, codes = numbered(time(0 if minute < _EARLIEST else minute * _MINUTE) for minute in different)
    of_rows = map(dict(zip(different, codes, strict=True)).__getitem__, minutes)
    return Column(times, array(typecode(len(times)), of_rows))
