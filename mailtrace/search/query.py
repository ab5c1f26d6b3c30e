"""The query of a search. `matches` is its specification: every store must find exactly the documents that match."""

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
)
from mailtrace.search.patterns import Pattern
from mailtrace.search.peers import clients_of

if TYPE_CHECKING:  # keeps `--help` quick
    from mailtrace.message.document import Document
    from mailtrace.message.recipients import RecipientResult

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
"""Every outcome of a recipient result."""
MTAS: Final = ("postfix", "sendmail", "exim")
"""Every MTA whose logs are read: the values of a document's `mta`."""
WAITING: Final = frozenset({"deferred", "held", "queued"})
"""The outcomes of a recipient who is still in the queue."""
_NO_LINKS: Final = frozenset({None, ""})


class Word(NamedTuple):
    """A search word without a flag: a sender, recipient, message ID, queue ID, client or login."""

    address: Pattern
    text: Pattern
    """The pattern for message IDs and logins."""
    client: tuple[Pattern, ...]
    """The patterns for clients, one of which must match."""
    queue_id: str

    @classmethod
    def of(cls, argument: str) -> Word:
        """Return the word of a command-line argument.

        Raises:
            UsageError: the argument looks like a network, but is not a valid one.
        """
        return cls(Pattern.of(argument), Pattern.of_text(argument), clients_of(argument), argument.strip())

    def asked_of(self, criterion: Criterion) -> tuple[Any, ...]:
        """Return the wanted values of this word for one of the criteria in `WORD_CRITERIA`."""
        return self.client if criterion is CLIENTS else (getattr(self, WORD_CRITERIA[criterion]),)


WORD_CRITERIA: Final = {
    SENDERS: "address",
    MSGIDS: "text",
    LOGINS: "text",
    QUEUE_IDS: "queue_id",
    CLIENTS: "client",
    RECIPIENTS: "address",
}
"""The criteria that a word can meet, each with the member of `Word` that holds the wanted value."""
_OF_THE_DOCUMENT: Final = tuple(criterion for criterion in WORD_CRITERIA if criterion is not RECIPIENTS)


@dataclass(frozen=True, slots=True)
class Query:
    """Which documents to find, and in which order. All members must match; of the values of one member, one must."""

    senders: tuple[Pattern, ...] = ()
    recipients: tuple[Pattern, ...] = ()
    """Compared with `recipient` and `orig_to`."""
    msgids: tuple[Pattern, ...] = ()
    queue_ids: tuple[str, ...] = ()
    """Exactly as logged: long Postfix IDs and those of sendmail are case-sensitive."""
    links: tuple[str, ...] = ()
    """Queue IDs in `origin` or `queued_as`: those that `links_of` returns."""
    clients: tuple[Pattern, ...] = ()
    """Compared with the name, the addresses and the logged text of `client` and `orig_client`."""
    logins: tuple[Pattern, ...] = ()
    hosts: tuple[Pattern, ...] = ()
    """Compared with the whole name and with the part before its first dot."""
    mtas: tuple[str, ...] = ()
    relays: tuple[Pattern, ...] = ()
    """Compared with the name, the address and the logged text of a recipient result's next hop."""
    statuses: tuple[str, ...] = ()
    """Text in a recipient result's `status`, in lower case."""
    outcomes: tuple[str, ...] = ()
    """Final outcomes of a recipient: those of results with `last`."""
    ever: tuple[str, ...] = ()
    """Outcomes of any recipient result, final or not. With these, `outcomes` and `queued` ask what became of the same
    recipient, and not of the same result."""
    queued: bool = False
    """Whether a recipient must still be in the queue of the server, as far as its log tells."""
    min_delay: int | None = None
    """The shortest delay in seconds that one result of a recipient must have."""
    words: tuple[Word, ...] = ()
    """Every word must match a field; each may match a different one."""
    since: int | None = None
    """The earliest `date`, in microseconds since 1970."""
    until: int | None = None
    """The latest `date`, in microseconds since 1970."""
    limit: int | None = None
    """At most this many documents: the first ones in the order of the search."""
    oldest_first: bool = False
    """Whether the oldest document comes first, instead of the newest."""
    with_lines: bool = False
    """Whether each document also has the member `lines`: its log lines, in the order of their times."""

    def asked(self, criteria: Iterable[Criterion]) -> Iterator[tuple[Criterion, tuple[Any, ...]]]:
        """Return the criteria that this query uses, each with its wanted values."""
        for criterion in criteria:
            if wanted := getattr(self, criterion.name):
                yield criterion, wanted

    @property
    def asks_of_results(self) -> bool:
        """Whether it is about recipients: one result must match `-t`, `-s`, `--ever`, `--relay` and `--status`."""
        return self.queued or self.min_delay is not None or any(self.asked(OF_RESULTS))

    @property
    def of_one_result(self) -> tuple[Criterion, ...]:
        """The criteria that a single recipient result must match."""
        return tuple(criterion for criterion in OF_RESULTS if not (criterion.only_last and self.ever))

    @property
    def of_recipients(self) -> tuple[Criterion, ...]:
        """The criteria that another result of the same recipient may match."""
        return tuple(criterion for criterion in OF_RESULTS if criterion.only_last and self.ever)

    @property
    def compares_results(self) -> bool:
        """Whether it compares several results of a recipient: a store may then find candidates for `matches`."""
        return self.queued or self.min_delay is not None or any(self.asked(self.of_recipients))

    @property
    def can_select_results(self) -> bool:
        """Whether it can match some recipient results of a document and not others."""
        return self.asks_of_results or bool(self.words)

    @property
    def asks_of_attempts(self) -> bool:
        """Whether the query is about delivery attempts: then it also matches results that are not final."""
        return bool(self.ever or self.relays or self.statuses)


def matches(query: Query, document: Document) -> bool:
    """Return whether a document matches a query, whose limit does not count here."""
    return (
        _in_period(query, document)
        and all(criterion.is_met_in(wanted, document) for criterion, wanted in query.asked(OF_DOCUMENTS))
        and (not query.asks_of_results or bool(results_asked(query, document)) or _asks_of_untried(query, document))
        and all(_matches_word(query, word, document) for word in query.words)
    )


def results_asked(query: Query, document: Document) -> list[RecipientResult]:
    """Return the recipient results that match everything that a query asks about recipients."""
    wanted, of_recipients = list(query.asked(query.of_one_result)), list(query.asked(query.of_recipients))
    results: list[RecipientResult] = document["to"]
    found = [one for one in results if all(each.is_met_in_result(values, one) for each, values in wanted)]
    for criterion, values in of_recipients:
        found = _of_same_recipient(found, [one for one in results if criterion.is_met_in_result(values, one)])
    if query.queued:
        waiting = [one for one in (results if query.ever else found) if is_waiting(document, one)]
        found = _of_same_recipient(found, waiting) if query.ever else waiting
    if (shortest := query.min_delay) is not None:
        found = _of_same_recipient(found, [one for one in results if _is_as_long(one["delay"], shortest)])
    return found


def matched_results(query: Query, document: Document) -> list[RecipientResult]:
    """Return the recipient results that a query asks about, of a document that it matches.

    Those are all of them if the query asks nothing about recipients. A word that matches only recipients asks for them.
    """
    found = results_asked(query, document)
    recipients = [word for word in query.words if not is_outside_results(word, document)]
    if not recipients:
        return found
    return [result for result in found if any(is_recipient(word, result) for word in recipients)]


def shown_results(query: Query, document: Document) -> list[RecipientResult]:
    """Return the recipient results to show: those that match, and what became of the recipient if that is asked."""
    found = matched_results(query, document)
    if not (query.ever and (query.outcomes or query.queued)):
        return found
    shown = {id(result) for result in (*found, *last_of(found, document))}
    return [result for result in document["to"] if id(result) in shown]


def last_of(results: Iterable[RecipientResult], document: Document) -> list[RecipientResult]:
    """Return what became of the recipients of some results of a document: the final result of each."""
    return _of_same_recipient([result for result in document["to"] if result["last"]], results)


def _of_same_recipient(results: Iterable[RecipientResult], others: Iterable[RecipientResult]) -> list[RecipientResult]:
    """Those of the results whose recipient has one of the others."""
    recipients = {(other["recipient"], other["orig_to"]) for other in others}
    return [result for result in results if (result["recipient"], result["orig_to"]) in recipients]


def _is_as_long(delay: float | None, shortest: int) -> bool:
    return delay is not None and delay >= shortest


def is_waiting(document: Document, result: RecipientResult) -> bool:
    """Return whether a result tells that its recipient is still in the queue of the server."""
    return not document["removed"] and result["last"] and result["outcome"] in WAITING


def untried_in(document: Document) -> int:
    """Return how many recipients of a message in the queue have no result yet, although others have one."""
    if document["removed"] or document["nrcpt"] is None:
        return 0
    last = [one for one in document["to"] if one["last"] and one["recipient"] is not None]
    tried = sum(one["outcome"] != "rejected" for one in last)
    return max(document["nrcpt"] - tried, 0) if tried else 0


def _asks_of_untried(query: Query, document: Document) -> bool:
    """Whether a query asks for what is in the queue, and a document has recipients there that its log does not name."""
    is_only_about_queue = query.queued and query.min_delay is None and not any(query.asked(OF_RESULTS))
    return is_only_about_queue and untried_in(document) > 0


def is_recipient(word: Word, result: RecipientResult) -> bool:
    """Return whether a word matches a result's recipient, or the address it was rewritten from."""
    return RECIPIENTS.is_met_in_result(word.asked_of(RECIPIENTS), result)


def is_outside_results(word: Word, document: Document) -> bool:
    """Return whether a word matches a field of a document other than its recipients."""
    return any(criterion.is_met_in(word.asked_of(criterion), document) for criterion in _OF_THE_DOCUMENT)


def links_of(document: Document) -> set[str]:
    """Return the queue IDs that link a document to others: its `origin`, and the `queued_as` of its results."""
    queue_ids = {result["queued_as"] for result in document["to"]}
    queue_ids.add(document["origin"])
    return queue_ids - _NO_LINKS


def microseconds(date: str) -> int:
    """Return a document's date in microseconds since 1970."""
    parsed = datetime.fromisoformat(date)
    seconds = parsed.replace(microsecond=0).timestamp()
    return int(seconds) * 1_000_000 + parsed.microsecond


def _in_period(query: Query, document: Document) -> bool:
    if query.since is None and query.until is None:
        return True
    date = microseconds(document["date"])
    return (query.since is None or date >= query.since) and (query.until is None or date <= query.until)


def _matches_word(query: Query, word: Word, document: Document) -> bool:
    """Whether a word matches a document. If it matches a recipient, that result must match the whole query."""
    return is_outside_results(word, document) or any(
        is_recipient(word, result) for result in results_asked(query, document)
    )
