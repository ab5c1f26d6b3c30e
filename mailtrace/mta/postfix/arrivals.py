"""Postfix's lines about the arrival and the end of a message: its client, sender, message ID and removal.

They are the lines of smtpd(8) (`client=`), pickup(8) (`uid=`), cleanup(8) (`message-id=`), qmgr(8) (`from=`,
`removed`), bounce(8) (`... notification: QID`) and postsuper(1).
"""

import re
from typing import Final

from mailtrace.mta.facts import (
    Client,
    Envelope,
    Event,
    Expired,
    Held,
    Ignored,
    MessageId,
    Origin,
    Parsed,
    Released,
    Removed,
    Submitted,
)
from mailtrace.mta.postfix.addresses import client_of
from mailtrace.mta.postfix.programs import instance_of, names_daemon
from mailtrace.mta.queue_ids import POSTFIX_ID
from mailtrace.mta.rules import new_tuple

_MAX_DIGITS: Final = 18
"""More would not fit the 64 bits of a store's integer."""

_REMOVED: Final = Removed("removed")
_DELETED: Final = Removed("deleted")
_REMOVED_OR_DELETED: Final = Removed("removed", is_unsure=True)

_is_id = re.compile(POSTFIX_ID).fullmatch
_are_numbers = re.compile(r"(\d+)(?:, nrcpt=(\d+))?(?: \([^()]*\))?").fullmatch
_how_removed = re.compile(r"removed \((canceled|discarded)\)").fullmatch


def parse_client(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return the client, the SASL user, and the client before a content filter as passed on with XFORWARD.

    A login may contain commas, so the fields around it are read from both ends of the line.
    """
    name, bracket, ip = rest[7:].partition("[")
    if name and bracket and ip[-1:] == "]" and "," not in ip:
        return new_tuple(Event, (queue_id, new_tuple(Client, (f"{name} [{ip}", None, None, None))))
    logged, comma, fields = rest[7:].partition(", ")
    client = client_of(logged)
    if client is None:
        return None
    fields, orig_client = _without_last(comma + fields, ", orig_client=")
    fields, origin = _without_last(fields, ", orig_queue_id=")
    login = fields.partition(", sasl_username=")[2].partition(", sasl_sender=")[0]
    return Event(queue_id, Client(client, login or None, origin or None, client_of(orig_client)))


def _without_last(fields: str, name: str) -> tuple[str, str]:
    """Return the fields without the last one, if that has this name and one word as its value, and the value."""
    before, found, value = fields.rpartition(name)
    return (before, value) if found and "," not in value and " " not in value else (fields, "")


def parse_submitted(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return a local submission: the sender as the program gave it, and the queue ID before `postsuper -r`.

    The line belongs to that earlier queue ID too, because it says how the message left it.
    """
    _, found, sender = rest.partition(" from=")
    if not found:
        return None
    if sender[:1] != "<":
        sender, _, origin = sender.partition(" orig_id=")
    elif sender[-1:] == ">":
        return Event(queue_id, Submitted(sender[1:-1]))
    else:
        before, found, origin = sender[1:].rpartition("> orig_id=")
        sender = before if found else sender[1:].partition(">")[0]
        origin = origin if found else ""
    submitted = Event(queue_id, Submitted(sender, origin or None))
    if _is_id(origin) and origin != queue_id:
        return [submitted, Event(origin, Removed("requeued", queue_id))]
    return submitted


def parse_message_id(queue_id: str, program: str, rest: str) -> Parsed:
    """Return the message ID without its angle brackets; cleanup(8) logs the header's value as it is, `<>` for none."""
    msgid = rest[11:].strip()
    if msgid[:1] == "<" and msgid[-1:] == ">":
        msgid = msgid[1:-1]
    instance = None if program[:8] == "postfix/" else instance_of(program)
    return new_tuple(Event, (queue_id, new_tuple(MessageId, (msgid or None, instance))))


def parse_envelope(queue_id: str, program: str, rest: str) -> Parsed:
    """Return sender, size and number of recipients, read from the end: the sender may contain anything."""
    sender, found, numbers = rest[6:].rpartition(">, size=")
    if not found:
        return None
    size, _, nrcpt = numbers.partition(", nrcpt=")
    instance = None if program[:8] == "postfix/" else instance_of(program)
    envelope = new_tuple(Envelope, (sender, number(size), number(nrcpt.partition(" ")[0]), instance))
    return new_tuple(Event, (queue_id, envelope))


def parse_bare_envelope(queue_id: str, program: str, rest: str) -> Parsed:
    """Do the same as `parse_envelope` or `parse_expired` for a sender without angle brackets."""
    sender, found, numbers = rest[5:].rpartition(", size=")
    if found and (counts := _are_numbers(numbers)):
        nrcpt = number(counts[2]) if counts[2] else None
        return Event(queue_id, Envelope(sender, number(counts[1]), nrcpt, instance_of(program)))
    sender, found, status = rest[5:].rpartition(", status=")
    return _expired(queue_id, program, sender, status) if found else None


def parse_expired(queue_id: str, program: str, rest: str) -> Parsed:
    """Return the sender, and that Postfix gave up on every recipient that was still waiting."""
    sender, found, status = rest[6:].rpartition(">, status=")
    return _expired(queue_id, program, sender, status) if found else None


def _expired(queue_id: str, program: str, sender: str, status: str) -> Parsed:
    if not status.startswith(("expired", "force-expired")):
        return None
    return [
        Event(queue_id, Envelope(sender, None, None, instance_of(program))),
        Event(queue_id, Expired(status)),
    ]


def parse_removed(queue_id: str, program: str, rest: str) -> Parsed:
    """Return how the message left the queue: finished, deleted by postsuper(1), or dropped by cleanup(8) (3.10)."""
    if rest == "removed":
        return new_tuple(Event, (queue_id, _REMOVED if program.endswith("/qmgr") else _removed_by(program)))
    found = _how_removed(rest)
    return Event(queue_id, Removed(found[1])) if found else None


def _removed_by(program: str) -> Removed:
    if program.endswith("postsuper"):
        return _DELETED
    return _REMOVED if names_daemon(program) else _REMOVED_OR_DELETED


def parse_requeued(queue_id: str, _program: str, _rest: str) -> Parsed:
    """Return that postsuper(1) requeued the message: pickup(8) will assign another queue ID."""
    return Event(queue_id, Removed("requeued"))


def parse_held(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return that postsuper(1) put the message on hold."""
    return Event(queue_id, Held(rest))


def parse_released(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return that postsuper(1) released the message from hold."""
    return Event(queue_id, Released(rest))


def parse_notice(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return the origin of the notice that the line names at its end: `sender non-delivery notification: QID`."""
    _, found, notice = rest.rpartition(" notification: ")
    if found and _is_id(notice):
        return Event(notice, Origin(queue_id, "notice"))
    if found and notice != "failed" and " " not in notice:
        return None
    return Ignored("notice failed") if " notification" in rest else None


def number(digits: str) -> int | None:
    """Return a number that a store can hold; None for other text."""
    return int(digits) if digits.isdecimal() and len(digits) <= _MAX_DIGITS else None
