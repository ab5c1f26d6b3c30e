"""The store on an Elasticsearch or OpenSearch server, which any number of processes may write and search at once.

A transaction is stored under its ID in the index of the day on which it started, in UTC. Both depend only on its start,
so an ID is in a single index, and creating it needs no look-up.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

import orjson

from mailtrace.errors import StoreError
from mailtrace.logs.checkpoint import Checkpoint
from mailtrace.message.document import Document
from mailtrace.message.part import Part
from mailtrace.message.transaction import Key, TimeSpan
from mailtrace.mta.version import GRAMMAR_VERSION
from mailtrace.search.groups import Group, Grouping
from mailtrace.search.overview import Overview, finished
from mailtrace.search.query import Query
from mailtrace.search.tally import Span
from mailtrace.stores.access import Access
from mailtrace.stores.base import Description, Encoding, Notify, Refused, Removal, Replacement, Row, Stored, WriteResult
from mailtrace.stores.elasticsearch.bulk import Answer, Bulk, Operation
from mailtrace.stores.elasticsearch.check import describe
from mailtrace.stores.elasticsearch.checkpoints import Checkpoints
from mailtrace.stores.elasticsearch.client import Server
from mailtrace.stores.elasticsearch.errors import advice, is_document_error
from mailtrace.stores.elasticsearch.groups import groups_of_matching
from mailtrace.stores.elasticsearch.indices import Indices
from mailtrace.stores.elasticsearch.overview import tally_of_searches
from mailtrace.stores.elasticsearch.rows import LINES, day_of, encoded, lines_in, source, stored
from mailtrace.stores.elasticsearch.searches import Searches
from mailtrace.stores.elasticsearch.setup import Setup
from mailtrace.stores.elasticsearch.template import COMPATIBLE, COMPATIBLE_MEMBER, GRAMMAR, is_too_new, versions

_BATCH: Final = 1000
"""Rows that one request reads by their IDs."""
_SLICE: Final = 200
"""New rows that are held in memory at once."""
_KEYS: Final = 2000
"""Keys that one search looks up."""
_NO_INDEX: Final = "index_not_found_exception"
_OTHER_MAPPING: Final = "Cannot write to a field alias"
"""The server's reason if a document for an earlier mapping meets the present one."""


class _Sent(NamedTuple):
    """A row that was sent to the server."""

    id: str
    queue_id: str
    index_name: str


class ElasticsearchStore:
    """The store at a URL, which may contain a user and a password, in the indices with a prefix.

    `retention_days` and `index_period` change what is set up; None keeps it. A new server gets a retention of 90 days
    and one index per day. `notify` is called with messages for the admin.

    Raises:
        StoreError: the URL is not one of a server, or a certificate cannot be read.
        UsageError: the credentials are incomplete or contradict each other.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "mailtrace",
        access: Access | None = None,
        retention_days: int | None = None,
        index_period: str | None = None,
        notify: Notify = lambda _: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._server = Server(url, access, notify)
        self._bulk = Bulk(self._server)
        self._setup = Setup(self._server, prefix, retention_days, index_period, notify)
        self._indices = Indices(self._server, prefix, self._setup, now)
        self._searches = Searches(self._server, self._indices)
        self._checkpoints = Checkpoints(self._server, self._bulk, self._indices.checkpoints)

    @property
    def name(self) -> str:
        """The server's URL, without user and password."""
        return self._server.name

    @property
    def is_exclusive(self) -> bool:
        """Always False: other processes may write at any time."""
        return False

    @property
    def encoding(self) -> Encoding:
        """It makes the JSON of a document."""
        return Encoding(encoded, lines_in)

    @property
    def is_remote(self) -> bool:
        """Always True: the server works while this process continues."""
        return True

    def prepare(self) -> None:
        """Create the index template, lifecycle policy and index of checkpoints where they are missing.

        Raises:
            StoreUnavailableError: the server does not answer.
            StoreError: it is not a supported server, or the user lacks a privilege.
        """
        self._indices.is_fresh = False
        found = self._require_known_versions()
        self._setup.prepare(self._indices.checkpoints)
        if found and found.get(COMPATIBLE_MEMBER) != COMPATIBLE:
            self.set_grammar(found.get(GRAMMAR, 0))

    def require_room(self, days: Collection[int]) -> None:
        """Check that the server has room for the new indices that these days, counted from 1970 in UTC, need.

        Raises:
            StoreError: there is not enough room.
        """
        self._indices.require_room(days)

    def describe(self) -> Description:
        """Return the state of the server, its indices and this user's privileges; write nothing."""
        return describe(self._server, self._setup, self._indices)

    def create(self, rows: Iterable[Row]) -> WriteResult:
        """Write rows whose IDs are new; existing ones are left unchanged and returned as conflicts."""
        remaining = iter(rows)
        slices = iter(lambda: list(islice(remaining, _SLICE)), [])
        return self._write(
            (row, {"create": self._target(row.transaction, row.id)})
            for some in slices
            for row in self._with_indices(some)
        )

    def _with_indices(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Return the rows after creating and prolonging the indices that they need."""
        aged = self._indices.create_missing(day_of(row.transaction.start) for row in rows)
        if aged:
            self._prolong([row for row in rows if self._index_of(row.transaction) in aged])
        return rows

    def replace(self, replacements: Sequence[Replacement]) -> WriteResult:
        """Replace stored rows, unless they have changed since they were read."""
        return self._write((row, {"index": _unchanged(row.id, version)}) for row, version in replacements)

    def remove(self, removals: Sequence[Removal]) -> None:
        """Delete stored rows, unless they have changed since they were read."""
        operations = [Operation({"delete": _unchanged(removal.id, removal.version)}) for removal in removals]
        for operation in operations:
            self._indices.add_written(operation.index_name)
        for operation, answer in zip(operations, self._bulk.send(operations), strict=True):
            if answer.status not in (404, 409):
                self._require_written(operation.index_name, answer)

    def _prolong(self, rows: Sequence[Row]) -> None:
        """Prolong the indices of those rows that are not stored yet: reading a log again prolongs nothing.

        This must come before the rows are written. If a run ended in between, the next one would find the rows stored,
        would not prolong the index, and the rows would be deleted too early.
        """
        known = {found["_id"] for found in self._get([row.transaction for row in rows], source=False)}
        for index in {self._index_of(row.transaction) for row in rows if row.id not in known}:
            self._indices.prolong(index)

    def _index_of(self, transaction: Part) -> str:
        return self._indices.of(day_of(transaction.start))

    def _target(self, transaction: Part, id_: str) -> dict[str, Any]:
        return {"_index": self._index_of(transaction), "_id": id_}

    def _write(self, actions: Iterable[tuple[Row, dict[str, dict[str, Any]]]]) -> WriteResult:
        """Send rows, each with the action of its operation, while the next ones are being made."""
        result = WriteResult(set(), [])
        sent: list[_Sent] = []

        def operations() -> Iterator[Operation]:
            for row, action in actions:
                operation = self._operation(row, action)
                if isinstance(operation, Refused):
                    result.refused.append(operation)
                else:
                    sent.append(_Sent(row.id, row.transaction.queue_id, operation.index_name))
                    # Now, because the answer may be lost.
                    self._indices.add_written(operation.index_name)
                    yield operation

        answers = self._bulk.send(operations())
        for row, answer in zip(sent, answers, strict=True):
            self._add_answer(result, row, answer)
        return result

    def _operation(self, row: Row, action: dict[str, dict[str, Any]]) -> Operation | Refused:
        """Return the operation that writes a row, or why JSON cannot represent it."""
        (target,) = action.values()
        try:
            return Operation(action, source(row, is_earlier=self._indices.is_earlier(target["_index"])))
        except orjson.JSONEncodeError as error:
            return Refused(row.transaction.queue_id, f"JSON cannot represent it: {error}")

    def _add_answer(self, result: WriteResult, row: _Sent, answer: Answer) -> None:
        """Record the answer for a row; an error that is not the document's ends the run, and the next reads on."""
        if answer.status == 409:
            result.conflicts.add(row.id)
        elif answer.kind == _NO_INDEX or _OTHER_MAPPING in answer.reason:
            # The index was deleted: as in a conflict, what was read from it is outdated. It is created again, or the
            # write has created one with the present mapping in place of one with an earlier mapping.
            self._indices.forget(row.index_name)
            result.conflicts.add(row.id)
        elif is_document_error(answer.status, answer.kind):
            result.refused.append(Refused(row.queue_id, answer.reason))
        else:
            self._require_written(row.index_name, answer)

    def _require_written(self, index: str, answer: Answer) -> None:
        if answer.status >= 400:
            reason = answer.reason + advice(index, answer.kind, answer.reason)
            raise StoreError(f"{self.name} cannot write: {reason}")

    def read(self, transactions: Sequence[Part]) -> dict[str, Stored]:
        """Return what is stored under the IDs of these transactions, including stubs and all acknowledged writes."""
        return {found["_id"]: stored(found) for found in self._get(transactions, source=LINES)}

    def _get(self, transactions: Sequence[Part], *, source: list[str] | bool) -> Iterator[dict[str, Any]]:
        for at in range(0, len(transactions), _BATCH):
            targets = [self._target(one, one.id) for one in transactions[at : at + _BATCH]]
            docs = [{**target, "_source": source} for target in targets]
            for found in self._server.ask_until_answered("POST", "/_mget", {"docs": docs})["docs"]:
                if found.get("found"):
                    yield found
                elif (error := found.get("error", {})) and error["type"] != _NO_INDEX:
                    reason = f"{error.get('reason')}{advice(found['_index'], error['type'], str(error.get('reason')))}"
                    raise StoreError(f"{self.name} cannot read {found['_index']}: {reason}")

    def lacking_beginning(self, keys: Sequence[Key]) -> set[Key]:
        """Return the keys that have a stored transaction whose beginning may be missing."""
        found: set[Key] = set()
        if keys:
            self._indices.refresh_for_look_up()
        for at in range(0, len(keys), _KEYS):
            found |= self._searches.lacking_beginning(keys[at : at + _KEYS])
        return found

    def find(self, wanted: Mapping[Key, TimeSpan]) -> dict[Key, list[Stored]]:
        """Return all stored transactions of each key, including stubs and all acknowledged writes."""
        found: dict[Key, list[Stored]] = {}
        keys = list(wanted)
        if keys:
            self._indices.refresh_for_look_up()
        for at in range(0, len(keys), _KEYS):
            for hit in self._searches.of_keys(keys[at : at + _KEYS]):
                row = stored(hit)
                found.setdefault(row.transaction.key, []).append(row)
        return found

    def commit(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Make everything written visible to searches, then save the checkpoints: all documents are acknowledged."""
        self._indices.refresh_written()
        self._checkpoints.save(checkpoints)
        self._server.outage.recovered()

    def forget(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Make everything written visible to searches, then delete these checkpoints."""
        self.commit([])
        self._checkpoints.delete(checkpoints)

    def checkpoints(self) -> list[Checkpoint]:
        """Return all checkpoints."""
        return self._checkpoints.load()

    def search(self, query: Query) -> Iterator[Document]:
        """Return the documents that match, in the query's order, one by one.

        Raises:
            StoreMissingError: nothing has been indexed here.
        """
        self._prepare_search()
        return self._searches.documents(query)

    def count(self, query: Query) -> int:
        """Return how many documents match, whatever the query's limit."""
        self._prepare_search()
        return self._searches.count(query)

    def group(self, query: Query, grouping: Grouping) -> list[Group]:
        """Return the groups of what matches, whatever the query's limit."""
        self._prepare_search()
        return groups_of_matching(self._searches, query, grouping)

    def slices(self) -> Iterator[Sequence[Stored]]:
        """Yield all rows, index by index."""
        self._indices.refresh()
        return (list(map(stored, page)) for page in self._searches.slices(self._setup.indices("open")))

    def grammar(self) -> int:
        """Return the version of the grammar that made the documents; 0 for mailtrace 0.1."""
        return int(self._checkpoints.versions().get(GRAMMAR, 0))

    def set_grammar(self, version: int) -> None:
        """Record the version of the grammar that made the documents."""
        self._checkpoints.set_versions(versions(version))

    def _prepare_search(self) -> None:
        self._require_known_versions()
        self._setup.report_closed()

    def _require_known_versions(self) -> dict[str, Any]:
        """Return the versions of what is stored, and raise an error if it needs a newer mailtrace."""
        found = self._checkpoints.versions()
        if found.get(GRAMMAR, 0) > GRAMMAR_VERSION or is_too_new(found):
            raise StoreError(f"{self.name} was written by a newer mailtrace: install that version here too")
        return found

    def overview(self, query: Query, span: Span) -> Overview:
        """Return the overview of what matches; the query's dates do not count."""
        self._prepare_search()
        return finished(tally_of_searches(self._searches, query, span))

    def expire(self, before: float) -> int:
        """Delete checkpoints older than `before`, and the expired indices of a server that does not delete them itself.

        Return the number of deleted documents: 0 if the server's policy deletes them.
        """
        self._checkpoints.prune(before)
        deleted = 0
        for index in self._indices.expired(before):
            deleted += self._searches.size(index)
            self._indices.delete(index)
        self._server.outage.recovered()
        return deleted

    def close(self) -> None:
        """Close the connections."""
        self._bulk.close()
        self._server.close()


def _unchanged(id_: str, version: tuple[str, int, int]) -> dict[str, Any]:
    """Return the target of an operation, with the condition that the document has not changed since it was read."""
    index, seq_no, primary_term = version
    return {"_index": index, "_id": id_, "if_seq_no": seq_no, "if_primary_term": primary_term}
