"""Measure what reads every transaction of the store of the first log that `growth` made: a rebuild, and an export."""

import shutil
from functools import partial
from pathlib import Path

from bench.embedded import remove
from bench.growth import small
from bench.logs import cache
from bench.part import Options, Part, Table, shown
from bench.runs import INDEX, SEARCH, Command, Run, run

_HEAD = ("what", "transactions", "s", "CPU s", "us/transaction", "MiB", "file MB")
_EXPORTED = 100_000


def rebuild(options: Options) -> Part:
    """Derive every document again from its lines, and print the newest documents as JSON.

    Raises:
        SystemExit: there is no such store.
    """
    if not small().exists():
        raise SystemExit(f"{small()} does not exist: create it with --only growth,rebuild")
    copy = cache() / "rebuilt.db"
    name = f"sqlite:{copy}"
    exported = run(Command([SEARCH, "--store", f"sqlite:{small()}", "--format", "json", "-r", str(_EXPORTED)]))
    rebuilt = run(Command([INDEX, "-q", "--rebuild", "--store", name], partial(_copy, copy)))
    rows = [
        _row("export as JSON", min(options.step, _EXPORTED), exported, small().stat().st_size),
        _row("rebuild", options.step, rebuilt, copy.stat().st_size),
    ]
    remove(copy)
    part = Part([Table("All transactions of the embedded store", _HEAD, rows)])
    part.figures = {
        "rebuild: export of 100,000: s": exported.seconds * _EXPORTED / min(options.step, _EXPORTED),
        "rebuild: MiB": rebuilt.peak / (1 << 20),
    }
    return part


def _copy(copy: Path) -> None:
    remove(copy)
    shutil.copyfile(small(), copy)


def _row(what: str, number: int, taken: Run, size: int) -> list[str]:
    cost = shown(taken.seconds / number * 1e6)
    memory = shown(taken.peak / (1 << 20))
    return [what, f"{number:,}", shown(taken.seconds), shown(taken.cpu), cost, memory, shown(size / 1e6)]
