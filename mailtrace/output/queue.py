"""What is in the queue: the age of each message, and groups with a column for each age as qshape(1) has."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from itertools import tee
from typing import Final

import orjson

from mailtrace.message.document import Document
from mailtrace.output.documents_csv import csv_line
from mailtrace.output.escape import safe, safe_json
from mailtrace.output.groups import ADDRESSES, shown_value
from mailtrace.output.times import duration, local_time
from mailtrace.search.groups import Grouping
from mailtrace.search.query import is_waiting, untried_in
from mailtrace.search.queue import MINUTES, Ages, QueueGroup

_HEADS: Final = (*map(str, MINUTES), f"{MINUTES[-1]}+")
"""The heading of each age, in minutes."""
_MOST_HOSTS: Final = 5


def with_ages(texts: Iterable[str], documents: Iterable[Document], ages: Ages) -> Iterator[str]:
    """Return the texts of documents, each with a line that tells the age and the last reason why it waits."""
    return (f"{text}{_queue_line(document, ages)}" for text, document in zip(texts, documents, strict=True))


def both(documents: Iterator[Document]) -> tuple[Iterator[Document], Iterator[Document]]:
    """Return two iterators of documents, to be read side by side."""
    one, other = tee(documents)
    return one, other


def _queue_line(document: Document, ages: Ages) -> str:
    waiting = [result for result in document["to"] if is_waiting(document, result)]
    newest = max(waiting, key=lambda result: datetime.fromisoformat(result["last_date"]), default=None)
    # A single result has just been shown.
    reason = f", {safe(newest['status'])}" if newest and len(document["to"]) > 1 else ""
    untried = f", {number} not tried yet" if (number := untried_in(document)) else ""
    return f"queued: {duration(ages.of(document))}{reason}{untried}\n"


def with_age(document: Document, ages: Ages) -> Document:
    """Return a document with its age in seconds, as JSON shows it."""
    return {**document, "age": ages.of(document)}


def ages_text(ages: Ages, zone: tzinfo) -> Iterator[str]:
    """Yield lines that tell what ages count from."""
    written = {host: time for host, time in ages.last_lines.items() if ages.is_from_now(host)}
    ended = {host: time for host, time in ages.last_lines.items() if host not in written}
    if written:
        yield f"ages count from now; the last known line of {_hosts(written)}: {_dates(written, zone)}"
    if ended:
        yield f"ages count from the last known line of {_hosts(ended)}, not from now: {_dates(ended, zone)}"


def _hosts(last_lines: Mapping[str, datetime]) -> str:
    return "the host" if len(last_lines) == 1 else "each host"


def _dates(last_lines: Mapping[str, datetime], zone: tzinfo) -> str:
    """Return hosts with their last lines, the latest first."""
    latest = sorted(last_lines.items(), key=lambda item: item[1], reverse=True)
    shown = [f"{host} {local_time(time.isoformat(), zone)}" for host, time in latest[:_MOST_HOSTS]]
    more = [f"{len(latest) - _MOST_HOSTS} more"] if len(latest) > _MOST_HOSTS else []
    return ", ".join(shown + more)


def queue_text(groups: Sequence[QueueGroup], every: Sequence[QueueGroup], grouping: Grouping) -> Iterator[str]:
    """Return groups as aligned columns below a heading and the total of all groups; ages are in minutes."""
    total = [sum(numbers) for numbers in zip(*(group.numbers for group in every), strict=True)]
    rows = [(grouping.counted, *_HEADS), _cells(total), *(_cells(group.numbers) for group in groups)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    values = [grouping.by, "TOTAL", *(_shown(group, grouping) for group in groups)]
    for row, value in zip(rows, values, strict=True):
        yield "  ".join([*(cell.rjust(width) for cell, width in zip(row, widths, strict=True)), value]) + "\n"


def _shown(group: QueueGroup, grouping: Grouping) -> str:
    """The value of a group as text; recipients that the log has not named yet are no value that is missing."""
    is_unnamed = group.value is None and grouping.counts_recipients
    return "-" if is_unnamed else shown_value(grouping.by, group.value)


def _cells(numbers: Sequence[int]) -> tuple[str, ...]:
    return tuple(map(str, (sum(numbers), *numbers)))


def queue_json(groups: Iterable[QueueGroup], grouping: Grouping) -> Iterator[str]:
    """Return groups as one JSON object per line."""
    for group in groups:
        ages = dict(zip(_HEADS, group.numbers, strict=True))
        shown = {"by": grouping.by, "value": group.value, "count": group.number, "minutes": ages}
        yield safe_json(orjson.dumps(shown)).decode() + "\n"


def queue_csv(groups: Iterable[QueueGroup], grouping: Grouping) -> Iterator[str]:
    """Return groups as CSV with a header."""
    yield csv_line([grouping.by, "count", *_HEADS])
    for group in groups:
        value = "<>" if group.value == "" and grouping.by in ADDRESSES else group.value
        yield csv_line([value, group.number, *group.numbers])
