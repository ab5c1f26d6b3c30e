"""Conversion between transactions and rows of the table `transactions`."""

from collections.abc import Sequence
from typing import Any, Final

from mailtrace.message.lines import packed, unpacked
from mailtrace.message.part import ordered_lines
from mailtrace.message.transaction import Transaction
from mailtrace.stores.base import Row, Stored

FIELDS: Final = "number, version, id, host, queue_id, mta, line, facts"
"""The columns that `stored` needs, in order."""


def values_of(row: Row) -> tuple[Any, ...]:
    """Return the values of the columns date, settled, headless, stub, host, queue_id, mta, line and facts."""
    it = row.transaction
    facts = packed(ordered_lines(it), row.document)
    states = it.is_settled, it.may_lack_beginning, row.document is None
    return it.first, *states, it.host, it.queue_id, it.mta, it.line, facts


def transaction_of(host: str, queue_id: str, mta: str, _line: str, facts: bytes) -> Transaction:
    """Return the transaction of a stored row."""
    # Imported here, because a search does not parse lines.
    from mailtrace.message.replay import transaction_of as replayed  # noqa: PLC0415

    return replayed(host, queue_id, mta, unpacked(host, facts))


def stored(row: Sequence[Any]) -> Stored:
    """Return the transaction of the columns `FIELDS`; its version is the row number and the column `version`."""
    number, version, id_, *kept = row
    return Stored(bytes(id_).hex(), transaction_of(*kept), (number, version))
