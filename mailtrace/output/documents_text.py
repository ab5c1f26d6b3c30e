"""Documents as people read them: the plain layout, what a terminal shows more at a glance, and all that is known."""

from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo
from typing import Any, Final, NamedTuple

from mailtrace.message.document import Document
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
    """How much the text layout shows."""

    glance: bool = False
    """What became of a recipient, in how many attempts and what time, before the recipient."""
    color: bool = False
    long: bool = False
    """All that is known."""


PLAIN: Final = Style()
"""What a pipe gets."""


def text_lines(documents: Iterable[Document], zone: tzinfo, style: Style = PLAIN) -> Iterator[str]:
    """Return documents in the text layout, a blank line between two."""
    blank = ""
    for document in documents:
        yield blank + as_text(document, zone, style)
        blank = "\n"


def as_text(document: Document, zone: tzinfo, style: Style = PLAIN) -> str:
    """Return a document in the text layout: lines of what is known, one for each entry of `to`."""
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
    for entry in document["to"]:
        yield f"to:     {_glance(document, entry, style) if style.glance else ''}{_entry(entry)}"
        if style.long:
            yield from (f"{_INDENT}{line}" for line in _known(_more_of(entry, zone), _more_of(entry, zone)))
    yield f"host:   {safe(document['host'])}"
    if style.long:
        yield from _known(document, ("mta", "instance"))
        yield f"removed: {'yes' if document['removed'] else 'no'}"


def _known(members: dict[str, Any], names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if members[name] is not None:
            yield f"{name + ':':<7} {safe(str(members[name]))}"


def _entry(entry: dict[str, Any]) -> str:
    recipient, relay, status = (safe(entry[member] or "") for member in ("recipient", "relay_host", "status"))
    return f"recipient='{recipient}' , relay='{relay}', status='{status}'"


def _more_of(entry: dict[str, Any], zone: tzinfo) -> dict[str, Any]:
    """What the line of an entry does not say."""
    return {
        "orig_to": entry["orig_to"],
        "relay": entry["relay"],
        "outcome": entry["outcome"] if entry["last"] else f"{entry['outcome']}, and later another",
        "dsn": entry["dsn"],
        "delay": None if entry["delay"] is None else duration(entry["delay"]),
        "attempts": entry["attempts"],
        "date": local_time(entry["date"], zone),
        "last_date": None if entry["last_date"] == entry["date"] else local_time(entry["last_date"], zone),
        "queued_as": entry["queued_as"],
    }


def _glance(document: Document, entry: dict[str, Any], style: Style) -> str:
    told = [f"{entry['attempts']} attempts"] if entry["attempts"] > 1 else []
    if (seconds := _elapsed(document, entry)) is not None:
        told.append(duration(seconds))
    about = f" ({', '.join(told)})" if told else ""
    outcome = safe(entry["outcome"])
    if style.color:
        # What was not the last word on a recipient is faint.
        outcome = f"\x1b[{'1' if entry['last'] else '2'};{_COLORS.get(outcome, '35')}m{outcome}\x1b[0m"
    return f"{outcome}{about} "


def _elapsed(document: Document, entry: dict[str, Any]) -> float | None:
    """Seconds from the message's arrival to the result, as the MTA says, else by the lines' times; null within one."""
    if entry["delay"] is not None:
        return float(entry["delay"])
    span = datetime.fromisoformat(entry["last_date"]) - datetime.fromisoformat(document["date"])
    return span.total_seconds() or None
