"""The transactions that may belong to a journey, fetched from a store, and the ties between them."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from mailtrace.message.document import Document
from mailtrace.message.recipients import RecipientResult
from mailtrace.mta.queue_ids import NOQUEUE
from mailtrace.search.patterns import Pattern
from mailtrace.search.query import Query, links_of
from mailtrace.stores.base import Store
from mailtrace.tracing.ties import (
    Node,
    Tie,
    accepted_without_id,
    is_program,
    may_have_next,
    msgid_tie,
    origin_tie,
    queue_id_tie,
)

_IDS_PER_QUERY: Final = 500
"""Queue IDs in one query: SQLite allows 32,766 values (`SQLITE_MAX_VARIABLE_NUMBER`), Elasticsearch 65,536."""
_MOST_NODES: Final = 5000
"""Transactions that are fetched for a journey at most."""
_MOST_RESULTS: Final = 500_000
"""Recipient results of all these transactions: a transaction of a mailing list may have very many."""
_MOST_OF_MSGID: Final = 200
"""Transactions with the same message ID. If there are more, as with bulk mail and lists, the ID is ignored."""


class Candidates:
    """The transactions fetched so far. A query has many IDs, each ID is queried once, and there are limits."""

    def __init__(self, store: Store, *, with_lines: bool = False) -> None:
        self._store, self._everything = store, Query(with_lines=with_lines)
        self._by_key: dict[tuple[str, str, str], Node] = {}
        self._by_queue_id: dict[str, list[Node]] = defaultdict(list)
        self._by_link: dict[str, list[Node]] = defaultdict(list)
        self._by_msgid: dict[str, list[Node]] = defaultdict(list)
        self._queried: set[tuple[str, str]] = set()
        self._previous: dict[Node, list[Node]] = {}
        self._origin_known: dict[Node, bool] = {}
        self._next_candidates: dict[Node, list[Node]] = {}
        self._results = 0
        self.ignored_msgids: set[str] = set()
        """Message IDs, in lower case, that too many transactions have (`_MOST_OF_MSGID`)."""
        self.followed: set[Node] = set()
        """Nodes whose next hops have been fetched."""
        self.is_full = False
        """Whether a limit was reached, so that transactions are missing."""

    def add(self, document: Document) -> Node:
        """Return the node of a document: always the same one, except for refusals without a queue ID (`NOQUEUE`)."""
        node = Node.of(document)
        if node.queue_id == NOQUEUE:
            return node
        if (known := self._by_key.get(node.key)) is not None:
            return known
        self._by_key[node.key] = node
        self._previous.clear()
        self._origin_known.clear()
        self._next_candidates.clear()
        self._results += len(document["to"])
        self._by_queue_id[node.queue_id].append(node)
        for link in links_of(document):
            self._by_link[link].append(node)
        if node.msgid:
            self._by_msgid[node.msgid].append(node)
        return node

    def fetch(self, nodes: Iterable[Node], *, onwards: bool) -> None:
        """Fetch the transactions that may come before these nodes, or after them (`onwards`), if not fetched yet."""
        queue_ids: list[str] = []
        links: list[str] = []
        for node in nodes:
            if onwards:
                self.followed.add(node)
            if node.queue_id == NOQUEUE:
                continue
            links.append(node.queue_id)
            queue_ids.append(node.queue_id)
            queue_ids += links_of(node.document) if onwards else filter(None, [node.document["origin"]])
            self._fetch_msgid(node.msgid)
        for name, wanted in (("queue_ids", queue_ids), ("links", links)):
            new = [value for value in dict.fromkeys(wanted) if (name, value) not in self._queried]
            for start in range(0, len(new), _IDS_PER_QUERY):
                some = tuple(new[start : start + _IDS_PER_QUERY])
                self._fetch(replace(self._everything, **{name: some}))  # type: ignore[arg-type]
            self._queried.update((name, value) for value in new)

    def _fetch_msgid(self, msgid: str | None) -> None:
        """Fetch the transactions of a message ID, usually the whole journey, unless there are too many."""
        if msgid is None or ("msgid", msgid) in self._queried:
            return
        self._queried.add(("msgid", msgid))
        query = replace(self._everything, msgids=(Pattern("exact", msgid),), limit=_MOST_OF_MSGID + 1)
        found = list(self._store.search(query))
        if len(found) > _MOST_OF_MSGID:
            self.ignored_msgids.add(msgid)
            return
        for document in found:
            self.add(document)

    def _fetch(self, query: Query) -> None:
        for document in self._store.search(query):
            if len(self._by_key) >= _MOST_NODES or self._results >= _MOST_RESULTS:
                self.is_full = True
                return
            self.add(document)

    def next_of(self, node: Node, result: RecipientResult) -> list[Node]:
        """Return the best nodes for the next hop of a recipient result: none, one, or several of equal rank.

        A program may have sent the message on several times: then all of them are next hops.
        """
        if result["queued_as"] is None:
            return self._next_by_msgid(node, result)
        found: dict[Node, Tie] = {}
        for later in self._by_queue_id.get(result["queued_as"], ()):
            _add_better(found, later, queue_id_tie(node, result, later))
        return _best(found)

    def certain_next(self, node: Node, result: RecipientResult) -> list[Node]:
        """Return the nodes of `next_of` if they are certain; none if there are several to choose from."""
        found = self.next_of(node, result)
        return found if len(found) == 1 or is_program(result) else []

    def made_from(self, node: Node) -> list[Node]:
        """Return the nodes whose `origin` is this one, in the order in which they began."""
        found = [later for later in self._by_link.get(node.queue_id, ()) if origin_tie(node, later) is not None]
        return sorted(found, key=lambda later: (later.begun, later.queue_id))

    def previous_of(self, later: Node) -> list[Node]:
        """Return the best nodes for the previous hop: none, one, or several of equal rank."""
        if later not in self._previous:
            found = self._previous_by_queue_id(later)
            self._previous[later] = _best(found) if found else self._previous_by_msgid(later)
        return self._previous[later]

    def _previous_by_queue_id(self, later: Node) -> dict[Node, Tie]:
        """The possible previous nodes by queue ID: that in their `queued_as`, or in the `origin` of this one."""
        found: dict[Node, Tie] = {}
        for node in self._by_link.get(later.queue_id, ()):
            for result in node.by_queued_as.get(later.queue_id, ()):
                if self.certain_next(node, result) == [later]:
                    _add_better(found, node, queue_id_tie(node, result, later))
        for node in self._by_queue_id.get(later.document["origin"] or "", ()):
            _add_better(found, node, origin_tie(node, later))
        return found

    def _previous_by_msgid(self, later: Node) -> list[Node]:
        """The possible previous nodes by message ID: those whose next hop's reply had no queue ID."""
        return [
            node
            for node in self._with_same_msgid(later)
            if later in self._next_candidates_of(node)
            and any(later in self.certain_next(node, result) for result in node.without_id)
        ]

    def _next_by_msgid(self, node: Node, result: RecipientResult) -> list[Node]:
        if not accepted_without_id(result):
            return []
        return [
            later
            for later in self._next_candidates_of(node)
            if msgid_tie(node, result, later) and not self._has_known_origin(later)
        ]

    def _next_candidates_of(self, node: Node) -> list[Node]:
        """The nodes with the same message ID that may be a next hop."""
        if node not in self._next_candidates:
            self._next_candidates[node] = [later for later in self._with_same_msgid(node) if may_have_next(node, later)]
        return self._next_candidates[node]

    def _with_same_msgid(self, node: Node) -> list[Node]:
        """The nodes with the same message ID, unless it is ignored because too many have it."""
        return [] if node.msgid is None or node.msgid in self.ignored_msgids else self._by_msgid.get(node.msgid, [])

    def _has_known_origin(self, later: Node) -> bool:
        """Whether a queue ID shows where a node came from."""
        if later not in self._origin_known:
            self._origin_known[later] = later.document["origin"] is not None or bool(self._previous_by_queue_id(later))
        return self._origin_known[later]


def _add_better(found: dict[Node, Tie], node: Node, tie: Tie | None) -> None:
    if tie is not None and (node not in found or found[node] < tie):
        found[node] = tie


def _best(found: dict[Node, Tie]) -> list[Node]:
    best = max(found.values(), default=None)
    return [node for node, tie in found.items() if tie == best]
