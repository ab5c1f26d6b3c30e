"""How the embedded store counts whole chunks, where a query asks for nothing but dates: each different value once."""

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta, timezone
from itertools import compress, repeat
from operator import and_
from typing import Any, Final

from mailtrace.groups import OF_DOCUMENTS, OF_ENTRIES, Grouping, Tally, delay_of
from mailtrace.stores.sqlite_chunk import REASON, Chunk

GROUPED: Final = {
    "from": ("from",),
    "from-domain": ("from",),
    "client": ("client",),
    "login": ("login",),
    "host": ("host",),
    "to": ("to.last", "to.recipient"),
    "to-domain": ("to.last", "to.recipient"),
    "relay": ("to.last", "to.relay_host", "to.delay"),
    "outcome": ("to.last", "to.outcome"),
    "status": ("to.last", "to.status"),
    "hour": (),
    "day": (),
}
"""The columns that each grouping looks at."""
_MINUTE: Final = 60_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Counts:
    """How often each different value is in chunks."""

    def __init__(self, grouping: Grouping) -> None:
        self._grouping = grouping
        # Where all is counted, reasons need not be found anew.
        names = ("to.last", REASON) if grouping.by == "status" else GROUPED[grouping.by]
        self._names = [name for name in names if name != "to.last"]
        self._counts: Counter[Any] = Counter()

    def add(self, chunk: Chunk, places: Collection[int]) -> None:
        """Count the documents at these places of a chunk."""
        if self._grouping.is_of_times:
            self._counts.update(date // _MINUTE for date in map(chunk.dates.__getitem__, places) if date is not None)
            return
        counts: Iterable[Any] = repeat(True)
        if len(places) < len(chunk.dates):
            rows = chunk.entries() if self._grouping.is_of_entries else range(len(chunk.dates))
            counts = [row in places for row in rows]
        if self._grouping.is_of_entries:
            counts = map(and_, chunk.column("to.last").all(), counts)
        columns = [chunk.column(name).all() for name in self._names]
        self._counts.update(compress(zip(*columns, strict=True), counts))

    def tell(self, tally: Tally) -> None:
        """Have everything counted that was added, as `Tally.add` would."""
        for counted, number in self._counts.items():
            if self._grouping.is_of_times:
                tally.count(self._grouping.time(_EPOCH + timedelta(minutes=counted)), number)
            elif self._grouping.is_of_entries:
                self._tell_entry(tally, counted, number)
            else:
                tally.count(OF_DOCUMENTS[self._grouping.by]({self._names[0]: counted[0]}), number)

    def _tell_entry(self, tally: Tally, counted: tuple[Any, ...], number: int) -> None:
        by = self._grouping.by
        entry = {name.removeprefix("to."): value for name, value in zip(self._names, counted, strict=True)}
        value = entry["reason"] if by == "status" else OF_ENTRIES[by](entry)
        tally.count(value, number)
        if by == "relay" and (delay := delay_of(entry)) is not None:
            tally.delay(value, delay, number)
