"""Searches of the embedded store, process start included, while it grows from one million transactions to ten.

It grows as an admin's does: by a run of mailtrace-index for each log, here of some days of a mixed site. So what a
transaction costs at first and at last is measured on the way.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Final

from bench.embedded import remove
from bench.logs import READING, Log, Wanted, cache, logs
from bench.part import Options, Part, Table, shown
from bench.questions import DAYS, answerable, samples, values
from bench.runs import INDEX, SEARCH, Command, Run, in_turns, run

_AHEAD: Final = 2
"""How many logs are generated at once: they take much of the disk."""
_TITLE: Final = "Searches of the embedded store, process start included (rounds: {})"
_GROWTH: Final = ("transactions so far", "s", "us/transaction", "lines/s", "MiB", "file MB")


def searches(options: Options) -> Part:
    """Every kind of question at the first size and at the last."""
    store, part = cache() / "large.db", Part([Table(_TITLE.format(options.rounds), [], [])])
    rows: dict[str, list[str]] = {}
    if options.keep and store.exists():
        sizes = [options.transactions]
        _ask(store, _days(options), options.rounds, "large", rows, part.figures)
    else:
        sizes = [options.step, options.transactions]
        _grow(store, options, rows, part)
    head = [f"{number:,}{column}" for number in sizes for column in (": s", ", slowest")]
    part.tables[0] = Table(part.tables[0].title, ["search", *head], [[kind, *cells] for kind, cells in rows.items()])
    if not options.keep:
        remove(store)
    return part


def _days(options: Options) -> int:
    return DAYS * (options.transactions // options.step)


def _grow(store: Path, options: Options, rows: dict[str, list[str]], part: Part) -> None:
    """Fill a store log by log, and ask it after the first and after the last."""
    remove(store)
    steps = options.transactions // options.step
    growth, costs = list[list[str]](), list[float]()
    for number, log in enumerate(_logs(steps, options.step)):
        grown = run(Command([INDEX, "--store", f"sqlite:{store}", *READING, str(log.path)]))
        log.remove()
        print(f"log {number + 1} of {steps}: {grown.seconds:.0f} s", file=sys.stderr)
        costs.append(grown.seconds / log.transactions)
        growth.append(_growth(number, log, grown, store))
        if number == 0:
            _ask(store, DAYS, options.rounds, "small", rows, part.figures)
    _ask(store, DAYS * steps, options.rounds, "large", rows, part.figures)
    part.figures["searches: cost of growth"] = costs[-1] / costs[0]
    part.tables.append(Table("Growth of the embedded store, log by log", _GROWTH, growth))


def _logs(steps: int, transactions: int) -> Iterator[Log]:
    for first in range(0, steps, _AHEAD):
        some = range(first, min(first + _AHEAD, steps))
        yield from logs([Wanted("mixed", transactions, "rfc3164", i + 1, DAYS, i * DAYS) for i in some])


def _growth(number: int, log: Log, grown: Run, store: Path) -> list[str]:
    cost = shown(grown.seconds / log.transactions * 1e6)
    so_far = f"{log.transactions * (number + 1):,}"
    rate = shown(log.lines / grown.seconds)
    size = shown(store.stat().st_size / 1e6)
    return [so_far, shown(grown.seconds), cost, rate, shown(grown.peak / (1 << 20)), size]


def _ask(store: Path, days: int, rounds: int, size: str, rows: dict[str, list[str]], figures: dict[str, float]) -> None:
    """Ask everything in turns; of each kind the median over its values, and the slowest value's."""
    documents = samples(f"sqlite:{store}", days)
    commands = {
        (kind.name, value): _command(store, [part.replace("{}", value) for part in kind.arguments])
        for kind in answerable()
        for value in values(kind, documents)
    }
    medians: dict[str, list[float]] = {}
    for (kind, _), runs in in_turns(commands, rounds).items():
        medians.setdefault(kind, []).append(runs.seconds)
    for kind, seconds in medians.items():
        figures[f"searches: {kind} {size}"] = max(seconds)
        rows.setdefault(kind, []).extend([f"{median(seconds):.3f}", f"{max(seconds):.3f}"])


def _command(store: Path, arguments: list[str]) -> Command:
    return Command([SEARCH, "--store", f"sqlite:{store}", "--tz", "UTC", *arguments], accepts=(0, 1))
