"""A transaction as the embedded store keeps it: as its facts."""

from collections.abc import Sequence
from typing import Any, Final

import orjson

from mailtrace.message.transaction import Transaction, pack, unpack
from mailtrace.stores.base import Row, Stored

FIELDS: Final = "number, version, id, host, queue_id, mta, line, facts"
"""What `stored` takes."""


def values_of(row: Row) -> tuple[Any, ...]:
    """Return date, settled, headless, stub, host, queue_id, mta, line and facts of a row."""
    one = row.transaction
    facts = orjson.dumps(pack(one.facts))
    states = one.is_settled, one.may_lack_beginning, row.document is None
    return one.first, *states, one.host, one.queue_id, one.mta, one.line, facts


def transaction_of(host: str, queue_id: str, mta: str, line: str, facts: bytes) -> Transaction:
    """Return the transaction of what is stored of it."""
    transaction = Transaction(host, queue_id, mta, line=line)
    for time, fact in unpack(orjson.loads(facts)):
        transaction.add(time, fact)
    return transaction


def stored(row: Sequence[Any]) -> Stored:
    """Return a stored row; its version is where it lies, and how often it was written."""
    number, version, id_, *kept = row
    return Stored(bytes(id_).hex(), transaction_of(*kept), (number, version))
