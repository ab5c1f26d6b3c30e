"""The results: kept part by part, printed, and written to RESULTS.md when they are those of a full run."""

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
# What mailtrace takes

Written by `make bench` and `make bench-large`; how is told in `bench/`. Every time is the median of the rounds named,
in which everything that is compared ran in turns; a ratio is the median of the rounds' ratios; memory is the most that
any round took. The limit is what the store takes at best: the same documents, serialised beforehand, from a bare loop.
"""


def tell(name: str, part: Part, options: Options) -> None:
    """Print the results of a part, and keep them if they are of a full run."""
    told = {
        "moment": moment(),
        "machine": machine(),
        "tables": [list(table) for table in part.tables],
        "figures": part.figures,
        "notes": part.notes,
    }
    print("\n".join(_lines(told)))
    if not options.is_full:
        print("A quick run: it says little of the targets, which are of the full size, and is not kept.")
    print("\n".join(_targets(part.figures, every=False)), end="\n\n", flush=True)
    if options.is_full:
        kept = _kept()
        kept[name] = told
        _file().write_text(json.dumps(kept))
        _write(kept)


def _file() -> Path:
    return cache() / "results.json"


def _kept() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_file().read_text()) if _file().exists() else {}
    return found


def _write(kept: dict[str, Any]) -> None:
    figures: dict[str, float] = {}
    for told in kept.values():
        figures |= told["figures"]
    lines = [_HEAD, "## Targets", "", *_targets(figures, every=True)]
    for told in kept.values():
        lines += ["", *_lines(told)]
    _RESULTS.write_text("\n".join(lines) + "\n")


def _lines(told: dict[str, Any]) -> Iterable[str]:
    for table in told["tables"]:
        title, head, rows = table
        yield from (f"## {title}", "", *_aligned(Table(title, head, rows)), "")
    yield from told["notes"]
    yield f"{told['moment']}; {told['machine']}"


def _targets(figures: dict[str, float], *, every: bool) -> list[str]:
    """The targets with their figures; those that were not measured only when every one is asked for."""
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
    """A table that reads well as text and as Markdown."""
    rows = [table.head, *table.rows]
    widths = [max(3, *(len(row[i]) for row in rows)) for i in range(len(table.head))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return [_line(row, widths) for row in (table.head, rule, *table.rows)]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
    return f"| {' | '.join(cells)} |"
