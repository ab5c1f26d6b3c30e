"""Groups counted from the columns of blocks: each distinct value of a block is grouped once."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from itertools import compress
from typing import Any, Final

from mailtrace.search.groups import Group, GroupCounter, Grouping
from mailtrace.search.query import Query
from mailtrace.stores.sqlite.block import Block, Mask, selected
from mailtrace.stores.sqlite.columns import REASON
from mailtrace.stores.sqlite.filter import Filter

_MINUTE: Final = 60_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


def groups_of_blocks(query: Query, grouping: Grouping, blocks: Iterable[Block]) -> list[Group]:
    """Return the groups of the documents that match."""
    counter, filter_ = GroupCounter(grouping), Filter(query)
    minutes: Counter[int] = Counter()
    for block in blocks:
        rows = filter_.rows(block)
        if rows and grouping.is_of_times:
            minutes.update(date // _MINUTE for date in selected(rows, block.dates))
        elif rows:
            _count(counter, grouping, block, filter_.counted(block, rows) if grouping.counts_recipients else rows)
    for minute, number in minutes.items():
        counter.count(grouping.time(_EPOCH + timedelta(minutes=minute)), number)
    return counter.groups()


def _count(counter: GroupCounter, grouping: Grouping, block: Block, mask: Mask) -> None:
    """Count the rows or recipient results in a mask."""
    if grouping.has_delays:
        for (value, delay), number in _numbers(block, (grouping.value.column, "to.delay"), mask):
            counter.count_result({grouping.member: value, "delay": delay}, number)
    elif grouping.by == "status":
        # Reasons have a column of their own, so they need not be derived from each status.
        for (reason,), number in _numbers(block, (REASON,), mask):
            counter.count(reason, number)
    else:
        for (value,), number in _numbers(block, (grouping.value.column,), mask):
            counter.count(grouping.value.of(value), number)


def _numbers(block: Block, names: tuple[str, ...], mask: Mask) -> Iterable[tuple[tuple[Any, ...], int]]:
    """Return how often each combination of values is in these columns."""
    columns = [block.column(name) for name in names]
    size = len(columns[0].codes)
    codes = zip(*(column.codes for column in columns), strict=True)
    counts = Counter(compress(codes, mask.to_bytes(size, "little")))
    for combination, number in counts.items():
        yield tuple(column.values[code] for column, code in zip(columns, combination, strict=True)), number
