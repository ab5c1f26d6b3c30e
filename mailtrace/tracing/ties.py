"""Ties between a transaction and the next one of the same message, on the same host or another.

There are three kinds: the queue ID in the next hop's reply (`queued_as`), the queue ID of the transaction that this one
was made from (`origin`), and, without either, the message ID. Each alone can be wrong: short queue IDs are reused, two
hosts may use the same one, many messages may have the same message ID, and clocks differ. So the other fields of both
documents must agree as well, and the tie with the best agreement is used.
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
"""How far the lines of one host may be out of order."""
_CLOSE: Final = 300 * _SECOND
"""How far the two hosts' times of a delivery usually differ at most: a long transfer, clocks that are off."""
_HOUR: Final = 3600 * _SECOND
_DAY: Final = 24 * _HOUR
_RETRY: Final = 2 * _HOUR
"""How long after the last logged result a message leaves the queue at most: Postfix retries within 4,000 seconds."""
_LONGEST_STAY: Final = 7 * _DAY
"""How long a message may stay in the queue after its last logged line: usually five days, and some reserve."""
_CUT: Final = 98
"""sendmail truncates a message ID to 100 characters (`logsender` in headers.c), of which up to two are brackets."""
_MOST_WITHOUT_ID: Final = 1000
"""Recipient results without a queue ID that are used, per transaction."""
_LOCAL: Final = frozenset({"local", "virtual", "localhost", "localhost.localdomain", "prog"})
"""Relay names that mean the host itself."""
_PROGRAM: Final = ("sent (delivered to command", "sent (delivered via ")
"""How local(8) and pipe(8) begin the status of a message that a program accepted."""


@dataclass(slots=True, eq=False)
class Node:
    """A transaction, with the values that ties are made from."""

    document: Document
    begun: int
    """Time of the first line, in microseconds since 1970."""
    ended: int
    """Time of the last result, in microseconds since 1970."""
    by_queued_as: dict[str, list[RecipientResult]] = field(default_factory=dict)
    """Recipient results by `queued_as`, one for each delivery."""
    without_id: list[RecipientResult] = field(default_factory=list)
    """Recipient results for which `accepted_without_id` is true, up to a limit."""
    relays: set[str] = field(default_factory=set)
    """The names of these next hops, in lower case; empty text for the host itself."""

    @classmethod
    def of(cls, document: Document) -> "Node":
        """Return the node of a document."""
        begun = microseconds(document["date"])
        node = cls(document, begun, begun)
        seen: set[tuple[str, str, str]] = set()
        for result in document["to"]:
            node.ended = max(node.ended, microseconds(result["last_date"]))
            if (queue_id := result["queued_as"]) is not None:
                delivery = (queue_id, result["date"], result["relay"])
                if delivery not in seen:
                    seen.add(delivery)
                    node.by_queued_as.setdefault(queue_id, []).append(result)
            elif len(node.without_id) < _MOST_WITHOUT_ID and accepted_without_id(result):
                node.without_id.append(result)
                node.relays.add("" if _stays_on_host(result) else str(result["relay_host"]).lower())
        return node

    @property
    def host(self) -> str:
        """The host that wrote the log."""
        host: str = self.document["host"]
        return host

    @property
    def queue_id(self) -> str:
        """The document's queue ID."""
        queue_id: str = self.document["transaction"]
        return queue_id

    @property
    def msgid(self) -> str | None:
        """The message ID in lower case, None if there is none."""
        msgid: str | None = self.document["msgid"]
        return msgid.lower() if msgid else None

    @property
    def key(self) -> tuple[str, str, str]:
        """Identifies the transaction, except for refusals without a queue ID."""
        return self.host, self.queue_id, self.document["date"]

    @property
    def is_timed(self) -> bool:
        """Whether its queue ID contains a time, and so is never reused."""
        return time_of(self.queue_id, self.document["mta"]) is not None


class Tie(NamedTuple):
    """How well two nodes match. Ties are compared as tuples: the greater is better."""

    by_msgid: bool
    """Whether both have the same message ID."""
    by_route: bool
    """Whether the first one's next hop is the second one's host, or the second one's client the first one's host."""
    by_time: int
    """Whether the later began close to the delivery; for two on the same host, when the earlier one began."""


def queue_id_tie(node: Node, result: RecipientResult, later: Node) -> Tie | None:
    """Return the tie between a recipient result and the node with its `queued_as`; None if they do not match."""
    if node is later or result["queued_as"] != later.queue_id:
        return None
    same = same_message(node.msgid, later.msgid)
    route = _route(node, result, later)
    gap = _gap(result, later)
    if origin_tie(node, later) is not None:
        return Tie(same is True, True, True)
    limit = _CLOSE if not same else _DAY if later.is_timed else _HOUR
    if gap > limit or (not later.is_timed and (same is False or route is False)):
        return None
    if (same is False and not route) or (route is False and not same):
        return None
    return Tie(same is True, route is True, gap <= _CLOSE)


def origin_tie(node: Node, later: Node) -> Tie | None:
    """Return the tie between a node and a later one that names it as `origin`; None if they do not match.

    A notice, clone or requeued message is on the same host. A filter may be on another, with the same message ID.
    """
    if node is later or later.document["origin"] != node.queue_id:
        return None
    is_same_host = same_host(node.host, later.host)
    same = same_message(node.msgid, later.msgid)
    if not is_same_host and not same:
        return None
    before = _DISORDER if is_same_host else _CLOSE
    after = _RETRY if node.document["removed"] and not node.is_timed else _LONGEST_STAY
    if not node.begun - before <= later.begun <= node.ended + after:
        return None
    return Tie(same is True, is_same_host, node.begun)


def msgid_tie(node: Node, result: RecipientResult, later: Node) -> Tie | None:
    """Return the tie between a recipient result without a queue ID and its next hop; None if they do not match.

    The message ID is not enough: the route must match too, and the recipient if the next hop got the message by SMTP.
    """
    if node is later or not accepted_without_id(result) or not same_message(node.msgid, later.msgid):
        return None
    if _gap(result, later) > _CLOSE or origin_tie(later, node) is not None:
        return None
    if _stays_on_host(result):
        is_same_host = same_host(node.host, later.host) and later.begun >= node.begun
        is_local = later.document["client"] is None or _is_loopback(later.document["client_ip"])
        if not is_same_host or not (is_local or later.document["client"].endswith("@localhost")):
            return None
    elif not _route(node, result, later):
        return None
    if not is_program(result) and not _has_recipient(result, later):
        return None
    return Tie(True, True, True)


def may_have_next(node: Node, later: Node) -> bool:
    """Return whether `msgid_tie` can match any result of a node: a quick check, because most pairs do not match."""
    if not node.relays or node is later:
        return False
    if "" in node.relays and same_host(node.host, later.host):
        return True
    names = client_names(later.document["client"])
    return any(same_host(name, node.host) for name in names) or any(same_host(r, later.host) for r in node.relays)


def accepted_without_id(result: RecipientResult) -> bool:
    """Return whether an SMTP server or a program accepted the message, and its reply has no queue ID."""
    if result["outcome"] != "sent" or result["queued_as"] is not None:
        return False
    return result["relay_ip"] is not None or is_program(result)


def is_program(result: RecipientResult) -> bool:
    """Return whether a program accepted the message; it may send it on any number of times."""
    return result["relay"] == "prog" or str(result["status"]).startswith(_PROGRAM)


def same_host(one: str, other: str) -> bool:
    """Return whether two names may mean the same host: they are equal, or one is the first part of the other."""
    one, other = one.lower().rstrip("."), other.lower().rstrip(".")
    if one == other or not (one and other):
        return one == other
    if _is_ip(one) or _is_ip(other) or ("." in one and "." in other):
        return False
    return one.partition(".")[0] == other.partition(".")[0]


def same_message(one: str | None, other: str | None) -> bool | None:
    """Return whether two message IDs are the same; None if one is missing or may be altered.

    sendmail truncates long ones, and the two MTAs log non-ASCII characters and line ends differently.
    """
    if not one or not other:
        return None
    one, other = sorted((one.lower(), other.lower()), key=len)
    if one == other or (len(one) >= _CUT and other.startswith(one)):
        return True
    return None if _may_be_altered(one) or _may_be_altered(other) else False


def _may_be_altered(msgid: str) -> bool:
    return not msgid.isascii() or "\\" in msgid or "?" in msgid


def _gap(result: RecipientResult, later: Node) -> int:
    """The time between a delivery and the first line of the next hop, in microseconds."""
    first, last = microseconds(result["date"]), microseconds(result["last_date"])
    return max(first - later.begun, later.begun - last, 0)


def _route(node: Node, result: RecipientResult, later: Node) -> bool | None:
    """Whether the message went from one node's host to the other's; None if the names do not say."""
    is_same_host = same_host(node.host, later.host)
    if _stays_on_host(result):
        return is_same_host
    relay = result["relay_host"]
    if relay is not None and same_host(relay, later.host):
        return True
    if any(same_host(name, node.host) for name in client_names(later.document["client"])):
        return True
    return True if is_same_host and result["relay_ip"] and result["relay_ip"] == later.document["client_ip"] else None


def _stays_on_host(result: RecipientResult) -> bool:
    """Whether the message stayed on the same host."""
    return result["relay_host"] in _LOCAL or is_program(result) or _is_loopback(result["relay_ip"])


def _has_recipient(result: RecipientResult, later: Node) -> bool:
    """Whether the next hop has this recipient, or none at all."""
    results = later.document["to"]
    recipients = {str(address).lower() for other in results for address in (other["recipient"], other["orig_to"])}
    return not results or str(result["recipient"]).lower() in recipients


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
