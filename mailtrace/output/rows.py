"""Documents as rows: one for each recipient result, with the columns of CSV and of the table."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from mailtrace.message.document import Document
from mailtrace.message.fields import DOCUMENT, RECIPIENT_RESULT, csv_header
from mailtrace.output.selection import Select, every_result

_OF_DOCUMENT: Final = tuple(field.name for field in DOCUMENT if field.kind != "recipient results")
_OF_RESULT: Final = tuple(field.name for field in RECIPIENT_RESULT)
COLUMNS: Final = tuple(csv_header())
"""Every column."""
USUAL_COLUMNS: Final = (
    *("date", "from", "recipient", "orig_to", "outcome", "status", "relay_host", "delay"),
    *("client", "msgid", "transaction", "host"),
)
"""What a helpdesk reads: who wrote to whom, what became of it, and what identifies the message."""
AGE: Final = "age"
"""A column that only what is in the queue has, in seconds: `with_age` puts it into a document."""
TABLE_COLUMNS: Final = ("date", "outcome", "from", "recipient", "status")
"""What fits on a terminal."""
DATES: Final = frozenset({"date", "to_date", "last_date"})
_ADDRESSES: Final = frozenset({"from", "recipient", "orig_to"})
_SOURCES: Final = {
    **dict(zip(COLUMNS, [*((0, name) for name in _OF_DOCUMENT), *((1, name) for name in _OF_RESULT)], strict=True)),
    AGE: (0, AGE),
}
"""Where a column comes from: 0 and a field of the document, or 1 and a field of the recipient result."""
_NO_RESULT: Final = dict.fromkeys(_OF_RESULT)


def rows(documents: Iterable[Document], columns: Sequence[str], select: Select = every_result) -> Iterator[list[Any]]:
    """Return a row for each selected recipient result, or one row for a document without results."""
    sources = [_SOURCES[column] for column in columns]
    for document in documents:
        for result in select(document) or [_NO_RESULT]:
            yield [(result if of_result else document)[name] for of_result, name in sources]


def is_null_sender(column: str, value: Any) -> bool:
    """Return whether a value is the empty address, which is shown as `<>`."""
    return value == "" and column in _ADDRESSES
