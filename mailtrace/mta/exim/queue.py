"""Exim's lines about a message in the queue: its end, what the operator and filters did, its copy in the reject log."""

import re
from typing import Final

from mailtrace.mta.exim.addresses import ADDRESS, QUOTED
from mailtrace.mta.facts import (
    Addressee,
    Cancelled,
    Event,
    Expired,
    Held,
    Ignored,
    MessageId,
    Parsed,
    Released,
    Removed,
    Result,
)

_addresses = re.compile(rf"<({ADDRESS})>").findall
_marked = re.compile(rf"address <({ADDRESS})> (marked delivered by \S.*)\Z").match
_added = re.compile(rf"recipient <({ADDRESS})> added by ").match
_message_id = re.compile(rf"I Message-ID:\s*<((?:{QUOTED}|[^\s<>\"])+)>\s*\Z", re.IGNORECASE).match

HELD: Final = ("frozen by ", "Frozen")
RELEASED: Final = ("unfrozen by ", "Unfrozen by ")
DELETED: Final = ("removed by ",)
EXPIRED: Final = ("cancelled by timeout_frozen_after", "Message removed because older than ")
CANCELLED: Final = ("cancelled by ",)
MARKED: Final = ("address <",)
ADDED: Final = ("recipient <",)
"""How these lines begin."""


def parse_completed(queue_id: str, _program: str, _rest: str) -> Parsed:
    """Return that the message has left the queue, whatever became of its recipients."""
    return Event(queue_id, Removed("removed"))


def parse_held(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return that the message is frozen, by an ACL, a filter, the operator, or because it is a notice that failed."""
    return Event(queue_id, Held(rest))


def parse_released(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return that the message is no longer frozen."""
    return Event(queue_id, Released(rest))


def parse_deleted(queue_id: str, _program: str, _rest: str) -> Parsed:
    """Return that the operator has removed the message (`exim -Mrm`)."""
    return Event(queue_id, Removed("deleted"))


def parse_expired(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return that Exim has given up on a message that was frozen or kept for too long."""
    return Event(queue_id, Expired(f"expired ({rest})"))


def parse_cancelled(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return that the operator (`exim -Mg`) or the system filter has returned the message to its sender."""
    return Event(queue_id, Cancelled(rest))


def parse_marked(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return the recipient to whom the operator has forbidden to deliver (`exim -Mmd`, `-Mmad`)."""
    found = _marked(rest)
    return Event(queue_id, Result(found[1], None, None, found[2], "deleted")) if found else Ignored("operator")


def parse_added(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return the recipient whom the operator has added (`exim -Mar`)."""
    found = _added(rest)
    return Event(queue_id, Addressee(found[1])) if found else Ignored("operator")


def parse_envelope_to(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return the recipients of a refused message, of which the reject log names up to five."""
    return [Event(queue_id, Addressee(name)) for name in dict.fromkeys(_addresses(rest))]


def parse_header(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return the message ID of a refused message from its header in the reject log; ignore other headers."""
    found = _message_id(rest)
    return Event(queue_id, MessageId(found[1])) if found else Ignored("header of a refused message")
