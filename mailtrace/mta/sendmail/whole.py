"""The short way through the lines of a whole, ordinary message: received and delivered, nothing else.

`dispatch.py` chooses the same functions for the same lines, and is the specification: what is not surely ordinary is
left to it.
"""

import re
from collections.abc import Sequence
from typing import Final

from mailtrace.mta.facts import Event, Ignored, Result, Sender
from mailtrace.mta.queue_ids import SENDMAIL_ID, time_of
from mailtrace.mta.rules import Ordinary, Said
from mailtrace.mta.sendmail.addresses import without_dot
from mailtrace.mta.sendmail.arrivals import parse_sender
from mailtrace.mta.sendmail.dispatch import is_sendmail, parse
from mailtrace.mta.sendmail.results import parse_delivery

_MTA: Final = "sendmail"
_BEGINNING: Final = "from=<"
_LONGEST: Final = 8_000
"""Characters of a line whose values are surely short enough to be stored whole."""
_is_id = re.compile(SENDMAIL_ID).fullmatch
_FIRST: Final = 7
_IGNORED: Final = {
    beginning[:_FIRST]: (beginning, ignored.reason)
    for beginning in ("STARTTLS=", "Milter ")
    if isinstance(ignored := parse(_MTA, beginning), Ignored)
}
"""How common lines that are ignored begin, by their first characters, and the reason."""
_NONE: Final = ("", "")
REASONS: Final = tuple(reason for _, reason in _IGNORED.values())
"""Every reason why lines are ignored by their beginning."""


def ordinary_of(program: str) -> Ordinary | None:
    """Return what the ordinary lines of a program of sendmail look like; None if it is another program."""
    return _ORDINARY if is_sendmail(program) else None


def _ignored_reason(parts: list[str]) -> str:
    """Return why a line is ignored, with a queue ID or without; "" if that is not known from how it begins."""
    text = parts[-1]
    beginning, reason = _IGNORED.get(text[:_FIRST], _NONE)
    return reason if text.startswith(beginning) and (len(parts) == 2 or _is_id(parts[1])) else ""


def _client_of(_program: str, queue_id: str, rest: str) -> str | None:
    """Return the client of a message that was received under a queue ID that is never reused; None if it was not."""
    if ", nrcpts=0, " in rest or not _is_id(queue_id) or time_of(queue_id, _MTA) is None:
        return None
    return without_dot(rest.rpartition(", relay=")[2])


_ORDINARY: Final = Ordinary(_MTA, (_BEGINNING,), frozenset({"to=<"}), _client_of, _ignored_reason)


def may_be_finished(lines: Sequence[Said]) -> bool:
    """Return whether the results of all recipients of a message may be final.

    A wrong answer costs time only: what is read of the message later is joined with what was written.
    """
    first = lines[0][2]
    if not first.startswith(_BEGINNING):
        return False
    final = (rest for _, _, rest in lines[1:] if ", dsn=4." not in rest and ", stat=queued" not in rest)
    named = sum(rest.count(">,<", 0, rest.find(", delay=")) + 1 for rest in final)
    return f", nrcpts={named}, " in first


def facts_of(lines: Sequence[Said]) -> tuple[Sender, list[list[Result]]] | None:
    """Return the beginning of a message, and the results of each further line.

    None if the lines are not surely ordinary.
    """
    found: list[list[Result]] = []
    for _, (_, program, _), rest in lines[1:]:
        parsed = parse_delivery("", program, rest)
        results = [event.fact for event in (parsed if isinstance(parsed, list) else [parsed]) if type(event) is Event]
        if not results or results[0].outcome == "rejected" or len(rest) > _LONGEST or not is_sendmail(program):
            return None
        found.append(results)
    _, (_, program, _), rest = lines[0]
    beginning = parse_sender("", program, rest)
    if type(beginning) is not Event or len(rest) > _LONGEST:
        return None
    return (beginning.fact, found) if beginning.fact.nrcpt and found else None
