"""How big a cluster must be for so many messages a day, computed from what was measured on one."""

from math import ceil
from typing import Final

BYTES: Final = 1000
"""Bytes on disk of a transaction on a busy Postfix server, in one copy, after a forced merge."""
PER_SECOND: Final = 4300
"""Transactions that one indexer writes in a second, on two processors that it shares with the server."""

_DAYS: Final = 90
_COPIES: Final = 2
_PEAK: Final = 4
"""The busiest hour compared with the average one."""
_FILLED: Final = 0.8
"""How full disks may be: at 85 % Elasticsearch allocates no more shards to a node."""
_SHARD: Final = 30e9
"""Bytes of a shard that is still moved to another node within minutes."""
_DISK: Final = 4e12
_NODES: Final = 3
_PERIODS: Final = {1_000_000: ("week", 7), 10_000_000: ("day", 1), 100_000_000: ("day", 1)}


def table() -> list[tuple[str, ...]]:
    """Return the lines of the table: a label, and a value for each number of messages."""
    columns = [_column(messages, *period) for messages, period in _PERIODS.items()]
    return [(label, *(column[label] for column in columns)) for label in columns[0]]


def _column(messages: int, period: str, days: int) -> dict[str, str]:
    rate, disk = messages / 86400, messages * BYTES * _COPIES
    whole = disk * _DAYS / _FILLED
    nodes = max(_NODES, ceil(whole / _DISK))
    shards = ceil(messages * BYTES * days / _SHARD)
    indices = ceil((_DAYS + days) / days)
    return {
        "messages a day": f"{messages // 1_000_000} million",
        "messages a second, on average": _rounded(rate),
        "in the busiest hour": _rounded(rate * _PEAK),
        "share of one `mailtrace-index` then": f"{_rounded(rate * _PEAK / PER_SECOND * 100)}%",
        "disk a day, with replicas": _size(disk),
        f"disk for {_DAYS} days, {_FILLED:.0%} full": _size(whole),
        "nodes": str(nodes),
        "disk of each": _size(whole / nodes),
        "`--index-period`": f"`{period}`",
        "`index.number_of_shards`": str(shards),
        "size of a shard": _size(messages * BYTES * days / shards),
        f"shards in {_DAYS} days, with replicas": str(indices * shards * _COPIES),
    }


def _rounded(number: float) -> str:
    """Return a number with two digits that count."""
    return f"{float(f'{number:.2g}'):,.0f}"


def _size(number: float) -> str:
    for unit, length in (("TB", 1e12), ("GB", 1e9)):
        if number >= length:
            return f"{float(f'{number / length:.2g}'):g} {unit}"
    return f"{float(f'{number / 1e6:.2g}'):g} MB"
