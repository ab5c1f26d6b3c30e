"""Documents as text: the plain layout, outcomes and colours for a terminal, and the long layout."""

from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo
from typing import Any, Final, NamedTuple

from mailtrace.message.document import Document
from mailtrace.message.recipients import RecipientResult
from mailtrace.output.colors import colored_outcome
from mailtrace.output.escape import safe
from mailtrace.output.selection import Select, every_result, others
from mailtrace.output.times import duration, local_time

_PLAIN_WIDTH: Final = 8
_LONG_WIDTH: Final = 13
"""Where values begin: after `transaction: `, the longest label."""
_DETAIL_WIDTH: Final = 11
_OF_DOCUMENT: Final = (
    *("transaction", "client", "orig_client", "login", "from", "msgid", "origin", "size", "nrcpt", "date"),
    *("to", "host", "mta", "instance", "removed"),
)
"""The fields of the long layout, in its order."""


class Style(NamedTuple):
    """What the text layout shows."""

    outcomes: bool = False
    """Show outcome, number of attempts and delay before each recipient."""
    color: bool = False
    """Show outcomes in colour."""
    long: bool = False
    """Show every known field."""


PLAIN: Final = Style()
"""The style of output that is not a terminal."""


def document_texts(
    documents: Iterable[Document], zone: tzinfo, style: Style = PLAIN, select: Select = every_result
) -> Iterator[str]:
    """Return documents as text, with a blank line between them; `select` chooses their recipient results."""
    blank = ""
    for document in documents:
        yield blank + document_text(document, zone, style, select)
        blank = "\n"


def document_text(document: Document, zone: tzinfo, style: Style = PLAIN, select: Select = every_result) -> str:
    """Return a document as lines of its known fields, with one line for each selected recipient result."""
    results = select(document)
    lines = _long_lines(document, results, zone, style) if style.long else _lines(document, results, zone, style)
    return "".join(f"{line}\n" for line in lines)


def _lines(document: Document, results: list[RecipientResult], zone: tzinfo, style: Style) -> Iterator[str]:
    yield f"transaction: {safe(document['transaction'])}"
    yield from _known(document, ("client",), _PLAIN_WIDTH)
    if document["from"] is not None:
        yield f"from:   {safe(document['from']) or '<>'}"
    yield from _known(document, ("msgid",), _PLAIN_WIDTH)
    yield f"date:   {local_time(document['date'], zone)}"
    for result in results:
        yield f"to:     {_outcome(document, result, style) if style.outcomes else ''}{_result(result)}"
    if left := len(document["to"]) - len(results):
        yield f"        {others(left)}"
    yield f"host:   {safe(document['host'])}"


def _long_lines(document: Document, results: list[RecipientResult], zone: tzinfo, style: Style) -> Iterator[str]:
    """The lines of the long layout, whose values begin in one column."""
    shown = {
        **document,
        "from": "<>" if document["from"] == "" else document["from"],
        "date": local_time(document["date"], zone),
        "removed": "yes" if document["removed"] else "no",
    }
    indent = " " * _LONG_WIDTH
    for name in _OF_DOCUMENT:
        if name != "to":
            yield from _known(shown, (name,), _LONG_WIDTH)
            continue
        for result in results:
            yield f"{'to:':{_LONG_WIDTH}}{_outcome(document, result, style) if style.outcomes else ''}{_result(result)}"
            yield from (f"{indent}{line}" for line in result_details(result, zone))
        if left := len(document["to"]) - len(results):
            yield f"{indent}{others(left)}"


def _known(fields: dict[str, Any], names: Iterable[str], width: int) -> Iterator[str]:
    for name in names:
        if fields[name] is not None:
            yield f"{name + ':':{width - 1}} {safe(str(fields[name]))}"


def document_details(document: Document, names: Iterable[str]) -> Iterator[str]:
    """Return these fields of a document as aligned lines, those that are known."""
    return _known({**document, "removed": "yes" if document["removed"] else "no"}, names, _LONG_WIDTH)


def _result(result: RecipientResult) -> str:
    """The known fields of a result that the plain layout shows, with its blank before `, relay`."""
    recipient, relay, status = result["recipient"], result["relay_host"], result["status"]
    parts = []
    if recipient is not None:
        parts.append(f"recipient='{safe(recipient)}'{' ' if relay is not None else ''}")
    if relay is not None:
        parts.append(f"relay='{safe(relay)}'")
    return ", ".join([*parts, f"status='{safe(status or '')}'"])


def result_details(result: RecipientResult, zone: tzinfo) -> Iterator[str]:
    """Return the fields of a recipient result that only the long layout shows, as aligned lines."""
    shown = {
        "orig_to": result["orig_to"],
        "relay": result["relay"],
        "outcome": result["outcome"] if result["last"] else f"{result['outcome']} (not final)",
        "dsn": result["dsn"],
        "delay": None if result["delay"] is None else duration(result["delay"]),
        "attempts": result["attempts"],
        "date": local_time(result["date"], zone),
        "last_date": None if result["last_date"] == result["date"] else local_time(result["last_date"], zone),
        "queued_as": result["queued_as"],
    }
    return _known(shown, shown, _DETAIL_WIDTH)


def _outcome(document: Document, result: RecipientResult, style: Style) -> str:
    details = [f"{result['attempts']} attempts"] if result["attempts"] > 1 else []
    if (seconds := _elapsed(document, result)) is not None:
        details.append(duration(seconds))
    outcome = safe(result["outcome"])
    if style.color:
        outcome = colored_outcome(outcome, outcome, last=result["last"])
    return f"{outcome} ({', '.join(details)}) " if details else f"{outcome} "


def _elapsed(document: Document, result: RecipientResult) -> float | None:
    """Seconds from arrival to result: the MTA's delay, or else the difference of the lines' times; None if it is 0."""
    if result["delay"] is not None:
        return float(result["delay"])
    span = datetime.fromisoformat(result["last_date"]) - datetime.fromisoformat(document["date"])
    return span.total_seconds() or None
