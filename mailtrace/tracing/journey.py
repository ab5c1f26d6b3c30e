"""Journeys: a message's way across hosts, as a tree of the transactions that a store has.

The root is the earliest known transaction. Recipients that took different ways are different branches. Each hop has a
tie to the one before it (`ties.py`). If the logs do not say which transaction is the next hop, or if it is not in the
store, the journey ends there and says so.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final, TypeAlias

from mailtrace.message.document import Document
from mailtrace.message.recipients import RecipientResult
from mailtrace.mta.queue_ids import NOQUEUE
from mailtrace.search.query import Query, matches
from mailtrace.stores.base import Store
from mailtrace.tracing.candidates import Candidates
from mailtrace.tracing.ties import Node, accepted_without_id

_BATCH: Final = 100
"""Documents whose roots are searched for together."""
_MOST_HOPS: Final = 1000
"""Hops in a journey, apart from those that were searched for."""
_DEEPEST: Final = 60
"""Depth of the tree: Postfix ends a loop after 50 hops (`hopcount_limit`), and JSON parsers limit nesting."""
_MOST_PREVIOUS: Final = 40
"""Hops before a document that was searched for."""
_Group: TypeAlias = tuple[list[RecipientResult], list[Node], list[Node]]
"""Recipient results, their next nodes if these are certain, and the nodes that are possible."""
_REQUEUED: Final = ("queued under ", "requeued")
"""How the status of a requeued message begins; it continues under another queue ID of the same host."""


@dataclass(slots=True)
class Branch:
    """The recipients of a hop that went the same way."""

    recipient_results: list[RecipientResult]
    """Their results; those that were searched for come first."""
    queued_as: str | None
    """The queue ID in the next hop's reply, if any."""
    hops: list["Hop"] = field(default_factory=list)
    """The next hop; several if a program sent the message on several times."""
    candidates: list[Document] = field(default_factory=list)
    """Transactions that may be the next hop, if the logs do not say which of them it is."""
    is_unknown: bool = False
    """Whether a next hop accepted the message, but is not in the store."""
    is_found: bool = False
    """Whether it has, or leads to, a result that was searched for."""


@dataclass(slots=True)
class Hop:
    """A transaction in a journey."""

    document: Document
    tie: str | None = None
    """The tie to the previous hop: queued_as, origin or msgid."""
    wait: float | None = None
    """Seconds from the previous hop's first line to this one's, by their hosts' clocks; negative if these differ."""
    is_notice: bool = False
    """Whether it is a notice about the previous hop (a bounce, a delay)."""
    is_found: bool = False
    """Whether its document matches the search."""
    is_repeated: bool = False
    """Whether the journey contains it elsewhere, with its next hops."""
    is_cut: bool = False
    """Whether its next hops are omitted, because the journey is too large."""
    branches: list[Branch] = field(default_factory=list)
    made: list["Hop"] = field(default_factory=list)
    """Notices, clones and requeued messages: transactions whose `origin` is this one."""


@dataclass(slots=True)
class Journey:
    """The known way of a message across hosts."""

    root: Hop
    """The earliest known hop."""
    candidates: list[Document]
    """Transactions that may come before the root, if the logs do not say which of them does."""
    hops: int = 0
    hosts: set[str] = field(default_factory=set)
    seconds: float = 0.0
    """From the first line of the root to the last result of any hop."""
    results: Counter[str] = field(default_factory=Counter)
    """Recipients by outcome, where the journey ends for them; without those of notices."""
    is_complete: bool = True
    """Whether it contains all its hops: no limit was reached."""


def journeys(store: Store, query: Query) -> Iterator[Journey]:
    """Return the journeys of the documents that match a query, in their order, each journey once.

    Raises:
        StoreMissingError: nothing has been indexed.
        StoreUnavailableError: the store does not answer.
    """
    found = store.search(query)
    shown: set[int] = set()
    while pending := list(islice(found, _BATCH)):
        while pending:
            candidates, starts = _with_previous(store, pending, with_lines=query.with_lines)
            for start in starts:
                pending.pop(0)
                root = _root(candidates, start)
                if hash(root.key) in shown:
                    continue
                if root.queue_id != NOQUEUE:
                    shown.add(hash(root.key))
                _fetch_next(candidates, root)
                yield _Builder(candidates, query, starts).journey(root)
                if candidates.is_full:
                    break


def _with_previous(store: Store, documents: list[Document], *, with_lines: bool) -> tuple[Candidates, list[Node]]:
    """Fetch the hops before these documents, or before the first one alone if that reaches a limit."""
    candidates = Candidates(store, with_lines=with_lines)
    starts = [candidates.add(document) for document in documents]
    known: set[Node] = set()
    while new := {node for start in starts for node in _path(candidates, start)} - known:
        known |= new
        candidates.fetch(new, onwards=False)
    if candidates.is_full and len(starts) > 1:
        return _with_previous(store, documents[:1], with_lines=with_lines)
    return candidates, starts


def _path(candidates: Candidates, node: Node) -> list[Node]:
    """The node and those before it, as far back as they are certain."""
    path = [node]
    while len(path) < _MOST_PREVIOUS and len(found := candidates.previous_of(path[-1])) == 1 and found[0] not in path:
        path.append(found[0])
    return path


def _root(candidates: Candidates, node: Node) -> Node:
    """The first known node; of a cycle, which only forged replies make, the earliest."""
    path = _path(candidates, node)
    found = candidates.previous_of(path[-1])
    if len(found) == 1 and found[0] in path:
        return min(path[path.index(found[0]) :], key=lambda each: (each.begun, each.key))
    return path[-1]


def _fetch_next(candidates: Candidates, root: Node) -> None:
    """Fetch the hops after a node."""
    reached: dict[Node, None] = {}
    new = [root]
    while new and not candidates.is_full and len(reached) <= _MOST_HOPS:
        while new:
            reached.update(dict.fromkeys(new))
            new = [later for node in new for later in _next_nodes(candidates, node) if later not in reached]
        candidates.fetch(reached, onwards=True)
        new = [later for node in reached for later in _next_nodes(candidates, node) if later not in reached]


def _next_nodes(candidates: Candidates, node: Node) -> Iterator[Node]:
    for results in node.by_queued_as.values():
        for result in results:
            yield from candidates.certain_next(node, result)
    for result in node.without_id:
        yield from candidates.certain_next(node, result)
    yield from candidates.made_from(node)


class _Builder:
    """Builds the tree of one journey."""

    def __init__(self, candidates: Candidates, query: Query, starts: Iterable[Node]) -> None:
        self._candidates = candidates
        self._query = replace(query, limit=None)
        self._wanted = {before for start in starts for before in _path(candidates, start)}
        """Nodes that are never omitted: those searched for, and the ones before them."""
        self._built: set[Node] = set()
        self._journey: Journey
        self._ended = 0
        self._notices = 0
        """The number of notices among the hops above the current one."""

    def journey(self, root: Node) -> Journey:
        previous = self._candidates.previous_of(root)
        candidates = _documents(previous) if len(previous) > 1 else []
        self._ended = root.ended
        self._journey = Journey(Hop(root.document), candidates)
        self._hop(root, self._journey.root, 1)
        self._journey.seconds = (self._ended - root.begun) / 1e6
        self._journey.is_complete &= not self._candidates.is_full
        return self._journey

    def _hop(self, node: Node, hop: Hop, depth: int) -> None:
        """Fill in the hop of a node, and the hops after it."""
        hop.is_found = matches(self._query, node.document)
        if node in self._built:
            hop.is_repeated = True
            return
        if depth > _DEEPEST or node not in self._candidates.followed or self._is_too_large(node):
            hop.is_cut, self._journey.is_complete = True, False
            return
        self._built.add(node)
        self._ended = max(self._ended, node.ended)
        self._journey.hops += 1
        self._journey.hosts.add(node.host)
        hop.branches = self._branches(node, hop, depth)
        in_branches = {id(later.document) for branch in hop.branches for later in branch.hops}
        hop.made = [
            self._next(node, later, "origin", depth)
            for later in self._candidates.made_from(node)
            if id(later.document) not in in_branches and self._candidates.previous_of(later) == [node]
        ]

    def _is_too_large(self, node: Node) -> bool:
        return len(self._built) >= _MOST_HOPS and node not in self._wanted

    def _next(self, node: Node, later: Node, tie: str, depth: int) -> Hop:
        hop = Hop(later.document, tie, (later.begun - node.begun) / 1e6)
        sender = later.document["from"]
        hop.is_notice = tie == "origin" and sender is not None and _is_notice(sender, node.document["from"])
        self._notices += hop.is_notice
        self._hop(later, hop, depth + 1)
        self._notices -= hop.is_notice
        return hop

    def _branches(self, node: Node, hop: Hop, depth: int) -> list[Branch]:
        grouped: dict[object, _Group] = {}
        possible: dict[tuple[object, ...], list[Node]] = {}
        for result in node.document["to"]:
            recipient = result["recipient"] if accepted_without_id(result) else None
            delivery = (result["queued_as"], result["date"], result["relay"], recipient)
            if delivery not in possible:
                possible[delivery] = self._candidates.next_of(node, result)
            certain = self._certain_next(node, result) if possible[delivery] else []
            outcome = (result["queued_as"], result["relay_host"], result["outcome"], result["status"])
            results, _, _ = grouped.setdefault(tuple(map(id, certain)) or outcome, ([], certain, possible[delivery]))
            results.append(result)
        return [self._branch(node, hop, group, depth) for group in grouped.values()]

    def _certain_next(self, node: Node, result: RecipientResult) -> list[Node]:
        later_nodes = self._candidates.certain_next(node, result)
        return [later for later in later_nodes if self._candidates.previous_of(later) == [node]]

    def _branch(self, node: Node, hop: Hop, group: _Group, depth: int) -> Branch:
        results, certain, possible = group
        wanted = [result for result in results if hop.is_found and self._is_wanted(node, result)]
        if wanted:
            results.sort(key=lambda result: result not in wanted)
        branch = Branch(results, results[0]["queued_as"])
        tie = "msgid" if branch.queued_as is None else "queued_as"
        branch.hops = [self._next(node, later, tie, depth) for later in certain]
        branch.candidates = [] if certain else _documents(possible)
        branch.is_unknown = not certain and (branch.queued_as is not None or accepted_without_id(results[0]))
        branch.is_found = bool(wanted) or any(later in self._wanted for later in certain)
        if not certain and not self._notices:
            self._journey.results.update(result["outcome"] for result in results if _is_end(result, depth))
        return branch

    def _is_wanted(self, node: Node, result: RecipientResult) -> bool:
        return matches(self._query, {**node.document, "to": [result]})


def _documents(nodes: Iterable[Node]) -> list[Document]:
    return [node.document for node in sorted(nodes, key=lambda node: (node.begun, node.key))]


def _is_end(result: RecipientResult, depth: int) -> bool:
    """Whether the journey ends here for a recipient. A refusal by a next hop is counted at the hop before it."""
    was_requeued = result["outcome"] == "queued" and result["status"].startswith(_REQUEUED)
    return result["last"] and not was_requeued and (result["outcome"] != "rejected" or depth == 1)


def _is_notice(sender: str, before: str | None) -> bool:
    return (sender == "" and before != "") or sender.startswith("double-bounce@")
