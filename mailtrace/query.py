"""What a search means. `matches` is the specification: every store must select just the documents that it says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from mailtrace.patterns import Pattern, normal_ip

if TYPE_CHECKING:  # for the sake of `--help`, which needs none
    from mailtrace.documents import Document

OUTCOMES: Final = (
    "sent",
    "deferred",
    "bounced",
    "expired",
    "rejected",
    "held",
    "discarded",
    "deleted",
    "probe",
    "queued",
    "unknown",
)
"""Every outcome that an entry can have."""
MTAS: Final = ("postfix", "sendmail")
"""Every MTA that a document can be of."""

_Asked = TypeVar("_Asked")


_NO_LINKS: Final = frozenset({None, ""})


class Word(NamedTuple):
    """What is given without a flag: whatever a sender, recipient, message ID, queue ID, client or login can be."""

    address: Pattern
    text: Pattern
    """As a message ID or login."""
    client: Pattern
    queue_id: str

    @classmethod
    def of(cls, asked: str) -> Word:
        """Return the word of an argument.

        Raises:
            UsageError: it is a network, and misspelt.
        """
        return cls(Pattern.of(asked), Pattern.of_text(asked), Pattern.of_peer(asked), asked.strip())


@dataclass(frozen=True, slots=True)
class Query:
    """Which documents to find. What is given must all hold; of the values of one member, one."""

    senders: tuple[Pattern, ...] = ()
    recipients: tuple[Pattern, ...] = ()
    """Of `recipient` or `orig_to`."""
    msgids: tuple[Pattern, ...] = ()
    queue_ids: tuple[str, ...] = ()
    """As logged: in long Postfix IDs and sendmail's, case counts."""
    links: tuple[str, ...] = ()
    """Queue IDs that the document names: those of `links_of`."""
    clients: tuple[Pattern, ...] = ()
    """Of `client` and `orig_client`: the name, the addresses, or all as logged."""
    logins: tuple[Pattern, ...] = ()
    hosts: tuple[Pattern, ...] = ()
    """A name, or the first part of a longer one."""
    mtas: tuple[str, ...] = ()
    relays: tuple[Pattern, ...] = ()
    """Of an entry's next hop: the name, the address, or all as logged."""
    statuses: tuple[str, ...] = ()
    """Parts of an entry's `status`, in lower case."""
    outcomes: tuple[str, ...] = ()
    """What became of a recipient: of entries with `last`."""
    ever: tuple[str, ...] = ()
    """An outcome of any entry."""
    words: tuple[Word, ...] = ()
    """All of these must be found, each anywhere."""
    since: int | None = None
    """The earliest `date`, in microseconds since 1970."""
    until: int | None = None
    """The latest `date`, in microseconds since 1970."""
    limit: int | None = None
    """How many at most, the first in the order of the search."""
    oldest_first: bool = False
    """Whether the order is ascending."""

    @property
    def asks_of_entries(self) -> bool:
        """Whether one entry must hold what is asked: all of `-t`, `-s`, `--ever`, `--relay` and `--status`."""
        return bool(self.recipients or self.outcomes or self.ever or self.relays or self.statuses)


def matches(query: Query, document: Document) -> bool:
    """Return whether a document is one of those asked for, the limit aside."""
    return (
        _within(query, document)
        and _any(query.senders, lambda asked: asked.matches(document["from"]))
        and _any(query.msgids, lambda asked: asked.matches(document["msgid"]))
        and _any(query.queue_ids, lambda asked: asked == document["transaction"])
        and _any(query.links, lambda asked: asked in links_of(document))
        and _any(query.clients, lambda asked: _is_client(asked, document))
        and _any(query.logins, lambda asked: asked.matches(document["login"]))
        and _any(query.hosts, lambda asked: is_host(asked, document["host"]))
        and _any(query.mtas, lambda asked: asked == document["mta"])
        and (not query.asks_of_entries or any(holds(query, entry) for entry in document["to"]))
        and all(_is_anywhere(query, word, document) for word in query.words)
    )


def holds(query: Query, entry: dict[str, Any]) -> bool:
    """Return whether an entry holds what a query asks of entries."""
    return (
        _any(query.recipients, lambda asked: is_recipient(asked, entry))
        and (not query.outcomes or (entry["last"] and entry["outcome"] in query.outcomes))
        and (not query.ever or entry["outcome"] in query.ever)
        and _any(query.relays, lambda asked: _is_relay(asked, entry))
        and _any(query.statuses, lambda asked: asked in (entry["status"] or "").lower())
    )


def is_recipient(asked: Pattern, entry: dict[str, Any]) -> bool:
    """Return whether an entry's recipient, or what it was rewritten from, is the one asked for."""
    return asked.matches(entry["recipient"]) or asked.matches(entry["orig_to"])


def is_outside(word: Word, document: Document) -> bool:
    """Return whether a word is found in a document outside its entries."""
    return (
        word.address.matches(document["from"])
        or word.text.matches(document["msgid"])
        or word.text.matches(document["login"])
        or word.queue_id == document["transaction"]
        or _is_client(word.client, document)
    )


def is_host(asked: Pattern, host: str) -> bool:
    """Return whether a host's name, or the first part of it, is the one asked for."""
    return asked.matches(host) or asked.matches(host.partition(".")[0])


def links_of(document: Document) -> set[str]:
    """Return the queue IDs that tie a document to others: its `origin`, and what next hops took the message as."""
    named = {entry["queued_as"] for entry in document["to"]}
    named.add(document["origin"])
    return named - _NO_LINKS


@lru_cache(maxsize=4096)
def client_names(client: str | None) -> frozenset[str]:
    """Return the ways in which a client can be asked for: whole, by name, by address; in lower case."""
    if client is None:
        return frozenset()
    client = client.lower()
    name, _, rest = client.partition("[")
    found = {client, normal_ip(name.strip())}
    for text in rest.split("[")[:2]:
        found.add(normal_ip(text.partition("]")[0]))
    return frozenset(found - {""})


@lru_cache(maxsize=4096)
def relay_names(relay: str | None, host: str | None, ip: str | None) -> frozenset[str]:
    """Return the ways in which a next hop can be asked for: whole, by name, by address; in lower case."""
    return frozenset(((relay or "").lower(), normal_ip(host or ""), normal_ip(ip or ""))) - {""}


def microseconds(date: str) -> int:
    """Return a document's date in microseconds since 1970."""
    moment = datetime.fromisoformat(date)
    whole = moment.replace(microsecond=0).timestamp()
    return int(whole) * 1_000_000 + moment.microsecond


def _any(asked: Sequence[_Asked], is_it: Callable[[_Asked], bool]) -> bool:
    return not asked or any(map(is_it, asked))


def _within(query: Query, document: Document) -> bool:
    if query.since is None and query.until is None:
        return True
    at = microseconds(document["date"])
    return (query.since is None or at >= query.since) and (query.until is None or at <= query.until)


def _is_client(asked: Pattern, document: Document) -> bool:
    names = client_names(document["client"]) | client_names(document["orig_client"])
    return any(map(asked.matches, names))


def _is_relay(asked: Pattern, entry: dict[str, Any]) -> bool:
    return any(map(asked.matches, relay_names(entry["relay"], entry["relay_host"], entry["relay_ip"])))


def _is_anywhere(query: Query, word: Word, document: Document) -> bool:
    """Whether a word is found in a document: among its recipients, in an entry that holds what else is asked of one."""
    return is_outside(word, document) or any(
        is_recipient(word.address, entry) and holds(query, entry) for entry in document["to"]
    )
