"""Escape control characters, so that text from a log cannot control a terminal, nor look like other text."""

import re
from typing import Final

# C0 and C1 controls, line and paragraph separators, surrogates, and what Unicode calls format characters (Cf): they
# change the direction of text or are invisible.
_UNSAFE: Final = (
    r"\x00-\x1f\x7f-\x9f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    r"\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f"
)
_unsafe = re.compile(f"[{_UNSAFE}]")


def safe(text: str) -> str:
    r"""Return text that is safe on a terminal, with control characters as `\\xNN`, `\\uNNNN` or `\\UNNNNNNNN`."""
    return _unsafe.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def safe_json(text: bytes) -> bytes:
    r"""Return the same JSON, in one line, with control characters of its strings as `\\uNNNN`."""
    if text.isascii() and b"\x7f" not in text:
        return text
    return _unsafe.sub(_escaped_in_json, text.decode()).encode()


def _escaped_in_json(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
