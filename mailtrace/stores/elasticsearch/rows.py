"""A transaction as Elasticsearch stores it: to JSON and back."""

import zlib
from base64 import b64decode, b64encode
from typing import Any, Final

import orjson

from mailtrace.message.dates import iso_time
from mailtrace.message.document import Document
from mailtrace.message.transaction import Transaction, pack, unpack
from mailtrace.stores.base import Row, Stored
from mailtrace.stores.elasticsearch.periods import DAY
from mailtrace.stores.elasticsearch.query import searchable, searchable_entry

FACTS: Final = ["transaction", "host", "mta", "line", "facts"]
"""The members from which a transaction is made again."""

_BIG: Final = 1_000_000
"""A stored document of more bytes is packed: a server takes, at once, at most a fortieth of its memory."""


def day_of(start: int) -> int:
    """Return the day, counted from 1970 in UTC, of microseconds since 1970."""
    return start // DAY


def source(row: Row) -> bytes:
    """Return the document to store, as JSON.

    Raises:
        TypeError: a value cannot be told in JSON: half of a surrogate pair, or a number of more than 64 bits.
    """
    told = _told(row)
    line = orjson.dumps(told)
    return line if len(line) <= _BIG else orjson.dumps(_packed(row, told))


def _told(row: Row) -> dict[str, Any]:
    """The public members with what searches compare, and the private ones."""
    _, transaction, document = row
    told: dict[str, Any] = (
        _stub(transaction)
        if document is None
        else {
            **document,
            "to": [{**entry, "search": searchable_entry(entry)} for entry in document["to"]],
            "search": searchable(document, transaction.first),
        }
    )
    told["id"] = row.id
    told["stub"] = document is None
    told["headless"] = transaction.may_lack_beginning
    told["start"] = transaction.start
    told["facts"] = pack(transaction.facts)
    if transaction.line:
        told["line"] = transaction.line
    return told


def _stub(transaction: Transaction) -> dict[str, Any]:
    """Of a stub, only what look-ups need."""
    host, queue_id = transaction.key
    return {"transaction": queue_id, "host": host, "mta": transaction.mta, "date": iso_time(transaction.first)}


def _packed(row: Row, told: dict[str, Any]) -> dict[str, Any]:
    """The same of a transaction with very many recipients: its entries have only what searches compare.

    Those that differ in their addresses alone are one, which searches find just as well; groups count them otherwise.
    """
    told["facts"] = _pack(told["facts"])
    if row.document is not None:
        told["packed"] = _pack(row.document)
        told["is_packed"] = True
        told["to"] = _merged(told["to"])
    return told


def _merged(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: dict[bytes, dict[str, Any]] = {}
    for entry in entries:
        search = {name: entry["search"][name] for name in ("relays", "relay_ips", "status")}
        kept = {"outcome": entry["outcome"], "last": entry["last"], "search": search}
        same = found.setdefault(orjson.dumps(kept), kept)
        for name in ("addresses", "domains"):
            same["search"].setdefault(name, {}).update(dict.fromkeys(entry["search"][name]))
    for same in found.values():
        same["search"].update({name: list(same["search"][name]) for name in ("addresses", "domains")})
    return list(found.values())


def _pack(value: Any) -> str:
    return b64encode(zlib.compress(orjson.dumps(value), 1)).decode()


def _unpack(text: str) -> Any:
    return orjson.loads(zlib.decompress(b64decode(text)))


def document_of(hit: dict[str, Any]) -> Document:
    """Return the document of a hit."""
    found: Document = hit["_source"]
    return _unpack(found["packed"]) if "packed" in found else found


def stored(hit: dict[str, Any]) -> Stored:
    """Return the transaction of a hit or of an answer to `mget`."""
    kept = hit["_source"]
    facts = _unpack(kept["facts"]) if isinstance(kept["facts"], str) else kept["facts"]
    transaction = Transaction(kept["host"], kept["transaction"], kept["mta"], line=kept.get("line", ""), written=True)
    for time, fact in unpack(facts):
        transaction.add(time, fact)
    return Stored(hit["_id"], transaction, (hit["_index"], hit["_seq_no"], hit["_primary_term"]))
