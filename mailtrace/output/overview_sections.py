"""What an overview says, as titles and tables of text, for its layouts as text and HTML."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Final, NamedTuple

from mailtrace.output.escape import safe
from mailtrace.output.times import duration
from mailtrace.search.overview import MOST, UNLIKE, Overview
from mailtrace.search.query import OUTCOMES
from mailtrace.search.tally import AGES, DELAYS, SECOND, Span, Totals

KINDS: Final = {
    "sent": ("sent",),
    "waiting": ("deferred", "held", "queued"),
    "failed": ("bounced", "expired", "rejected"),
    "other": ("discarded", "deleted", "probe", "unknown"),
}
"""The outcomes that have the same colour or the same character in a bar."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_UNITS: Final = ("B", "kB", "MB", "GB", "TB")
_TOP: Final = {"from": "Senders", "to-domain": "Recipients' domains", "client": "Clients", "login": "Logins"}
_WHY: Final = {
    "rejected": "Why mail was refused",
    "deferred": "Why mail was deferred",
    "bounced": "Why mail bounced",
    "expired": "Why mail expired",
}
_UNLIKE: Final = {
    "login": "received from login",
    "client": "received from client",
    "deferring": "deferred for domain",
}


class Section(NamedTuple):
    """A table with its title."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    """The last cell of a row is text; the others are numbers."""


def title_of(span: Span) -> str:
    """Return the title of an overview."""
    return f"Mail from {moment(span.since, span)} to {moment(span.until, span)}"


def moment(date: int, span: Span) -> str:
    """Return a date in microseconds since 1970 for people: `2011-12-15 15:27`."""
    return f"{(_EPOCH + timedelta(microseconds=date)).astimezone(span.zone):%Y-%m-%d %H:%M}"


def sections(overview: Overview) -> Iterator[Section]:
    """Yield the sections that have rows; the volume comes first, and what is unlike before comes next."""
    for section in (
        _volume(overview),
        _unlike(overview),
        *_queue(overview),
        *(_why(overview, outcome) for outcome in overview.reasons),
        _hops(overview),
        *(_top(overview, by) for by in overview.top),
    ):
        if section.rows:
            yield section


def outcomes_of(overview: Overview) -> list[str]:
    """Return the outcomes that occur, in the usual order."""
    found = {*overview.now.outcomes, *(overview.before.outcomes if overview.before else ())}
    return [outcome for outcome in OUTCOMES if outcome in found]


def size(number: int) -> str:
    """Return a size for people, such as `1.5 MB`."""
    shown, unit = float(number), 0
    while round(shown, 1) >= 1000 and unit < len(_UNITS) - 1:
        shown, unit = shown / 1000, unit + 1
    return f"{shown:.1f} {_UNITS[unit]}" if unit else f"{number} B"


def number(value: int) -> str:
    """Return a number with commas between thousands."""
    return f"{value:,}"


def _volume(overview: Overview) -> Section:
    now, before = _numbers(overview, overview.now), _numbers(overview, overview.before) if overview.before else None
    rows = [(shown, "-" if before is None else before[name], name) for name, shown in now.items()]
    return Section("Volume", ("now", "before", ""), rows)


def _numbers(overview: Overview, totals: Totals) -> dict[str, str]:
    return {
        "messages received": number(totals.received),
        "bytes received": size(totals.bytes_in),
        "refusals without a queue ID": number(totals.refused),
        "bytes of messages sent": size(totals.bytes_out),
        **{f"recipients: {outcome}": number(totals.outcomes[outcome]) for outcome in outcomes_of(overview)},
    }


def _unlike(overview: Overview) -> Section:
    title = f"Unlike the same time before: {UNLIKE} times as many, or more"
    rows = [
        (number(one.now), number(one.before), f"{_UNLIKE[one.kind]} {_value(one.value)}") for one in overview.unlike
    ]
    return Section(title, ("now", "before", ""), rows)


def _queue(overview: Overview) -> Iterator[Section]:
    queue, span = overview.queue, overview.span
    title = f"Waiting recipients, of messages since {moment(queue.since, span)}"
    rows = [(number(queue.outcomes[one]), one) for one in OUTCOMES if one in queue.outcomes]
    rows += [
        (number(found), f"waiting {name}") for found, name in zip(queue.ages, _between(AGES), strict=True) if found
    ]
    yield Section(title, ("recipients", ""), rows)
    domains = [
        (number(one.number), duration((span.until - one.oldest) // SECOND), _value(one.domain)) for one in queue.domains
    ]
    yield Section("Waiting by domain", ("recipients", "oldest", "domain"), domains)


def _between(limits: Sequence[int]) -> list[str]:
    """Return the names of classes for people: `under 1 h`, `1 h to 4 h`, `3 d or more`."""
    names = [duration(limit / SECOND) for limit in limits]
    middle = [f"{one} to {other}" for one, other in pairwise(names)]
    return [f"under {names[0]}", *middle, f"{names[-1]} or more"]


def delay_classes() -> list[str]:
    """Return the names of the classes of delays."""
    return _between(DELAYS)


def _why(overview: Overview, outcome: str) -> Section:
    rows = [(number(one.number), _value(one.reason)) for one in overview.reasons[outcome]]
    return Section(_WHY[outcome], ("results", "reason"), rows)


def _hops(overview: Overview) -> Section:
    rows = [
        (number(hop.number), duration(hop.median_delay), duration(hop.p95_delay), _value(hop.relay))
        for hop in overview.hops
    ]
    return Section("Slowest next hops", ("sent", "median", "p95", "next hop"), rows)


def _top(overview: Overview, by: str) -> Section:
    counted = "recipients" if by == "to-domain" else "messages"
    rows = [
        (number(one.number), size(one.bytes), _value(one.value, "''" if by == "login" else "<>"))
        for one in overview.top[by]
    ]
    return Section(f"{_TOP[by]}: the first {MOST}", (counted, "bytes", by), rows)


def _value(text: str, empty: str = "''") -> str:
    return safe(text) or empty


def most(numbers: Iterable[int]) -> int:
    """Return the largest number; at least 1."""
    return max(1, *numbers, 1)
