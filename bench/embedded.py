"""Measure indexing into the embedded store, in turns with the fastest minimal loop into the same tables and indexes."""

from functools import partial
from pathlib import Path

from bench.logs import READING, TWICE, Log, cache, logs, of_lines
from bench.part import Options, Part, Table, shown
from bench.pflogsumm import pflogsumm
from bench.runs import INDEX, Command, Runs, in_turns, module, run
from mailtrace.indexing.reducer import MAX_HELD

_HEAD = ("log", "transactions", "s", "limit s", "CPU s", "transactions/s", "lines/s", "of the limit", "MiB")
_MORE = ("two processes s", "/ pflogsumm", "two / pflogsumm", "bytes/transaction")


def embedded(options: Options) -> Part:
    """Index each log with `mailtrace-index --store sqlite:PATH`."""
    part = Part([Table(f"Into the embedded store (rounds: {options.rounds})", (*_HEAD, *_MORE), [])])
    made = logs([of_lines(mta, options.lines) for mta in options.mtas])
    rows = [_row(mta, log, options.rounds, part.figures) for mta, log in zip(options.mtas, made, strict=True)]
    part.tables[0] = part.tables[0]._replace(rows=rows)
    part.notes.append("pflogsumm reads the Postfix log.")
    return part


def _row(mta: str, log: Log, rounds: int, figures: dict[str, float]) -> list[str]:
    store, copy, finished = (cache() / f"{name}.db" for name in ("indexed", "copied", "finished"))
    ours = Command([INDEX, "--store", f"sqlite:{store}", *READING, str(log.path)], partial(remove, store))
    run(ours)
    remove(finished)
    store.rename(finished)
    # The limit uses as many database transactions as the indexer.
    commits = -(-log.transactions // MAX_HELD)
    bare = Command(module("sqlite_limit", finished, copy, commits), partial(remove, copy), prints_seconds=True)
    twice = Command([*ours.arguments[:-1], *TWICE, str(log.path)], ours.before)
    commands = {"limit": bare, "twice": twice, "indexed": ours}
    if mta == "postfix" and (program := pflogsumm()):
        commands["pflogsumm"] = Command([program, str(log.path)])
    found = in_turns(commands, rounds)
    indexed, limit = found["indexed"], found["limit"]
    size = store.stat().st_size / log.transactions
    for path in (store, copy, finished):
        remove(path)
    share = limit.over(indexed)
    figures[f"sqlite: {mta} of the limit"] = share
    figures[f"sqlite: {mta}: MiB"] = indexed.peak
    rates = (shown(log.transactions / indexed.seconds), shown(log.lines / indexed.seconds))
    times = (shown(indexed.seconds), shown(limit.seconds), shown(indexed.cpu))
    figures[f"sqlite: {mta}: bytes"] = size
    ratios = _ratios(mta, found, figures)
    return [mta, f"{log.transactions:,}", *times, *rates, f"{share:.2f}", shown(indexed.peak), *ratios, shown(size)]


def _ratios(mta: str, found: dict[str, Runs], figures: dict[str, float]) -> list[str]:
    """Return the time of two processes, and what one and two take relative to pflogsumm."""
    cells = [shown(found["twice"].seconds)]
    for name, what in (("indexed", "whole run"), ("twice", "two processes")):
        if yardstick := found.get("pflogsumm"):
            figures[f"sqlite: {mta}: {what} / pflogsumm"] = found[name].over(yardstick)
            cells.append(shown(found[name].over(yardstick)))
        else:
            cells.append("")
    return cells


def remove(path: Path) -> None:
    """Delete the files of a store."""
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
