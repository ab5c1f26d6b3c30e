"""Escape control characters, so that text from a log cannot control a terminal."""

import re

# C0 and C1 controls, line and paragraph separators, marks that change the direction of text, and surrogates.
_unsafe = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def safe(text: str) -> str:
    r"""Return text that is safe on a terminal, with control characters as `\\xNN` or `\\uNNNN`."""
    return _unsafe.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
