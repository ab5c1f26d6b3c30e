"""Conversion between transactions and rows of the table `transactions`."""

from collections.abc import Sequence
from typing import Any, Final

import orjson

from mailtrace.message.transaction import Transaction, pack, unpack
from mailtrace.stores.base import Row, Stored

FIELDS: Final = "number, version, id, host, queue_id, mta, line, facts"
"""The columns that `stored` needs, in order."""


def values_of(row: Row) -> tuple[Any, ...]:
    """Return the values of the columns date, settled, headless, stub, host, queue_id, mta, line and facts."""
    it = row.transaction
    facts = orjson.dumps(pack(it.facts))
    states = it.is_settled, it.may_lack_beginning, row.document is None
    return it.first, *states, it.host, it.queue_id, it.mta, it.line, facts


def transaction_of(host: str, queue_id: str, mta: str, line: str, facts: bytes) -> Transaction:
    """Return the transaction of a stored row."""
    transaction = Transaction(host, queue_id, mta, line=line)
    for time, fact in unpack(orjson.loads(facts)):
        transaction.add(time, fact)
    return transaction


def stored(row: Sequence[Any]) -> Stored:
    """Return the transaction of the columns `FIELDS`; its version is the row number and the column `version`."""
    number, version, id_, *kept = row
    return Stored(bytes(id_).hex(), transaction_of(*kept), (number, version))
