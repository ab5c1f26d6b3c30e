"""Measure the peak memory of one run each: one and ten million lines, into the embedded store and to bulk bodies."""

from functools import partial

from bench.embedded import remove
from bench.logs import READING, Log, cache, logs, of_lines
from bench.part import Options, Part, Table, shown
from bench.runs import INDEX, Command, Runs, module, run

_HEAD = ("log", "lines", "to", "MiB", "s", "lines/s")
_MTAS = ("postfix", "sendmail")
_TIMES = 10


def memory(options: Options) -> Part:
    """Index logs of the requested size, and of ten times that size."""
    part = Part([Table("Peak memory", _HEAD, [])])
    rows = []
    for mta in _MTAS:
        for lines in (options.lines, _TIMES * options.lines):
            (log,) = logs([of_lines(mta, lines)])
            rows += _rows(mta, log, part.figures, "large" if lines > options.lines else "small")
    part.tables[0] = part.tables[0]._replace(rows=rows)
    return part


def _rows(mta: str, log: Log, figures: dict[str, float], size: str) -> list[list[str]]:
    store = cache() / "memory.db"
    indexed = [INDEX, "--store", f"sqlite:{store}", *READING, str(log.path)]
    commands = {
        "sqlite": Command(indexed, partial(remove, store)),
        "bodies": Command(module("command", "bodies", *READING, log.path)),
    }
    rows = []
    for to, command in commands.items():
        found = Runs([run(command)])
        figures[f"memory: {mta} {size} to {to}: MiB"] = found.peak
        rate = shown(log.lines / found.seconds)
        rows.append([mta, f"{log.lines:,}", to, shown(found.peak), shown(found.seconds), rate])
    remove(store)
    return rows
