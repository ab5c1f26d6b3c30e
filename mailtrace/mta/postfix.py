"""Postfix's grammar: what a line of its log says, for Postfix 2.0 to 3.11, without any state.

A line goes by its first characters to one rule, whatever the daemon is called: services of master.cf are renamed
freely, and every agent logs under the queue manager's IDs.
"""

import re
from functools import lru_cache
from typing import Final

from mailtrace.mta import postfix_announcements, postfix_arrivals, postfix_refusals, postfix_results
from mailtrace.mta.events import Ignored, Parsed
from mailtrace.mta.rules import Parse, Rule
from mailtrace.queue_ids import NOQUEUE, POSTFIX_ID

_DAEMONS: Final = frozenset(
    {
        "anvil",
        "bounce",
        "cleanup",
        "defer",
        "discard",
        "dnsblog",
        "error",
        "flush",
        "lmtp",
        "local",
        "master",
        "nqmgr",
        "oqmgr",
        "pickup",
        "pipe",
        "postalias",
        "postdrop",
        "postfix-script",
        "postlog",
        "postlogd",
        "postmap",
        "postqueue",
        "postscreen",
        "postsuper",
        "proxymap",
        "qmgr",
        "qmqpd",
        "relay",
        "retry",
        "scache",
        "showq",
        "smtp",
        "smtpd",
        "spawn",
        "tlsmgr",
        "tlsproxy",
        "trace",
        "trivial-rewrite",
        "verify",
        "virtual",
    }
)
"""The programs of master(5) and the commands that log."""


def _ignoring(reason: str) -> Parse:
    ignored = Ignored(reason)
    return lambda _queue_id, _program, _rest: ignored


DELIVERY: Final = Rule("delivery", postfix_results.parse_result)
CLIENT: Final = Rule("client", postfix_arrivals.parse_client)
SUBMITTED: Final = Rule("submitted", postfix_arrivals.parse_submitted)
MESSAGE_ID: Final = Rule("message-id", postfix_arrivals.parse_message_id)
ENVELOPE: Final = Rule("envelope", postfix_arrivals.parse_envelope)
EXPIRED: Final = Rule("expired", postfix_arrivals.parse_expired)
REMOVED: Final = Rule("removed", postfix_arrivals.parse_removed)
REQUEUED: Final = Rule("requeued", postfix_arrivals.parse_requeued)
HELD: Final = Rule("held", postfix_arrivals.parse_held)
RELEASED: Final = Rule("released", postfix_arrivals.parse_released)
NOTICE: Final = Rule("notice", postfix_arrivals.parse_notice)
COMMAND_REFUSAL: Final = Rule("command-refusal", postfix_refusals.parse_command_refusal)
CONTENT_REFUSAL: Final = Rule("content-refusal", postfix_refusals.parse_content_refusal)
SIZE_LIMIT: Final = Rule("size-limit", postfix_refusals.parse_size_limit)
RESENT: Final = Rule("resent-message-id", _ignoring("resent message ID"))
SKIPPED: Final = Rule("skipped", _ignoring("still being delivered"))
FORCED: Final = Rule("forced-expiry", _ignoring("expiry follows"))
ONE_HOST: Final = Rule("one-host", _ignoring("one host of several"))
TABLE_ACTION: Final = Rule("table-action", _ignoring("table action"))
BROKEN_OFF: Final = Rule("broken-off", _ignoring("session broken off"))
ANNOUNCED: Final = Rule("announced", postfix_announcements.parse_announced)
PROXY_ACCEPT: Final = Rule("proxy-accept", postfix_announcements.parse_proxy_accept)
CONNECTION: Final = Rule("connection", _ignoring("connection"))
NEXT_HOP: Final = Rule("next-hop", _ignoring("connection to a next hop"))
TLS: Final = Rule("tls", _ignoring("TLS"))
STATISTICS: Final = Rule("statistics", _ignoring("statistics"))
WARNING: Final = Rule("warning", _ignoring("warning"))
POSTSCREEN: Final = Rule("postscreen", _ignoring("postscreen"))
OPERATOR: Final = Rule("operator", _ignoring("operator's sums"))
SERVICE: Final = Rule("service", _ignoring("start and stop"))
OTHER: Final = Rule("other", _ignoring("no transaction"))

RULES: Final[tuple[Rule, ...]] = (
    DELIVERY,
    CLIENT,
    SUBMITTED,
    MESSAGE_ID,
    ENVELOPE,
    EXPIRED,
    REMOVED,
    REQUEUED,
    HELD,
    RELEASED,
    NOTICE,
    COMMAND_REFUSAL,
    CONTENT_REFUSAL,
    SIZE_LIMIT,
    RESENT,
    SKIPPED,
    FORCED,
    ONE_HOST,
    TABLE_ACTION,
    BROKEN_OFF,
    ANNOUNCED,
    PROXY_ACCEPT,
    CONNECTION,
    NEXT_HOP,
    TLS,
    STATISTICS,
    WARNING,
    POSTSCREEN,
    OPERATOR,
    SERVICE,
    OTHER,
)
"""Every rule of the grammar."""

_is_id = lru_cache(maxsize=4096)(re.compile(POSTFIX_ID).fullmatch)
"""A message's lines stand close together, so that most IDs have just been seen."""
_LONGEST_ID: Final = 40
"""Longer words are no IDs, and are not kept."""

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
"""What access(5), header_checks(5) and milters do with a message that comes in after all."""

_TABLE_ACTIONS: Final = frozenset(
    prefix + action for action in _ACTIONS for prefix in ("", "milter-", "milter-header-", "milter-body-")
)
_REFUSING_ACTIONS: Final = frozenset(
    prefix + action
    for action in postfix_refusals.OUTCOMES
    for prefix in ("", "milter-", "milter-header-", "milter-body-", "proxy-")
)
_LONGEST_ACTION: Final = 40

_EXACT: Final = {
    "requeued": REQUEUED,
    "placed on hold": HELD,
    "released from hold": RELEASED,
    "expired": FORCED,
    "skipped, still being delivered": SKIPPED,
}
_LONGEST_EXACT: Final = max(map(len, _EXACT))

_ONE_HOST: Final = (
    "host ",
    "lost connection with ",
    "conversation with ",
    "connect to ",
    "enabling PIX workarounds",
    "passing <",
    "Cannot start TLS",
    "TLS is required",
    "TLS connection ",
    "Server certificate ",
    "Server presented no ",
    "server certificate ",
    "certificate verification failed",
    "SASL authentication failed",
    "SASL authentication is required",
    "Authentication failed",
    "delivery temporarily suspended",
    "breaking line ",
    "message size ",
    "mail for ",
    "protocol error",
    "Protocol error",
    "Host or domain name not found",
    "Host not found",
    "Host found but no data record",
    "Name service error ",
    "unable to look up host ",
    "network address conversion failed",
    "numeric domain name ",
    "no MX host ",
    "SMTPUTF8 is required",
    "REQUIRETLS ",
    "DANE ",
    "Domain ",
    "TLSA ",
    "MTA-STS ",
    "Trusted TLS ",
    "Untrusted TLS ",
    "Anonymous TLS ",
    "Verified TLS ",
)
"""What smtp(8) and lmtp(8) say of one host before they try the next, or of the session: no recipient's result."""

_BROKEN_OFF: Final = ("lost connection after ", "timeout after ", "too many errors after ", "improper command ")


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
"""The rules of the common lines, by the first four characters behind the queue ID; the head must follow whole."""


def _other(rest: str) -> Rule | None:
    """Choose the rule of the rarer lines with a queue ID."""
    if len(rest) <= _LONGEST_EXACT and (rule := _EXACT.get(rest)):
        return rule
    colon = rest.find(": ", 0, _LONGEST_ACTION)
    if colon > 0:
        action = rest[:colon]
        if action in _REFUSING_ACTIONS:
            return CONTENT_REFUSAL if rest[colon + 2 : colon + 3].islower() else COMMAND_REFUSAL
        if action in _TABLE_ACTIONS:
            return TABLE_ACTION
        if action == "proxy-accept":
            return PROXY_ACCEPT
    if rest.startswith(_ONE_HOST):
        return ONE_HOST
    return BROKEN_OFF if rest.startswith(_BROKEN_OFF) else None


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

_POSTSCREENS: Final = ("/postscreen", "/dnsblog", "/tlsproxy")


def _without_id(program: str, text: str) -> tuple[Rule, str, str]:
    """Choose the rule of a line without a queue ID: most of them say nothing of a transaction."""
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
    if rule is None:
        rule = TLS if " TLS connection " in text[:40] else OTHER
    return rule, NOQUEUE, text


def _noqueue(rest: str) -> Rule:
    """Choose the rule of what happened before there was a queue ID."""
    if rest.startswith("client="):
        return ANNOUNCED
    action = rest[: max(rest.find(": ", 0, _LONGEST_ACTION), 0)]
    if action in _REFUSING_ACTIONS:
        return ANNOUNCED if action.endswith("hold") else COMMAND_REFUSAL
    if action == "proxy-accept":
        return PROXY_ACCEPT
    return TABLE_ACTION if action in _TABLE_ACTIONS else OTHER


def _warning(text: str) -> tuple[Rule, str, str]:
    rest = text[9:]
    queue_id, _, said = rest.partition(": ")
    if said == postfix_refusals.SIZE_LIMIT and len(queue_id) <= _LONGEST_ID and _is_id(queue_id):
        return SIZE_LIMIT, queue_id, said
    return WARNING, NOQUEUE, rest


def _taken(program: str, text: str) -> tuple[Rule | None, str, str]:
    """The rule that takes the line, the queue ID, and the rest behind it."""
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


def is_postfix(program: str) -> bool:
    """Whether a syslog tag is Postfix's: `postfix/smtpd`, `postfix-out/smtp`, `mailout/qmgr`.

    The tag is `syslog_name/daemon` (postconf(5), syslog_name), and syslog_name may hold slashes of its own.
    """
    name, slash, _ = program.partition("/")
    return bool(slash) and (name.startswith("postfix") or program.rpartition("/")[2] in _DAEMONS)


def parse(program: str, text: str) -> Parsed:
    """Return what one line of Postfix says; None where its queue ID is followed by nothing that is known.

    Raises nothing on any text.
    """
    rule, queue_id, rest = _taken(program, text)
    return rule.parse(queue_id, program, rest) if rule is not None else None


def rule_of(program: str, text: str) -> Rule | None:
    """Return the rule by which `parse` understands this line, or None where none takes it."""
    return _taken(program, text)[0]
