"""What a search means. `matches` is the specification: every store must select just the documents that it says."""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final, NamedTuple

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


class Pattern(NamedTuple):
    """How an address is asked for: exactly, by domain (`@bar.com`), or with `*` and `?`; case never counts."""

    kind: str
    """exact, domain or glob."""
    text: str
    """In lower case; a domain without its `@`."""

    @classmethod
    def of(cls, asked: str) -> "Pattern":
        """Return the pattern of a flag's value; `<>` and the empty text are the null sender."""
        text = asked.strip().lower()
        if text.startswith("<") and text.endswith(">"):
            text = text[1:-1]
        if "*" in text or "?" in text:
            return cls("glob", text)
        if text.startswith("@") and len(text) > 1:
            return cls("domain", text[1:])
        return cls("exact", text)

    def matches(self, value: str | None) -> bool:
        """Return whether a document's value is what was asked for; null never is."""
        if value is None:
            return False
        value = value.lower()
        if self.kind == "exact":
            return value == self.text
        if self.kind == "domain":
            return value.rpartition("@")[2] == self.text and "@" in value
        return _glob_matches(self.text, value)


@dataclass(frozen=True, slots=True)
class Query:
    """Which documents to find. What is given must all hold; of the values of one member, one."""

    senders: tuple[Pattern, ...] = ()
    recipients: tuple[Pattern, ...] = ()
    """Of `recipient` or `orig_to`."""
    msgids: tuple[str, ...] = ()
    """Without angle brackets; case does not count."""
    queue_ids: tuple[str, ...] = ()
    """As logged: in long Postfix IDs and sendmail's, case counts."""
    links: tuple[str, ...] = ()
    """Queue IDs that the document names: those of `links_of`."""
    clients: tuple[str, ...] = ()
    """Names or IP addresses, of `client` and `orig_client`."""
    hosts: tuple[str, ...] = ()
    """A name without a dot is also the first part of a longer one."""
    outcomes: tuple[str, ...] = ()
    """What became of a recipient: of entries with `last`, the same that `recipients` matches."""
    since: int | None = None
    """The earliest `date`, in microseconds since 1970."""
    until: int | None = None
    """The latest `date`, in microseconds since 1970."""
    limit: int | None = None
    """How many at most, the newest."""


def matches(query: Query, document: Document) -> bool:
    """Return whether a document is one of those asked for, the limit aside."""
    return (
        _within(query, document["date"])
        and _any(query.senders, lambda sender: sender.matches(document["from"]))
        and _any(query.msgids, lambda msgid: msgid.lower() == (document["msgid"] or "").lower())
        and _any(query.queue_ids, lambda queue_id: queue_id == document["transaction"])
        and _any(query.links, lambda queue_id: queue_id in links_of(document))
        and _any(query.clients, lambda client: _is_client(client, document))
        and _any(query.hosts, lambda host: is_host(host, document["host"]))
        and (not (query.recipients or query.outcomes) or any(_is_entry(query, entry) for entry in document["to"]))
    )


def is_host(asked: str, host: str) -> bool:
    """Return whether a host's name is the one asked for: a short name is also that of the full one."""
    asked, host = asked.lower(), host.lower()
    return host == asked or ("." not in asked and host.partition(".")[0] == asked)


def links_of(document: Document) -> set[str]:
    """Return the queue IDs that tie a document to others: its `origin`, and what next hops took the message as."""
    named = {entry["queued_as"] for entry in document["to"]} | {document["origin"]}
    return {queue_id for queue_id in named if queue_id}


def client_names(client: str | None) -> set[str]:
    """Return the ways in which a client can be asked for: whole, by name, by address; in lower case."""
    if client is None:
        return set()
    client = client.lower()
    name, _, rest = client.partition("[")
    found = {client, name.strip()}
    for text in rest.split("[")[:2]:
        found.add(normal_ip(text.partition("]")[0].removeprefix("ipv6:")))
    return found - {""}


def normal_ip(text: str) -> str:
    """Return an IP address in its one normal spelling; other text as it is."""
    try:
        return str(ip_address(text))
    except ValueError:
        return text


def microseconds(date: str) -> int:
    """Return a document's date in microseconds since 1970."""
    moment = datetime.fromisoformat(date)
    whole = moment.replace(microsecond=0).timestamp()
    return int(whole) * 1_000_000 + moment.microsecond


def _any(asked: tuple[Any, ...], holds: Any) -> bool:
    return not asked or any(holds(value) for value in asked)


def _within(query: Query, date: str) -> bool:
    if query.since is None and query.until is None:
        return True
    at = microseconds(date)
    return (query.since is None or at >= query.since) and (query.until is None or at <= query.until)


def _is_client(asked: str, document: Document) -> bool:
    names = client_names(document["client"]) | client_names(document["orig_client"])
    return normal_ip(asked.strip().strip("[]").lower()) in names or asked.strip().lower() in names


def _is_entry(query: Query, entry: dict[str, Any]) -> bool:
    return _any(
        query.recipients, lambda asked: asked.matches(entry["recipient"]) or asked.matches(entry["orig_to"])
    ) and (not query.outcomes or (entry["last"] and entry["outcome"] in query.outcomes))


@lru_cache(maxsize=64)
def _pieces(glob: str) -> tuple[re.Pattern[str], ...]:
    return tuple(
        re.compile("".join("." if char == "?" else re.escape(char) for char in piece), re.DOTALL)
        for piece in glob.split("*")
    )


def _glob_matches(glob: str, value: str) -> bool:
    """Whether a value fits. Each piece between stars is taken where it first fits, so nothing backtracks."""
    first, *middle = _pieces(glob)
    if not middle:
        return first.fullmatch(value) is not None
    *middle, final = middle
    if not (found := first.match(value)):
        return False
    at = found.end()
    for piece in middle:
        if not (found := piece.search(value, at)):
            return False
        at = found.end()
    tail = len(value) - len(final.pattern.replace("\\", ""))
    return tail >= at and final.match(value, tail) is not None
