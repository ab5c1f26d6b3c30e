"""The transactions that are known of some messages, how they are tied, and what is still to be asked of the store."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import islice
from typing import Final

from mailtrace.message.document import Document
from mailtrace.message.recipients import RecipientResult
from mailtrace.mta.queue_ids import NOQUEUE
from mailtrace.search.patterns import Pattern
from mailtrace.search.query import Query, links_of
from mailtrace.stores.base import Store
from mailtrace.tracing.ties import Node, Tie, is_open, is_program, may_go_on, msgid_tie, origin_tie, queue_id_tie

_ASKED_AT_ONCE: Final = 500
"""Queue IDs in one question: SQLite takes 32,766 values (`SQLITE_MAX_VARIABLE_NUMBER`), Elasticsearch 65,536."""
_MOST: Final = 5000
"""Transactions that are looked at for a journey."""
_MOST_ENTRIES: Final = 500_000
"""Entries of all of them: of a list's transactions, a few are as much as many of others."""
_CROWD: Final = 200
"""Transactions with one message ID, above which it tells nothing: bulk mail and lists, of which many have the same."""


class Candidates:
    """What has been read from a store. Questions are many IDs at once, each is asked once, and answers have bounds."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._by_key: dict[tuple[str, str, str], Node] = {}
        self._by_queue_id: dict[str, list[Node]] = defaultdict(list)
        self._by_link: dict[str, list[Node]] = defaultdict(list)
        self._by_msgid: dict[str, list[Node]] = defaultdict(list)
        self._asked: set[tuple[str, str]] = set()
        self._come_from: dict[Node, list[Node]] = {}
        self._told: dict[Node, bool] = {}
        self._nearby: dict[Node, list[Node]] = {}
        self._entries = 0
        self.crowded: set[str] = set()
        """Message IDs, in lower case, that too many transactions have."""
        self.followed: set[Node] = set()
        """Those of which it has been asked what came after them."""
        self.is_full = False
        """Whether there was more than is looked at."""

    def add(self, document: Document) -> Node:
        """Return the stop of a document; twice the same of the same. Refusals without a queue ID are all different."""
        stop = Node.of(document)
        if stop.queue_id == NOQUEUE:
            return stop
        if (known := self._by_key.get(stop.key)) is not None:
            return known
        self._by_key[stop.key] = stop
        self._come_from.clear()
        self._told.clear()
        self._nearby.clear()
        self._entries += len(document["to"])
        self._by_queue_id[stop.queue_id].append(stop)
        for link in links_of(document):
            self._by_link[link].append(stop)
        if stop.msgid:
            self._by_msgid[stop.msgid].append(stop)
        return stop

    def ask(self, stops: Iterable[Node], *, onwards: bool) -> None:
        """Read what may come before these stops, or after them, and has not been asked for yet."""
        queue_ids: list[str] = []
        links: list[str] = []
        for stop in stops:
            if onwards:
                self.followed.add(stop)
            if stop.queue_id == NOQUEUE:
                continue
            links.append(stop.queue_id)
            queue_ids.append(stop.queue_id)
            queue_ids += links_of(stop.document) if onwards else filter(None, [stop.document["origin"]])
            self._ask_msgid(stop.msgid)
        for name, wanted in (("queue_ids", queue_ids), ("links", links)):
            new = [value for value in dict.fromkeys(wanted) if (name, value) not in self._asked]
            for at in range(0, len(new), _ASKED_AT_ONCE):
                self._take(Query(**{name: tuple(new[at : at + _ASKED_AT_ONCE])}))  # type: ignore[arg-type]
            self._asked.update((name, value) for value in new)

    def _ask_msgid(self, msgid: str | None) -> None:
        """Read the transactions of a message ID, which are nearly always the whole way, unless they are a crowd."""
        if msgid is None or ("msgid", msgid) in self._asked:
            return
        self._asked.add(("msgid", msgid))
        found = list(islice(self._store.search(Query(msgids=(Pattern("exact", msgid),), limit=_CROWD + 1)), _CROWD + 1))
        if len(found) > _CROWD:
            self.crowded.add(msgid)
            return
        for document in found:
            self.add(document)

    def _take(self, query: Query) -> None:
        for document in self._store.search(query):
            if len(self._by_key) >= _MOST or self._entries >= _MOST_ENTRIES:
                self.is_full = True
                return
            self.add(document)

    def next_of(self, stop: Node, entry: RecipientResult) -> list[Node]:
        """Return the stops that fit best as the next hop of an entry: none, one, or several of which none fits better.

        A program may have sent the message on several times: then they are all its own.
        """
        if entry["queued_as"] is None:
            return self._next_by_msgid(stop, entry)
        found: dict[Node, Tie] = {}
        for later in self._by_queue_id.get(entry["queued_as"], ()):
            _keep(found, later, queue_id_tie(stop, entry, later))
        return _best(found)

    def sure_next(self, stop: Node, entry: RecipientResult) -> list[Node]:
        """Return the same where no doubt is left between several."""
        found = self.next_of(stop, entry)
        return found if len(found) == 1 or is_program(entry) else []

    def made_of(self, stop: Node) -> list[Node]:
        """Return the stops that say they came from this one, in the order in which they began."""
        found = [later for later in self._by_link.get(stop.queue_id, ()) if origin_tie(stop, later) is not None]
        return sorted(found, key=lambda later: (later.begun, later.queue_id))

    def come_from(self, later: Node) -> list[Node]:
        """Return the stops that fit best as the one before this: none, one, or several of which none fits better."""
        if later not in self._come_from:
            found = self._claims(later)
            self._come_from[later] = _best(found) if found else self._claims_by_msgid(later)
        return self._come_from[later]

    def _claims(self, later: Node) -> dict[Node, Tie]:
        """The stops that are tied to this one by a queue ID that one of the two told."""
        found: dict[Node, Tie] = {}
        for stop in self._by_link.get(later.queue_id, ()):
            for entry in stop.handed.get(later.queue_id, ()):
                if self.sure_next(stop, entry) == [later]:
                    _keep(found, stop, queue_id_tie(stop, entry, later))
        for stop in self._by_queue_id.get(later.document["origin"] or "", ()):
            _keep(found, stop, origin_tie(stop, later))
        return found

    def _claims_by_msgid(self, later: Node) -> list[Node]:
        """The stops that handed a message with this ID on, telling no queue ID, where they may have met this one."""
        return [
            stop
            for stop in self._alike(later)
            if later in self._near(stop) and any(later in self.sure_next(stop, entry) for entry in stop.opened)
        ]

    def _next_by_msgid(self, stop: Node, entry: RecipientResult) -> list[Node]:
        if not is_open(entry):
            return []
        return [later for later in self._near(stop) if msgid_tie(stop, entry, later) and not self._is_told(later)]

    def _near(self, stop: Node) -> list[Node]:
        """The stops with the same message ID that one of its entries may have gone to."""
        if stop not in self._nearby:
            self._nearby[stop] = [later for later in self._alike(stop) if may_go_on(stop, later)]
        return self._nearby[stop]

    def _alike(self, stop: Node) -> list[Node]:
        """The stops with the same message ID, unless that are too many for it to mean anything."""
        return [] if stop.msgid is None or stop.msgid in self.crowded else self._by_msgid.get(stop.msgid, [])

    def _is_told(self, later: Node) -> bool:
        """Whether a queue ID tells where a stop came from."""
        if later not in self._told:
            self._told[later] = later.document["origin"] is not None or bool(self._claims(later))
        return self._told[later]


def _keep(found: dict[Node, Tie], stop: Node, tie: Tie | None) -> None:
    if tie is not None and (stop not in found or found[stop] < tie):
        found[stop] = tie


def _best(found: dict[Node, Tie]) -> list[Node]:
    best = max(found.values(), default=None)
    return [stop for stop, tie in found.items() if tie == best]
