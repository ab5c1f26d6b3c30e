"""Entries of `journalctl -o export`: one field a line, and a blank line behind each entry.

A field that is no plain text has its name alone on a line, then its length in eight bytes, then its bytes.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

_FIELDS: Final = frozenset(("__REALTIME_TIMESTAMP", "_HOSTNAME", "SYSLOG_IDENTIFIER", "_PID", "MESSAGE"))
"""When all of them are known, the entry is."""
_KEPT: Final = _FIELDS | {"_COMM", "SYSLOG_PID", "CONTAINER_NAME"}
_field = re.compile(r"([A-Z_][A-Z0-9_]{0,63})(?:=|\Z)", re.ASCII).match
_first_field = re.compile(r"__[A-Z_]{1,62}=", re.ASCII).match
_escape = re.compile(r"\\x[0-9a-f]{2}")
_LENGTH: Final = 8
_MAX_BYTES: Final = 1 << 16
_MAX_NEWLINES: Final = 500
"""Each line of a field's bytes counts them anew. No mail server writes so many."""
_FIRST: Final = "__CURSOR"
_TIME: Final = "__REALTIME_TIMESTAMP"


def begins_entry(line: str, at: int) -> bool:
    """Return whether an entry's first field stands at a place."""
    return line.startswith("__", at) and _first_field(line, at) is not None


class Entry:
    """An entry that is being read, a line at a time."""

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        """Begin an entry, or go on where `state` was taken."""
        state = state or {}
        self.fields: dict[str, str] = dict(state.get("fields", {}))
        self._is_told: bool = state.get("told", False)
        self._has_begun: bool = state.get("begun", False)
        self._name: str | None = state.get("name")
        self._bytes: str = state.get("bytes", "")

    def state(self) -> dict[str, Any]:
        """Return what is needed to go on, as JSON."""
        return {
            "fields": self.fields,
            "told": self._is_told,
            "begun": self._has_begun,
            "name": self._name,
            "bytes": self._bytes,
        }

    def take(self, line: str) -> bool:
        """Take the next line; return whether it belongs to the entry. The blank line behind it does not."""
        if self._name is not None and self._take_bytes(self._name, line):
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
        """Return, once, whether all is known of it."""
        if self._is_told or not self.fields.keys() >= _FIELDS:
            return False
        self._is_told = True
        return True

    def is_left(self) -> bool:
        """Return whether it is a whole one that has not been complete, when it ends."""
        return not self._is_told and "MESSAGE" in self.fields

    def _keep(self, name: str, value: str) -> None:
        if name in _KEPT:
            self.fields.setdefault(name, value)

    def _take_bytes(self, name: str, line: str) -> bool:
        """Take a line of a field's bytes, which may hold newlines: it ends where its length says.

        Where it does not, as when a line was too long to be read, False: the line is another field's.
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
    r"""The number in the first eight bytes, and where they end. Bytes that are not UTF-8 are written as `\xNN`."""
    data, at = b"", 0
    while len(data) < _LENGTH and at < len(text):
        if found := _escape.match(text, at):
            data += bytes.fromhex(found[0][2:])
            at = found.end()
        else:
            data += text[at].encode("utf-8", "surrogatepass")
            at += 1
    return (int.from_bytes(data[:_LENGTH], "little"), at) if len(data) >= _LENGTH else (None, at)
