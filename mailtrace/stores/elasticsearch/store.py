"""The scale-out store: an Elasticsearch server, 8 or 9, written and searched by any number of programs.

A transaction lives in the index that holds the day on which it started, in UTC, under its ID: both are functions of
its start, so an ID is in one index only, and creating it needs no look-up.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from mailtrace.errors import StoreError
from mailtrace.logs.checkpoint import Checkpoint
from mailtrace.message.document import Document
from mailtrace.message.transaction import Key, TimeSpan, Transaction
from mailtrace.search.groups import Group, Grouping
from mailtrace.search.query import Query
from mailtrace.stores.access import Access
from mailtrace.stores.base import Description, Notify, Refused, Removal, Replacement, Row, Stored, WriteResult
from mailtrace.stores.elasticsearch.bulk import Answer, Bulk, Operation
from mailtrace.stores.elasticsearch.check import describe
from mailtrace.stores.elasticsearch.checkpoints import Checkpoints
from mailtrace.stores.elasticsearch.client import Server
from mailtrace.stores.elasticsearch.errors import advice, is_documents_fault
from mailtrace.stores.elasticsearch.groups import groups
from mailtrace.stores.elasticsearch.indices import Indices
from mailtrace.stores.elasticsearch.rows import FACTS, day_of, source, stored
from mailtrace.stores.elasticsearch.searches import Searches
from mailtrace.stores.elasticsearch.setup import SetUp

_BATCH: Final = 1000
"""How many rows one request reads by their IDs."""
_AT_ONCE: Final = 200
"""How many new rows are made at once."""
_KEYS: Final = 500
"""How many keys one search looks up."""
_NO_INDEX: Final = "index_not_found_exception"


class _Sent(NamedTuple):
    """A row on its way."""

    id: str
    queue_id: str
    place: str


class ElasticsearchStore:
    """The store on the server at a URL, which may hold a user and a password, in the indices of a prefix.

    Retention and period are wishes about how long entries are kept and what one index holds: without one, what is set
    up stays as it is, and a new set-up has 90 days, in indices of a day.

    Raises:
        StoreError: the URL is none of a server, or a certificate cannot be read.
        UsageError: it is not told who comes to a server that asks.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "mailtrace",
        access: Access | None = None,
        retention_days: int | None = None,
        index_period: str | None = None,
        tell: Notify = lambda _: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._server = Server(url, access, tell)
        self._bulk = Bulk(self._server)
        self._set_up = SetUp(self._server, prefix, retention_days, index_period, tell)
        self._indices = Indices(self._server, prefix, self._set_up, now)
        self._searches = Searches(self._server, self._indices)
        self._checkpoints = Checkpoints(self._server, self._bulk, self._indices.checkpoints)

    @property
    def name(self) -> str:
        """The server's URL, without user and password."""
        return self._server.name

    @property
    def has_lifecycle(self) -> bool:
        """Whether the server deletes what is past its time; known after `prepare`."""
        return self._set_up.has_lifecycle

    @property
    def is_exclusive(self) -> bool:
        """Others may write at any time."""
        return False

    @property
    def is_remote(self) -> bool:
        """The server works while this process can go on."""
        return True

    def prepare(self) -> None:
        """Make index template, lifecycle policy and the index of checkpoints where they are missing.

        Raises:
            StoreUnavailableError: the server does not answer.
            StoreError: it is no Elasticsearch 8 or 9, or does not let this user do it.
        """
        self._set_up.prepare(self._indices.checkpoints)

    def require_room(self, days: Collection[int]) -> None:
        """See that there is room for the indices that entries of these days, counted from 1970 in UTC, will need.

        Raises:
            StoreError: there is not.
        """
        self._indices.require_room(days)

    def describe(self) -> Description:
        """Look at the server, at what is set up there and at what this user may do; write nothing."""
        return describe(self._server, self._set_up, self._indices)

    def create(self, rows: Iterable[Row]) -> WriteResult:
        """Write rows whose IDs are not there yet; those that are come back as conflicts, unchanged."""
        waiting = iter(rows)
        slices = iter(lambda: list(islice(waiting, _AT_ONCE)), [])
        return self._write(
            (row, {"create": self._place(row.transaction, row.id)}) for some in slices for row in self._with_room(some)
        )

    def _with_room(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Make the indices of new rows ready for them."""
        behind = self._indices.open(day_of(row.transaction.start) for row in rows)
        if behind:
            self._prolong([row for row in rows if self._index_of(row.transaction) in behind])
        return rows

    def replace(self, replacements: Sequence[Replacement]) -> WriteResult:
        """Write rows in place of stored ones that have not changed since they were read."""
        return self._write((row, {"index": _unchanged(row.id, version)}) for row, version in replacements)

    def remove(self, removals: Sequence[Removal]) -> None:
        """Delete rows that have not changed since they were read."""
        operations = [Operation({"delete": _unchanged(removal.id, removal.version)}) for removal in removals]
        for operation, answer in zip(operations, self._bulk.send(operations), strict=True):
            if answer.status not in (404, 409):
                self._require(operation.place, answer)
                self._indices.wrote(operation.place)

    def _prolong(self, rows: Sequence[Row]) -> None:
        """Prolong the time of indices, if these rows are new to them: reading again what is there prolongs nothing.

        This comes before the rows are written. Otherwise a run that ends in between would leave them to go with the
        old ones, and the next run would take them for known.
        """
        known = {found["_id"] for found in self._get([row.transaction for row in rows], source=False)}
        for index in {self._index_of(row.transaction) for row in rows if row.id not in known}:
            self._indices.prolong(index)

    def _index_of(self, transaction: Transaction) -> str:
        return self._indices.of(day_of(transaction.start))

    def _place(self, transaction: Transaction, id_: str) -> dict[str, Any]:
        return {"_index": self._index_of(transaction), "_id": id_}

    def _write(self, wanted: Iterable[tuple[Row, dict[str, dict[str, Any]]]]) -> WriteResult:
        """Send each row as soon as it is made, while the next ones are being made."""
        outcome = WriteResult(set(), [])
        sent: list[_Sent] = []

        def operations() -> Iterator[Operation]:
            for row, action in wanted:
                if isinstance(told := _source(row), Refused):
                    outcome.refused.append(told)
                else:
                    operation = Operation(action, told)
                    sent.append(_Sent(row.id, row.transaction.queue_id, operation.place))
                    yield operation

        answers = self._bulk.send(operations())
        for row, answer in zip(sent, answers, strict=True):
            self._take_answer(outcome, row, answer)
        return outcome

    def _take_answer(self, outcome: WriteResult, row: _Sent, answer: Answer) -> None:
        """What is not the document's fault ends the run: all that was not written is read again by the next."""
        if answer.status == 409:
            outcome.conflicts.add(row.id)
        elif answer.kind == _NO_INDEX:
            # Deleted meanwhile: what was read there is out of date, as in a conflict, and the index is made anew.
            self._indices.forget(row.place)
            outcome.conflicts.add(row.id)
        elif is_documents_fault(answer.status, answer.kind):
            outcome.refused.append(Refused(row.queue_id, answer.reason))
        else:
            self._require(row.place, answer)
            self._indices.wrote(row.place)

    def _require(self, index: str, answer: Answer) -> None:
        if answer.status >= 400:
            reason = answer.reason + advice(index, answer.kind, answer.reason)
            raise StoreError(f"{self.name} cannot write: {reason}")

    def read(self, transactions: Sequence[Transaction]) -> dict[str, Stored]:
        """Return what is stored under the IDs of these transactions, stubs too; everything acknowledged is seen."""
        return {found["_id"]: stored(found) for found in self._get(transactions, source=FACTS)}

    def _get(self, transactions: Sequence[Transaction], *, source: list[str] | bool) -> Iterator[dict[str, Any]]:
        for at in range(0, len(transactions), _BATCH):
            places = [self._place(part, part.id) for part in transactions[at : at + _BATCH]]
            docs = [{**place, "_source": source} for place in places]
            for found in self._server.ask_until_answered(self._server.client.mget, docs=docs)["docs"]:
                if found.get("found"):
                    yield found
                elif (error := found.get("error", {})) and error["type"] != _NO_INDEX:
                    reason = f"{error.get('reason')}{advice(found['_index'], error['type'], str(error.get('reason')))}"
                    raise StoreError(f"{self.name} cannot read {found['_index']}: {reason}")

    def lacking_beginning(self, keys: Sequence[Key]) -> set[Key]:
        """Return those keys of which a transaction is stored whose beginning may be missing."""
        found: set[Key] = set()
        if keys:
            self._indices.refresh()
        for at in range(0, len(keys), _KEYS):
            found |= self._searches.lacking_beginning(keys[at : at + _KEYS])
        return found

    def find(self, wanted: Mapping[Key, TimeSpan]) -> dict[Key, list[Stored]]:
        """Return every stored transaction of each key, stubs too; everything acknowledged is seen."""
        found: dict[Key, list[Stored]] = {}
        keys = list(wanted)
        if keys:
            self._indices.refresh()
        for at in range(0, len(keys), _KEYS):
            for hit in self._searches.of_keys(keys[at : at + _KEYS]):
                row = stored(hit)
                found.setdefault(row.transaction.key, []).append(row)
        return found

    def commit(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Let searches see what was written, and save these checkpoints: every document is acknowledged already."""
        self._indices.refresh_written()
        self._checkpoints.save(checkpoints)
        self._server.outage.recovered()

    def checkpoints(self) -> list[Checkpoint]:
        """Return all checkpoints."""
        return self._checkpoints.load()

    def search(self, query: Query) -> Iterator[Document]:
        """Return the documents that match, in the query's order, one by one.

        Raises:
            StoreMissingError: nothing has been indexed here.
        """
        self._set_up.tell_of_closed()
        return self._searches.documents(query)

    def count(self, query: Query) -> int:
        """Return how many documents match, whatever the query's limit."""
        self._set_up.tell_of_closed()
        return self._searches.count(query)

    def group(self, query: Query, grouping: Grouping) -> list[Group]:
        """Return the groups of what matches, counted by the server."""
        self._set_up.tell_of_closed()
        return groups(self._searches, query, grouping)

    def expire(self, before: float) -> int:
        """Delete checkpoints older than `before`, and on a server without lifecycles the indices past their time.

        Returns how many documents went; 0 where the server's policy sees to it.
        """
        self._checkpoints.prune(before)
        gone = 0
        for index in self._indices.past(before):
            gone += self._searches.size(index)
            self._indices.delete(index)
        self._server.outage.recovered()
        return gone

    def close(self) -> None:
        """Close the connections."""
        self._bulk.close()
        self._server.close()


def _unchanged(id_: str, version: tuple[str, int, int]) -> dict[str, Any]:
    """An operation's place and condition: the document is still the one that was read."""
    index, seq_no, primary_term = version
    return {"_index": index, "_id": id_, "if_seq_no": seq_no, "if_primary_term": primary_term}


def _source(row: Row) -> bytes | Refused:
    try:
        return source(row)
    except TypeError as error:
        return Refused(row.transaction.queue_id, str(error))
