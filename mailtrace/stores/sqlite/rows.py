"""Conversion between transactions and rows of the table `transactions`."""

from typing import Final, NamedTuple

from mailtrace.message.lines import packed, unpacked
from mailtrace.message.part import lines_to_keep
from mailtrace.stores.base import Row, Stored
from mailtrace.stores.sqlite.columns import Values, values_of
from mailtrace.stores.sqlite.schema import contents
from mailtrace.syslog.records import Record

FIELDS: Final = "number, id, host, queue_id, mta, line, lines"
"""The columns that `stored` needs, in order."""
SETTLED, OPEN, HEADLESS = 0, 1, 2
"""The states of a row: only lines from about the same time can change it; any can; and its beginning may be missing."""


class Kept(NamedTuple):
    """What the store keeps of the lines and the document of a row."""

    lines: bytes
    values: Values | None
    """None for a stub."""


def kept_of(row: Row) -> Kept:
    """Return what the store keeps of a new row."""
    return Kept(packed(lines_to_keep(row.transaction), row.document), values_of(row.document))


def lines_in(host: str, kept: Kept) -> list[Record]:
    """Return the lines of a host in what the store keeps."""
    return unpacked(host, kept.lines)


def stored_values(row: Row, lines: bytes) -> tuple[bytes, int, str, str, str, str, bytes]:
    """Return the values of the columns id, state, host, queue_id, mta, line and lines."""
    it = row.transaction
    state = SETTLED if it.is_settled else HEADLESS if it.may_lack_beginning else OPEN
    return bytes.fromhex(row.id), state, it.host, it.queue_id, it.mta, it.line, lines


def stored(number: int, id_: bytes, host: str, queue_id: str, mta: str, line: str, lines: bytes) -> Stored:
    """Return a stored transaction from the columns `FIELDS`. Its version is the number, new for each version."""
    # Imported here, because a search parses no lines.
    from mailtrace.message.replay import transaction_of  # noqa: PLC0415

    with contents():
        records = unpacked(host, lines)
    transaction = transaction_of(host, queue_id, mta, records)
    transaction.line, transaction.written = line, True
    return Stored(id_.hex(), transaction, number)
