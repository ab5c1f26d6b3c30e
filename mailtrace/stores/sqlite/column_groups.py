"""Groups counted from whole chunks, for queries with no condition but dates: each distinct value is grouped once."""

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta, timezone
from itertools import compress, repeat
from operator import and_
from typing import Any, Final

from mailtrace.search.groups import GroupCounter, Grouping
from mailtrace.stores.sqlite.chunk import REASON, Chunk

_MINUTE: Final = 60_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


def columns_of(grouping: Grouping) -> tuple[str, ...]:
    """Return the columns that a grouping needs."""
    if grouping.is_of_times:
        return ()
    last = ("to.last",) if grouping.counts_recipients else ()
    return (*last, grouping.value.column, *(("to.delay",) if grouping.has_delays else ()))


class Counts:
    """Counts how often each distinct value is in chunks."""

    def __init__(self, grouping: Grouping) -> None:
        self._grouping = grouping
        # Reasons have a column of their own, so they need not be derived from each status.
        self._has_reasons = grouping.by == "status"
        names = (REASON,) if self._has_reasons else columns_of(grouping)
        self._names = [name for name in names if name != "to.last"]
        self._counts: Counter[Any] = Counter()

    def add(self, chunk: Chunk, positions: Collection[int]) -> None:
        """Count the documents at these positions of a chunk."""
        if self._grouping.is_of_times:
            self._counts.update(date // _MINUTE for date in map(chunk.dates.__getitem__, positions) if date is not None)
            return
        counts: Iterable[Any] = repeat(True)
        if len(positions) < len(chunk.dates):
            rows = chunk.result_rows() if self._grouping.counts_recipients else range(len(chunk.dates))
            counts = [row in positions for row in rows]
        if self._grouping.counts_recipients:
            counts = map(and_, chunk.column("to.last").all(), counts)
        columns = [chunk.column(name).all() for name in self._names]
        self._counts.update(compress(zip(*columns, strict=True), counts))

    def add_to(self, counter: GroupCounter) -> None:
        """Add all counts to a counter, with the result of `GroupCounter.add` for each document."""
        for counted, number in self._counts.items():
            if self._grouping.is_of_times:
                counter.count(self._grouping.time(_EPOCH + timedelta(minutes=counted)), number)
            elif self._has_reasons:
                counter.count(counted[0], number)
            elif self._grouping.counts_recipients:
                members = (name.removeprefix("to.") for name in self._names)
                counter.count_result(dict(zip(members, counted, strict=True)), number)
            else:
                counter.count(self._grouping.value.of(counted[0]), number)
