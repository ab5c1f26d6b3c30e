"""Prefixes of log lines, which collectors, containers and grep add."""

import re
from typing import Final

from mailtrace.syslog.stamp import Stamp, stamp_of

_COLOR: Final = r"(?:\x1b\[[\d;]{0,16}m)?"
_PRIORITY: Final = r"(?:(?:\d{1,5}[ ])?<\d{1,3}>)?"
_prefix = re.compile(
    rf"[\0\ufeff\x1e\s]*(?:{_COLOR}[\w.@-]{{1,192}}{_COLOR}[ ]{{0,64}}\|{_COLOR}[ ])?{_COLOR}"
    rf"{_PRIORITY}(?:<\d{{1,3}}>)?(?:data:[ ]?(?=\{{)|\[(?=\{{\"))?",
    re.ASCII,
).match
"""Records of JSON (RFC 7464) begin with RS, server-sent events with `data:`, and an array with `[`."""
_bracketed = re.compile(r"\[[^\s\]]{1,320}(?:[ ][^\s\]]{1,128})?\][ ]").match
"""`[pod/NAME/CONTAINER] ` of kubectl logs --prefix."""
_POD: Final = r"(?=[a-z.]{0,252}[\d-])[a-z\d][a-z\d.-]{0,252}[ ][a-z\d-]{1,63}[ ]"
_pod = re.compile(_POD).match
"""`POD CONTAINER ` of stern: a pod's name ends in a number or a hash."""
_pod_of_namespace = re.compile(rf"[a-z\d-]{{1,63}}[ ]{_POD}").match
_path = re.compile(r"[\w/.~][^\s|]{1,510}").match
_separator = re.compile(r"[:-](?=\S)").finditer
_MAX_SEPARATORS: Final = 48
_priority = re.compile(_PRIORITY).match
_version = re.compile(r"1 (?=\d{4}-|- )", re.ASCII).match
_count = re.compile(r"(\d{1,5}) <\d{1,3}>\Z", re.ASCII).search
_next_count = re.compile(rb"(\d{1,5}) ?(<\d{1,3}>)?").match
_count_behind = re.compile(r"(?:removed|[)\]>])(\d{2,4})\Z", re.ASCII).search
_COUNT_DIGITS: Final = 12
"""At most so many characters after a text can be the next length."""


def beginning_of(line: str) -> int:
    """Return the index at which a line itself begins.

    Before it may be NULs, a byte-order mark, RS, syslog's `<PRI>`, the line's length as syslog counts it over TCP
    (RFC 6587), and what docker compose, docker service, kubectl, stern or grep puts in front.
    """
    return begun(line)[0]


def begun(line: str) -> tuple[int, Stamp | None]:
    """Return the index at which a line itself begins, and the stamp there; None if there is none."""
    found = _prefix(line)
    at = found.end() if found else 0
    if line[at : at + 1] == "{" or version_at(line, at):
        return at, None
    stamp = stamp_of(line, at)
    return (at, stamp) if stamp else _collected(line, at)


def version_at(line: str, at: int) -> int:
    """Return the index of RFC 5424's stamp if its version is at an index; else 0."""
    found = _version(line[at : at + 8])
    return at + found.end() if found else 0


def _collected(line: str, at: int) -> tuple[int, Stamp | None]:
    """Return the beginning of a line after a collector's prefix, which only a stamp, JSON or RFC 5424 may follow."""
    for prefix in (_bracketed, _pod, _pod_of_namespace):
        if (found := prefix(line, at)) and (start := _start(line, found.end())):
            return start
    if path := _path(line, at):
        separators = _separator(line, at, path.end() + 1)
        for _, found in zip(range(_MAX_SEPARATORS), separators, strict=False):
            if start := _start(line, found.end()):
                return start
    return at, None


def _start(line: str, at: int) -> tuple[int, Stamp | None] | None:
    """Return the index and the stamp of a frame that begins there; None if none does."""
    found = _priority(line, at)
    at = found.end() if found else at
    if line.startswith('{"', at) or version_at(line, at):
        return at, None
    stamp = stamp_of(line, at)
    return (at, stamp) if stamp else None


def uncounted(line: str, at: int) -> str | None:
    """Return a line with `<PRI>` without the next line's length at its end (RFC 6587); None if it contains several.

    If a sender puts no newline between messages, splitting them elsewhere leaves a length after the text. The line's
    own length, in front, is proof of that; without it, digits are a length where no mail server writes any.
    """
    if not line[-1:].isdigit() and not line[:1].isdigit():
        return line
    if found := _count(line[:at]):
        start = found.start() + len(found[1]) + 1
        message = line[start:].encode("utf-8", "surrogatepass")
        rest = _next_count(message, int(found[1]))
        if rest and rest[2]:
            return None
        return line[: -len(rest[0])] if rest and rest.end() == len(message) else line
    behind = _count_behind(line, max(at, len(line) - _COUNT_DIGITS))
    return line[: behind.start(1)] if behind else line
