"""Groups counted from the columns of blocks: each distinct value of a block is grouped once."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from mailtrace.search.groups import Group, GroupCounter, Grouping
from mailtrace.search.query import Query
from mailtrace.stores.sqlite.block import Block, Mask, selected
from mailtrace.stores.sqlite.columns import REASON
from mailtrace.stores.sqlite.filter import Filter

_MINUTE: Final = 60_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MOST: Final = 100_000
"""How many distinct values are in memory before they are grouped."""


def groups_of_blocks(query: Query, grouping: Grouping, blocks: Iterable[Block]) -> list[Group]:
    """Return the groups of the documents that match."""
    counter, filter_, totals = GroupCounter(grouping), Filter(query), dict[Any, int]()
    for block in blocks:
        if rows := filter_.rows(block):
            mask = filter_.counted(block, rows) if grouping.counts_recipients else rows
            for value, number in _numbers(block, grouping, mask):
                totals[value] = totals.get(value, 0) + number
        if len(totals) > _MOST:
            _add(counter, grouping, totals)
    _add(counter, grouping, totals)
    return counter.groups()


def _add(counter: GroupCounter, grouping: Grouping, totals: dict[Any, int]) -> None:
    """Group distinct values, each once, and clear them."""
    for value, number in totals.items():
        if grouping.is_of_times:
            counter.count(grouping.time(_EPOCH + timedelta(minutes=value)), number)
        elif grouping.has_delays:
            counter.count_result({grouping.member: value[0], "delay": value[1]}, number)
        else:
            # Reasons have a column of their own, so they need not be derived from each status.
            counter.count(value if grouping.by == "status" else grouping.value.of(value), number)
    totals.clear()


def _numbers(block: Block, grouping: Grouping, mask: Mask) -> Iterable[tuple[Any, int]]:
    """Return the values of the rows or recipient results in a mask, each with its number."""
    if grouping.is_of_times:
        return Counter(date // _MINUTE for date in selected(mask, block.dates)).items()
    values, codes = block.column(REASON if grouping.by == "status" else grouping.value.column)
    if not grouping.has_delays:
        return ((values[code], number) for code, number in Counter(selected(mask, codes)).items())
    delays = block.column("to.delay")
    pairs = Counter(zip(selected(mask, codes), selected(mask, delays.codes), strict=True))
    return (((values[code], delays.values[delay]), number) for (code, delay), number in pairs.items())
