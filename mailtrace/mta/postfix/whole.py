"""The short way through the lines of a whole, ordinary message: begun, queued, delivered and removed, nothing else.

Most messages are of this kind. `dispatch.py` parses the same lines one by one, and is the specification: what is not
surely ordinary is left to it.
"""

import re
from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeAlias

from mailtrace.mta.facts import Client, Event, Parsed, Submitted
from mailtrace.mta.postfix.arrivals import number, parse_client, parse_submitted
from mailtrace.mta.postfix.results import members_of
from mailtrace.mta.queue_ids import POSTFIX_ID
from mailtrace.syslog.records import Record

PROGRAMS: Final = "postfix/"
"""How the names of the programs begin whose lines take the short way."""
PLAIN: Final = frozenset({"to=<", "from", "mess"})
"""How the lines begin, after the queue ID, that neither begin nor end a message, nor name another one."""
BEGINNINGS: Final = ("client=", "uid=")
REMOVED: Final = "removed"
_LONGEST_ID: Final = 40
_LONGEST: Final = 8_000
"""Characters of a line whose values are surely short enough to be stored whole."""
_BITS: Final = 3
_RANKS: Final = (1 << _BITS) - 1
"""The kind of a fact, in the order of facts with equal times."""
_is_id = re.compile(POSTFIX_ID).fullmatch
_order: Final = itemgetter(0, 1, 2, 3)

_Entry: TypeAlias = tuple[int, float, int, str, Record, Any]
"""Time and kind; of a result its delay, whether its outcome is final, and its recipient: the order of facts. Then the
line, and what it says."""


class WholeMessage(NamedTuple):
    """What the lines of a whole message say."""

    lines: list[Record]
    """In the order of their facts."""
    beginning: Client | Submitted
    msgid: str | None
    sender: str
    size: int | None
    nrcpt: int | None
    results: list[tuple[Any, ...]]
    """Of each result the time, and the members of `Result`."""


def is_usual_beginning(program: str, queue_id: str, rest: str) -> bool:
    """Return whether a line is the usual beginning of a message; `rest` follows the queue ID."""
    is_client = program.endswith("/smtpd") and rest[0] == "c"
    is_submitted = program.endswith("/pickup") and rest[0] == "u" and " orig_id=" not in rest
    return (is_client or is_submitted) and len(queue_id) <= _LONGEST_ID and _is_id(queue_id) is not None


def message_of(queue_id: str, lines: Sequence[Record]) -> WholeMessage | None:
    """Return what these lines say, the first of which begins the message; None if they are not surely ordinary.

    Each line's text begins with the queue ID, a colon and a blank.
    """
    at = len(queue_id) + 2
    entries: list[_Entry] = []
    for line in lines:
        rest = line.text[at:]
        read = _READERS.get(rest[:4])
        entry = read(line, rest) if read is not None and len(rest) <= _LONGEST else None
        if entry is None:
            return None
        entries.append(entry)
    return _message(entries) if _in_order(entries) else None


def _message(entries: Sequence[_Entry]) -> WholeMessage | None:
    """Return the message of lines in the order of their facts; None if it lacks one or has one too many."""
    found: tuple[list[_Entry], ...] = [], [], [], [], []
    for entry in entries:
        found[entry[0] & _RANKS].append(entry)
    begun, msgids, envelopes, results, removed = found
    if not (len(begun) == len(msgids) == len(removed) == 1 and envelopes and results):
        return None
    if entries[0] is not begun[0] or entries[-1] is not removed[0]:
        return None
    lines, members = [entry[4] for entry in entries], [entry[5] for entry in results]
    sender, size, nrcpt = envelopes[0][5]
    return WholeMessage(lines, begun[0][5], msgids[0][5], sender, size, nrcpt, members)


def _client(line: Record, rest: str) -> _Entry | None:
    return _beginning(line, parse_client("", "", rest))


def _submitted(line: Record, rest: str) -> _Entry | None:
    return _beginning(line, parse_submitted("", "", rest))


def _beginning(line: Record, parsed: Parsed) -> _Entry | None:
    return (line.time << _BITS, 0.0, 0, "", line, parsed.fact) if type(parsed) is Event else None


def _message_id(line: Record, rest: str) -> _Entry | None:
    if rest[:12] != "message-id=<" or rest[-1] != ">":
        return None
    return line.time << _BITS | 1, 0.0, 0, "", line, rest[12:-1] or None


def _envelope(line: Record, rest: str) -> _Entry | None:
    sender, found, numbers = rest[6:].rpartition(">, size=")
    if not found or rest[-1] != ")" or rest[5] != "<":
        return None
    size, _, nrcpt = numbers.partition(", nrcpt=")
    values = sender, number(size), number(nrcpt.partition(" ")[0])
    return line.time << _BITS | 2, 0.0, 0, "", line, values


def _result(line: Record, rest: str) -> _Entry | None:
    members = members_of(line.program, rest)
    if members is None:
        return None
    time, early = line.time, members[4] == "deferred"
    return time << _BITS | 3, members[6], not early, members[0], line, (time, *members)


def _removed(line: Record, rest: str) -> _Entry | None:
    return (line.time << _BITS | 4, 0.0, 0, "", line, None) if rest == REMOVED else None


_READERS: Final = {
    "clie": _client,
    "uid=": _submitted,
    "mess": _message_id,
    "from": _envelope,
    "to=<": _result,
    "remo": _removed,
}
"""By the first four characters after the queue ID."""


def _in_order(entries: list[_Entry]) -> bool:
    """Sort the lines by the order of their facts; return whether that is one order and no line is there twice."""
    keys = [entry[:4] for entry in entries]
    ordered = sorted(keys)
    if keys != ordered:
        entries.sort(key=_order)
    return len(set(keys)) == len(keys)
