"""Documents as programs read them, and what makes any text harmless: nothing that a log says can steer a terminal."""

import re
from datetime import tzinfo

import orjson

from mailtrace.message.document import Document
from mailtrace.output.times import in_zone

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
    shown = {**document, "date": in_zone(document["date"], zone)}
    shown["to"] = [
        {**entry, "date": in_zone(entry["date"], zone), "last_date": in_zone(entry["last_date"], zone)}
        for entry in document["to"]
    ]
    return orjson.dumps(shown) + b"\n"
