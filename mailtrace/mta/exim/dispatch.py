"""Exim's grammar, for Exim 4: choose the rule of a line, without any state.

The message ID comes first, then a flag (`<=`, `=>`, `**` and so on) or words. The text is what Exim wrote after its own
time stamp and process ID (`syslog/exim.py`).
"""

import re
from functools import lru_cache
from typing import Final

from mailtrace.mta.exim import arrivals, queue, refusals, results
from mailtrace.mta.exim.sessions import is_session
from mailtrace.mta.facts import Parsed
from mailtrace.mta.queue_ids import EXIM_ID, NOQUEUE
from mailtrace.mta.rules import Rule, ignoring

ARRIVAL: Final = Rule("arrival", arrivals.parse_arrival)
SENT: Final = Rule("sent", results.parse_sent)
DEFERRED: Final = Rule("deferred", results.parse_deferred)
FAILED: Final = Rule("failed", results.parse_failed)
COMPLETED: Final = Rule("completed", queue.parse_completed)
HELD: Final = Rule("held", queue.parse_held)
RELEASED: Final = Rule("released", queue.parse_released)
DELETED: Final = Rule("deleted", queue.parse_deleted)
EXPIRED: Final = Rule("expired", queue.parse_expired)
CANCELLED: Final = Rule("cancelled", queue.parse_cancelled)
MARKED: Final = Rule("marked", queue.parse_marked)
ADDED: Final = Rule("added", queue.parse_added)
ENVELOPE_TO: Final = Rule("envelope-to", queue.parse_envelope_to)
HEADER: Final = Rule("header", queue.parse_header)
CLIENT_REFUSAL: Final = Rule("client-refusal", refusals.parse_client_refusal)
REFUSAL: Final = Rule("refusal", refusals.parse_refusal)
CONNECTION: Final = Rule("connection", refusals.parse_connection)
STATE: Final = Rule("state", ignoring("state of a message"))
NEXT_HOP: Final = Rule("next-hop", ignoring("one of several hosts"))
DETAIL: Final = Rule("detail", ignoring("detail"))
SESSION: Final = Rule("session", ignoring("session"))
QUEUE_RUN: Final = Rule("queue-run", ignoring("queue run"))
COMMAND: Final = Rule("command", ignoring("command line"))
LOOKUP: Final = Rule("lookup", ignoring("name of a host"))
OTHER: Final = Rule("other", ignoring("not about a message"))

RULES: Final[tuple[Rule, ...]] = tuple(rule for rule in list(globals().values()) if isinstance(rule, Rule))
"""Every rule of the grammar."""

_LONGEST: Final = 16384
"""Exim cuts its lines at 8,191 bytes, each of which may be written as four characters."""
_ID_LENGTHS: Final = (16, 23)
_is_id = lru_cache(maxsize=4096)(re.compile(EXIM_ID).fullmatch)
_completed = re.compile(r"Completed(?: QT=\S+)?\Z").match
_header = re.compile(r"[A-Z* ] [!-9;-~]{1,200}:").match

_BY_FLAG: Final = {
    "<= ": ARRIVAL,
    "(= ": ARRIVAL,
    "=> ": SENT,
    "-> ": SENT,
    ">> ": SENT,
    "*> ": SENT,
    "== ": DEFERRED,
    "** ": FAILED,
}

_OF_MESSAGE: Final[tuple[tuple[str | tuple[str, ...], Rule], ...]] = (
    ("DKIM: ", DETAIL),
    ("Message is frozen", STATE),
    (queue.HELD, HELD),
    (queue.RELEASED, RELEASED),
    (queue.DELETED, DELETED),
    (queue.EXPIRED, EXPIRED),
    (queue.CANCELLED, CANCELLED),
    (queue.MARKED, MARKED),
    (queue.ADDED, ADDED),
    ("Envelope-to: ", ENVELOPE_TO),
    ("Envelope-from: ", HEADER),
    (refusals.OF_MESSAGE, REFUSAL),
    (("no immediate delivery", "Spool file ", "Delivery deferred ", "Format error in spool", "sender address "), STATE),
    (("rewrite: ", "no recipients found ", "bad addresses ", "original recipients "), DETAIL),
    (("SMTP ", "TLS ", "unexpected "), SESSION),
)
"""The rules of the lines with a message ID and without a flag, by their beginnings."""

_WITHOUT_ID: Final[tuple[tuple[str | tuple[str, ...], Rule], ...]] = (
    (refusals.BEGINNINGS, REFUSAL),
    ("Connection from ", CONNECTION),
    (("SMTP ", "TLS ", "unexpected ", "no MAIL in ", "Authentication "), SESSION),
    (("Start ", "End "), QUEUE_RUN),
    ("cwd=", COMMAND),
    (("no host name found ", "no IP address found "), LOOKUP),
)
"""The rules of the lines without a message ID, by their beginnings."""


def _rule_for(text: str) -> tuple[Rule | None, str, str]:
    """Return the rule of the line, None if there is none; the message ID, and the text after it."""
    queue_id, _, rest = text.partition(" ")
    if len(queue_id) not in _ID_LENGTHS or _is_id(queue_id) is None:
        return _without_id(text), NOQUEUE, text
    if len(text) > _LONGEST:
        return None, queue_id, rest
    rule = _BY_FLAG.get(rest[:3])
    if rule is not None:
        return rule, queue_id, rest
    if rest == "Completed" or _completed(rest):
        return COMPLETED, queue_id, rest
    return _other(queue_id, rest), queue_id, rest


def _other(queue_id: str, rest: str) -> Rule:
    """Choose the rule of a line with a message ID and without a flag: most add nothing."""
    if is_session(rest):
        if refusals.refusal_of(queue_id, rest):
            return CLIENT_REFUSAL
        return NEXT_HOP if rest[0] == "H" else DETAIL
    for beginnings, rule in _OF_MESSAGE:
        if rest.startswith(beginnings):
            return rule if rule is not REFUSAL or refusals.is_of_message(rest) else DETAIL
    return HEADER if _header(rest) else DETAIL


def _without_id(text: str) -> Rule | None:
    if len(text) > _LONGEST:
        return None
    if is_session(text):
        return CLIENT_REFUSAL
    return next((rule for beginnings, rule in _WITHOUT_ID if text.startswith(beginnings)), OTHER)


def parse(program: str, text: str) -> Parsed:
    """Return what one line of Exim says; None if it is unrecognised. Never raises."""
    rule, queue_id, rest = _rule_for(text)
    return rule.parse(queue_id, program, rest) if rule is not None else None


def rule_of(_program: str, text: str) -> Rule | None:
    """Return the rule that `parse` applies to this line, or None if it is unrecognised."""
    return _rule_for(text)[0]
