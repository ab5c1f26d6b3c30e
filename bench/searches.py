"""Measure searches of the embedded store, including process start, at one and at ten million transactions."""

from pathlib import Path
from statistics import median
from typing import Final

from bench.embedded import remove
from bench.growth import large, small
from bench.part import Options, Part, Table
from bench.questions import DAYS, answerable, samples, values
from bench.runs import SEARCH, Command, in_turns

_TITLE: Final = "Searches of the embedded store, including process start (rounds: {})"


def searches(options: Options) -> Part:
    """Run every kind of search at both sizes, on the stores that `growth` made.

    Raises:
        SystemExit: there are no such stores.
    """
    part = Part([Table(_TITLE.format(options.rounds), [], [])])
    rows: dict[str, list[str]] = {}
    sizes = {"small": (small(), options.step), "large": (large(), options.transactions)}
    for size, (store, number) in sizes.items():
        if not store.exists():
            raise SystemExit(f"{store} does not exist: create it with --only growth,searches")
        _ask(store, DAYS * (number // options.step), options.rounds, size, rows, part.figures)
    head = [f"{number:,}{column}" for _, number in sizes.values() for column in (": s", ", slowest")]
    part.tables[0] = Table(part.tables[0].title, ["search", *head], [[kind, *cells] for kind, cells in rows.items()])
    if not options.keep:
        remove(small())
        remove(large())
    return part


def _ask(store: Path, days: int, rounds: int, size: str, rows: dict[str, list[str]], figures: dict[str, float]) -> None:
    """Run all searches in turns; record the median and the slowest value of each kind."""
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
