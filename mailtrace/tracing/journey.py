"""Journeys: the whole way of a message across hosts, from the transactions that a store has of it.

A journey is a tree. It begins with the earliest transaction that is known and branches where recipients part; every
hop hangs on the one before it by something that the logs tell (`ties.py`). Where they do not tell enough, or tell of a
hop that is not in the store, the journey says so and ends there.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from mailtrace.message.document import Document
from mailtrace.message.recipients import RecipientResult
from mailtrace.mta.queue_ids import NOQUEUE
from mailtrace.search.query import Query, matches
from mailtrace.stores.base import Store
from mailtrace.tracing.candidates import Candidates
from mailtrace.tracing.ties import Node, is_open

_AT_ONCE: Final = 100
"""Matches whose beginnings are looked up together."""
_MOST_HOPS: Final = 1000
_DEEPEST: Final = 60
"""Hops after each other: Postfix ends a loop after 50 (`hopcount_limit`), and JSON is not nested much deeper."""
_HIGHEST: Final = 40
"""Hops before a match."""
_REQUEUED: Final = ("queued under ", "requeued")
"""How the status begins of what went on under another queue ID of its host."""


@dataclass(slots=True)
class Branch:
    """Recipients of a hop that went the same way."""

    recipient_results: list[RecipientResult]
    """What the hop's log says of them; those that were searched for come first."""
    queued_as: str | None
    """The queue ID under which the next hop took them, where it told one."""
    hops: list["Hop"] = field(default_factory=list)
    """The next hop; several where a program sent the message on several times."""
    candidates: list[Document] = field(default_factory=list)
    """Transactions of which the logs do not tell which is the next hop."""
    is_unknown: bool = False
    """Whether the message was taken on, and by what is not known."""
    is_found: bool = False
    """Whether here is what was searched for."""


@dataclass(slots=True)
class Hop:
    """A transaction as a part of a journey."""

    document: Document
    tie: str | None = None
    """What ties it to the hop before: queued_as, origin or msgid."""
    wait: float | None = None
    """Seconds from the beginning of the hop before to this one's, by the clocks of their hosts."""
    is_notice: bool = False
    """Whether it is a notice about the hop before (a bounce, a delay)."""
    is_found: bool = False
    """Whether it is what was searched for."""
    is_repeated: bool = False
    """Whether the journey has it elsewhere already, with what follows."""
    is_cut: bool = False
    """Whether what follows is left out: there is too much of it."""
    branches: list[Branch] = field(default_factory=list)
    made: list["Hop"] = field(default_factory=list)
    """Notices, clones and the like, which tell their origin."""


@dataclass(slots=True)
class Journey:
    """The way of a message, as far as the logs tell."""

    root: Hop
    """The earliest hop that is known."""
    candidates: list[Document]
    """Transactions of which the logs do not tell which one it came from."""
    hops: int = 0
    hosts: set[str] = field(default_factory=set)
    seconds: float = 0.0
    """From the first line of the first hop to the last result of all."""
    results: Counter[str] = field(default_factory=Counter)
    """How many of the message's recipients ended how, where they are not known to have gone on; without notices."""
    is_complete: bool = True
    """Whether everything that belongs to it was looked at and is in it."""


def journeys(store: Store, query: Query) -> Iterator[Journey]:
    """Return the journey of each document that matches, in their order; one that several are of comes once.

    Raises:
        StoreMissingError: nothing has been indexed here.
    """
    found = store.search(query)
    shown: set[int] = set()
    while pending := list(islice(found, _AT_ONCE)):
        while pending:
            stops, starts = _climbed(store, pending)
            for stop in starts:
                pending.pop(0)
                root = _first(stops, stop)
                if hash(root.key) in shown:
                    continue
                if root.queue_id != NOQUEUE:
                    shown.add(hash(root.key))
                _descend(stops, root)
                yield _Builder(stops, query, starts).journey(root)
                if stops.is_full:
                    break


def _climbed(store: Store, documents: list[Document]) -> tuple[Candidates, list[Node]]:
    """Read what came before these documents; of the first alone, where that is too much at once."""
    stops = Candidates(store)
    starts = [stops.add(document) for document in documents]
    known: set[Node] = set()
    while new := {before for stop in starts for before in _path(stops, stop)} - known:
        known |= new
        stops.ask(new, onwards=False)
    return (stops, starts) if len(starts) == 1 or not stops.is_full else _climbed(store, documents[:1])


def _path(stops: Candidates, stop: Node) -> list[Node]:
    """The way back from a stop to the first that is known, or as far as nothing is in doubt."""
    path = [stop]
    while len(path) < _HIGHEST and len(before := stops.come_from(path[-1])) == 1 and before[0] not in path:
        path.append(before[0])
    return path


def _first(stops: Candidates, stop: Node) -> Node:
    """The first stop that is known; of a ring, which only forged answers make, the earliest."""
    path = _path(stops, stop)
    before = stops.come_from(path[-1])
    if len(before) == 1 and before[0] in path:
        return min(path[path.index(before[0]) :], key=lambda ringed: (ringed.begun, ringed.key))
    return path[-1]


def _descend(stops: Candidates, root: Node) -> None:
    """Read what came after a stop."""
    reached: dict[Node, None] = {}
    new = [root]
    while new and not stops.is_full and len(reached) <= _MOST_HOPS:
        while new:
            reached.update(dict.fromkeys(new))
            new = [later for stop in new for later in _after(stops, stop) if later not in reached]
        stops.ask(reached, onwards=True)
        new = [later for stop in reached for later in _after(stops, stop) if later not in reached]


def _after(stops: Candidates, stop: Node) -> Iterator[Node]:
    for entries in stop.handed.values():
        for entry in entries:
            yield from stops.sure_next(stop, entry)
    for entry in stop.opened:
        yield from stops.sure_next(stop, entry)
    yield from stops.made_of(stop)


class _Builder:
    """Makes the tree of one journey."""

    def __init__(self, stops: Candidates, query: Query, starts: Iterable[Node]) -> None:
        self._stops = stops
        self._query = replace(query, limit=None)
        self._wanted = {before for stop in starts for before in _path(stops, stop)}
        """What is never left out: the matches, and the ways to them."""
        self._placed: set[Node] = set()
        self._journey: Journey
        self._ended = 0
        self._notices = 0
        """How many hops above the present one are notices."""

    def journey(self, root: Node) -> Journey:
        before = self._stops.come_from(root)
        candidates = _documents(before) if len(before) > 1 else []
        self._ended = root.ended
        self._journey = Journey(Hop(root.document), candidates)
        self._hop(root, self._journey.root, 1)
        self._journey.seconds = (self._ended - root.begun) / 1e6
        self._journey.is_complete &= not self._stops.is_full
        return self._journey

    def _hop(self, stop: Node, hop: Hop, depth: int) -> None:
        """Fill a hop with what follows."""
        hop.is_found = matches(self._query, stop.document)
        if stop in self._placed:
            hop.is_repeated = True
            return
        if depth > _DEEPEST or stop not in self._stops.followed or self._is_enough(stop):
            hop.is_cut, self._journey.is_complete = True, False
            return
        self._placed.add(stop)
        self._ended = max(self._ended, stop.ended)
        self._journey.hops += 1
        self._journey.hosts.add(stop.host)
        hop.branches = self._branches(stop, hop, depth)
        within = {id(later.document) for branch in hop.branches for later in branch.hops}
        hop.made = [
            self._next(stop, later, "origin", depth)
            for later in self._stops.made_of(stop)
            if id(later.document) not in within and self._stops.come_from(later) == [stop]
        ]

    def _is_enough(self, stop: Node) -> bool:
        return len(self._placed) >= _MOST_HOPS and stop not in self._wanted

    def _next(self, stop: Node, later: Node, tie: str, depth: int) -> Hop:
        hop = Hop(later.document, tie, (later.begun - stop.begun) / 1e6)
        sender = later.document["from"]
        hop.is_notice = tie == "origin" and sender is not None and _is_notice(sender, stop.document["from"])
        self._notices += hop.is_notice
        self._hop(later, hop, depth + 1)
        self._notices -= hop.is_notice
        return hop

    def _branches(self, stop: Node, hop: Hop, depth: int) -> list[Branch]:
        grouped: dict[object, tuple[list[RecipientResult], list[Node], list[Node]]] = {}
        nexts: dict[tuple[object, ...], list[Node]] = {}
        for entry in stop.document["to"]:
            taken = (entry["queued_as"], entry["date"], entry["relay"], entry["recipient"] if is_open(entry) else None)
            if taken not in nexts:
                nexts[taken] = self._stops.next_of(stop, entry)
            sure = (
                [later for later in self._stops.sure_next(stop, entry) if self._stops.come_from(later) == [stop]]
                if nexts[taken]
                else []
            )
            way = tuple(map(id, sure)) or (entry["queued_as"], entry["relay_host"], entry["outcome"], entry["status"])
            entries, _, _ = grouped.setdefault(way, ([], sure, nexts[taken]))
            entries.append(entry)
        return [self._branch(stop, hop, group, depth) for group in grouped.values()]

    def _branch(
        self, stop: Node, hop: Hop, group: tuple[list[RecipientResult], list[Node], list[Node]], depth: int
    ) -> Branch:
        entries, sure, possible = group
        asked = [entry for entry in entries if hop.is_found and self._is_asked(stop, entry)]
        if asked:
            entries.sort(key=lambda entry: entry not in asked)
        branch = Branch(entries, entries[0]["queued_as"])
        tie = "msgid" if branch.queued_as is None else "queued_as"
        branch.hops = [self._next(stop, later, tie, depth) for later in sure]
        branch.candidates = [] if sure else _documents(possible)
        branch.is_unknown = not sure and (branch.queued_as is not None or is_open(entries[0]))
        branch.is_found = bool(asked) or any(later in self._wanted for later in sure)
        if not sure and not self._notices:
            self._journey.results.update(entry["outcome"] for entry in entries if _is_end(entry, depth))
        return branch

    def _is_asked(self, stop: Node, entry: RecipientResult) -> bool:
        return matches(self._query, {**stop.document, "to": [entry]})


def _documents(stops: Iterable[Node]) -> list[Document]:
    return [stop.document for stop in sorted(stops, key=lambda stop: (stop.begun, stop.key))]


def _is_end(entry: RecipientResult, depth: int) -> bool:
    """Whether this is what became of a recipient. What a next hop refused, the hop before tells too."""
    is_requeued = entry["outcome"] == "queued" and entry["status"].startswith(_REQUEUED)
    return entry["last"] and not is_requeued and (entry["outcome"] != "rejected" or depth == 1)


def _is_notice(sender: str, before: str | None) -> bool:
    return (sender == "" and before != "") or sender.startswith("double-bounce@")
