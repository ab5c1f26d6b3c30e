"""Documents as CSV. A cell that a spreadsheet would read as a formula is made text (OWASP, "CSV Injection")."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import tzinfo
from typing import Any, Final

from mailtrace.message.document import Document
from mailtrace.message.fields import DOCUMENT, RECIPIENT_RESULT, csv_header
from mailtrace.output.escape import safe
from mailtrace.output.times import iso_time

_FORMULA: Final = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
_OF_DOCUMENT: Final = tuple(field.name for field in DOCUMENT if field.kind != "recipient results")
_OF_RESULT: Final = tuple(field.name for field in RECIPIENT_RESULT)


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


def csv_lines(documents: Iterable[Document], zone: tzinfo) -> Iterator[str]:
    """Return the header, then one line for each recipient result, or one line for a document without any."""
    yield csv_line(csv_header())
    for document in documents:
        cells = _cells(document, _OF_DOCUMENT, zone)
        for result in document["to"] or [dict.fromkeys(_OF_RESULT)]:
            yield csv_line([*cells, *_cells(result, _OF_RESULT, zone)])


def _cells(fields: dict[str, Any], names: Sequence[str], zone: tzinfo) -> list[Any]:
    return [_shown(name, fields[name], zone) for name in names]


def _shown(name: str, value: Any, zone: tzinfo) -> Any:
    if name in ("date", "last_date") and value is not None:
        return iso_time(value, zone)
    return "<>" if name in ("from", "recipient", "orig_to") and value == "" else value
