"""Groups counted from the columns of blocks: each distinct value of a block is grouped once."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from mailtrace.search.groups import OF_TIMES, VALUES, Group, GroupCounter, Grouping, query_for, size_of
from mailtrace.search.query import Query
from mailtrace.stores.sqlite.block import Block, Mask, selected
from mailtrace.stores.sqlite.columns import ATTEMPTS, HIDDEN, REASON
from mailtrace.stores.sqlite.filter import Filter

_MINUTE: Final = 60_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MOST: Final = 100_000
"""How many values, or pairs of a key and a delay, are in memory before they are counted, or made again."""


def groups_of_blocks(query: Query, groupings: Sequence[Grouping], blocks: Iterable[Block]) -> list[list[Group]]:
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
    """What has been counted for a grouping."""

    def __init__(self, grouping: Grouping) -> None:
        self._grouping, self._counter = grouping, GroupCounter(grouping)
        self._names = [_Names(grouping, name) for name in grouping.names]
        self._beside = ["to.delay"] * grouping.has_delays + [ATTEMPTS] * grouping.counts_attempts
        """The columns that are counted together with the key."""
        self._numbers: Counter[Any] = Counter()
        """How often each key has been counted; or each key with what is beside it."""
        self._bytes: defaultdict[Any, int] = defaultdict(int)

    def groups(self) -> list[Group]:
        """Return the groups."""
        self._count()
        for key, size in self._bytes.items():
            self._counter.size(self._whole(key), size)
        return self._counter.groups()

    def add(self, block: Block, mask: Mask) -> None:
        """Count the rows, or the recipient results, of a block."""
        keys = self._keys(block, mask)
        if self._grouping.has_bytes:
            self._add_bytes(block, mask, keys)
        if self._beside:
            columns = [block.column(name) for name in self._beside]
            beside = [map(column.values.__getitem__, selected(mask, column.codes)) for column in columns]
            self._numbers.update(zip(keys, *beside, strict=True))
        else:
            self._numbers.update(keys)
        if len(self._numbers) > _MOST:
            self._count()

    def _keys(self, block: Block, mask: Mask) -> list[Any]:
        """Return the key of each row or result in a mask: its value, or its two values."""
        values = [names.of(block, mask, of_results=self._grouping.counts_recipients) for names in self._names]
        return list(values[0] if len(values) == 1 else zip(*values, strict=True))

    def _whole(self, key: Any) -> tuple[str | None, ...]:
        return key if self._grouping.then is not None else (key,)

    def _add_bytes(self, block: Block, mask: Mask, keys: list[Any]) -> None:
        """Add the size of each row, once for each key."""
        column, totals = block.column("size"), self._bytes
        size_at = [size_of(size) for size in column.values]
        if self._grouping.counts_recipients:
            for key, row in _once_a_row(keys, selected(mask, block.result_rows)):
                totals[key] += size_at[column.codes[row]]
        else:
            for key, code in zip(keys, selected(mask, column.codes), strict=True):
                totals[key] += size_at[code]

    def _count(self) -> None:
        counter, has_delays, counts_attempts = self._counter, self._grouping.has_delays, self._grouping.counts_attempts
        for counted, number in self._numbers.items():
            key = self._whole(counted[0] if self._beside else counted)
            counter.count(key, number * counted[-1] if counts_attempts else number)
            if has_delays:
                counter.delay(key, counted[1], number)
        self._numbers.clear()


def _once_a_row(keys: list[Any], rows: Iterable[int]) -> Iterator[tuple[Any, int]]:
    """Yield keys and rows without repetitions; the results of a row, mostly with one key, follow each other."""
    last, first = -1, None
    others: set[Any] = set()
    for key, row in zip(keys, rows, strict=True):
        if row != last:
            last, first = row, key
            if others:
                others = set()
            yield key, row
        elif key != first and key not in others:
            others.add(key)
            yield key, row


class _Names:
    """The names of groups by one way of grouping; each distinct value has been named once, as long as they are few."""

    def __init__(self, grouping: Grouping, name: str) -> None:
        self._grouping, self._name = grouping, name
        self._is_of_results = name in VALUES and VALUES[name].is_of_results
        self._known: dict[Any, str | None] = {}

    def of(self, block: Block, mask: Mask, *, of_results: bool) -> Iterator[str | None]:
        """Return the name of each row, or of each recipient result, in a mask."""
        values, codes = self._column(block)
        if of_results and not self._is_of_results:
            codes = array(codes.typecode, map(codes.__getitem__, block.result_rows))
        used = array(codes.typecode, selected(mask, codes))
        return map(self._named(values, set(used)).__getitem__, used)

    def _column(self, block: Block) -> tuple[list[Any], "array[int]"]:
        if self._name not in OF_TIMES:
            return block.column(REASON if self._name == "status" else VALUES[self._name].column)
        minutes = [0 if date == HIDDEN else date // _MINUTE for date in block.dates]
        numbers = {minute: number for number, minute in enumerate(dict.fromkeys(minutes))}
        return list(numbers), array("H", map(numbers.__getitem__, minutes))

    def _named(self, values: list[Any], used: set[int]) -> Sequence[str | None] | dict[int, str | None]:
        """Return the names of the values whose codes are used, by code."""
        known = self._known
        if len(known) > _MOST:
            known.clear()
        if 2 * len(used) < len(values):
            return {code: known.get(values[code]) or self._name_of(values[code]) for code in used}
        known.update({value: self._name_of(value) for value in values if value not in known})
        return list(map(known.__getitem__, values))

    def _name_of(self, value: Any) -> str | None:
        if self._name in OF_TIMES:
            return self._grouping.time(_EPOCH + timedelta(minutes=value), self._name)
        # Reasons have a column of their own, so they need not be derived from each status.
        return value if self._name == "status" else VALUES[self._name].of(value)
