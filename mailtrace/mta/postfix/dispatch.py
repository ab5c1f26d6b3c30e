"""Postfix's grammar, for Postfix 2.0 to 3.11: choose the rule of a line, without any state.

The first characters of the text choose the rule, whatever the daemon is called: administrators rename the services of
master.cf, and every delivery agent logs the same lines.
"""

import re
from functools import lru_cache
from typing import Final

from mailtrace.mta.facts import Parsed
from mailtrace.mta.postfix import announcements, arrivals, noise, refusals, results
from mailtrace.mta.postfix.shapes import is_masked
from mailtrace.mta.queue_ids import NOQUEUE, POSTFIX_ID
from mailtrace.mta.rules import Rule, ignoring

DELIVERY: Final = Rule("delivery", results.parse_result)
BARE_DELIVERY: Final = Rule("bare-delivery", results.parse_inwards)
CLIENT: Final = Rule("client", arrivals.parse_client)
SUBMITTED: Final = Rule("submitted", arrivals.parse_submitted)
MESSAGE_ID: Final = Rule("message-id", arrivals.parse_message_id)
ENVELOPE: Final = Rule("envelope", arrivals.parse_envelope)
BARE_ENVELOPE: Final = Rule("bare-envelope", arrivals.parse_bare_envelope)
EXPIRED: Final = Rule("expired", arrivals.parse_expired)
REMOVED: Final = Rule("removed", arrivals.parse_removed)
REQUEUED: Final = Rule("requeued", arrivals.parse_requeued)
HELD: Final = Rule("held", arrivals.parse_held)
RELEASED: Final = Rule("released", arrivals.parse_released)
NOTICE: Final = Rule("notice", arrivals.parse_notice)
COMMAND_REFUSAL: Final = Rule("command-refusal", refusals.parse_command_refusal)
CONTENT_REFUSAL: Final = Rule("content-refusal", refusals.parse_content_refusal)
NOT_ACCEPTED: Final = Rule("not-accepted", refusals.parse_not_accepted)
RESENT: Final = Rule("resent-message-id", ignoring("resent message ID"))
SKIPPED: Final = Rule("skipped", ignoring("still being delivered"))
FORCED: Final = Rule("forced-expiry", ignoring("expiry follows"))
ONE_HOST: Final = Rule("one-host", ignoring("one of several hosts"))
BOUNCE_FAILED: Final = Rule("bounce-failed", ignoring("bounce failed, will be retried"))
NOTICE_NOT_SENT: Final = Rule("notice-not-sent", ignoring("notice not sent"))
DETAIL: Final = Rule("detail", ignoring("detail"))
POLICY: Final = Rule("policy", ignoring("policy service"))
TABLE_ACTION: Final = Rule("table-action", ignoring("table action"))
BROKEN_OFF: Final = Rule("broken-off", ignoring("session aborted"))
ANNOUNCED: Final = Rule("announced", announcements.parse_announced)
PROXY_ACCEPT: Final = Rule("proxy-accept", announcements.parse_proxy_accept)
CONNECTION: Final = Rule("connection", ignoring("connection"))
NEXT_HOP: Final = Rule("next-hop", ignoring("connection to a next hop"))
TLS: Final = Rule("tls", ignoring("TLS"))
STATISTICS: Final = Rule("statistics", ignoring("statistics"))
WARNING: Final = Rule("warning", ignoring("warning"))
POSTSCREEN: Final = Rule("postscreen", ignoring("postscreen"))
OPERATOR: Final = Rule("operator", ignoring("postsuper's totals"))
SERVICE: Final = Rule("service", ignoring("start and stop"))
OTHER: Final = Rule("other", ignoring("not about a message"))

RULES: Final[tuple[Rule, ...]] = tuple(rule for rule in list(globals().values()) if isinstance(rule, Rule))
"""Every rule of the grammar."""

_is_id = lru_cache(maxsize=4096)(re.compile(POSTFIX_ID).fullmatch)
"""Cached, because the lines of one message follow each other closely."""
_LONGEST_ID: Final = 40
"""Longer words are not queue IDs, and are not cached."""

_ACTIONS: Final = (
    "warning",
    "warn",
    "info",
    "prepend",
    "append",
    "replace",
    "redirect",
    "filter",
    "bcc",
    "strip",
    "pass",
    "dunno",
    "ok",
    "permit",
    "ignore",
    "delay",
    "hangup",
    "trigger",
    "reject_warning",
)
"""Actions of access(5), header_checks(5) and milters on a message that is accepted."""

_TABLE_ACTIONS: Final = frozenset(
    prefix + action for action in _ACTIONS for prefix in ("", "milter-", "milter-header-", "milter-body-")
)
_REFUSING_ACTIONS: Final = frozenset(
    prefix + action
    for action in refusals.OUTCOMES
    for prefix in ("", "milter-", "milter-header-", "milter-body-", "proxy-")
)
_LONGEST_ACTION: Final = 40
_ERROR_WRITING: Final = "error writing "

_EXACT: Final = {
    "requeued": REQUEUED,
    "placed on hold": HELD,
    "released from hold": RELEASED,
    "expired": FORCED,
    "skipped, still being delivered": SKIPPED,
}
_LONGEST_EXACT: Final = max(map(len, _EXACT))

_BY_HEAD: Final[dict[str, tuple[str, Rule]]] = {
    head[:4]: (head, rule)
    for head, rule in (
        ("to=<", DELIVERY),
        ("client=", CLIENT),
        ("message-id=", MESSAGE_ID),
        ("from=<", ENVELOPE),
        ("removed", REMOVED),
        ("uid=", SUBMITTED),
        ("sender ", NOTICE),
        ("postmaster ", NOTICE),
        ("resent-message-id=", RESENT),
    )
}
"""The rules of the common lines by the first four characters after the queue ID; the whole head must match."""

_BY_BEGINNING: Final[tuple[tuple[str | tuple[str, ...], Rule], ...]] = (
    ("to=", BARE_DELIVERY),
    ("from=", BARE_ENVELOPE),
    (noise.ONE_HOST, ONE_HOST),
    (noise.BROKEN_OFF, BROKEN_OFF),
    (noise.BOUNCE_FAILED, BOUNCE_FAILED),
    (noise.NOTICE_NOT_SENT, NOTICE_NOT_SENT),
    (noise.DETAILS, DETAIL),
    (noise.POLICY, POLICY),
)
"""The rules of rarer lines. Those that a remote server's reply may follow begin with fixed words, and come first."""


def _other(rest: str) -> Rule | None:
    """Choose the rule of a rarer line with a queue ID."""
    if len(rest) <= _LONGEST_EXACT and (rule := _EXACT.get(rest)):
        return rule
    if rule := _action(rest):
        return rule
    for beginnings, rule in _BY_BEGINNING:
        if rest.startswith(beginnings):
            return rule
    if refusals.is_not_accepted(rest):
        return NOT_ACCEPTED
    if noise.is_broken_off(rest):
        return BROKEN_OFF
    return ONE_HOST if rest.endswith(noise.ONE_HOST_ENDS) else None


def _action(rest: str) -> Rule | None:
    """Choose the rule of an action of a table, a milter or a restriction by its name."""
    action = rest[: max(rest.find(": ", 0, _LONGEST_ACTION), 0)]
    if action in _REFUSING_ACTIONS:
        return CONTENT_REFUSAL if rest[len(action) + 2 : len(action) + 3].islower() else COMMAND_REFUSAL
    if action in _TABLE_ACTIONS:
        return TABLE_ACTION
    return PROXY_ACCEPT if action == "proxy-accept" else None


_BY_WORD: Final = {
    "connect": CONNECTION,
    "disconnect": CONNECTION,
    "lost": CONNECTION,
    "timeout": CONNECTION,
    "too": CONNECTION,
    "improper": CONNECTION,
    "statistics:": STATISTICS,
    "proxy-accept:": PROXY_ACCEPT,
    "proxy-reject:": COMMAND_REFUSAL,
    "fatal:": WARNING,
    "error:": WARNING,
    "panic:": WARNING,
    "certificate": TLS,
    "setting": TLS,
    "SSL_accept": TLS,
    "SSL_connect": TLS,
    "Deleted:": OPERATOR,
    "Requeued:": OPERATOR,
    "Placed": OPERATOR,
    "Released": OPERATOR,
    "Renamed": OPERATOR,
    "Force-expired:": OPERATOR,
    "daemon": SERVICE,
    "reload": SERVICE,
    "terminating": SERVICE,
    "starting": SERVICE,
    "stopping": SERVICE,
    "refreshing": SERVICE,
    "waiting": SERVICE,
}
"""The rules of lines without a queue ID, by their first word."""

_POSTSCREENS: Final = ("postscreen", "dnsblog", "tlsproxy")


def _without_id(program: str, text: str) -> tuple[Rule | None, str, str]:
    """Choose the rule of a line without a queue ID: most of them are not about a transaction."""
    word = text.partition(" ")[0]
    if word == "NOQUEUE:":
        return _noqueue(text[9:]), NOQUEUE, text[9:]
    if word == "warning:":
        return _warning(text)
    if program.endswith(_POSTSCREENS):
        return POSTSCREEN, NOQUEUE, text
    rule = _BY_WORD.get(word)
    if rule is CONNECTION and text.startswith("connect to "):
        rule = NEXT_HOP
    if rule is not None or " TLS connection " in text[:40]:
        return rule or TLS, NOQUEUE, text
    return None if is_masked(text) else OTHER, NOQUEUE, text


def _noqueue(rest: str) -> Rule:
    """Choose the rule of a `NOQUEUE` line, about a message that has no queue ID yet."""
    if rest.startswith("client="):
        return ANNOUNCED
    action = rest[: max(rest.find(": ", 0, _LONGEST_ACTION), 0)]
    if action in _REFUSING_ACTIONS:
        return ANNOUNCED if action.endswith("hold") else COMMAND_REFUSAL
    if action == "proxy-accept":
        return PROXY_ACCEPT
    return TABLE_ACTION if action in _TABLE_ACTIONS else OTHER


def _warning(text: str) -> tuple[Rule | None, str, str]:
    """Choose the rule of a warning: cleanup(8) rejects whole messages with one, in which pickup(8) names the file."""
    rest = text[9:]
    queue_id, _, said = rest.partition(": ")
    if (queue_id == NOQUEUE or _names_message(queue_id)) and refusals.is_not_accepted(said):
        return NOT_ACCEPTED, queue_id, said
    if said.startswith(_ERROR_WRITING):
        queue_id, _, said = said.removeprefix(_ERROR_WRITING).partition(": ")
        if _names_message(queue_id):
            return NOT_ACCEPTED, queue_id, said
    is_unrecognised = _may_be_masked(queue_id) and refusals.is_not_accepted(said)
    return None if is_unrecognised else WARNING, NOQUEUE, rest


def _may_be_masked(word: str) -> bool:
    """Return whether a word may be a masked queue ID, and not the name of a map or file."""
    return word[:1].isdigit() and word.isalnum()


def _names_message(word: str) -> bool:
    return len(word) <= _LONGEST_ID and _is_id(word) is not None


def _rule_for(program: str, text: str) -> tuple[Rule | None, str, str]:
    """Return the rule of the line, None if there is none; the queue ID, and the text after it."""
    queue_id, colon, rest = text.partition(": ")
    if not colon or len(queue_id) > _LONGEST_ID or _is_id(queue_id) is None:
        return _without_id(program, text)
    known = _BY_HEAD.get(rest[:4])
    if known is None or not rest.startswith(known[0]):
        return _other(rest), queue_id, rest
    rule = known[1]
    if rule is ENVELOPE and rest[-1] != ")" and ">, status=" in rest:
        rule = EXPIRED
    return rule, queue_id, rest


def parse(program: str, text: str) -> Parsed:
    """Return what one line of Postfix says; None if it is unrecognised. Never raises."""
    rule, queue_id, rest = _rule_for(program, text)
    return rule.parse(queue_id, program, rest) if rule is not None else None


def rule_of(program: str, text: str) -> Rule | None:
    """Return the rule that `parse` applies to this line, or None if it is unrecognised."""
    return _rule_for(program, text)[0]
