"""Recognise Postfix's lines by their text alone, whatever the tag and the queue ID look like.

A tag may be only the name of an instance (`mta2`), and other software uses some daemons' names too (`backup/smtp`):
then the text decides. In logs with masked queue IDs these texts follow a word that is not a queue ID.
"""

import re
from typing import Final

from mailtrace.mta.postfix.refusals import is_not_accepted
from mailtrace.mta.queue_ids import NOQUEUE, POSTFIX_ID

_LONGEST_ID: Final = 40

_is_id = re.compile(POSTFIX_ID).fullmatch
_is_status = re.compile(r"sent|deferred|bounced|expired|(?:un)?deliverable|SOFTBOUNCE").match
_are_numbers = re.compile(r"\d+, nrcpt=\d+(?: \([^()]*\))?").fullmatch
_is_client = re.compile(r"client=[^\s\[\]]*\[[^\s\[\]]*\](?::\d+)?(?:, (?:sasl|orig)_|\Z)").match
_is_submitted = re.compile(r"uid=\d+ from=").match
_is_notice = re.compile(r"(?:sender|postmaster) [a-z -]{1,40} notification: \w+").fullmatch
_COMMAND: Final = r"[A-Z][A-Z-]{3,15} from [^\s\[\]]*\["
_is_refusal = re.compile(
    rf"(?:milter-(?:header-|body-)?)?(?:reject|discard|hold): (?:{_COMMAND}|(?:header|body|mime-error|nested) )"
).match
_is_proxied = re.compile(r"proxy-(?:accept|reject): [A-Z-]{4,16}: ").match
_is_action = re.compile(rf"[a-z][a-z_-]{{2,30}}: {_COMMAND}").match
_EXACT: Final = frozenset(
    {
        "removed",
        "removed (canceled)",
        "removed (discarded)",
        "requeued",
        "placed on hold",
        "released from hold",
        "expired",
        "skipped, still being delivered",
    }
)


def is_postfix_text(text: str) -> bool:
    """Return whether only Postfix can have written a line with this text."""
    head, colon, rest = text.partition(": ")
    if not colon or len(head) > _LONGEST_ID:
        return False
    if head == NOQUEUE:
        return _is_without_id(rest)
    if head == "warning":
        queue_id, _, said = rest.partition(": ")
        return len(queue_id) <= _LONGEST_ID and bool(_is_id(queue_id)) and is_not_accepted(said)
    if head in ("proxy-accept", "proxy-reject"):
        return bool(_is_proxied(text))
    return _has_fields(rest) or (_is_of_transaction(rest) and bool(_is_id(head)))


def is_masked(text: str) -> bool:
    """Return whether a line is about a transaction, but has a word instead of a queue ID in a known form."""
    head, colon, rest = text.partition(": ")
    return bool(colon) and " " not in head and _is_of_transaction(rest)


def _is_of_transaction(rest: str) -> bool:
    """Return whether the text after a queue ID has the shape of a line about its transaction."""
    if rest in _EXACT or rest.startswith("message-id="):
        return True
    return _has_fields(rest) or bool(
        _is_client(rest) or _is_submitted(rest) or _is_refusal(rest) or _is_notice(rest) or _is_proxied(rest)
    )


def _has_fields(rest: str) -> bool:
    """Return whether these are the fields of a recipient result, of an activation or of an expiry."""
    if rest.startswith("to="):
        relay = rest.find(", relay=")
        status = rest.find(", status=", relay)
        return 0 < relay < status and bool(_is_status(rest, status + 9))
    if not rest.startswith("from="):
        return False
    return bool(_are_numbers(rest.rpartition(", size=")[2])) or rest.endswith("expired, returned to sender")


def _is_without_id(rest: str) -> bool:
    """Return whether smtpd(8) or postscreen(8) wrote this about a message without a queue ID."""
    return bool(_is_action(rest) or _is_client(rest) or _is_proxied(rest))
