"""Sendmail's lines about an arriving message, its sender, and the transactions that are made from it.

    from=S, size=N, class=N[, pri=N], nrcpts=N[, msgid=M][, bodytype=B][, proto=P][, daemon=D][, ...], relay=R

is written by `logsender` in headers.c. The sender chooses `msgid=`, which is cut to 100 characters and may look like
fields, so the fields after it are read from the right.
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
"""The index of the fields after a sender that is cut to 200 characters, perhaps inside its quotes."""

_field = re.compile(r", ([a-z_]+)=[^,<>]*").fullmatch
_are_all_fields = re.compile(r"(?:, [a-z_]+=[^,<>]*)*").fullmatch
_KNOWN_FIELDS: Final = frozenset({"bodytype", "proto", "daemon", "auth", "tls_version", "tls_verify", "cipher"})

_linked = re.compile(rf"({SENDMAIL_ID}): (?:clone|(DSN|sender notify|return to sender|postmaster notify)): ").match
_cloned = re.compile(rf"clone ({SENDMAIL_ID}), owner=(.*)").fullmatch
_is_queue_id = re.compile(SENDMAIL_ID).fullmatch
_pieces = re.compile(r"[;,] ?").split
_TIMED_OUT: Final = ("Cannot send message ", "delivery time expired")
_NO_NEWS: Final = ("Return receipt", "Warning: ", "Postmaster warning: ", "Deferred", *KEPT, *GIVEN_UP)
"""How notices begin that add no result: of delivery, of delay, to the postmaster (savemail.c, envelope.c), and of a
mailer's failure, which is logged for each recipient as well (`giveresponse` in deliver.c)."""
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
    """Return sender, size, number of recipients, message ID and client; None if the numbers are missing.

    The sender has no angle brackets if a local program submitted the message.
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
    """Return whether two texts are numbers of at most 18 digits together, which fit 64 bits."""
    return size.isdecimal() and nrcpts.isdecimal() and len(size) + len(nrcpts) < 19


def _parse_slowly(queue_id: str, rest: str) -> Parsed:
    """Parse a quoted or cut sender, and lines of versions that log `pri=`."""
    at = address_end(rest, 5)
    counts = _counts(rest, at) if at > 0 else None
    if counts is None and (counts := _counts(rest, _CUT_SENDER) or _any_counts(rest)) is None:
        return None
    return _sender(queue_id, bare(rest[5 : counts.start()]), counts.groups(), rest[counts.end() :])


def _sender(queue_id: str, sender: str, counts: tuple[str | None, ...], fields: str) -> Parsed:
    """Return the event for a sender, its size and number of recipients as text, and the fields after them."""
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
    """Return the message ID of `, msgid=M`, followed by further fields up to `end`."""
    closing = fields.rfind(">, ", 0, end)
    if closing < 0 or not _are_fields(fields[closing + 1 : end]):
        msgid = fields[8 : _message_id_end(fields, end)]
        if msgid[:1] == "<" and (msgid[-1] == ">" or ">" not in msgid):
            # Either a long ID was cut together with its closing bracket, or the header has text after the bracket.
            msgid = msgid[1:].removesuffix(">")
        return msgid or None
    return (fields[9:closing] if fields[8] == "<" else fields[8 : closing + 1]) or None


@lru_cache(maxsize=1024)
def _are_fields(text: str) -> bool:
    """Return whether a text is only `, name=value` fields. Cached, because a server logs few combinations."""
    return _are_all_fields(text) is not None


def _message_id_end(fields: str, end: int) -> int:
    """Return the index of the end of an ID without a closing bracket: before the known fields at the end."""
    while (at := fields.rfind(", ", 8, end)) >= 0:
        field = _field(fields, at, end)
        if field is None or field[1] not in _KNOWN_FIELDS:
            break
        end = at
    return end


def parse_login(_queue_id: str, _program: str, rest: str) -> Parsed:
    """Return the user who logged in to the session: `AUTH=server, relay=R, authid=U, mech=M, bits=N` (srvrsmtp.c)."""
    relay, found, login = rest.removeprefix("AUTH=server, relay=").partition(", authid=")
    if not found:
        return Ignored("login without a user name")
    at = login.rfind(", mech=")
    return Authenticated(login if at < 0 else login[:at], without_dot(relay))


def parse_link(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return the transaction made from this one: a notice (`returntosender` in savemail.c) or a list owner's clone.

    A notice of a timeout means that sendmail gave up on the message (envelope.c). A notice of an error that is not a
    mailer's (alias loops, lists that cannot be read) is the only line about a bounced recipient. If the sender is null,
    only the postmaster is notified.
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
        # The address may be the sender's (`usrerr` in err.c), in which case only the postmaster can be notified.
        recipient = None
    return [notice, Event(queue_id, Refusal("bounced", words, recipient=recipient))]


def parse_clone(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return the transaction from which a clone for a list's owner was made; logged so up to 8.11."""
    found = _cloned(rest)
    return _clone(found[1], queue_id, found[2]) if found else None


def _clone(queue_id: str, clone: str, owner: str) -> Parsed:
    """Return an event for each of the two, because the original may have no recipients left."""
    return [Event(clone, Origin(queue_id, "clone", bare(owner))), Event(queue_id, Cloned(clone))]


def parse_split(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return the transactions to which some of the recipients moved: `split: count=2, ids=Q2; Q3` (queue.c)."""
    names = (piece.removeprefix("ids=").removeprefix("id=") for piece in _pieces(rest.removeprefix("split: ")))
    found = [Event(name, Origin(queue_id, "split")) for name in names if _is_queue_id(name)]
    if not found:
        return Ignored("split without queue IDs")
    return found if len(found) > 1 else found[0]


def parse_collect(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return that the message was not received completely; ignore accepted bare line ends (collect.c, 8.18)."""
    if rest.rpartition(", info=")[2].startswith("Bare ") and not rest.endswith(", status=tempfail"):
        return Ignored("bare line ends")
    return Event(queue_id, Aborted(rest))


def parse_system_error(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return the outcome of an error that is the last line about a message; ignore other errors of the system.

    After an error in collect.c the message was not received completely. It is bounced after too many hops (`sendall` in
    deliver.c), for a list that cannot be read (recipient.c), or when returning it failed (savemail.c).
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
    """Return the recipient of `from A via HOST, to R`, whose sender begins at `start`: the message's first one."""
    end = address_end(words, start)
    at = words.find(", to ", end) if end >= 0 else words.rfind(", to ")
    recipient = words[at + len(", to ") :] if at >= 0 else ""
    return bare(recipient) if recipient not in ("", "(nobody)") else None


def parse_loop(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return that the message is bounced because an alias or `.forward` refers to itself (recipient.c)."""
    return Event(queue_id, Refusal("bounced", rest))


def parse_saved(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return that a message that could not be bounced was saved in a file, `dead.letter` (savemail.c)."""
    return Event(queue_id, Refusal("bounced", rest))


def parse_lost(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return that the client disconnected during a message; `after quit` and the like, there was none."""
    return Event(queue_id, Aborted(rest)) if rest.endswith(_LOSING) else Ignored("session aborted")


def parse_timeout(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return that the client timed out during a message; a next hop's timeout is logged again as a recipient result."""
    if rest.endswith(" during message collect"):
        return Event(queue_id, Aborted(rest))
    return Ignored("timeout")


def parse_quarantined(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return that the operator has put the message on hold (`sendmail -Q`)."""
    return Event(queue_id, Held(f"held ({rest.partition('=')[2]})"))


def parse_unquarantined(queue_id: str, _program: str, _rest: str) -> Parsed:
    """Return that the operator has released the message (`sendmail -Q` without a reason)."""
    return Event(queue_id, Released("released from quarantine"))
