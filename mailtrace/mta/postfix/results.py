"""Postfix's delivery lines: `to=<recipient>, relay=..., delay=..., dsn=..., status=...` (log_adhoc(3)).

    to=<R>[, orig_to=<O>], relay=H[, conn_use=N], delay=D, delays=A/B/C/D[, tls=T], dsn=X, status=WORD (TEXT)

Everything after `status=` is text of the next hop or of a program, and a quoted recipient may look like fields, so the
line is read from both ends inwards.
"""

import re
from typing import Final, TypeAlias

from mailtrace.mta.facts import Event, Parsed, Result
from mailtrace.mta.postfix.addresses import FIELD, address_of
from mailtrace.mta.rules import new_tuple, says_discarded

_OUTCOMES: Final = {
    "sent": "sent",
    "deferred": "deferred",
    "SOFTBOUNCE": "deferred",
    "bounced": "bounced",
    "expired": "expired",
    "deliverable": "probe",
    "undeliverable": "probe",
    "undeliverable-but-not-cached": "probe",
}
_Members: TypeAlias = tuple[str, str | None, str, str, str, str, float]
"""Recipient, `orig_to`, relay, status, outcome, DSN, delay."""
_LONGEST_DELAY: Final = 1e10
"""In seconds. Rejects `inf` and `nan`, which float() accepts."""

_addressed = re.compile(rf"to=({FIELD})(?:, orig_to=({FIELD}))?, relay=", re.DOTALL).match


def parse_result(queue_id: str, program: str, rest: str) -> Parsed:
    """Return the recipient result, or None if relay or status are missing.

    The line may be cut anywhere after the first word of the status: syslog cuts long ones.
    """
    members = members_of(program, rest)
    if members is None:
        return parse_inwards(queue_id, program, rest)
    return new_tuple(Event, (queue_id, new_tuple(Result, members)))


def members_of(program: str, rest: str) -> _Members | None:
    """Return the members of the `Result` of an ordinary line; None for one that `parse_inwards` must read."""
    to, _, fields = rest.partition(">, relay=")
    relay, _, fields = fields.partition(", delay=")
    delay, _, fields = fields.partition(", delays=")
    delays, _, fields = fields.partition(", dsn=")
    dsn, found, status = fields.partition(", status=")
    # A missing or additional field leaves a comma in the one before.
    are_plain = "," not in delays or (", tls=" in delays and delays.count(",") == 1)
    if not found or not are_plain or '"' in to or "," in relay:
        return None
    recipient, orig_to = to[4:], None
    if ">" in to:
        recipient, _, orig_to = recipient.partition(">, orig_to=<")
        if ">" in recipient or not orig_to or ">" in orig_to:
            return None
    try:
        seconds = float(delay)
    except ValueError:
        return None
    if not -_LONGEST_DELAY < seconds < _LONGEST_DELAY:
        return None
    return recipient, orig_to, relay, status, _outcome(program, relay, status), dsn, seconds


def parse_inwards(queue_id: str, program: str, rest: str) -> Parsed:
    """Parse a line with more fields, without angle brackets, or whose addresses contain commas, quotes or fields."""
    bracket = ">" if rest[3:4] == "<" else ""
    end = rest.find(", delay=", 4)
    at = rest.rfind(">, relay=", 3, end) if bracket and end > 0 and rest.find('"', 4, end) < 0 else -1
    if at < 0 and (found := _addressed(rest)) is not None:
        recipient, orig_to, start = address_of(found[1]) or "", address_of(found[2]), found.end()
    else:
        at = at if at > 0 else rest.find(f"{bracket}, relay=", 3)
        if at < 0:
            return None
        recipient, _, orig_to = rest[3 + len(bracket) : at].partition(">, orig_to=<" if bracket else ", orig_to=")
        start = at + len(bracket) + 8
    fields, found_status, status = rest[start:].partition(", status=")
    if not found_status:
        return None
    relay, *named = fields.split(", ")
    values = dict(field.partition("=")[::2] for field in named)
    outcome = _outcome(program, relay, status)
    delay = _seconds(values.get("delay", ""))
    return Event(queue_id, Result(recipient, orig_to or None, relay, status, outcome, values.get("dsn"), delay))


def _seconds(digits: str) -> float | None:
    try:
        seconds = float(digits)
    except ValueError:
        return None
    return seconds if -_LONGEST_DELAY < seconds < _LONGEST_DELAY else None


def _outcome(program: str, relay: str, status: str) -> str:
    """Return the outcome: by the first word of the status, except that `sent` may mean discarded.

    The agent discard(8) discards mail; it is the only one that reports `sent` without a relay. So does a content filter
    that replies `250 2.7.0 Ok, discarded, id=...`; with "queued as" in its reply it passed the message on.
    """
    if not status.startswith("sent "):
        return _OUTCOMES.get(status.partition(" ")[0], "unknown")
    if relay == "none" or program[-7:] == "discard":
        return "discarded"
    if "iscarded" in status and status[5:7] == "(2" and "queued as" not in status and says_discarded(status):
        return "discarded"
    return "sent"
