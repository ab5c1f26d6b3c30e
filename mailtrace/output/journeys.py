"""Journeys as a tree of text and as JSON. Text from a log cannot control a terminal."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import tzinfo
from typing import Any, Final

import orjson

from mailtrace.message.document import Document
from mailtrace.message.recipients import RecipientResult
from mailtrace.output.colors import BOLD, WARNING, colored, colored_outcome
from mailtrace.output.documents_json import document_json
from mailtrace.output.documents_text import PLAIN, Style, document_details, result_details
from mailtrace.output.escape import safe, safe_json
from mailtrace.output.times import duration, iso_time, local_time
from mailtrace.tracing.journey import Branch, Hop, Journey

_MOST_BRANCHES: Final = 20
"""Branches per hop, and hops per branch, that the tree shows at most."""
_MOST_NAMES: Final = 10
"""Recipients per branch, and candidates, that the tree shows at most."""
_DETAILS: Final = ("orig_client", "login", "from", "msgid", "origin", "size", "nrcpt", "mta", "instance", "removed")
"""The fields of a hop that only the long style shows."""


def journey_text(journey: Journey, zone: tzinfo, style: Style = PLAIN) -> str:
    """Return a journey as a summary and a tree of hops."""
    return "".join(f"{line}\n" for line in (*_summary(journey, zone, style), *_Tree(zone, style).root(journey)))


def journey_json(journey: Journey, zone: tzinfo) -> bytes:
    """Return a journey as one line of JSON: its first hop is `root` and contains the others; times are in the zone."""
    document = journey.root.document
    shown = {
        "msgid": document["msgid"],
        "from": document["from"],
        "date": iso_time(document["date"], zone),
        "seconds": journey.seconds,
        "hops": journey.hops,
        "hosts": sorted(journey.hosts),
        "results": dict(journey.results),
        "complete": journey.is_complete,
        "candidates": _named(journey.candidates, zone),
        "root": _hop(journey.root, zone),
    }
    return safe_json(orjson.dumps(shown)) + b"\n"


def _hop(hop: Hop, zone: tzinfo) -> dict[str, Any]:
    shown: dict[str, Any] = orjson.loads(document_json(hop.document, zone))
    results = dict(zip(map(id, hop.document["to"]), shown.pop("to"), strict=True))
    return shown | {
        "tie": hop.tie,
        "wait": hop.wait,
        "notice": hop.is_notice,
        "found": hop.is_found,
        "repeated": hop.is_repeated,
        "cut": hop.is_cut,
        "branches": [
            {
                "recipients": [results[id(result)] for result in branch.recipient_results],
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
        {"host": document["host"], "transaction": document["transaction"], "date": iso_time(document["date"], zone)}
        for document in documents
    ]


def _summary(journey: Journey, zone: tzinfo, style: Style) -> Iterator[str]:
    document = journey.root.document
    if document["msgid"] is not None:
        yield f"msgid:  {safe(document['msgid'])}"
    if document["from"] is not None:
        yield f"from:   {safe(document['from']) or '<>'}"
    yield f"date:   {local_time(document['date'], zone)}"
    results = f": {_counted(journey.results, style)}" if journey.results else ""
    hosts = _number(len(journey.hosts), "host")
    yield f"hops:   {journey.hops} on {hosts} in {duration(journey.seconds)}{results}"
    if not journey.is_complete:
        yield "        too large to show in full: search for a part of it with -q or -t"


class _Tree:
    """Draw hops: one line for a hop, below it the results of its recipients, and below these the next hops."""

    def __init__(self, zone: tzinfo, style: Style) -> None:
        self._zone, self._style = zone, style

    def root(self, journey: Journey) -> Iterator[str]:
        document = journey.root.document
        if journey.candidates:
            yield from self._candidates("came from", journey.candidates)
        elif document["origin"] is not None:
            yield self._warning(f"came from {safe(document['origin'])}: not in these logs")
        yield from self._hop(journey.root)

    def _hop(self, hop: Hop) -> Iterator[str]:
        yield self._head(hop)
        if hop.is_repeated or hop.is_cut:
            return
        parts = [self._branch(branch) for branch in _visible(hop.branches)]
        if len(hop.branches) > _MOST_BRANCHES:
            hidden = [result for branch in _hidden(hop.branches) for result in branch.recipient_results]
            outcomes = Counter(result["outcome"] for result in hidden)
            parts.append(iter([f"and {len(hidden)} more: {_counted(outcomes, self._style)} (--format json shows all)"]))
        parts += [self._made(hop, later) for later in hop.made[:_MOST_BRANCHES]]
        if len(hop.made) > _MOST_BRANCHES:
            parts.append(
                iter([f"and {len(hop.made) - _MOST_BRANCHES} more notices or copies (--format json shows all)"])
            )
        parts = parts or [iter([self._warning("no result in these logs")])]
        yield from (f"│  {line}" for line in self._details(hop))
        yield from _joined(parts)

    def _details(self, hop: Hop) -> Iterator[str]:
        """In the long style: the fields of a hop that its first line does not show."""
        if self._style.long:
            client = () if hop.wait is None and hop.document["client"] is not None else ("client",)
            yield from document_details(hop.document, (*client, *_DETAILS))

    def _warning(self, text: str) -> str:
        return colored(text, WARNING) if self._style.color else text

    def _head(self, hop: Hop) -> str:
        document = hop.document
        line = self._named(document)
        if hop.wait is not None:
            line += f", {'+' if hop.wait >= 0 else ''}{duration(hop.wait)}"
            line += " (the clocks differ)" if hop.wait < 0 else ""
        elif document["client"] is not None:
            line += f", from {safe(document['client'])}"
        if hop.tie == "msgid":
            line += ", matched by message ID"
        line += ": shown above" if hop.is_repeated else ": the rest is omitted" if hop.is_cut else ""
        if not hop.is_found:
            return line
        return f"{line}  {colored('<-- found', BOLD) if self._style.color else '<-- found'}"

    def _named(self, document: Document) -> str:
        return f"{safe(document['host'])} {safe(document['transaction'])}, {local_time(document['date'], self._zone)}"

    def _branch(self, branch: Branch) -> Iterator[str]:
        yield _results(branch, self._style)
        if self._style.long:
            for result in branch.recipient_results[:_MOST_NAMES]:
                yield f"   {_recipient(result)}"
                yield from (f"      {line}" for line in result_details(result, self._zone))
        for hop in branch.hops[:_MOST_BRANCHES]:
            yield from self._hop(hop)
        if len(branch.hops) > _MOST_BRANCHES:
            yield f"and {len(branch.hops) - _MOST_BRANCHES} more (--format json shows all)"
        relay = safe(branch.recipient_results[0]["relay_host"] or "the next hop")
        accepted = (
            f"accepted by {relay}" if branch.queued_as is None else f"accepted as {safe(branch.queued_as)} at {relay}"
        )
        if branch.candidates:
            yield from self._candidates(accepted, branch.candidates)
        elif branch.is_unknown:
            yield self._warning(f"{accepted}: not in these logs")

    def _candidates(self, what: str, candidates: Sequence[Document]) -> Iterator[str]:
        yield (
            f"{what}: the logs do not say which"
            if len(candidates) > 1
            else f"{what}: the logs do not say whether this is it"
        )
        for document in candidates[:_MOST_NAMES]:
            yield f"  ? {self._named(document)}"
        if len(candidates) > _MOST_NAMES:
            yield f"  ? and {len(candidates) - _MOST_NAMES} more"

    def _made(self, hop: Hop, later: Hop) -> Iterator[str]:
        same = hop.document["msgid"] is not None and later.document["msgid"] == hop.document["msgid"]
        yield "notice:" if later.is_notice else "continued as:" if same else "copy:"
        yield from self._hop(later)


def _results(branch: Branch, style: Style) -> str:
    result = branch.recipient_results[0]
    names = [_recipient(each) for each in branch.recipient_results[:_MOST_NAMES]]
    if len(branch.recipient_results) > _MOST_NAMES:
        names.append(f"and {len(branch.recipient_results) - _MOST_NAMES} more")
    line = f"{_outcome(result['outcome'], style, last=result['last'])}: {', '.join(names)}"
    if result["relay_host"] is not None:
        line += f" -> {safe(result['relay_host'])}"
    if result["delay"] is not None:
        line += f" after {duration(result['delay'])}"
    if result["attempts"] > 1:
        line += f", {result['attempts']} attempts"
    # If the next hop is shown, the status adds nothing: it says that the hop took the message, and its queue ID.
    return line if branch.hops and branch.queued_as is not None else f"{line}: {safe(result['status'])}"


def _recipient(result: RecipientResult) -> str:
    recipient = safe(result["recipient"]) if result["recipient"] is not None else "?"
    return recipient if result["orig_to"] is None else f"{recipient} (for {safe(result['orig_to'])})"


def _visible(branches: list[Branch]) -> list[Branch]:
    """The branches to show, in their order: all of them, or those searched for first, then those not sent."""
    if len(branches) <= _MOST_BRANCHES:
        return branches
    ranked = sorted(range(len(branches)), key=lambda i: _rank(branches[i]))[:_MOST_BRANCHES]
    return [branches[i] for i in sorted(ranked)]


def _hidden(branches: list[Branch]) -> list[Branch]:
    shown = set(map(id, _visible(branches)))
    return [branch for branch in branches if id(branch) not in shown]


def _rank(branch: Branch) -> tuple[bool, bool]:
    return not branch.is_found, branch.recipient_results[0]["outcome"] == "sent"


def _joined(parts: Sequence[Iterator[str]]) -> Iterator[str]:
    """Draw the lines of each part as a branch of one tree."""
    for number, lines in enumerate(parts, 1):
        is_last = number == len(parts)
        for i, line in enumerate(lines):
            stem = "   " if is_last else "│  "
            yield (("└─ " if is_last else "├─ ") if i == 0 else stem) + line


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _counted(outcomes: Counter[str], style: Style) -> str:
    return ", ".join(f"{count} {_outcome(outcome, style)}" for outcome, count in outcomes.most_common())


def _outcome(outcome: str, style: Style, *, last: bool = True) -> str:
    return colored_outcome(outcome, safe(outcome), last=last) if style.color else safe(outcome)
