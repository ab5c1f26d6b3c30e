"""Compare the cost of a transaction in an empty embedded store with that in one of nine million transactions.

The large store is made of copies of the first log's store with later dates; only its last log is indexed. Both stores
are kept for the searches.
"""

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from bench.copies import multiply
from bench.embedded import remove
from bench.logs import READING, Log, Wanted, cache, logs
from bench.part import Options, Part, Table, shown
from bench.questions import DAYS
from bench.runs import INDEX, Command, Run, run

_HEAD: Final = ("transactions", "into a store of", "s", "CPU s", "us/transaction", "lines/s", "MiB", "file MB")


def small() -> Path:
    """Return the path of the store of the first log."""
    return cache() / "small.db"


def large() -> Path:
    """Return the path of the store of all logs."""
    return cache() / "large.db"


def growth(options: Options) -> Part:
    """Index the first log and, at the same time, the last one after copies of the first."""
    steps = options.transactions // options.step
    first, last = logs([_wanted(options.step, number) for number in (0, steps - 1)])
    for store in (small(), large()):
        remove(store)
    _index(first, small())
    shutil.copyfile(small(), large())
    remove(small())
    print("copying", file=sys.stderr)
    multiply(large(), steps - 1, DAYS)
    with ThreadPoolExecutor() as pool:
        empty, full = pool.map(_index, (first, last), (small(), large()))
    rows = [_row(first, empty, small(), 0), _row(last, full, large(), options.step * (steps - 1))]
    part = Part([Table("Growth of the embedded store", _HEAD, rows)])
    part.figures["growth: cost"] = full.seconds / last.transactions / (empty.seconds / first.transactions)
    part.notes.append("Both ran at the same time, so that other load on the machine affected both.")
    return part


def _wanted(transactions: int, number: int) -> Wanted:
    return Wanted("mixed", transactions, "rfc3164", number + 1, DAYS, number * DAYS)


def _index(log: Log, store: Path) -> Run:
    return run(Command([INDEX, "--store", f"sqlite:{store}", *READING, str(log.path)]))


def _row(log: Log, taken: Run, store: Path, before: int) -> list[str]:
    cost = shown(taken.seconds / log.transactions * 1e6)
    rate = shown(log.lines / taken.seconds)
    sizes = (shown(taken.peak / (1 << 20)), shown(store.stat().st_size / 1e6))
    return [f"{log.transactions:,}", f"{before:,}", shown(taken.seconds), shown(taken.cpu), cost, rate, *sizes]
