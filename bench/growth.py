"""The embedded store while it grows from one million transactions to ten.

It grows as an admin's does: by a run of mailtrace-index for each log, here of some days of a mixed site. So what a
transaction costs at first and at last is measured on the way. Both stores are left for the searches.
"""

import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from bench.embedded import remove
from bench.logs import READING, Log, Wanted, cache, logs
from bench.part import Options, Part, Table, shown
from bench.questions import DAYS
from bench.runs import INDEX, Command, Run, run

_AHEAD: Final = 2
"""How many logs are generated at once: they take much of the disk."""
_HEAD: Final = ("transactions so far", "s", "CPU s", "us/transaction", "lines/s", "MiB", "file MB")
_SOME: Final = 3
"""How many logs at the beginning and at the end are compared: a single one may fall into a slow time."""


def small() -> Path:
    """Return where the store of the first log is."""
    return cache() / "small.db"


def large() -> Path:
    """Return where the store of all logs is."""
    return cache() / "large.db"


def growth(options: Options) -> Part:
    """Fill a store log by log, and keep it as it was after the first."""
    remove(small())
    remove(large())
    rows, costs, peaks = list[list[str]](), list[float](), list[float]()
    for log in _logs(options.transactions // options.step, options.step):
        grown = run(Command([INDEX, "--store", f"sqlite:{large()}", *READING, str(log.path)]))
        log.remove()
        costs.append(grown.seconds / log.transactions)
        peaks.append(grown.peak / (1 << 20))
        rows.append(_row(log, grown, log.transactions * len(costs)))
        print(f"log {len(costs)}: {grown.seconds:.0f} s", file=sys.stderr)
        if len(costs) == 1:
            shutil.copyfile(large(), small())
    part = Part([Table("Growth of the embedded store, log by log", _HEAD, rows)])
    part.figures["growth: cost"] = _cost(costs)
    part.figures["growth: MiB"] = max(peaks)
    return part


def _cost(costs: Sequence[float]) -> float:
    return median(costs[-_SOME:]) / median(costs[:_SOME])


def _logs(steps: int, transactions: int) -> Iterator[Log]:
    for first in range(0, steps, _AHEAD):
        some = range(first, min(first + _AHEAD, steps))
        yield from logs([Wanted("mixed", transactions, "rfc3164", i + 1, DAYS, i * DAYS) for i in some])


def _row(log: Log, grown: Run, so_far: int) -> list[str]:
    cost = shown(grown.seconds / log.transactions * 1e6)
    rate = shown(log.lines / grown.seconds)
    size = shown(large().stat().st_size / 1e6)
    return [f"{so_far:,}", shown(grown.seconds), shown(grown.cpu), cost, rate, shown(grown.peak / (1 << 20)), size]
