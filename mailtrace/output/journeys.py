"""Journeys as people read them, a tree, and as programs do, JSON. Nothing that a log says can steer a terminal."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import tzinfo
from typing import Any, Final

import orjson

from mailtrace.message.document import Document
from mailtrace.output.escape import as_json, safe
from mailtrace.output.times import duration, in_zone, local_time
from mailtrace.tracing.journey import Branch, Hop, Journey

_WAYS: Final = 20
"""Branches of a hop, and hops of a branch, that the tree shows."""
_NAMES: Final = 10
"""Recipients of a branch, and candidates, that the tree shows."""


def journey_text(journey: Journey, zone: tzinfo) -> str:
    """Return a journey as a tree, below lines that sum it up."""
    return "".join(f"{line}\n" for line in (*_summary(journey, zone), *_Tree(zone).root(journey)))


def journey_json(journey: Journey, zone: tzinfo) -> bytes:
    """Return a journey as one line of JSON: `root` is its first hop, which holds the others; times are in the zone."""
    document = journey.root.document
    told = {
        "msgid": document["msgid"],
        "from": document["from"],
        "date": in_zone(document["date"], zone),
        "seconds": journey.seconds,
        "hops": journey.hops,
        "hosts": sorted(journey.hosts),
        "results": dict(journey.results),
        "complete": journey.is_complete,
        "candidates": _named(journey.candidates, zone),
        "root": _hop(journey.root, zone),
    }
    return orjson.dumps(told) + b"\n"


def _hop(hop: Hop, zone: tzinfo) -> dict[str, Any]:
    told: dict[str, Any] = orjson.loads(as_json(hop.document, zone))
    shown = dict(zip(map(id, hop.document["to"]), told.pop("to"), strict=True))
    return told | {
        "tie": hop.tie,
        "wait": hop.wait,
        "notice": hop.is_notice,
        "found": hop.is_found,
        "repeated": hop.is_repeated,
        "cut": hop.is_cut,
        "branches": [
            {
                "recipients": [shown[id(entry)] for entry in branch.recipient_results],
                "queued_as": branch.queued_as,
                "unknown": branch.is_unknown,
                "candidates": _named(branch.candidates, zone),
                "next": [_hop(later, zone) for later in branch.hops],
            }
            for branch in hop.branches
        ],
        "made": [_hop(later, zone) for later in hop.made],
    }


def _named(documents: Iterable[Document], zone: tzinfo) -> list[dict[str, str]]:
    return [
        {"host": document["host"], "transaction": document["transaction"], "date": in_zone(document["date"], zone)}
        for document in documents
    ]


def _summary(journey: Journey, zone: tzinfo) -> Iterator[str]:
    document = journey.root.document
    if document["msgid"] is not None:
        yield f"msgid:  {safe(document['msgid'])}"
    if document["from"] is not None:
        yield f"from:   {safe(document['from']) or '<>'}"
    yield f"date:   {local_time(document['date'], zone)}"
    way = f"{_number(journey.hops, 'hop')} on {_number(len(journey.hosts), 'host')} in {duration(journey.seconds)}"
    yield f"way:    {way}: {_counted(journey.results)}" if journey.results else f"way:    {way}"
    if not journey.is_complete:
        yield "        too long to be shown whole: search for a part of it with -q or -t"


class _Tree:
    """Draws hops: each on a line, what became of its recipients below it, and the next hop below that."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone

    def root(self, journey: Journey) -> Iterator[str]:
        document = journey.root.document
        if journey.candidates:
            yield from self._candidates("came from", journey.candidates)
        elif document["origin"] is not None:
            yield f"came from {safe(document['origin'])}: not in these logs"
        yield from self._hop(journey.root)

    def _hop(self, hop: Hop) -> Iterator[str]:
        yield self._head(hop)
        if hop.is_repeated or hop.is_cut:
            return
        parts = [self._branch(branch) for branch in _foremost(hop.branches)]
        if len(hop.branches) > _WAYS:
            rest = [entry for branch in _hindmost(hop.branches) for entry in branch.recipient_results]
            outcomes = Counter(entry["outcome"] for entry in rest)
            parts.append(iter([f"and {len(rest)} more: {_counted(outcomes)} (--format json shows all)"]))
        parts += [self._made(hop, later) for later in hop.made[:_WAYS]]
        if len(hop.made) > _WAYS:
            parts.append(iter([f"and {len(hop.made) - _WAYS} more notices or copies (--format json shows all)"]))
        yield from _joined(parts or [iter(["no result in these logs"])])

    def _head(self, hop: Hop) -> str:
        document = hop.document
        line = self._named(document)
        if hop.wait is not None:
            line += f", {'+' if hop.wait >= 0 else ''}{duration(hop.wait)}"
            line += " (the clocks differ)" if hop.wait < 0 else ""
        elif document["client"] is not None:
            line += f", from {safe(document['client'])}"
        if hop.tie == "msgid":
            line += ", by its message ID"
        line += ": shown above" if hop.is_repeated else ": what follows is left out" if hop.is_cut else ""
        return f"{line}  <-- found" if hop.is_found else line

    def _named(self, document: Document) -> str:
        return f"{safe(document['host'])} {safe(document['transaction'])}, {local_time(document['date'], self._zone)}"

    def _branch(self, branch: Branch) -> Iterator[str]:
        yield _results(branch)
        for hop in branch.hops[:_WAYS]:
            yield from self._hop(hop)
        if len(branch.hops) > _WAYS:
            yield f"and {len(branch.hops) - _WAYS} more (--format json shows all)"
        relay = safe(branch.recipient_results[0]["relay_host"] or "the next hop")
        taken = (
            f"accepted by {relay}" if branch.queued_as is None else f"accepted as {safe(branch.queued_as)} at {relay}"
        )
        if branch.candidates:
            yield from self._candidates(taken, branch.candidates)
        elif branch.is_unknown:
            yield f"{taken}: not in these logs"

    def _candidates(self, what: str, candidates: Sequence[Document]) -> Iterator[str]:
        yield (
            f"{what}: the logs do not tell which"
            if len(candidates) > 1
            else f"{what}: the logs do not tell whether it is"
        )
        for document in candidates[:_NAMES]:
            yield f"  ? {self._named(document)}"
        if len(candidates) > _NAMES:
            yield f"  ? and {len(candidates) - _NAMES} more"

    def _made(self, hop: Hop, later: Hop) -> Iterator[str]:
        same = hop.document["msgid"] is not None and later.document["msgid"] == hop.document["msgid"]
        yield "notice:" if later.is_notice else "went on as:" if same else "copy:"
        yield from self._hop(later)


def _results(branch: Branch) -> str:
    entry = branch.recipient_results[0]
    names = [_recipient(each) for each in branch.recipient_results[:_NAMES]]
    if len(branch.recipient_results) > _NAMES:
        names.append(f"and {len(branch.recipient_results) - _NAMES} more")
    line = f"{safe(entry['outcome'])}: {', '.join(names)}"
    if entry["relay_host"] is not None:
        line += f" -> {safe(entry['relay_host'])}"
    if entry["delay"] is not None:
        line += f" after {duration(entry['delay'])}"
    if entry["attempts"] > 1:
        line += f", {entry['attempts']} attempts"
    # Where the next hop is shown, its words are that it took the message, and as what.
    return line if branch.hops and branch.queued_as is not None else f"{line}: {safe(entry['status'])}"


def _recipient(entry: dict[str, Any]) -> str:
    recipient = safe(entry["recipient"]) if entry["recipient"] is not None else "?"
    return recipient if entry["orig_to"] is None else f"{recipient} (for {safe(entry['orig_to'])})"


def _foremost(branches: list[Branch]) -> list[Branch]:
    """The branches to show: all of them, or first those searched for, then those that went wrong, in their order."""
    if len(branches) <= _WAYS:
        return branches
    ranked = sorted(range(len(branches)), key=lambda i: _rank(branches[i]))[:_WAYS]
    return [branches[i] for i in sorted(ranked)]


def _hindmost(branches: list[Branch]) -> list[Branch]:
    shown = set(map(id, _foremost(branches)))
    return [branch for branch in branches if id(branch) not in shown]


def _rank(branch: Branch) -> tuple[bool, bool]:
    return not branch.is_found, branch.recipient_results[0]["outcome"] == "sent"


def _joined(parts: Sequence[Iterator[str]]) -> Iterator[str]:
    """Draw the lines of the parts as branches of one stem."""
    for number, lines in enumerate(parts, 1):
        is_last = number == len(parts)
        for i, line in enumerate(lines):
            stem = "   " if is_last else "│  "
            yield (("└─ " if is_last else "├─ ") if i == 0 else stem) + line


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _counted(outcomes: Counter[str]) -> str:
    return ", ".join(f"{count} {safe(outcome)}" for outcome, count in outcomes.most_common())
