"""The short way through the lines of a whole, ordinary message: begun, queued, delivered and removed, nothing else.

Most messages are of this kind. `dispatch.py` parses the same lines one by one, and is the specification: what is not
surely ordinary is left to it.
"""

import re
from collections.abc import Iterable, Sequence
from operator import eq, lt
from typing import Any, Final, NamedTuple, TypeAlias

from mailtrace.mta.facts import Client, Event, Ignored, Parsed, Sender, Submitted
from mailtrace.mta.postfix.arrivals import number, parse_client, parse_submitted
from mailtrace.mta.postfix.dispatch import parse
from mailtrace.mta.postfix.results import members_of
from mailtrace.mta.queue_ids import POSTFIX_ID
from mailtrace.mta.rules import Ordinary, Said

_PROGRAMS: Final = "postfix/"
"""How the names of the programs begin whose lines take the short way."""
_OTHERS: Final = ("postscreen", "tlsproxy", "dnsblog")
"""Lines of these programs are all ignored for their own reason."""
REMOVED: Final = "removed"
REMOVER: Final = "/qmgr"

_LONGEST_ID: Final = 40
_LONGEST: Final = 8_000
"""Characters of a line whose values are surely short enough to be stored whole."""
_is_id = re.compile(POSTFIX_ID).fullmatch
_BITS: Final = 3

_Key: TypeAlias = tuple[Any, ...]
"""Time and kind; of a result its delay, whether its outcome is final, and its recipient: the order of facts."""
_BEGINNING, _MESSAGE_ID, _ENVELOPE, _RESULT, _REMOVED = range(5)
"""The kinds of lines, in the order of facts with equal times (`message/order.py`)."""
_KINDS: Final = 7


_FIRST: Final = 10
_IGNORED: Final = {
    beginning[:_FIRST]: (beginning, ignored.reason)
    for beginning in (
        "connect from ",
        "disconnect from ",
        "lost connection after ",
        "Anonymous TLS connection ",
        "Trusted TLS connection ",
        "Untrusted TLS connection ",
        "Verified TLS connection ",
    )
    if isinstance(ignored := parse("postfix/smtpd", beginning), Ignored)
}
"""How common lines without a queue ID begin, by their first characters, and the reason why they are ignored."""
_NONE: Final = ("", "")
REASONS: Final = tuple(sorted({reason for _, reason in _IGNORED.values()}))
"""Every reason why lines are ignored by their beginning."""


class WholeMessage(NamedTuple):
    """What the lines of a whole message say."""

    beginning: Client | Submitted | Sender
    msgid: str | None
    sender: str
    size: int | None
    nrcpt: int | None
    results: Sequence[tuple[Any, ...]]
    """Of each result the time, and the members of `Result`; in their order."""
    order: list[int] | None
    """The indexes of the lines in the order of their facts; None if they are in that order already."""


def ordinary_of(program: str) -> Ordinary | None:
    """Return what the ordinary lines of a program of Postfix look like; None if they do not take the short way."""
    return _ORDINARY if program.startswith(_PROGRAMS) and not program.endswith(_OTHERS) else None


def _ignored_reason(parts: list[str]) -> str:
    """Return why a line without a queue ID is ignored; "" if that is not known from how it begins."""
    text = parts[1 % len(parts)]
    beginning, reason = _IGNORED.get(text[:_FIRST], _NONE)
    return reason if text.startswith(beginning) else ""


def _is_usual(program: str, queue_id: str, rest: str) -> bool:
    """Return whether a line is the usual beginning of a message; `rest` follows the queue ID."""
    is_client = rest[0] == "c" and program.endswith("/smtpd")
    is_submitted = rest[0] == "u" and program.endswith("/pickup") and " orig_id=" not in rest
    return (is_client or is_submitted) and len(queue_id) <= _LONGEST_ID and _is_id(queue_id) is not None


_PLAIN: Final = frozenset({"to=<", "from", "mess"})
_ORDINARY: Final = Ordinary("postfix", ("client=", "uid="), _PLAIN, _is_usual, lambda _: "", _ignored_reason)


def message_of(lines: Iterable[Said]) -> WholeMessage | None:
    """Return what these lines say, from the one that begins the message on; None if they are not surely ordinary."""
    keys: list[_Key] = []
    values: list[Any] = []
    for time, (_, program, _), rest in lines:
        if rest[:4] == "to=<":
            members = members_of(program, rest)
            if members is None or len(rest) > _LONGEST:
                return None
            keys.append((time << _BITS | _RESULT, members[6], members[4] != "deferred", members[0]))
            values.append((time, *members))
        else:
            found = _other(rest)
            if found is None:
                return None
            keys.append((time << _BITS | found[0],))
            values.append(found[1])
    if all(map(lt, keys, keys[1:])):
        return _message([key[0] & _KINDS for key in keys], values, None)
    order = sorted(range(len(keys)), key=keys.__getitem__)
    keys = [keys[at] for at in order]
    if any(map(eq, keys, keys[1:])):
        return None
    return _message([key[0] & _KINDS for key in keys], [values[at] for at in order], order)


def _message(kinds: list[int], values: list[Any], order: list[int] | None) -> WholeMessage | None:
    """Return the message of lines in the order of their facts; None if it lacks one or has one too many."""
    if kinds[0] != _BEGINNING or kinds[-1] != _REMOVED or _ENVELOPE not in kinds or _RESULT not in kinds:
        return None
    if not kinds.count(_BEGINNING) == kinds.count(_MESSAGE_ID) == kinds.count(_REMOVED) == 1:
        return None
    sender, size, nrcpt = values[kinds.index(_ENVELOPE)]
    results = [value for kind, value in zip(kinds, values, strict=True) if kind == _RESULT]
    return WholeMessage(values[0], values[kinds.index(_MESSAGE_ID)], sender, size, nrcpt, results, order)


def _other(rest: str) -> tuple[int, Any] | None:
    """Return the kind of a line that is no result, and what it says."""
    if rest == REMOVED:
        return _REMOVED, None
    if len(rest) > _LONGEST:
        return None
    if rest.startswith("message-id=<"):
        return (_MESSAGE_ID, rest[12:-1] or None) if rest[-1] == ">" else None
    if rest.startswith("from=<"):
        sender, found, numbers = rest[6:].rpartition(">, size=")
        size, _, nrcpt = numbers.partition(", nrcpt=")
        is_plain = found and rest[-1] == ")"
        return (_ENVELOPE, (sender, number(size), number(nrcpt.partition(" ")[0]))) if is_plain else None
    parsed: Parsed = None
    if rest.startswith("client="):
        parsed = parse_client("", "", rest)
    elif rest.startswith("uid="):
        parsed = parse_submitted("", "", rest)
    return (_BEGINNING, parsed.fact) if type(parsed) is Event else None
