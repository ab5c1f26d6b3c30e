"""Entries of `journalctl -o export`: one field a line, and a blank line after each entry.

A field that is not plain text has its name alone on a line, then its length in eight bytes, then its bytes.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

_FIELDS: Final = frozenset(("__REALTIME_TIMESTAMP", "_HOSTNAME", "SYSLOG_IDENTIFIER", "_PID", "MESSAGE"))
"""An entry with all of these fields is complete."""
_KEPT: Final = _FIELDS | {"_COMM", "SYSLOG_PID", "CONTAINER_NAME"}
_field = re.compile(r"([A-Z_][A-Z0-9_]{0,63})(?:=|\Z)", re.ASCII).match
_first_field = re.compile(r"__[A-Z_]{1,62}=", re.ASCII).match
_escape = re.compile(r"\\x[0-9a-f]{2}")
_LENGTH: Final = 8
_MAX_BYTES: Final = 1 << 16
_MAX_NEWLINES: Final = 500
"""Limits the time for a field of many lines, each of which counts its bytes again. No mail server writes so many."""
_FIRST: Final = "__CURSOR"
_TIME: Final = "__REALTIME_TIMESTAMP"


def begins_entry(line: str, at: int) -> bool:
    """Return whether an entry's first field is at an index of a line."""
    return line.startswith("__", at) and _first_field(line, at) is not None


class Entry:
    """An entry that is being read, a line at a time."""

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        """Begin an entry, or continue one from an earlier `state`."""
        state = state or {}
        self.fields: dict[str, str] = dict(state.get("fields", {}))
        self._is_reported: bool = state.get("told", False)
        self._has_begun: bool = state.get("begun", False)
        self._name: str | None = state.get("name")
        self._bytes: str = state.get("bytes", "")

    def state(self) -> dict[str, Any]:
        """Return what is needed to continue, as JSON."""
        return {
            "fields": self.fields,
            "told": self._is_reported,
            "begun": self._has_begun,
            "name": self._name,
            "bytes": self._bytes,
        }

    def add(self, line: str) -> bool:
        """Add the next line; return whether it belongs to the entry. The blank line after it does not."""
        if self._name is not None and self._add_bytes(self._name, line):
            return True
        found = _field(line)
        if not found or (self._has_begun and found[1] == _FIRST) or (found[1] == _TIME and _TIME in self.fields):
            return False
        self._has_begun = True
        if found.end() == len(line) and line[-1] != "=":
            self._name = found[1]
        else:
            self._keep(found[1], line[found.end() :])
        return True

    def is_complete(self) -> bool:
        """Return true once, as soon as all fields are known."""
        if self._is_reported or not self.fields.keys() >= _FIELDS:
            return False
        self._is_reported = True
        return True

    def is_unreported(self) -> bool:
        """Return whether the entry, at its end, has a message although it was never complete."""
        return not self._is_reported and "MESSAGE" in self.fields

    def _keep(self, name: str, value: str) -> None:
        if name in _KEPT:
            self.fields.setdefault(name, value)

    def _add_bytes(self, name: str, line: str) -> bool:
        """Add a line of a field's bytes, which may contain newlines: the field ends after its length.

        Return false if the length does not fit, for example after a line that was too long: it is another field's line.
        """
        self._bytes += line
        length, start = _length(self._bytes)
        value = self._bytes[start:]
        least = len(_escape.sub("x", value).encode("utf-8", "surrogatepass"))
        most = len(value.encode("utf-8", "surrogatepass"))
        if length is not None and least <= length <= most and (most - length) % 3 == 0:
            self._keep(name, value)
        elif self._bytes.count("\n") < _MAX_NEWLINES and (length is None or least <= length <= _MAX_BYTES):
            self._bytes += "\n"
            return True
        self._name, self._bytes = None, ""
        return length is not None and least <= length <= most


def _length(text: str) -> tuple[int | None, int]:
    r"""Return the number in the first eight bytes, and the index after them. Bytes that are not UTF-8 are `\xNN`."""
    data, at = b"", 0
    while len(data) < _LENGTH and at < len(text):
        if found := _escape.match(text, at):
            data += bytes.fromhex(found[0][2:])
            at = found.end()
        else:
            data += text[at].encode("utf-8", "surrogatepass")
            at += 1
    return (int.from_bytes(data[:_LENGTH], "little"), at) if len(data) >= _LENGTH else (None, at)
