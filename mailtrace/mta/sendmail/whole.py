"""The short way through the lines of a whole, ordinary message: received and delivered, nothing else.

`dispatch.py` chooses the same functions for the same lines, and is the specification: what is not surely ordinary is
left to it.
"""

import re
from collections.abc import Sequence
from typing import Final

from mailtrace.mta.facts import Event, Ignored, Sender
from mailtrace.mta.queue_ids import SENDMAIL_ID, time_of
from mailtrace.mta.rules import Ordinary, Said
from mailtrace.mta.sendmail.addresses import without_dot
from mailtrace.mta.sendmail.arrivals import parse_sender
from mailtrace.mta.sendmail.dispatch import is_sendmail, parse
from mailtrace.mta.sendmail.results import What, recipients_and_result

_MTA: Final = "sendmail"
_BEGINNING: Final = "from=<"
_LONGEST: Final = 8_000
"""Characters of a line whose values are surely short enough to be stored whole."""
_is_id = re.compile(SENDMAIL_ID).fullmatch
_nrcpts = re.compile(r", nrcpts=(\d{1,9})").search
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


def _is_usual(_program: str, queue_id: str, rest: str) -> bool:
    """Return whether a message was received for someone, under a queue ID that is never reused."""
    return ", nrcpts=0, " not in rest and queue_id.isascii() and time_of(queue_id, _MTA) is not None


def _client_of(rest: str) -> str:
    return without_dot(rest.rpartition(", relay=")[2])


_ORDINARY: Final = Ordinary(_MTA, (_BEGINNING,), frozenset({"to=<"}), _is_usual, _client_of, _ignored_reason)


def may_be_finished(lines: Sequence[Said]) -> bool:
    """Return whether the results of all recipients of a message may be final.

    A wrong answer costs time only: what is read of the message later is joined with what was written.
    """
    first = lines[0][2]
    if not first.startswith(_BEGINNING):
        return False
    final = (rest for _, _, rest in lines[1:] if ", dsn=4." not in rest and ", stat=queued" not in rest)
    named = sum(rest.count(">,<", 0, rest.find(", delay=")) + 1 for rest in final)
    nrcpts = _nrcpts(first)
    return nrcpts is not None and named >= int(nrcpts[1])


def facts_of(lines: Sequence[Said]) -> tuple[Sender, list[tuple[list[str], What]]] | None:
    """Return the beginning of a message, and of each further line the recipients and their result.

    None if the lines are not surely ordinary.
    """
    results: list[tuple[list[str], What]] = []
    for _, (_, program, _), rest in lines[1:]:
        found = recipients_and_result(rest)
        if found is None or not found[0] or len(rest) > _LONGEST or not is_sendmail(program):
            return None
        results.append(found)
    rest = lines[0][2]
    beginning = parse_sender("", "", rest)
    sender = beginning.fact if type(beginning) is Event and len(rest) <= _LONGEST else None
    return (sender, results) if isinstance(sender, Sender) and sender.nrcpt and results else None
