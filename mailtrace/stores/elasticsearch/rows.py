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
from mailtrace.stores.elasticsearch.values import (
    are_compared_so,
    compared_members_of,
    members_of,
    merged_results,
    restored,
    with_all_values,
)
from mailtrace.syslog.records import Record

LINES: Final = ["transaction", "host", "mta", "line", "lines", "facts", "mark"]
"""The members from which `stored` restores a transaction."""

_BIG: Final = 1_000_000
"""Bytes: a bigger document is packed, because a server accepts at most a fortieth of its memory at once."""


def day_of(start: int) -> int:
    """Return the day, counted from 1970 in UTC, of a time in microseconds since 1970."""
    return start // DAY


def source(row: Row, *, is_earlier: bool = False) -> bytes:
    """Return the document to store, as JSON; `is_earlier` tells that an earlier mailtrace created its index.

    Raises:
        JSONEncodeError: JSON cannot represent a value: a lone surrogate, or an integer of more than 64 bits.
    """
    if row.encoded is not None:
        if not is_earlier:
            return _marked(row.encoded, row.mark)
        row = row._replace(document=document_of({"_source": orjson.loads(row.encoded)}), encoded=None)
    members = _members(row, is_earlier=is_earlier)
    source = orjson.dumps(members)
    document = row.document
    if document is None:
        return source
    if not is_earlier and not are_compared_so(document, source):
        compared = compared_members_of(document, row.transaction.first)
        members = {**compared, **_private(row), "packed": _pack(document)}
        source = orjson.dumps(members)
    if len(source) > _BIG:
        source = orjson.dumps(_merged(document, members, is_earlier=is_earlier))
    return source


def encoded(row: Row) -> bytes | None:
    """Return the document to store, as JSON and without a mark; None if JSON cannot represent it."""
    try:
        return source(row)
    except orjson.JSONEncodeError:
        return None


def lines_in(host: str, source: bytes) -> list[Record]:
    """Return the lines of a host in a stored document."""
    return _lines(host, orjson.loads(source))


def _marked(source: bytes, mark: str) -> bytes:
    """Return a document with a mark."""
    return b"%b,%b" % (source[:-1], orjson.dumps({"mark": mark})[1:]) if mark else source


def _members(row: Row, *, is_earlier: bool) -> dict[str, Any]:
    """Return the public members, the values that searches compare, and the private members."""
    if row.document is None:
        members = _stub(row.transaction)
    else:
        members = (with_all_values if is_earlier else members_of)(row.document, row.transaction.first)
    return {**members, **_private(row)}


def _private(row: Row) -> dict[str, Any]:
    transaction = row.transaction
    members = {
        "id": row.id,
        "stub": row.document is None,
        "lines": b64encode(packed(lines_to_keep(transaction))).decode(),
    }
    if transaction.may_lack_beginning:
        members["headless"] = True
    if row.mark:
        members["mark"] = row.mark
    return members


def _stub(transaction: Part) -> dict[str, Any]:
    """Return the members of a stub that look-ups need."""
    host, queue_id = transaction.key
    return {"transaction": queue_id, "host": host, "mta": transaction.mta, "date": iso_time(transaction.first)}


def _merged(document: Document, members: dict[str, Any], *, is_earlier: bool) -> dict[str, Any]:
    """Replace the members of a very big document by compressed ones and the values that searches compare.

    Recipient results that differ only in their addresses are merged: searches find them just as well, and groups are
    counted from the unpacked document.
    """
    results = merged_results(document)
    if not is_earlier:
        for result in results:
            result["status"] = result["search"].pop("status")
    return {**members, "to": results, "packed": _pack(document), "is_packed": True}


def _pack(value: Any) -> str:
    return b64encode(zlib.compress(orjson.dumps(value), 1)).decode()


def _unpack(text: str) -> Any:
    return orjson.loads(zlib.decompress(b64decode(text)))


def document_of(hit: dict[str, Any], *, with_lines: bool = False) -> Document:
    """Return the document of a search hit, unpacked if necessary, and with its lines if these were asked for."""
    kept = hit["_source"]
    found: Document = _unpack(kept["packed"]) if "packed" in kept else restored(kept)
    if with_lines:
        found["lines"] = shown(_lines(found["host"], kept))
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
