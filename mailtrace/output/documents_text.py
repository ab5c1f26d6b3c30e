"""Documents as text: the plain layout, outcomes and colours for a terminal, and the long layout."""

from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo
from typing import Any, Final, NamedTuple

from mailtrace.message.document import Document
from mailtrace.message.recipients import RecipientResult
from mailtrace.output.escape import safe
from mailtrace.output.times import duration, local_time

_COLORS: Final = {
    **dict.fromkeys(("sent",), "32"),
    **dict.fromkeys(("deferred", "queued", "held"), "33"),
    **dict.fromkeys(("bounced", "expired", "rejected"), "31"),
    **dict.fromkeys(("discarded", "deleted", "unknown"), "35"),
    "probe": "36",
}
_INDENT: Final = " " * 8


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


def document_texts(documents: Iterable[Document], zone: tzinfo, style: Style = PLAIN) -> Iterator[str]:
    """Return documents as text, with a blank line between them."""
    blank = ""
    for document in documents:
        yield blank + document_text(document, zone, style)
        blank = "\n"


def document_text(document: Document, zone: tzinfo, style: Style = PLAIN) -> str:
    """Return a document as lines of its known fields, with one line for each recipient result."""
    return "".join(f"{line}\n" for line in _lines(document, zone, style))


def _lines(document: Document, zone: tzinfo, style: Style) -> Iterator[str]:
    yield f"transaction: {safe(document['transaction'])}"
    yield from _known(document, ("client",))
    if style.long:
        yield from _known(document, ("orig_client", "login"))
    if document["from"] is not None:
        yield f"from:   {safe(document['from']) or '<>'}"
    yield from _known(document, ("msgid",))
    if style.long:
        yield from _known(document, ("origin", "size", "nrcpt"))
    yield f"date:   {local_time(document['date'], zone)}"
    for result in document["to"]:
        yield f"to:     {_outcome(document, result, style) if style.outcomes else ''}{_result(result)}"
        if style.long:
            details = _details(result, zone)
            yield from (f"{_INDENT}{line}" for line in _known(details, details))
    yield f"host:   {safe(document['host'])}"
    if style.long:
        yield from _known(document, ("mta", "instance"))
        yield f"removed: {'yes' if document['removed'] else 'no'}"
    yield from line_texts(document, zone)


def line_texts(document: Document, zone: tzinfo) -> Iterator[str]:
    """Return the log lines of a document, if it has them, as a log shows them."""
    for line in document.get("lines", ()):
        pid = f"[{line['pid']}]" if line["pid"] else ""
        frame = f"{local_time(line['date'], zone)} {document['host']} {line['program']}{pid}"
        yield safe(f"{frame}: {line['text']}")


def _known(fields: dict[str, Any], names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if fields[name] is not None:
            yield f"{name + ':':<7} {safe(str(fields[name]))}"


def _result(result: RecipientResult) -> str:
    recipient, relay, status = (safe(result[name] or "") for name in ("recipient", "relay_host", "status"))
    return f"recipient='{recipient}' , relay='{relay}', status='{status}'"


def _details(result: RecipientResult, zone: tzinfo) -> dict[str, Any]:
    """The fields of a recipient result that only the long layout shows."""
    return {
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


def _outcome(document: Document, result: RecipientResult, style: Style) -> str:
    details = [f"{result['attempts']} attempts"] if result["attempts"] > 1 else []
    if (seconds := _elapsed(document, result)) is not None:
        details.append(duration(seconds))
    outcome = safe(result["outcome"])
    if style.color:
        # Results that are not final are faint.
        outcome = f"\x1b[{'1' if result['last'] else '2'};{_COLORS.get(outcome, '35')}m{outcome}\x1b[0m"
    return f"{outcome} ({', '.join(details)}) " if details else f"{outcome} "


def _elapsed(document: Document, result: RecipientResult) -> float | None:
    """Seconds from arrival to result: the MTA's delay, or else the difference of the lines' times; None if it is 0."""
    if result["delay"] is not None:
        return float(result["delay"])
    span = datetime.fromisoformat(result["last_date"]) - datetime.fromisoformat(document["date"])
    return span.total_seconds() or None
