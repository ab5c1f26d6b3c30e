"""Sendmail's grammar, for sendmail 8.6 to 8.18: choose the rule of a line, without any state.

The first characters after the queue ID choose the rule. Each of these beginnings is written by one place in sendmail's
sources; text that a remote side chooses comes only after them.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from mailtrace.mta.facts import Event, Parsed
from mailtrace.mta.queue_ids import NOQUEUE, SENDMAIL_ID
from mailtrace.mta.rules import Rule, ignoring
from mailtrace.mta.sendmail import arrivals, refusals, results
from mailtrace.mta.sendmail.addresses import refused_address

DELIVERY: Final = Rule("delivery", results.parse_delivery)
SENDER: Final = Rule("sender", arrivals.parse_sender)
LINK: Final = Rule("link", arrivals.parse_link)
CLONE: Final = Rule("clone", arrivals.parse_clone)
SPLIT: Final = Rule("split", arrivals.parse_split)
LOGIN: Final = Rule("login", arrivals.parse_login)
COLLECT: Final = Rule("collect", arrivals.parse_collect)
LOST: Final = Rule("lost", arrivals.parse_lost)
TIMEOUT: Final = Rule("timeout", arrivals.parse_timeout)
QUARANTINED: Final = Rule("quarantined", arrivals.parse_quarantined)
UNQUARANTINED: Final = Rule("unquarantined", arrivals.parse_unquarantined)
REFUSED_ADDRESS: Final = Rule("refused-address", refusals.parse_refused_address)
RULESET: Final = Rule("ruleset", refusals.parse_ruleset)
MILTER: Final = Rule("milter", refusals.parse_milter)
MILTER_ACTION: Final = Rule("milter-action", refusals.parse_milter_action)
DISCARDED: Final = Rule("discarded", refusals.parse_discarded)
SIZE: Final = Rule("size", refusals.parse_size)
WRAPPERS: Final = Rule("tcpwrappers", refusals.parse_wrappers)
MILTER_NOISE: Final = Rule("milter-noise", ignoring("milter"))
SESSION: Final = Rule("session", ignoring("session"))
TLS: Final = Rule("tls", ignoring("TLS"))
AUTHENTICATION: Final = Rule("authentication", ignoring("authentication"))
SYSTEM_ERROR: Final = Rule("system-error", arrivals.parse_system_error)
LOOP: Final = Rule("loop", arrivals.parse_loop)
SAVED: Final = Rule("saved", arrivals.parse_saved)
WARNING: Final = Rule("warning", ignoring("warning"))
EXPANSION: Final = Rule("expansion", ignoring("expansion of an address"))
NEXT_HOP: Final = Rule("next-hop", ignoring("connection to a next hop"))
TRACE: Final = Rule("trace", ignoring("trace"))
QUEUE: Final = Rule("queue", ignoring("queue run"))
DONE: Final = Rule("done", ignoring("end of an attempt"))
SERVICE: Final = Rule("service", ignoring("start and stop"))
CONTINUED: Final = Rule("continued", ignoring("continued line"))
OTHER: Final = Rule("other", ignoring("not about a message"))

RULES: Final[tuple[Rule, ...]] = tuple(rule for rule in list(globals().values()) if isinstance(rule, Rule))
"""Every rule of the grammar."""

_STARTS: Final[dict[Rule, tuple[str, ...]]] = {
    SENDER: ("from=",),
    RULESET: ("ruleset=",),
    MILTER: ("Milter: ",),
    MILTER_ACTION: ("milter=",),
    MILTER_NOISE: ("Milter ", "milter_", 'Sending "'),
    SIZE: ("message size (", "Message exceeds maximum ", "headers too large (", "header overflow from "),
    COLLECT: ("collect: ",),
    LOST: ("lost input channel from ",),
    TIMEOUT: ("timeout waiting for input from ",),
    CLONE: ("clone ",),
    SPLIT: ("split: ",),
    QUARANTINED: ("quarantine=",),
    WRAPPERS: ("tcpwrappers (",),
    LOGIN: ("AUTH=server, relay=",),
    AUTHENTICATION: (
        "AUTH ",
        "AUTH=",
        "AUTH: ",
        "Authentication-Warning: ",
        "getauth ",
        "error: safesasl",
        "encode64 for AUTH ",
    ),
    TLS: ("STARTTLS", "TLS ", "TLS:", "tls_", "smtps: ", "DANE", "get_tls"),
    SYSTEM_ERROR: ("SYSERR(", "SYSERR: ", "ERROR: ", "ERROR=", "dferror: ", "sync_dir: ", "dup_df: ", "putoutmsg "),
    LOOP: ("aliasing/forwarding loop ",),
    SAVED: ("Saved message in ",),
    WARNING: (
        "WARNING: ",
        "Warning: ",
        "POSSIBLE ATTACK ",
        "possible spam ",
        "Truncated ",
        "Fixed MIME ",
        "Dropped invalid ",
        "setsender: ",
        "cannot prescan ",
        "Postmaster warning: ",
        "low on space ",
        "rewrite: ",
        "server=",
        "Too many ",
        "returntosender: ",
        "hash map ",
        "btree map ",
        "cdb map ",
    ),
    EXPANSION: ("alias ", "forward ", "forward: ", "expand ", "hesiod ", "include ", "deferred: ", "queued (user "),
    NEXT_HOP: (
        "SMTP outgoing connect on ",
        "makeconnection ",
        "makeconnection: ",
        "deliver: ",
        "smtpquit: ",
        "clt_features=",
        "stat=occ_exceeded, ",
        "hostsignature ",
        "MAIL too long: ",
        "RCPT too long: ",
        "timeout writing message to ",
        "Timeout.to_aconnect ",
        "proxy mode requested ",
    ),
    SESSION: (
        "connect from ",
        "Null connection from ",
        "rejecting commands from ",
        "unauthorized PIPELINING",
        "SMTP ",
        "invalid domain name ",
        "delaying=",
        "x-connect",
        "rcpt=",
        "Syntax error in parameters ",
        "Missing recipient",
        "Command unrecognized: ",
        "Command not implemented: ",
    ),
    TRACE: ("<-- ", "--- ", ">>> ", "=== ", "sendenvelope, ", "dropenvelope, ", "smtp: ", "started as: "),
    QUEUE: (
        "queueup ",
        "queueup: ",
        "runqueue: ",
        "runqueue ",
        "grew WorkList ",
        "WorkList for ",
        "FAILED to grow ",
        "Losing ",
        "too young (",
        "assigned id",
        "dowork, ",
        "doworklist, ",
        "gatherq: ",
        "rqe: ",
        "unlink ",
        "bogus queue file, ",
        "queue group name ",
        "can't find queue group ",
    ),
    DONE: ("done; ",),
    SERVICE: (
        "starting daemon ",
        "stopping daemon, ",
        "restarting ",
        "accepting connections ",
        "rejecting connections ",
        "rejecting new messages",
        "accepting new messages",
        "alias database ",
        "daemon ",
        "unable to qualify ",
        "My unqualified host name ",
    ),
}
"""The beginnings of each rule's lines, of at least four characters. The longest that matches decides."""

_EXACT: Final = {
    "discarded": DISCARDED,
    "unquarantine": UNQUARANTINED,
    "locked": QUEUE,
    "unlock": QUEUE,
    "changed": QUEUE,
    "done": DONE,
}
_LONGEST_EXACT: Final = max(map(len, _EXACT))

_HEAD: Final = 4


def _heads() -> Iterator[tuple[str, tuple[str, Rule]]]:
    for rule, starts in _STARTS.items():
        for start in starts:
            yield start[:_HEAD], (start, rule)


_BY_HEAD: Final[dict[str, list[tuple[str, Rule]]]] = {}
for _head, _start_and_rule in sorted(_heads(), key=lambda head: len(head[1][0]), reverse=True):
    _BY_HEAD.setdefault(_head, []).append(_start_and_rule)

_OF_NO_MESSAGE: Final = frozenset(
    {
        *(SENDER, CLONE, SPLIT, COLLECT, LOST, TIMEOUT, QUARANTINED, UNQUARANTINED, DISCARDED, SIZE, MILTER_ACTION),
        *(LOOP, SAVED),
    }
)
"""Rules that need a queue ID. One milter's rejection of a connection is logged again for all milters (srvrsmtp.c)."""

_OF_MESSAGES: Final = frozenset({RULESET, MILTER, MILTER_ACTION, CLONE, SPLIT, COLLECT, SIZE, SYSTEM_ERROR})
"""Rules whose lines give a message's result: with a queue ID of an unknown form they are unrecognised, not ignored."""

_SHAPES: Final = (("to=", ", delay=", ", stat="), ("from=", ", size=", ", nrcpts="))
_linked = re.compile(r"\S{1,64}: (?:DSN|sender notify|return to sender|postmaster notify|clone): ").match
_is_queue_id = re.compile(SENDMAIL_ID).fullmatch
_piece = re.compile(rf"({SENDMAIL_ID})\[(\d{{1,3}})\]").fullmatch
"""Matches a piece of a line too long for syslog: `ID[1]: text ...`, `ID[2]: the rest` (`sm_syslog` in conf.c)."""
_SHORTEST_ID: Final = 7
_LONGEST_ID: Final = 20

_session = re.compile(
    r"(?:\S{1,255} )?\[[^\]\s]*\](?: \(may be forged\))?(?:: | did not issue )"
    r"|[^\s:]{1,255}(?:: (?:VRFY|EXPN|ETRN|vrfy|expn|etrn) | did not issue )"
    r"|[^\s:]{1,255}: SMTP (?:MAIL|RCPT|DATA-[123]) protocol error: "
    r'|"[A-Za-z]{1,16}" command from '
).match

_UNSAFE: Final = (", marked unsafe", ", marked bogus")
"""How a warning about an untrusted `.forward` or `:include:` file ends (recipient.c)."""


def _by_start(rest: str) -> Rule | None:
    for start, rule in _BY_HEAD.get(rest[:_HEAD], ()):
        if rest.startswith(start):
            return rule
    return _EXACT.get(rest) if len(rest) <= _LONGEST_EXACT else None


def _after_id(rest: str) -> Rule | None:
    """Choose the rule of a line with a queue ID."""
    if (rule := _by_start(rest)) is not None:
        return rule
    end = rest.find(": ", _SHORTEST_ID, _LONGEST_ID + 2)
    if end > 0 and _is_queue_id(rest, 0, end):
        return LINK
    if "..." in rest and refused_address(rest) is not None:
        return REFUSED_ADDRESS
    if _session(rest):
        return SESSION
    return WARNING if rest.endswith(_UNSAFE) else None


def _without_id(text: str) -> Rule | None:
    """Choose the rule of a line without a queue ID; None if it is about a message with another kind of ID."""
    rule = _after_id(text[9:]) if text.startswith("NOQUEUE: ") else _by_start(text)
    if rule is None or rule is LINK or rule in _OF_NO_MESSAGE:
        space = text.find(" ")
        has_word = text[space - 1 : space] == ":"
        return None if has_word and _is_of_message(text[: space - 1], text[space + 1 :]) else OTHER
    return rule


def _is_of_message(word: str, rest: str) -> bool:
    """Return whether `rest` is a line about a message, after a word that may be a masked or another MTA's queue ID."""
    if word == NOQUEUE:
        return False
    for start, *fields in _SHAPES:
        if rest.startswith(start):
            return all(field in rest for field in fields)
    if _linked(rest) is not None:
        return True
    rule = _by_start(rest)
    return rule in _OF_MESSAGES and isinstance(rule.parse(word, "", rest), Event | list)


def _rule_for(text: str) -> tuple[Rule | None, str, str]:
    """Return the rule of the line, None if there is none; the queue ID, and the text after it."""
    end = text.find(": ", _SHORTEST_ID, _LONGEST_ID + 2)
    queue_id = text[:end]
    if end < 0 or not (
        (queue_id[-3:].isdecimal() and queue_id.isalnum() and queue_id.isascii()) or _is_queue_id(queue_id)
    ):
        if queue_id[-1:] == "]" and (piece := _piece(queue_id)):
            return _rule_for_piece(piece, text[end + 2 :])
        return _without_id(text), NOQUEUE, text.removeprefix("NOQUEUE: ")
    rest = text[end + 2 :]
    return _of_message(rest), queue_id, rest


def _rule_for_piece(piece: re.Match[str], rest: str) -> tuple[Rule | None, str, str]:
    """Return the rule of the first piece of a long line, and ignore the further pieces."""
    if piece[2] != "1":
        return CONTINUED, piece[1], rest
    rest = rest.removesuffix(" ...").rstrip(" ")
    return _of_message(rest), piece[1], rest


def _of_message(rest: str) -> Rule | None:
    if rest[:3] == "to=":
        return DELIVERY
    if rest[:5] == "from=":
        return SENDER
    return _after_id(rest)


@lru_cache(maxsize=1024)
def is_sendmail(program: str) -> bool:
    """Return whether a syslog tag is sendmail's: `sendmail`, or Debian's `sm-mta`, `sm-msp-queue` and the like.

    Postfix's sendmail(1) logs as `postfix/sendmail`.
    """
    return program == "sendmail" or program.startswith(("sm-", "sendmail-", "sendmail_", "sendmail."))


def parse(program: str, text: str) -> Parsed:
    """Return what one line of sendmail says; None if it is unrecognised. Never raises."""
    rule, queue_id, rest = _rule_for(text)
    return rule.parse(queue_id, program, rest) if rule is not None else None


def rule_of(_program: str, text: str) -> Rule | None:
    """Return the rule that `parse` applies to this line, or None if it is unrecognised."""
    return _rule_for(text)[0]
