"""How the embedded store counts whole chunks, where a query asks for nothing but dates: each different value once."""

from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import Final

from mailtrace.groups import OF_DOCUMENTS, OF_ENTRIES, Grouping, Tally, delay_of
from mailtrace.stores.sqlite_columns import DATE, REASON, Lists

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

COUNTED: Final = {**GROUPED, "status": ("to.last", REASON)}
"""The columns that are counted: where all is, reasons need not be found anew."""
_MINUTE: Final = 60_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


def count_all(tally: Tally, grouping: Grouping, lists: Lists) -> None:
    """Count every document of a chunk that has a date, as `Tally.add` would."""
    if grouping.is_of_times:
        minutes = Counter(date // _MINUTE for date in lists[DATE] if date is not None)
        for minute, number in minutes.items():
            tally.count(grouping.time(_EPOCH + timedelta(minutes=minute)), number)
    elif grouping.is_of_entries:
        _count_entries(tally, grouping.by, lists)
    else:
        (name,) = GROUPED[grouping.by]
        values = Counter(value for date, value in zip(lists[DATE], lists[name], strict=True) if date is not None)
        for value, number in values.items():
            tally.count(OF_DOCUMENTS[grouping.by]({name: value}), number)


def _count_entries(tally: Tally, by: str, lists: Lists) -> None:
    names = [name.removeprefix("to.") for name in COUNTED[by]]
    rows = zip(lists[DATE], *(lists[name] for name in COUNTED[by]), strict=True)
    counted = Counter(entry for date, *values in rows if date is not None for entry in zip(*values, strict=True))
    for values, number in counted.items():
        entry = dict(zip(names, values, strict=True))
        if not entry["last"]:
            continue
        value = entry["reason"] if by == "status" else OF_ENTRIES[by](entry)
        tally.count(value, number)
        if by == "relay" and (delay := delay_of(entry)) is not None:
            tally.delay(value, delay, number)
