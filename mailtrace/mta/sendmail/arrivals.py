"""What sendmail logs of a message that comes in, of its sender, and of the transactions that are made of it.

    from=S, size=N, class=N[, pri=N], nrcpts=N[, msgid=M][, bodytype=B][, proto=P][, daemon=D][, ...], relay=R

This is `logsender` in headers.c: `msgid=` is what the sender wrote, cut to 100 characters, and may look like fields; so
the fields behind it are read from the right.
"""

import re
from functools import lru_cache
from typing import Final

from mailtrace.mta.facts import (
    Aborted,
    Authenticated,
    Cloned,
    Event,
    Expired,
    Held,
    Ignored,
    Origin,
    Parsed,
    Refusal,
    Released,
    Sender,
)
from mailtrace.mta.queue_ids import NOQUEUE, SENDMAIL_ID
from mailtrace.mta.rules import new_tuple
from mailtrace.mta.sendmail.addresses import address_end, bare, refused_address, without_dot
from mailtrace.mta.sendmail.results import GIVEN_UP, KEPT

_counts_pattern: Final = r", size=(\d{1,18}), class=-?\d{1,9}(?:, pri=-?\d{1,18})?, nrcpts=(\d{1,9})"
_counts = re.compile(_counts_pattern).match
_any_counts = re.compile(_counts_pattern).search
_CUT_SENDER: Final = len("from=") + 200
"""Where the fields begin behind a sender that is cut to 200 characters, perhaps amid its quotes."""

_field = re.compile(r", ([a-z_]+)=[^,<>]*").fullmatch
_are_all_fields = re.compile(r"(?:, [a-z_]+=[^,<>]*)*").fullmatch
_KNOWN_FIELDS: Final = frozenset({"bodytype", "proto", "daemon", "auth", "tls_version", "tls_verify", "cipher"})

_linked = re.compile(rf"({SENDMAIL_ID}): (?:clone|(DSN|sender notify|return to sender|postmaster notify)): ").match
_cloned = re.compile(rf"clone ({SENDMAIL_ID}), owner=(.*)").fullmatch
_is_queue_id = re.compile(SENDMAIL_ID).fullmatch
_pieces = re.compile(r"[;,] ?").split
_TIMED_OUT: Final = ("Cannot send message ", "delivery time expired")
_NO_NEWS: Final = ("Return receipt", "Warning: ", "Postmaster warning: ", "Deferred", *KEPT, *GIVEN_UP)
"""Notices of what was delivered, is delayed, or is the postmaster's business only (savemail.c, envelope.c); and of what
a mailer said, which is the result of each recipient as well (`giveresponse` in deliver.c)."""
_system_error = re.compile(r"SYSERR\([^)]{0,64}\): (?:[245]\d\d )?(?:[245]\.\d{1,3}\.\d{1,3} )?").match
_hops = re.compile(r"[Tt]oo many hops \d+ \(\d+ max\): from ").match
_is_unreadable = re.compile(
    r"include: open /.*: (?:Permission denied|No such file or directory|Not a directory|Is a directory|"
    r"(?:Group|World) writable (?:file|directory))\Z",
    re.DOTALL,
).match
_UNSAVED: Final = "savemail: cannot save rejected email anywhere"
_LOSING: Final = (" after mail", " after rcpt", " after data", " after bdat")


def parse_sender(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return who sent the message, its size, its recipients' number, its ID and its client; None without the numbers.

    A local program's sender is logged bare.
    """
    fields = rest.split(", ", 4)
    if len(fields) == 5:
        sender, size, _, nrcpts, more = fields
        if size[:5] == "size=" and nrcpts[:7] == "nrcpts=" and '"' not in sender:
            sender = sender[6:-1] if sender[5:6] == "<" and sender[-1] == ">" else bare(sender[5:])
            size, nrcpts = size[5:], nrcpts[7:]
            end = more.rfind(", relay=")
            closing = more.rfind(">, ", 0, end)
            if (
                more[:7] == "msgid=<"
                and 7 < closing < end
                and _are_fields(more[closing + 1 : end])
                and _are_small(size, nrcpts)
            ):
                client = without_dot(more[end + 8 :]) or None
                return new_tuple(
                    Event, (queue_id, new_tuple(Sender, (sender, int(size), int(nrcpts), more[7:closing], client)))
                )
            return _sender(queue_id, sender, (size, nrcpts), ", " + more)
    return _parse_slowly(queue_id, rest)


def _are_small(size: str, nrcpts: str) -> bool:
    """Whether two texts are numbers that any database holds."""
    return size.isdecimal() and nrcpts.isdecimal() and len(size) + len(nrcpts) < 19


def _parse_slowly(queue_id: str, rest: str) -> Parsed:
    """Read quoted or cut senders, and versions that log `pri=`."""
    at = address_end(rest, 5)
    counts = _counts(rest, at) if at > 0 else None
    if counts is None and (counts := _counts(rest, _CUT_SENDER) or _any_counts(rest)) is None:
        return None
    return _sender(queue_id, bare(rest[5 : counts.start()]), counts.groups(), rest[counts.end() :])


def _sender(queue_id: str, sender: str, counts: tuple[str | None, ...], fields: str) -> Parsed:
    """The event of the sender, its size and number of recipients, and the fields behind them."""
    size, nrcpts = counts
    end = fields.rfind(", relay=")
    client = without_dot(fields[end + 8 :]) if end >= 0 else None
    msgid = _message_id(fields, end if end >= 0 else len(fields)) if fields[:8] == ", msgid=" else None
    return new_tuple(
        Event, (queue_id, new_tuple(Sender, (sender, _number(size), _number(nrcpts), msgid, client or None)))
    )


def _number(digits: str | None) -> int | None:
    return int(digits) if digits and len(digits) < 19 and digits.isdecimal() else None


def _message_id(fields: str, end: int) -> str | None:
    """The message ID of `, msgid=M` and the fields between it and `end`, where `relay=` follows."""
    closing = fields.rfind(">, ", 0, end)
    if closing < 0 or not _are_fields(fields[closing + 1 : end]):
        msgid = fields[8 : _message_id_end(fields, end)]
        if msgid[:1] == "<" and (msgid[-1] == ">" or ">" not in msgid):
            # A long one was cut, its closing bracket with it; words behind the bracket are the header's own.
            msgid = msgid[1:].removesuffix(">")
        return msgid or None
    return (fields[9:closing] if fields[8] == "<" else fields[8 : closing + 1]) or None


@lru_cache(maxsize=1024)
def _are_fields(text: str) -> bool:
    """Whether a text is nothing but `, name=value`; there are few such, which daemons and protocols make up."""
    return _are_all_fields(text) is not None


def _message_id_end(fields: str, end: int) -> int:
    """Where an ID without a closing bracket ends: before the last fields that have known names."""
    while (at := fields.rfind(", ", 8, end)) >= 0:
        field = _field(fields, at, end)
        if field is None or field[1] not in _KNOWN_FIELDS:
            break
        end = at
    return end


def parse_login(_queue_id: str, _program: str, rest: str) -> Parsed:
    """Return who has logged in to the session: `AUTH=server, relay=R, authid=U, mech=M, bits=N` (srvrsmtp.c)."""
    relay, found, login = rest.removeprefix("AUTH=server, relay=").partition(", authid=")
    if not found:
        return Ignored("login without a name")
    at = login.rfind(", mech=")
    return Authenticated(login if at < 0 else login[:at], without_dot(relay))


def parse_link(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return which transaction was made of this one: a notice (`returntosender` in savemail.c) or an owner's clone.

    A notice that the message could not be sent in its time means that sendmail has given it up (envelope.c), one of an
    error that is no mailer's that it has returned the message for a recipient of whom there is no other line: alias
    loops, lists that cannot be read. Where the sender is null, only the postmaster is told.
    """
    link = _linked(rest)
    if link is None:
        return None
    other, kind, text = link[1], link[2], rest[link.end() :]
    if kind is None:
        return _clone(queue_id, other, text.removeprefix("owner="))
    notice = Event(other, Origin(queue_id, "notice"))
    if text.startswith(_TIMED_OUT):
        return [notice, Event(queue_id, Expired(f"expired ({text})"))]
    named = refused_address(text) if "... " in text else None
    recipient, words = named if named is not None and named[1] else (None, text)
    if words.startswith(_NO_NEWS):
        return notice
    if kind == "postmaster notify":
        # It may be the sender whom the error names (`usrerr` in err.c): then nobody else can be told.
        recipient = None
    return [notice, Event(queue_id, Refusal("bounced", words, recipient=recipient))]


def parse_clone(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return from which transaction an owner's clone was made: up to 8.11 its line names that one."""
    found = _cloned(rest)
    return _clone(found[1], queue_id, found[2]) if found else None


def _clone(queue_id: str, clone: str, owner: str) -> Parsed:
    """Both are told: the message that is left may have no recipient of its own any more."""
    return [Event(clone, Origin(queue_id, "clone", bare(owner))), Event(queue_id, Cloned(clone))]


def parse_split(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return the transactions that took over some of the recipients: `split: count=2, ids=Q2; Q3` (queue.c)."""
    names = (piece.removeprefix("ids=").removeprefix("id=") for piece in _pieces(rest.removeprefix("split: ")))
    found = [Event(name, Origin(queue_id, "split")) for name in names if _is_queue_id(name)]
    if not found:
        return Ignored("no part named")
    return found if len(found) > 1 else found[0]


def parse_collect(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return that the message never came in whole; bare line ends that were let pass are no loss (collect.c, 8.18)."""
    if rest.rpartition(", info=")[2].startswith("Bare ") and not rest.endswith(", status=tempfail"):
        return Ignored("bare line ends")
    return Event(queue_id, Aborted(rest))


def parse_system_error(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return what became of the message by an error that no result follows; most are only the system's trouble.

    In its collection it never came in whole (collect.c); with too many hops (`sendall` in deliver.c), for a list that
    cannot be read (recipient.c), or when even its return failed (savemail.c), it is done with.
    """
    error = _system_error(rest) if queue_id != NOQUEUE else None
    if error is None:
        return Ignored("system error")
    words = rest[error.end() :]
    if words.startswith("collect: "):
        return Event(queue_id, Aborted(rest))
    if hops := _hops(words):
        return Event(queue_id, Refusal("bounced", words, recipient=_last_hop_to(words, hops.end())))
    if words.startswith(_UNSAVED) or _is_unreadable(words):
        return Event(queue_id, Refusal("bounced", words))
    return Ignored("system error")


def _last_hop_to(words: str, start: int) -> str | None:
    """The recipient of `from A via HOST, to R`, whose sender begins at `start`: the first one of the message."""
    end = address_end(words, start)
    at = words.find(", to ", end) if end >= 0 else words.rfind(", to ")
    recipient = words[at + len(", to ") :] if at >= 0 else ""
    return bare(recipient) if recipient not in ("", "(nobody)") else None


def parse_loop(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return that an alias or `.forward` leads back to itself, so that the message is returned (recipient.c)."""
    return Event(queue_id, Refusal("bounced", rest))


def parse_saved(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return that a message that could not even be returned was put into a file, `dead.letter` (savemail.c)."""
    return Event(queue_id, Refusal("bounced", rest))


def parse_lost(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return that the client has gone amid a message; `after quit` and alike, there was none."""
    return Event(queue_id, Aborted(rest)) if rest.endswith(_LOSING) else Ignored("session broken off")


def parse_timeout(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return that a message in collection was lost; another server's silence is an attempt whose result follows."""
    if rest.endswith(" during message collect"):
        return Event(queue_id, Aborted(rest))
    return Ignored("timeout")


def parse_quarantined(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return that the operator has put the message on hold (`sendmail -Q`)."""
    return Event(queue_id, Held(f"held ({rest.partition('=')[2]})"))


def parse_unquarantined(queue_id: str, _program: str, _rest: str) -> Parsed:
    """Return that the operator has released the message (`sendmail -Q` without a reason)."""
    return Event(queue_id, Released("released from quarantine"))
