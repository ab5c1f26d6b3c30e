"""What ties a transaction to the next one of the same message, on its own host or another.

Three things in logs do: the queue ID that the next hop told when it took the message (`queued_as`), the queue ID that
a transaction says it came from (`origin`), and, where neither is told, the message ID. Each alone can mislead: short
queue IDs are given again, two hosts may give the same one, many messages may have one message ID, and clocks differ.
So whatever else the two documents tell has to fit, and what fits better is preferred.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, NamedTuple

from mailtrace.message.document import Document
from mailtrace.message.recipients import RecipientResult
from mailtrace.mta.queue_ids import time_of
from mailtrace.search.comparisons import client_names
from mailtrace.search.query import microseconds

_SECOND: Final = 1_000_000
_DISORDER: Final = 5 * _SECOND
"""How far the lines of one host may stand in the wrong order."""
_CLOSE: Final = 300 * _SECOND
"""How far apart the two hosts' times of one delivery are, as a rule: a long transfer, clocks that were never set."""
_HOUR: Final = 3600 * _SECOND
_DAY: Final = 24 * _HOUR
_RETRY: Final = 2 * _HOUR
"""How long after its last result a message leaves the queue: Postfix tries again within 4,000 seconds."""
_LONGEST_STAY: Final = 7 * _DAY
"""How long a message may be in a queue after the last that its log tells: five days, as a rule, and some more."""
_CUT: Final = 98
"""Sendmail cuts a message ID to 100 characters (`logsender` in headers.c), of which up to two are brackets."""
_MOST_OPENED: Final = 1000
_LOCAL: Final = frozenset({"local", "virtual", "localhost", "localhost.localdomain", "prog"})
"""Relays that are on the host itself."""
_PROGRAM: Final = ("sent (delivered to command", "sent (delivered via ")
"""What local(8) and pipe(8) say of a message that a program took."""


@dataclass(slots=True, eq=False)
class Node:
    """A transaction, with what ties ask for."""

    document: Document
    begun: int
    """The first line's time, in microseconds since 1970."""
    ended: int
    """The last result's time, in microseconds since 1970."""
    handed: dict[str, list[RecipientResult]] = field(default_factory=dict)
    """By the queue ID that a next hop told: an entry for each time at which it told it."""
    opened: list[RecipientResult] = field(default_factory=list)
    """Entries of which `is_open` holds, as many as are looked at."""
    relays: set[str] = field(default_factory=set)
    """The names of their next hops, in lower case; empty: one on the host itself."""

    @classmethod
    def of(cls, document: Document) -> "Node":
        """Return the stop of a document."""
        begun = microseconds(document["date"])
        stop = cls(document, begun, begun)
        told: set[tuple[str, str, str]] = set()
        for entry in document["to"]:
            stop.ended = max(stop.ended, microseconds(entry["last_date"]))
            if (queue_id := entry["queued_as"]) is not None:
                delivery = (queue_id, entry["date"], entry["relay"])
                if delivery not in told:
                    told.add(delivery)
                    stop.handed.setdefault(queue_id, []).append(entry)
            elif len(stop.opened) < _MOST_OPENED and is_open(entry):
                stop.opened.append(entry)
                stop.relays.add("" if _is_within(entry) else str(entry["relay_host"]).lower())
        return stop

    @property
    def host(self) -> str:
        """The host that wrote the log."""
        host: str = self.document["host"]
        return host

    @property
    def queue_id(self) -> str:
        """The queue ID."""
        queue_id: str = self.document["transaction"]
        return queue_id

    @property
    def msgid(self) -> str | None:
        """The message ID in lower case, None where there is none."""
        msgid: str | None = self.document["msgid"]
        return msgid.lower() if msgid else None

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from all others, but for refusals without a queue ID."""
        return self.host, self.queue_id, self.document["date"]

    @property
    def is_timed(self) -> bool:
        """Whether its queue ID is never given again."""
        return time_of(self.queue_id, self.document["mta"]) is not None


class Tie(NamedTuple):
    """How well two stops fit: of two ties the greater is the better, and of equal ones neither."""

    by_msgid: bool
    """Both have the same message ID."""
    by_route: bool
    """The one's next hop is the other's host, or the other's client the one's host."""
    by_time: int
    """Begun close to the delivery; for two on one host, when the earlier began."""


def queue_id_tie(stop: Node, entry: RecipientResult, later: Node) -> Tie | None:
    """Return how a stop fits as the next hop that took this entry's message under its `queued_as`; None: it doesn't."""
    if stop is later or entry["queued_as"] != later.queue_id:
        return None
    same = same_message(stop.msgid, later.msgid)
    route = _route(stop, entry, later)
    gap = _gap(entry, later)
    if origin_tie(stop, later) is not None:
        return Tie(same is True, True, True)
    reach = _CLOSE if not same else _DAY if later.is_timed else _HOUR
    if gap > reach or (not later.is_timed and (same is False or route is False)):
        return None
    if (same is False and not route) or (route is False and not same):
        return None
    return Tie(same is True, route is True, gap <= _CLOSE)


def origin_tie(stop: Node, later: Node) -> Tie | None:
    """Return how a stop fits as the one that this later one says it came from; None: it doesn't.

    A notice, clone or requeued message is on the same host; only a filter can be on another, with the same message.
    """
    if stop is later or later.document["origin"] != stop.queue_id:
        return None
    here = same_host(stop.host, later.host)
    same = same_message(stop.msgid, later.msgid)
    if not here and not same:
        return None
    before = _DISORDER if here else _CLOSE
    after = _RETRY if stop.document["removed"] and not stop.is_timed else _LONGEST_STAY
    if not stop.begun - before <= later.begun <= stop.ended + after:
        return None
    return Tie(same is True, here, stop.begun)


def msgid_tie(stop: Node, entry: RecipientResult, later: Node) -> Tie | None:
    """Return how a stop fits as the next hop of an entry that tells no queue ID; None: nothing ties them.

    The message ID is not enough: the route must fit too, and the recipient where the next hop got the message by SMTP.
    """
    if stop is later or not is_open(entry) or not same_message(stop.msgid, later.msgid):
        return None
    if _gap(entry, later) > _CLOSE or origin_tie(later, stop) is not None:
        return None
    if _is_within(entry):
        here = same_host(stop.host, later.host) and later.begun >= stop.begun
        inwards = later.document["client"] is None or _is_loopback(later.document["client_ip"])
        if not here or not (inwards or later.document["client"].endswith("@localhost")):
            return None
    elif not _route(stop, entry, later):
        return None
    if not is_program(entry) and not _takes(entry, later):
        return None
    return Tie(True, True, True)


def may_go_on(stop: Node, later: Node) -> bool:
    """Return whether a look at `msgid_tie` of the stop's entries is worth while: most hosts never meet."""
    if not stop.relays or stop is later:
        return False
    if "" in stop.relays and same_host(stop.host, later.host):
        return True
    names = client_names(later.document["client"])
    return any(same_host(name, stop.host) for name in names) or any(same_host(r, later.host) for r in stop.relays)


def is_open(entry: RecipientResult) -> bool:
    """Return whether something took the message on without telling a queue ID: an SMTP server or a program."""
    if entry["outcome"] != "sent" or entry["queued_as"] is not None:
        return False
    return entry["relay_ip"] is not None or is_program(entry)


def is_program(entry: RecipientResult) -> bool:
    """Return whether a program took the message, which may send it on as it likes."""
    return entry["relay"] == "prog" or str(entry["status"]).startswith(_PROGRAM)


def same_host(one: str, other: str) -> bool:
    """Return whether two names can be one host's: equal, or one short and the first part of the other."""
    one, other = one.lower().rstrip("."), other.lower().rstrip(".")
    if one == other or not (one and other):
        return one == other
    if _is_ip(one) or _is_ip(other) or ("." in one and "." in other):
        return False
    return one.partition(".")[0] == other.partition(".")[0]


def same_message(one: str | None, other: str | None) -> bool | None:
    """Return whether two message IDs are the same as far as logs can tell; None where one is missing or spoilt.

    Sendmail cuts long ones, and the two MTAs write what is not plain ASCII, or a line's end, in different ways.
    """
    if not one or not other:
        return None
    one, other = sorted((one.lower(), other.lower()), key=len)
    if one == other or (len(one) >= _CUT and other.startswith(one)):
        return True
    return None if _is_spoilt(one) or _is_spoilt(other) else False


def _is_spoilt(msgid: str) -> bool:
    return not msgid.isascii() or "\\" in msgid or "?" in msgid


def _gap(entry: RecipientResult, later: Node) -> int:
    """How far from the delivery, in microseconds, the next hop's first line is."""
    first, last = microseconds(entry["date"]), microseconds(entry["last_date"])
    return max(first - later.begun, later.begun - last, 0)


def _route(stop: Node, entry: RecipientResult, later: Node) -> bool | None:
    """Whether the message went from this host to that one; None where the names do not tell."""
    here = same_host(stop.host, later.host)
    if _is_within(entry):
        return here
    relay = entry["relay_host"]
    if relay is not None and same_host(relay, later.host):
        return True
    if any(same_host(name, stop.host) for name in client_names(later.document["client"])):
        return True
    return True if here and entry["relay_ip"] and entry["relay_ip"] == later.document["client_ip"] else None


def _is_within(entry: RecipientResult) -> bool:
    """Whether the message went to something on the same host."""
    return entry["relay_host"] in _LOCAL or is_program(entry) or _is_loopback(entry["relay_ip"])


def _takes(entry: RecipientResult, later: Node) -> bool:
    """Whether the next hop had this recipient, as far as it names any."""
    named = {str(name).lower() for other in later.document["to"] for name in (other["recipient"], other["orig_to"])}
    return not later.document["to"] or str(entry["recipient"]).lower() in named


@lru_cache(maxsize=4096)
def _is_loopback(ip: str | None) -> bool:
    try:
        return ip is not None and ip_address(ip).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=4096)
def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
