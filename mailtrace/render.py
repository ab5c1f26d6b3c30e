"""Documents as people and programs read them. Nothing that a log says can steer a terminal."""

import re
from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import Any

import orjson

from mailtrace.documents import Document

# C0 and C1 controls, line and paragraph separators, and what turns the direction of text around.
_unsafe = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def safe(text: str) -> str:
    r"""Return text that is harmless on a terminal: control characters as `\\xNN` or `\\uNNNN`."""
    return _unsafe.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def as_json(document: Document, zone: tzinfo) -> bytes:
    """Return a document as one line of JSON, its times in the zone with their offset."""
    shown = {**document, "date": _iso(document["date"], zone)}
    shown["to"] = [
        {**entry, "date": _iso(entry["date"], zone), "last_date": _iso(entry["last_date"], zone)}
        for entry in document["to"]
    ]
    return orjson.dumps(shown) + b"\n"


def as_text(document: Document, zone: tzinfo) -> str:
    """Return a document in the text layout: lines of what is known, one for each entry of `to`."""
    return "".join(f"{line}\n" for line in _lines(document, zone))


def _lines(document: Document, zone: tzinfo) -> Iterator[str]:
    date = datetime.fromisoformat(document["date"]).astimezone(zone)
    yield f"transaction: {safe(document['transaction'])}"
    if document["client"] is not None:
        yield f"client: {safe(document['client'])}"
    if document["from"] is not None:
        yield f"from:   {safe(document['from']) or '<>'}"
    if document["msgid"] is not None:
        yield f"msgid:  {safe(document['msgid'])}"
    yield f"date:   {date:%Y-%m-%d %H:%M:%S}"
    for entry in document["to"]:
        yield f"to:     {_entry(entry)}"
    yield f"host:   {safe(document['host'])}"


def _entry(entry: dict[str, Any]) -> str:
    recipient, relay, status = (safe(entry[member] or "") for member in ("recipient", "relay_host", "status"))
    return f"recipient='{recipient}' , relay='{relay}', status='{status}'"


def _iso(date: str, zone: tzinfo) -> str:
    return datetime.fromisoformat(date).astimezone(zone).isoformat()
