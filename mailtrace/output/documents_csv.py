"""Documents as CSV. A cell that a spreadsheet would read as a formula is made text (OWASP, "CSV Injection")."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import tzinfo
from typing import Any, Final

from mailtrace.message.document import Document
from mailtrace.output.escape import safe
from mailtrace.output.rows import COLUMNS, DATES, is_null_sender, rows
from mailtrace.output.selection import Select, every_result
from mailtrace.output.times import iso_time

_FORMULA: Final = tuple("=+-@\uff1d\uff0b\uff0d\uff20")


def csv_line(values: Iterable[Any]) -> str:
    """Return a line of CSV; null is an empty cell."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([_cell(value) for value in values])
    return line.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else str(value)
    text = safe(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def csv_lines(
    documents: Iterable[Document],
    zone: tzinfo,
    columns: Sequence[str] = COLUMNS,
    select: Select = every_result,
) -> Iterator[str]:
    """Return the header, then one line for each selected recipient result, or one for a document without results."""
    yield csv_line(columns)
    for row in rows(documents, columns, select):
        yield csv_line([_shown(column, value, zone) for column, value in zip(columns, row, strict=True)])


def _shown(column: str, value: Any, zone: tzinfo) -> Any:
    if column in DATES and value is not None:
        return iso_time(value, zone)
    return "<>" if is_null_sender(column, value) else value
