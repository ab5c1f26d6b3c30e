"""The queues of the servers, as far as their logs tell: the age of each message, and groups by age as qshape(1) has.

Ages count from now while the log of a host is written, else from its last known line: what happened after the end of a
log is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from mailtrace.search.comparisons import OF_RESULTS
from mailtrace.search.groups import VALUES
from mailtrace.search.patterns import Pattern
from mailtrace.search.query import Query, is_outside_results, last_of, matched_results, untried_in
from mailtrace.search.reasons import reason_in

if TYPE_CHECKING:  # keeps `--help` quick
    from mailtrace.message.document import Document
    from mailtrace.message.recipients import RecipientResult
    from mailtrace.search.groups import Grouping

Search: TypeAlias = Callable[[Query], Iterable["Document"]]
"""The search of a store."""

MINUTES: Final = (5, 10, 20, 40, 80, 160, 320, 640, 1280)
"""The upper limits of the groups by age; one more group has what is older."""
_NEWEST: Final = 100
"""How many of the newest documents of a host are read to find its last line."""
_PAUSE: Final = timedelta(days=1)
"""The longest time between two lines of a log that is still written, or read once a day."""
_UNTRIED: Final = {
    **dict.fromkeys(("recipient", "orig_to", "relay", "relay_host", "relay_ip", "delay")),
    "outcome": "queued",
    "status": "queued (no result yet)",
    "attempts": 1,
}
"""Stands for a recipient that the log does not name yet."""


def _last_line(document: Document) -> datetime:
    """Return the time of the last known line of a document, as far as it tells."""
    return max(map(datetime.fromisoformat, [document["date"], *(result["last_date"] for result in document["to"])]))


def _is_written(last_line: datetime, now: datetime) -> bool:
    """Return whether a log with this last line is still written."""
    return timedelta() <= now - last_line <= _PAUSE


def end_of_logs(search: Search, now: float) -> float:
    """Return until when the logs tell what happened, in seconds since 1970: until now if any is still written."""
    found: list[datetime] = []
    present = datetime.fromtimestamp(now, timezone.utc)
    for query in (Query(limit=_NEWEST), Query(queued=True)):
        found += map(_last_line, search(query))
        if not found or max(found) > present or _is_written(max(found), present):
            return now
    return max(found).timestamp()


class Ages:
    """The ages of messages: from `now` if the log of their host is still written, else from its last line.

    The last line is that of the newest documents or of those in the queue: a server logs each attempt to empty it.
    """

    def __init__(self, search: Search, now: float | None = None) -> None:
        self.last_lines: dict[str, datetime] = {}
        """The time of the last known line of each host with mail in its queue."""
        self._now = None if now is None else datetime.fromtimestamp(now, timezone.utc)
        for document in search(Query(queued=True)):
            self._add(document)
        for host in list(self.last_lines):
            of_host = search(Query(hosts=(Pattern.of_text(host),)))
            for document in islice((each for each in of_host if each["host"] == host), _NEWEST):
                self._add(document)

    def _add(self, document: Document) -> None:
        latest, host = _last_line(document), document["host"]
        self.last_lines[host] = max(latest, self.last_lines.get(host, latest))

    def is_from_now(self, host: str) -> bool:
        """Return whether the ages of the messages of a host count from now."""
        return self._now is not None and _is_written(self.last_lines[host], self._now)

    def of(self, document: Document) -> float:
        """Return how long a message has been in the queue, in seconds."""
        begin, host = datetime.fromisoformat(document["date"]), document["host"]
        if self._now is not None and host in self.last_lines and self.is_from_now(host):
            return max((self._now - begin).total_seconds(), 0.0)
        # A message that came after the last lines were read is new.
        return (max(self.last_lines.get(host, begin), begin) - begin).total_seconds()


class QueueGroup(NamedTuple):
    """The number of recipients, or transactions, in the queue with the same value, by age."""

    value: str | None
    numbers: tuple[int, ...]
    """One for each of `MINUTES`, and one for what is older."""

    @property
    def number(self) -> int:
        """How many there are of any age."""
        return sum(self.numbers)


def has_ages(grouping: Grouping) -> bool:
    """Return whether the groups of what is in the queue have ages.

    Those of hours, days, attempts and pairs of values have none, nor have those sorted by delays or bytes.
    """
    is_plain = grouping.then is None and grouping.sort in (None, "count", "name")
    return is_plain and not grouping.is_of_times and not grouping.counts_attempts


def queue_groups(query: Query, grouping: Grouping, documents: Iterable[Document], ages: Ages) -> list[QueueGroup]:
    """Return the groups of documents that match a query with `queued`, in the order of the grouping."""
    found: dict[str | None, list[int]] = {}
    for document in documents:
        column = sum(ages.of(document) >= minutes * 60 for minutes in MINUTES)
        for value in _values(query, grouping, document):
            found.setdefault(value, [0] * (len(MINUTES) + 1))[column] += 1
    groups = [QueueGroup(value, tuple(numbers)) for value, numbers in found.items()]
    groups.sort(key=lambda group: (group.value is None, group.value or ""))
    return groups if grouping.sort == "name" else sorted(groups, key=lambda group: group.number, reverse=True)


def _values(query: Query, grouping: Grouping, document: Document) -> Iterator[str | None]:
    """Yield the value of each recipient in the queue, or the one of the transaction."""
    column, of = VALUES[grouping.by]
    if grouping.counts_recipients:
        for result in _waiting_results(query, document):
            is_reason = grouping.by == "status"
            yield reason_in(document, result) if is_reason else of(result[column.removeprefix("to.")])
    else:
        yield of(document[column])


def _waiting_results(query: Query, document: Document) -> list[RecipientResult]:
    """The last results of the recipients in the queue; for each that the log does not name yet, one without a name."""
    found = last_of(matched_results(query, document), document)
    is_about_recipients = query.min_delay is not None or any(query.asked(OF_RESULTS))
    if is_about_recipients or not all(is_outside_results(word, document) for word in query.words):
        return found
    return found + [_UNTRIED] * _unnamed(document, found)


def _unnamed(document: Document, waiting: list[RecipientResult]) -> int:
    """How many recipients in the queue have no result of their own; one stands for a message without any."""
    if any(result["recipient"] is None and result["outcome"] == "queued" for result in waiting):
        return max((document["nrcpt"] or 1) - len(waiting), 0)
    return untried_in(document)
