"""What a search means. `matches` is the specification: every store must select just the documents that it says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mailtrace.search.comparisons import (
    CLIENTS,
    LOGINS,
    MSGIDS,
    OF_DOCUMENTS,
    OF_RESULTS,
    QUEUE_IDS,
    RECIPIENTS,
    SENDERS,
    Criterion,
    Result,
)
from mailtrace.search.patterns import Pattern

if TYPE_CHECKING:  # for the sake of `--help`, which needs none
    from mailtrace.message.document import Document

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
_NO_LINKS: Final = frozenset({None, ""})


class Word(NamedTuple):
    """What is given without a flag: a sender, recipient, message ID, queue ID, client or login."""

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

    def asked_of(self, criterion: Criterion) -> tuple[Any]:
        """Return what this word asks for as one of the criteria that `WORD_CRITERIA` names."""
        return (getattr(self, WORD_CRITERIA[criterion]),)


WORD_CRITERIA: Final = {
    SENDERS: "address",
    MSGIDS: "text",
    LOGINS: "text",
    QUEUE_IDS: "queue_id",
    CLIENTS: "client",
    RECIPIENTS: "address",
}
"""The criteria that a word can meet, each with the member of `Word` that it compares."""
_OUTSIDE: Final = tuple(criterion for criterion in WORD_CRITERIA if criterion is not RECIPIENTS)


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

    def asked(self, criteria: Iterable[Criterion]) -> Iterator[tuple[Criterion, tuple[Any, ...]]]:
        """Return those of the criteria by which this query asks for something, each with what it asks for."""
        for criterion in criteria:
            if asked := getattr(self, criterion.name):
                yield criterion, asked

    @property
    def asks_of_results(self) -> bool:
        """Whether one recipient result must hold what is asked: all of `-t`, `-s`, `--ever`, `--relay`, `--status`."""
        return any(self.asked(OF_RESULTS))

    @property
    def asks_of_attempts(self) -> bool:
        """Whether it asks what happened on the way, and so of earlier results too, not of a recipient's last alone."""
        return bool(self.ever or self.relays or self.statuses)


def matches(query: Query, document: Document) -> bool:
    """Return whether a document is one of those asked for, the limit aside."""
    return (
        _within(query, document)
        and all(criterion.is_met_in(asked, document) for criterion, asked in query.asked(OF_DOCUMENTS))
        and (not query.asks_of_results or any(holds(query, result) for result in document["to"]))
        and all(_is_anywhere(query, word, document) for word in query.words)
    )


def holds(query: Query, result: Result) -> bool:
    """Return whether a recipient result holds all that a query asks of one."""
    return all(criterion.is_met_in_result(asked, result) for criterion, asked in query.asked(OF_RESULTS))


def is_recipient(word: Word, result: Result) -> bool:
    """Return whether a result's recipient, or what it was rewritten from, is the word."""
    return RECIPIENTS.is_met_in_result(word.asked_of(RECIPIENTS), result)


def is_outside(word: Word, document: Document) -> bool:
    """Return whether a word is found in a document outside its recipient results."""
    return any(criterion.is_met_in(word.asked_of(criterion), document) for criterion in _OUTSIDE)


def links_of(document: Document) -> set[str]:
    """Return the queue IDs that tie a document to others: its `origin`, and what next hops took the message as."""
    named = {entry["queued_as"] for entry in document["to"]}
    named.add(document["origin"])
    return named - _NO_LINKS


def microseconds(date: str) -> int:
    """Return a document's date in microseconds since 1970."""
    moment = datetime.fromisoformat(date)
    whole = moment.replace(microsecond=0).timestamp()
    return int(whole) * 1_000_000 + moment.microsecond


def _within(query: Query, document: Document) -> bool:
    if query.since is None and query.until is None:
        return True
    at = microseconds(document["date"])
    return (query.since is None or at >= query.since) and (query.until is None or at <= query.until)


def _is_anywhere(query: Query, word: Word, document: Document) -> bool:
    """Whether a word is found in a document: among its recipients, in a result that holds what else is asked of one."""
    return is_outside(word, document) or any(
        is_recipient(word, result) and holds(query, result) for result in document["to"]
    )
