"""The protocol of a store, and the values that it takes and returns.

A store keeps rows: the facts of a transaction, and the document derived from them. A row without a document is a stub,
which look-ups find but searches do not. `indexing/merge.py` joins new facts with stored ones; a store only creates,
reads, replaces and deletes rows. Every write has a condition, so that two writers reach the same state as one.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeAlias, runtime_checkable

from mailtrace.logs.checkpoint import Checkpoint
from mailtrace.message.document import Document
from mailtrace.message.part import Part
from mailtrace.message.transaction import Key, TimeSpan, Transaction
from mailtrace.search.groups import Group, Grouping
from mailtrace.search.overview import Overview
from mailtrace.search.query import Query
from mailtrace.search.tally import Span
from mailtrace.syslog.records import Record

RETENTION_DAYS: Final = 90
"""The default retention."""
INDEX_PERIODS: Final = ("day", "week", "month")
"""The periods that one index of Elasticsearch can cover."""

Notify: TypeAlias = Callable[[str], None]
"""Shows a line to the admin."""


class Stored(NamedTuple):
    """A transaction read from a store."""

    id: str
    transaction: Transaction
    version: Any
    """Passed back in the condition of a replacement or removal; only the store knows its meaning."""
    mark: str = ""
    """The mark of the row that was written last, if the store keeps it."""


class Row(NamedTuple):
    """A transaction to write."""

    id: str
    transaction: Part
    document: Document | None
    """None for a stub."""
    mark: str = ""
    """Which write this is. A remote store keeps it, since the answer to a write can be lost after it was done."""
    encoded: Any = None
    """What another process has encoded, if `transaction` is `Encoded`; then `document` is None."""

    @property
    def is_stub(self) -> bool:
        """Whether it has no document."""
        return self.document is None and self.encoded is None


class Encoding(NamedTuple):
    """How a store keeps new rows: functions for any process, which need no connection."""

    encode: Callable[[Row], Any]
    """Returns what the store keeps of a row; None if it cannot keep the row."""
    lines_in: Callable[[str, Any], list[Record]]
    """Returns the lines of a host in that."""


class Replacement(NamedTuple):
    """A new version of a stored row, to be written if the stored one has not changed."""

    row: Row
    version: Any


class Removal(NamedTuple):
    """A stored row to delete if it has not changed; its facts are in another row by now."""

    id: str
    start: int
    """The start of its transaction, in microseconds since 1970."""
    version: Any


class Refused(NamedTuple):
    """A document that the store rejected."""

    transaction: str
    """The queue ID."""
    reason: str


class WriteResult(NamedTuple):
    """The rows that were not written; all others were."""

    conflicts: set[str]
    """IDs of rows that exist already (`create`) or have changed (`replace`)."""
    refused: list[Refused]


class Store(Protocol):
    """A store of transactions.

    Every method raises `StoreError` on failure, `StoreUnavailableError` if a retry can help.
    """

    @property
    def name(self) -> str:
        """The URL or path of the store, for messages."""

    @property
    def is_exclusive(self) -> bool:
        """Whether no other process can write between look-up and commit."""

    @property
    def encoding(self) -> Encoding:
        """How it keeps new rows."""

    @property
    def is_remote(self) -> bool:
        """Whether another process does the work, so that reading can go on during a write."""

    def prepare(self) -> None:
        """Create what is missing so that the store can be written; overwrite nothing."""

    def create(self, rows: Iterable[Row]) -> WriteResult:
        """Write rows whose IDs do not exist yet, and return the others as conflicts.

        `rows` can be a generator; a store keeps few of them in memory.
        """

    def replace(self, replacements: Sequence[Replacement]) -> WriteResult:
        """Replace stored rows that have not changed since they were read."""

    def remove(self, removals: Sequence[Removal]) -> None:
        """Delete rows that have not changed since they were read."""

    def read(self, transactions: Sequence[Part]) -> dict[str, Stored]:
        """Return the rows with the IDs of these transactions, by ID: stubs too, and all that was acknowledged."""

    def lacking_beginning(self, keys: Sequence[Key]) -> set[Key]:
        """Return the keys that have a stored transaction with `may_lack_beginning`."""

    def find(self, wanted: Mapping[Key, TimeSpan]) -> dict[Key, list[Stored]]:
        """Return the stored transactions of each key, stubs too, that lines from this time span can change.

        All that was acknowledged is found. Settled transactions of other times may be left out or not.
        """

    def commit(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Make all writes so far permanent, then save the checkpoints: none before the documents."""

    def checkpoints(self) -> list[Checkpoint]:
        """Return all checkpoints."""

    def forget(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Delete checkpoints, after making all writes so far permanent."""

    def search(self, query: Query) -> Iterator[Document]:
        """Yield the documents that match, in the order of the query: by (date, ID), newest first by default.

        Raises:
            StoreMissingError: nothing has been indexed here.
        """

    def count(self, query: Query) -> int:
        """Return the number of documents that match, regardless of the query's limit."""

    def group(self, query: Query, grouping: Grouping) -> Sequence[Group]:
        """Return all groups of the documents that match, like `groups_of`, regardless of the query's limit."""

    def slices(self) -> Iterator[Sequence[Stored]]:
        """Yield all rows, stubs too, in slices that fit into memory.

        Between two slices, rows can be written and committed: a row that is replaced meanwhile may be yielded again or
        not, but slices come to an end.
        """

    def grammar(self) -> int:
        """Return the oldest version of the grammar that made any document of this store."""

    def set_grammar(self, version: int) -> None:
        """Record, with the next commit, that the grammar of this version made all documents."""

    def overview(self, query: Query, span: Span) -> Overview:
        """Return the overview of the documents that match, like `overview_of`; the query's dates do not count."""

    def expire(self, before: float) -> int:
        """Delete documents older than `before`, in seconds since 1970, and return their number."""

    def close(self) -> None:
        """Close files and connections."""


@runtime_checkable
class Partitioned(Protocol):
    """A store that needs a new index for new days, and has room for a limited number."""

    def require_room(self, days: Collection[int]) -> None:
        """Check that there is room for documents of these days, counted from 1970 in UTC.

        Raises:
            StoreError: there is not enough room.
        """


@runtime_checkable
class KnowsLogs(Protocol):
    """A store that can be asked for its checkpoints without preparing it for writing."""

    def known_logs(self) -> list[Checkpoint]:
        """Return all checkpoints; write nothing.

        Raises:
            StoreMissingError: nothing has been indexed here.
        """


class Description(NamedTuple):
    """The state of a store, for `--check`."""

    lines: list[tuple[str, str]]
    """Pairs of label and value."""
    problems: list[str]
    """Problems that keep the commands from working, each with its solution."""


@runtime_checkable
class Described(Protocol):
    """A store that has more to check than the size of a file."""

    def describe(self) -> Description:
        """Check everything that the store needs, without a write.

        Raises:
            StoreUnavailableError: the store does not answer.
        """
