"""Groups counted from the columns of blocks: each distinct value of a block is grouped once."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from itertools import count, repeat
from typing import Any, Final

from mailtrace.search.groups import (
    OF_TIMES,
    VALUES,
    Group,
    Grouping,
    Groups,
    Key,
    domain_of,
    domains_of,
    microseconds_of,
    percentile,
    query_for,
    size_of,
)
from mailtrace.search.query import Query
from mailtrace.stores.sqlite.block import Block, Mask, selected
from mailtrace.stores.sqlite.columns import ATTEMPTS, HIDDEN, REASON
from mailtrace.stores.sqlite.filter import Filter

_MINUTE: Final = 60_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


def groups_of_blocks(query: Query, groupings: Sequence[Grouping], blocks: Iterable[Block]) -> list[Groups]:
    """Return the groups of the documents that match a query without `queued`, for each grouping."""
    totals, filter_ = [_Totals(grouping) for grouping in groupings], Filter(query)
    kinds = {_kind(grouping): (grouping, Filter(query_for(grouping, query))) for grouping in groupings}
    for block in blocks:
        if rows := filter_.rows(block):
            masks = {kind: _mask(grouping, counted, block, rows) for kind, (grouping, counted) in kinds.items()}
            for each, grouping in zip(totals, groupings, strict=True):
                each.add(block, masks[_kind(grouping)])
    return [each.groups() for each in totals]


def _kind(grouping: Grouping) -> tuple[str, bool]:
    """What is counted: the same for all groupings of a kind."""
    return grouping.counted, grouping.counts_final_results


def _mask(grouping: Grouping, filter_: Filter, block: Block, rows: Mask) -> Mask:
    """Return the rows, or the recipient results, to count."""
    if not grouping.counts_recipients:
        return rows
    return filter_.counted(block, rows, final=grouping.counts_final_results)


class _Totals:
    """What has been counted for a grouping. Groups are numbered, because integers are counted faster than texts."""

    def __init__(self, grouping: Grouping) -> None:
        self._grouping = grouping
        self._names = [_Names(grouping, name) for name in grouping.names]
        self._pairs: defaultdict[tuple[int, int], int] = defaultdict(count().__next__)
        """The number of each pair of numbers of values."""
        self._numbers: list[int] = []
        self._sizes: list[int] = []
        self._delays: defaultdict[int, Counter[float | None]] = defaultdict(Counter)

    def add(self, block: Block, mask: Mask) -> None:
        """Count the rows, or the recipient results, of a block."""
        codes = self._codes(block, mask)
        more = len(self._pairs if self._grouping.then else self._names[0].known) - len(self._numbers)
        self._numbers.extend(repeat(0, more))
        if self._grouping.has_bytes:
            self._sizes.extend(repeat(0, more))
            self._add_sizes(block, mask, codes)
        self._add_numbers(block, mask, codes)
        if self._grouping.has_delays:
            self._add_delays(block, mask, codes)

    def _codes(self, block: Block, mask: Mask) -> list[int]:
        """Return the number of the group of each row, or of each recipient result, in a mask."""
        codes = [names.codes(block, mask, of_results=self._grouping.counts_recipients) for names in self._names]
        return list(codes[0] if len(codes) == 1 else map(self._pairs.__getitem__, zip(*codes, strict=True)))

    def _add_numbers(self, block: Block, mask: Mask, codes: list[int]) -> None:
        numbers = self._numbers
        if self._grouping.counts_attempts:
            column = block.column(ATTEMPTS)
            attempts = map(column.values.__getitem__, selected(mask, column.codes))
            for code, number in zip(codes, attempts, strict=True):
                numbers[code] += number
        else:
            for code in codes:
                numbers[code] += 1

    def _add_sizes(self, block: Block, mask: Mask, codes: list[int]) -> None:
        """Add the size of each row, once for each group."""
        column = block.column("size")
        sizes = list(map(list(map(size_of, column.values)).__getitem__, column.codes))
        if self._grouping.counts_recipients:
            add_by_row(self._sizes, codes, selected(mask, block.result_rows), sizes)
        else:
            totals = self._sizes
            for code, size in zip(codes, selected(mask, sizes), strict=True):
                totals[code] += size

    def _add_delays(self, block: Block, mask: Mask, codes: list[int]) -> None:
        values, of_results = block.column("to.delay")
        for (code, delay), number in Counter(zip(codes, selected(mask, of_results), strict=True)).items():
            self._delays[code][values[delay]] += number

    def groups(self) -> Groups:
        """Return the groups."""
        # There is a value without a number if none of its rows or results match.
        found = [code for code, number in enumerate(self._numbers) if number] if 0 in self._numbers else None
        numbers, sizes = (
            values if found is None or not values else [values[code] for code in found]
            for values in (self._numbers, self._sizes)
        )
        names, pairs = [list(each.known) for each in self._names], list(self._pairs)

        def key(at: int) -> Key:
            code = at if found is None else found[at]
            return (names[0][code],) if not pairs else (names[0][pairs[code][0]], names[1][pairs[code][1]])

        def group(at: int) -> Group:
            (value, second), size = (*key(at), None)[:2], sizes[at] if sizes else None
            return Group(value, numbers[at], *self._median_and_p95(at if found is None else found[at]), size, second)

        return Groups(self._grouping, numbers, sizes, key, group)

    def _median_and_p95(self, code: int) -> tuple[float | None, float | None]:
        if not self._grouping.has_delays:
            return None, None
        delays = self._sorted_delays(code)
        return percentile(delays, 50), percentile(delays, 95)

    def _sorted_delays(self, code: int) -> list[tuple[int, int]]:
        """Return the known delays of a group in microseconds, each with its number."""
        found: Counter[int] = Counter()
        for delay, number in self._delays.get(code, {}).items():
            if delay is not None:
                found[microseconds_of(delay)] += number
        return sorted(found.items())


def add_by_row(sums: list[int], codes: Iterable[int], rows: Iterable[int], sizes: Sequence[int]) -> None:
    """Add the size of each row to the sums of its codes, once for each code. Equal rows follow each other."""
    last, first = -1, -1
    others: set[int] = set()
    for code, row in zip(codes, rows, strict=True):
        if row != last:
            last, first = row, code
            if others:
                others = set()
            sums[code] += sizes[row]
        elif code != first and code not in others:
            others.add(code)
            sums[code] += sizes[row]


class _Names:
    """The values of one way of grouping, numbered in the order in which they were found."""

    def __init__(self, grouping: Grouping, name: str) -> None:
        self._grouping, self._name = grouping, name
        self._is_of_results = name in VALUES and VALUES[name].is_of_results
        self.known: defaultdict[str | None, int] = defaultdict(count().__next__)

    def codes(self, block: Block, mask: Mask, *, of_results: bool) -> Iterator[int]:
        """Return the number of the value of each row, or of each recipient result, in a mask."""
        values, codes = self._column(block)
        found: Sequence[int] = codes
        if of_results and not self._is_of_results:
            found = list(map(codes.__getitem__, block.result_rows))
        if 2 * mask.bit_count() < len(values):
            used = list(selected(mask, found))
            different = list(dict.fromkeys(used))
            numbers = map(self.known.__getitem__, self._named(map(values.__getitem__, different)))
            return map(dict(zip(different, numbers, strict=True)).__getitem__, used)
        return map(list(map(self.known.__getitem__, self._named(values))).__getitem__, selected(mask, found))

    def _column(self, block: Block) -> tuple[list[Any], "array[int]"]:
        if self._name not in OF_TIMES:
            return block.column(REASON if self._name == "status" else VALUES[self._name].column)
        minutes = [0 if date == HIDDEN else date // _MINUTE for date in block.dates]
        numbers = {minute: number for number, minute in enumerate(dict.fromkeys(minutes))}
        return list(numbers), array("H", map(numbers.__getitem__, minutes))

    def _named(self, values: Iterable[Any]) -> Iterable[str | None]:
        """Return the names of values, which are in lower case if they are compared regardless of case."""
        if self._name in OF_TIMES:
            return [self._grouping.time(_EPOCH + timedelta(minutes=minute), self._name) for minute in values]
        return domains_of(values) if self._name in VALUES and VALUES[self._name].of is domain_of else values
