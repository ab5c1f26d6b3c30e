"""Documents as a table: one aligned line for each recipient result, cut to the width of the terminal."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import tzinfo
from itertools import islice
from typing import Any, Final

from mailtrace.message.document import Document
from mailtrace.output.colors import colored_outcome
from mailtrace.output.escape import safe
from mailtrace.output.rows import AGE, DATES, TABLE_COLUMNS, is_null_sender, rows
from mailtrace.output.selection import Select, every_result
from mailtrace.output.times import duration, local_time

_GAP: Final = "  "
_PAGE: Final = 1_000
"""Rows whose cells set the widths of the columns."""
_LEAST: Final = 8
"""No column becomes narrower than this."""
_WHOLE: Final = frozenset({*DATES, AGE, "outcome"})
"""Columns that are never cut, unless the terminal is narrower than these alone."""


def table_lines(
    documents: Iterable[Document],
    zone: tzinfo,
    columns: Sequence[str] = TABLE_COLUMNS,
    select: Select = every_result,
    *,
    width: int | None = None,
    color: bool = False,
) -> Iterator[str]:
    """Return a heading and a line for each selected recipient result; without a `width`, nothing is cut."""
    cells = (
        [_cell(column, value, zone) for column, value in zip(columns, row, strict=True)]
        for row in rows(documents, columns, select)
    )
    page = list(islice(cells, _PAGE))
    natural = [max(map(width_of, column)) for column in zip(columns, *page, strict=True)]
    widths = natural if width is None else _fitted(columns, natural, width)
    outcome = columns.index("outcome") if color and "outcome" in columns else None
    yield _line(columns, widths, width)
    while page:
        for row in page:
            yield _line(row, widths, width, outcome)
        page = list(islice(cells, _PAGE))


def _cell(column: str, value: Any, zone: tzinfo) -> str:
    if value is None:
        return "-"
    if column in DATES:
        return local_time(value, zone)
    if column in ("delay", AGE):
        return duration(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "<>" if is_null_sender(column, value) else safe(str(value))


def _fitted(columns: Sequence[str], natural: Sequence[int], width: int) -> list[int]:
    """The widths of the columns on a terminal: the widest ones are cut to the same width, until all fit."""
    cut = {i: natural[i] for i, column in enumerate(columns) if column not in _WHOLE}
    left = width - len(_GAP) * (len(columns) - 1) - sum(natural) + sum(cut.values())
    fitted = list(natural)
    # The narrowest first: what it does not need, the others get.
    for number, i in enumerate(sorted(cut, key=lambda i: cut[i])):
        fitted[i] = min(cut[i], max(left // (len(cut) - number), _LEAST))
        left -= fitted[i]
    return fitted


def _line(cells: Sequence[str], widths: Sequence[int], width: int | None, colored: int | None = None) -> str:
    """A row, cut to the width; the cell at the index `colored` is an outcome, shown in its colour."""
    if width is not None:
        cells = [cut_to(cell, most) for cell, most in zip(cells, widths, strict=True)]
    padded = [cell + " " * (most - width_of(cell)) for cell, most in zip(cells, widths, strict=True)]
    line = _GAP.join(padded).rstrip()
    if width is not None and width_of(line) > width:
        return cut_to(line, width) + "\n"
    if colored is not None:
        outcome = cells[colored]
        padded[colored] = colored_outcome(outcome, outcome) + padded[colored][len(outcome) :]
        line = _GAP.join(padded).rstrip()
    return line + "\n"


def width_of(text: str) -> int:
    """Return how many cells of a terminal a text takes (Unicode, UAX #11)."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def cut_to(text: str, width: int) -> str:
    """Return a text that takes at most so many cells; what is cut ends with `…`."""
    if width_of(text) <= width:
        return text
    if width < 1:
        return ""
    kept = text[: width - 1]
    while width_of(kept) > width - 1:
        kept = kept[:-1]
    return f"{kept}…"
