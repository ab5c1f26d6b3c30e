"""Sendmail's delivery lines: `logdelivery` in deliver.c, one for each attempt and list of recipients with one result.

    to=R,...[, [more]][, ctladdr=C (uid/gid)], delay=[D+]H:M:S[, xdelay=T][, mailer=M][, ...][, pri=N][, relay=H]
        [, dsn=X][, ntries=N][, stage=S][, reply=TEXT], stat=TEXT

The order is fixed, so the line is read from the left: quoted recipients may contain text that looks like fields, and so
may `reply=` and `stat=`, which the next hop writes. Up to 8.9 there is neither `pri=` nor `dsn=`.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, TypeAlias

from mailtrace.mta.facts import Event, Ignored, Parsed, Result
from mailtrace.mta.rules import new_tuple, says_discarded
from mailtrace.mta.sendmail.addresses import ADDRESS, NO_RECIPIENT, bare, named, recipients, without_dot

_head = re.compile(
    rf"(?:, \[more\])?(?:, ctladdr=({ADDRESS}))?, delay=([^,]*)(?:, xdelay=([^,]*))?(?:, mailer=([^,]*))?", re.DOTALL
).match
_tail = re.compile(
    r"(?:, dsn=(\d\.\d{1,3}\.\d{1,3}))?(?:, ntries=\d+)?(?:, stage=[^,]*)?, (stat|reply|status)=", re.DOTALL
).search
_relay = re.compile(r", relay=").search
_delay = re.compile(r"(?:(\d{1,5})\+)?(\d{1,5}):(\d\d):(\d\d)").fullmatch
_user_numbers = re.compile(r" \(-?\d+/-?\d+\)\Z").search
_is_own = re.compile(r"(?:Sent(?: \(|\Z)|Deferred(?:: |\Z)|queued\Z|quarantined\Z|discarded\Z)").match

_BY_CLASS: Final = {"2": "sent", "4": "deferred", "5": "bounced"}
KEPT: Final = ("Operating system error", "I/O error", "Temporar")
"""How `stat=` begins for failures that sendmail retries: EX_OSERR, EX_IOERR (`markfailure`, deliver.c)."""
GIVEN_UP: Final = (
    "User unknown",
    "Unknown user",
    "User address required",
    "Addressee unknown",
    "Host unknown",
    "Unknown host",
    "Service unavailable",
    "Data format error",
    "Command line usage error",
    "Bad usage",
    "Cannot open input",
    "Can't create output",
    "Cannot create output",
    "Internal error",
    "System file missing",
    "Remote protocol error",
    "Insufficient permission",
    "Permission denied",
    "Local configuration error",
    "Cannot send message",
    "Message exceeds",
    "unknown mailer error",
)
"""How `stat=` begins for failures that bounce the message (strexit.c), for versions that log no `dsn=`."""
_ABORTED: Final = frozenset({"rset", "helo", "ehlo", "lhlo", "mail", "auth", "starttls", "quit", "noop"})
"""SMTP commands that abort a message before its data: `logundelrcpts` in srvrsmtp.c logs them as `stat=`."""


What: TypeAlias = tuple[str | None, str | None, str, str, str | None, float | None]
"""The members that all recipients of a line share: orig_to, relay, status, outcome, dsn, delay."""


def parse_delivery(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return the result of each recipient; None if the line has no `stat=`.

    Without `xdelay=` and `mailer=` there was no delivery attempt: the message was rejected or aborted after its
    recipients had been accepted (`logundelrcpts` in srvrsmtp.c).
    """
    usual = recipients_and_result(rest)
    return _events(queue_id, *usual) if usual is not None else _parse_slowly(queue_id, rest)


def recipients_and_result(rest: str) -> tuple[list[str], What] | None:
    """Return the recipients of a line in the usual form, and what they share; None if it has another form."""
    end = rest.find(", delay=")
    who, _, ctladdr = rest[3:end].partition(", ctladdr=")
    fields = rest[end + 8 :].split(", ", 6)
    if len(fields) > 5 and end > 0 and fields[2][:7] == "mailer=" and '"' not in rest[:end] and "(" not in who:
        hop = fields[2][7:]
        if fields[5][:4] == "dsn=" and fields[4][:6] == "relay=" and len(fields) == 7:
            hop = without_dot(fields[4][6:]) or hop
            dsn, text = fields[5][4:], fields[6]
        elif fields[4][:4] == "dsn=":
            dsn, text = fields[4][4:], ", ".join(fields[5:])
        else:
            return None
        status = None
        if text[:5] == "stat=":
            status = text[5:]
            is_sent = status[:6] == "Sent (" and "iscarded" not in status
            outcome = "sent" if is_sent else _outcome(status, dsn)
        elif text[:6] == "reply=" and (replied := _replied(text[6:], dsn)) is not None:
            status, outcome = replied
        if status is not None:
            orig_to = _controlling(ctladdr) if ctladdr else None
            what = (orig_to, hop, status, outcome, dsn or None, _seconds(fields[0]))
            if "," not in who and who not in NO_RECIPIENT:
                return [who[1:-1] if who[:1] == "<" and who[-1:] == ">" else bare(who)], what
            if ",@" not in who:
                return named(who.removesuffix(", [more]").split(",")), what
    return None


def _parse_slowly(queue_id: str, rest: str) -> Parsed:
    """Parse a line with quotes, or with other fields than usual, as old versions write it."""
    read = _who_and_head(rest)
    if read is None:
        return None
    who, ctladdr, head = read
    tail = _tail(rest, head.end())
    if tail is None:
        return None
    _, delay, xdelay, mailer = head.groups()
    dsn, kind = tail.groups()
    text = rest[tail.end() :]
    status_and_outcome = (text, _outcome(text, dsn)) if kind == "stat" else _replied(text, dsn)
    if status_and_outcome is None:
        return None
    status, outcome = status_and_outcome
    relay = _relay(rest, head.end(), tail.start())
    hop = without_dot(rest[relay.end() : tail.start()]) if relay else ""
    if not (xdelay or hop or mailer or _is_own(status)):
        if status.lower() in _ABORTED or status.startswith("aborted"):
            return Ignored("aborted by the client")
        status, outcome = f"rejected ({status})", "rejected"
    orig_to = _controlling(ctladdr) if ctladdr else None
    return _events(queue_id, who, (orig_to, hop or mailer, status, outcome, dsn, _seconds(delay)))


def _who_and_head(rest: str) -> tuple[list[str], str | None, re.Match[str]] | None:
    """Return the recipients, the controlling address, and the match of the fields from `delay=` to `mailer=`.

    An address that is cut inside its quotes ends where the next field begins.
    """
    listed = recipients(rest, 3)
    if listed is not None and (head := _head(rest, listed[1])) is not None:
        return listed[0], head[1], head
    delay = rest.find(", delay=")
    if delay < 0 or (head := _head(rest, delay)) is None:
        return None
    addresses, _, ctladdr = rest[3:delay].partition(", ctladdr=")
    who = named(addresses.removesuffix(" [more]").split(","))
    return (listed[0] if listed is not None else who), ctladdr or None, head


def _events(queue_id: str, who: Iterable[str], what: What) -> Parsed:
    events = [new_tuple(Event, (queue_id, new_tuple(Result, (recipient, *what)))) for recipient in who]
    if not events:
        return Ignored("no recipient named")
    return events if len(events) > 1 else events[0]


def _replied(text: str, dsn: str | None) -> tuple[str, str] | None:
    """Return the status and outcome of `REPLY, stat=TEXT`: the status is `TEXT (REPLY)`.

    Only a failure has a reply (`logdelivery`). If reply and `dsn=` begin with the same digit, that digit decides, so
    that the text of the reply cannot change the outcome.
    """
    at = _stat_at(text, dsn)
    if at < 0:
        return None
    reply, status = text[:at], text[at + 7 :]
    kind = dsn[0] if dsn else ""
    outcome = _BY_CLASS[kind] if kind in ("4", "5") and kind == reply[:1] else _outcome(status, dsn)
    if not reply or "(" in status or _repeats(status, reply):
        return status, outcome
    return f"{status} ({reply})", outcome


def _stat_at(text: str, dsn: str | None) -> int:
    """Return the index of the `, stat=` after the reply, which may contain `, stat=` itself; -1 if there is none.

    For a temporary failure `stat=` repeats the reply after `Deferred: `, so it begins in the middle of the text; or, if
    one of the two is cut (STATLEN in deliver.c), at the first `, stat=Deferred`. A reply 4yz is a temporary failure,
    whatever enhanced code follows it. Otherwise it is the last one, because sendmail's own texts contain no comma.
    """
    is_temporary = not dsn or dsn[0] == "4"
    if is_temporary or text[:1] == "4":
        repeated = ", stat=Deferred: "
        middle, odd = divmod(len(text) - len(repeated), 2)
        if middle > 0 and not odd and text.startswith(repeated, middle) and text.endswith(text[:middle]):
            return middle
    at = text.find(", stat=Deferred") if is_temporary else -1
    return at if at >= 0 else text.rfind(", stat=")


def _repeats(status: str, reply: str) -> bool:
    """Return whether `Deferred: TEXT` repeats the reply, whose middle may be cut (`shortenstring` in util.c)."""
    words = status.removeprefix("Deferred: ").partition("...")[0]
    return words != "" and reply.startswith(words)


def _outcome(status: str, dsn: str | None) -> str:
    if status.startswith("Sent") and status[4:5] in ("", " "):
        return _sent_or_discarded(status) if "iscarded" in status else "sent"
    if status.startswith("Deferred"):
        return "deferred"
    if (outcome := _WHOLE.get(status)) is not None:
        return outcome
    if dsn:
        return _BY_CLASS.get(dsn[0], "unknown")
    if status.startswith(KEPT):
        return "deferred"
    return "bounced" if status.startswith(GIVEN_UP) else "unknown"


_WHOLE: Final = {"queued": "queued", "quarantined": "held", "discarded": "discarded"}


def _sent_or_discarded(status: str) -> str:
    """Return `discarded` if the next hop says so; with `queued as` or `accepted for delivery` it passed the mail on."""
    if "queued as" in status or "accepted for delivery" in status:
        return "sent"
    return "discarded" if says_discarded(status) else "sent"


def _controlling(ctladdr: str) -> str:
    """Return the controlling address without the numbers of user and group."""
    numbers = _user_numbers(ctladdr)
    return bare(ctladdr[: numbers.start()] if numbers else ctladdr)


@lru_cache(maxsize=4096)
def _seconds(delay: str) -> float | None:
    """Return the seconds of `[days+]hours:minutes:seconds` (`pintvl` in convtime.c)."""
    found = _delay(delay)
    if found is None:
        return None
    days, hours, minutes, seconds = found.groups()
    return float(int(days or 0) * 86400 + int(hours) * 3600 + int(minutes) * 60 + int(seconds))
