"""Print the results, save them part by part, and write RESULTS.md after a full run."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from bench.logs import cache
from bench.machine import machine, moment
from bench.part import Options, Part, Table, shown
from bench.targets import TARGETS

_RESULTS: Final = Path(__file__).with_name("RESULTS.md")
_HEAD: Final = """\
# Benchmark results

`make bench` and `make bench-large` write this file; the code is in `bench/`. Commands that are compared run in turns. A
time is the median of all rounds, a ratio is the median of the ratios of each round, and memory is the maximum of all
rounds. The limit of a store is the time in which a minimal loop writes the same documents, serialised beforehand.
"""


def report(name: str, part: Part, options: Options) -> None:
    """Print the results of a part; save them if this is a full run."""
    result = {
        "moment": moment(),
        "machine": machine(),
        "tables": [list(table) for table in part.tables],
        "figures": part.figures,
        "notes": part.notes,
    }
    print("\n".join(_lines(result)))
    if not options.is_full:
        print("A small run: it cannot be compared with the targets, and is not saved.")
    print("\n".join(_targets(part.figures, every=False)), end="\n\n", flush=True)
    if options.is_full:
        saved = _saved()
        saved[name] = result
        _file().write_text(json.dumps(saved))
        _write(saved)


def _file() -> Path:
    return cache() / "results.json"


def _saved() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_file().read_text()) if _file().exists() else {}
    return found


def _write(saved: dict[str, Any]) -> None:
    figures: dict[str, float] = {}
    for result in saved.values():
        figures |= result["figures"]
    lines = [_HEAD, "## Targets", "", *_targets(figures, every=True)]
    for result in saved.values():
        lines += ["", *_lines(result)]
    _RESULTS.write_text("\n".join(lines) + "\n")


def _lines(result: dict[str, Any]) -> Iterable[str]:
    for table in result["tables"]:
        title, head, rows = table
        yield from (f"## {title}", "", *_aligned(Table(title, head, rows)), "")
    yield from result["notes"]
    yield f"{result['moment']}; {result['machine']}"


def _targets(figures: dict[str, float], *, every: bool) -> list[str]:
    """Return a table of the targets and their figures; targets that were not measured only if `every`."""
    rows = []
    for target in TARGETS:
        figure = figures.get(target.figure)
        bound = f"{'>=' if target.at_least else '<='} {shown(target.bound)}"
        if figure is not None:
            rows.append((target.text, bound, shown(figure), "reached" if target.is_reached(figure) else "not reached"))
        elif every:
            rows.append((target.text, bound, "", "not measured"))
    return _aligned(Table("", ("target", "bound", "figure", ""), rows)) if rows else []


def _aligned(table: Table) -> list[str]:
    """Return the lines of a Markdown table with aligned columns."""
    rows = [table.head, *table.rows]
    widths = [max(3, *(len(row[i]) for row in rows)) for i in range(len(table.head))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return [_line(row, widths) for row in (table.head, rule, *table.rows)]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
    return f"| {' | '.join(cells)} |"
