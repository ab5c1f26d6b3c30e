"""Conversion between transactions and rows of the table `transactions`."""

import zlib
from typing import Any, Final

import orjson

from mailtrace.message.document import document
from mailtrace.message.transaction import Transaction, pack, unpack
from mailtrace.stores.base import Row, Stored

FIELDS: Final = "number, id, host, queue_id, mta, line, lines"
"""The columns that `row_of` needs, in order."""
SETTLED, OPEN, HEADLESS = 0, 1, 2
"""The states of a row: only lines from about the same time can change it; any can; and its beginning may be missing."""


def packed(transaction: Transaction) -> bytes:
    """Return what is stored of a transaction, apart from host, queue ID, MTA and line."""
    return zlib.compress(orjson.dumps(pack(transaction.facts)), 1)


def unpacked(host: str, queue_id: str, mta: str, line: str, blob: bytes) -> Transaction:
    """Return the transaction of a stored row."""
    transaction = Transaction(host, queue_id, mta, line=line)
    for time, fact in unpack(orjson.loads(zlib.decompress(blob))):
        transaction.add(time, fact)
    return transaction


def values_of(row: Row) -> tuple[Any, ...]:
    """Return the values of the columns id, state, host, queue_id, mta, line and lines."""
    it = row.transaction
    state = SETTLED if it.is_settled else HEADLESS if it.may_lack_beginning else OPEN
    return bytes.fromhex(row.id), state, it.host, it.queue_id, it.mta, it.line, packed(it)


def row_of(id_: bytes, *kept: Any) -> Row:
    """Return a row from the columns `FIELDS` without the number."""
    transaction = unpacked(*kept)
    return Row(id_.hex(), transaction, document(transaction))


def stored(number: int, id_: bytes, *kept: Any) -> Stored:
    """Return a stored transaction from the columns `FIELDS`. Its version is the number, new for each version."""
    return Stored(id_.hex(), unpacked(*kept), number)
