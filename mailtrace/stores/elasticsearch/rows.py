"""Convert rows to the JSON that Elasticsearch stores, and hits back to transactions and documents."""

import zlib
from base64 import b64decode, b64encode
from typing import Any, Final

import orjson

from mailtrace.message.dates import iso_time
from mailtrace.message.document import Document
from mailtrace.message.lines import kept_line, packed, shown, unpacked
from mailtrace.message.part import Part, lines_to_keep
from mailtrace.message.replay import transaction_of
from mailtrace.stores.base import Row, Stored
from mailtrace.stores.elasticsearch.periods import DAY
from mailtrace.stores.elasticsearch.query import document_values, result_values
from mailtrace.syslog.records import Record

LINES: Final = ["transaction", "host", "mta", "line", "lines", "facts", "mark"]
"""The members from which `stored` restores a transaction."""

_BIG: Final = 1_000_000
"""Bytes: a bigger document is packed, because a server accepts at most a fortieth of its memory at once."""


def day_of(start: int) -> int:
    """Return the day, counted from 1970 in UTC, of a time in microseconds since 1970."""
    return start // DAY


def source(row: Row) -> bytes:
    """Return the document to store, as JSON.

    Raises:
        TypeError: JSON cannot represent a value: a lone surrogate, or an integer of more than 64 bits.
    """
    members = _members(row)
    source = orjson.dumps(members)
    return source if len(source) <= _BIG else orjson.dumps(_packed(row, members))


def _members(row: Row) -> dict[str, Any]:
    """Return the public members with the values that searches compare, and the private members."""
    _, transaction, document, _ = row
    members: dict[str, Any] = (
        _stub(transaction)
        if document is None
        else {
            **document,
            "to": [{**result, "search": result_values(document, result)} for result in document["to"]],
            "search": document_values(document, transaction.first),
        }
    )
    members["id"] = row.id
    members["stub"] = document is None
    members["headless"] = transaction.may_lack_beginning
    members["start"] = transaction.start
    if row.mark:
        members["mark"] = row.mark
    members["lines"] = b64encode(packed(lines_to_keep(transaction))).decode()
    return members


def _stub(transaction: Part) -> dict[str, Any]:
    """Return the members of a stub that look-ups need."""
    host, queue_id = transaction.key
    return {"transaction": queue_id, "host": host, "mta": transaction.mta, "date": iso_time(transaction.first)}


def _packed(row: Row, members: dict[str, Any]) -> dict[str, Any]:
    """Replace the members of a very big document by compressed ones and the values that searches compare.

    Recipient results that differ only in their addresses are merged: searches find them just as well, and groups are
    counted from the unpacked document.
    """
    if row.document is not None:
        members["packed"] = _pack(row.document)
        members["is_packed"] = True
        members["to"] = _merged(members["to"])
    return members


def _merged(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: dict[bytes, dict[str, Any]] = {}
    for result in results:
        search = {name: result["search"][name] for name in ("relays", "relay_ips", "status")}
        kept = {"outcome": result["outcome"], "last": result["last"], "search": search}
        merged = found.setdefault(orjson.dumps(kept), kept)
        for name in ("addresses", "domains"):
            merged["search"].setdefault(name, {}).update(dict.fromkeys(result["search"][name]))
    for merged in found.values():
        merged["search"].update({name: list(merged["search"][name]) for name in ("addresses", "domains")})
    return list(found.values())


def _pack(value: Any) -> str:
    return b64encode(zlib.compress(orjson.dumps(value), 1)).decode()


def _unpack(text: str) -> Any:
    return orjson.loads(zlib.decompress(b64decode(text)))


def document_of(hit: dict[str, Any], *, with_lines: bool = False) -> Document:
    """Return the document of a search hit, unpacked if necessary, and with its lines if these were asked for."""
    kept = hit["_source"]
    found: Document = _unpack(kept["packed"]) if "packed" in kept else kept
    if with_lines:
        found["lines"] = shown(_lines(found["host"], kept))
        for name in ("facts", "line", "mark"):
            found.pop(name, None)
    return found


def stored(hit: dict[str, Any]) -> Stored:
    """Return the transaction of a search hit or of an element of an `mget` answer."""
    kept = hit["_source"]
    host, queue_id, mta = kept["host"], kept["transaction"], kept["mta"]
    transaction = transaction_of(host, queue_id, mta, _lines(host, kept))
    transaction.written = True
    return Stored(hit["_id"], transaction, (hit["_index"], hit["_seq_no"], hit["_primary_term"]), kept.get("mark", ""))


def _lines(host: str, kept: dict[str, Any]) -> list[Record]:
    """Return the lines of a transaction; version 0.1 kept facts, each as its time, kind and members."""
    if "lines" in kept:
        return unpacked(host, b64decode(kept["lines"]))
    facts = _unpack(kept["facts"]) if isinstance(kept["facts"], str) else kept["facts"]
    line = kept.get("line", "")
    return [kept_line(host, time, values, line) for time, *values in facts]
