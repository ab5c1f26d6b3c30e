"""What every store can do: the protocol, and the values that go in and come out.

A store keeps rows: the facts of a transaction, from which its document is derived, and the document itself, None for a
stub, which look-ups find and searches never do. `indexing/merge.py` joins new facts with what is there; a store only
creates, reads, replaces and deletes rows, each under a condition, so that two writers end in the same state as one.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeAlias, runtime_checkable

from mailtrace.logs.checkpoint import Checkpoint
from mailtrace.message.document import Document
from mailtrace.message.transaction import Key, TimeSpan, Transaction
from mailtrace.search.groups import Group, Grouping
from mailtrace.search.query import Query

RETENTION_DAYS: Final = 90
"""How long entries are kept where nobody says otherwise."""
INDEX_PERIODS: Final = ("day", "week", "month")
"""What one index of Elasticsearch can hold."""

Notify: TypeAlias = Callable[[str], None]
"""Shows the admin a line."""


class Stored(NamedTuple):
    """A transaction as a store has it."""

    id: str
    transaction: Transaction
    version: Any
    """What a replacement's condition rests on; the store alone knows what it is."""


class Row(NamedTuple):
    """What a store is to keep of a transaction."""

    id: str
    transaction: Transaction
    document: Document | None
    """None: a stub."""


class Replacement(NamedTuple):
    """A row that takes the place of a stored one, as long as that has not changed."""

    row: Row
    version: Any


class Removal(NamedTuple):
    """A stored row that goes, as long as it has not changed: its facts are in another one by now."""

    id: str
    start: int
    """Its transaction's start, in microseconds."""
    version: Any


class Refused(NamedTuple):
    """A document that the store would not take."""

    transaction: str
    """Its queue ID."""
    reason: str


class WriteResult(NamedTuple):
    """What became of rows that were to be written."""

    conflicts: set[str]
    """IDs of rows that exist already (create), or have changed meanwhile (replace)."""
    refused: list[Refused]


class Store(Protocol):
    """Where transactions are kept. Errors are `StoreError`s; `StoreUnavailableError` where trying again may help."""

    @property
    def name(self) -> str:
        """The store as messages name it: its URL or path."""

    @property
    def is_exclusive(self) -> bool:
        """Whether no other writer can come between this one's look-ups and its writes."""

    @property
    def is_remote(self) -> bool:
        """Whether it works elsewhere, while this process can go on."""

    def prepare(self) -> None:
        """Make the store ready to be written: create what is missing, overwrite nothing."""

    def create(self, rows: Iterable[Row]) -> WriteResult:
        """Write rows whose IDs are not there yet; those that are come back as conflicts, unchanged.

        Rows are made while they are taken: a store keeps few of them in memory.
        """

    def replace(self, replacements: Sequence[Replacement]) -> WriteResult:
        """Write rows in place of stored ones that have not changed since they were read."""

    def remove(self, removals: Sequence[Removal]) -> None:
        """Delete rows that have not changed since they were read."""

    def read(self, transactions: Sequence[Transaction]) -> dict[str, Stored]:
        """Return what is stored under the IDs of these transactions, stubs too; everything acknowledged is seen."""

    def lacking_beginning(self, keys: Sequence[Key]) -> set[Key]:
        """Return those keys of which a transaction is stored whose beginning may be missing (`may_lack_beginning`)."""

    def find(self, wanted: Mapping[Key, TimeSpan]) -> dict[Key, list[Stored]]:
        """Return the stored transactions of each key that lines of these times can change, stubs too; or more of them.

        Everything acknowledged is seen. What is settled and of another time may be left out.
        """

    def commit(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Make everything written so far last, and save these checkpoints with it, none before the documents."""

    def checkpoints(self) -> list[Checkpoint]:
        """Return all checkpoints."""

    def search(self, query: Query) -> Iterator[Document]:
        """Return the documents that match, newest first by (date, id) or as the query says, one by one.

        Raises:
            StoreMissingError: nothing has been indexed here.
        """

    def count(self, query: Query) -> int:
        """Return how many documents match, whatever the query's limit."""

    def group(self, query: Query, grouping: Grouping) -> list[Group]:
        """Return all groups of what matches, as `groups_of` makes them, whatever the query's limit."""

    def expire(self, before: float) -> int:
        """Delete what is past its time: of older than `before`, in seconds since 1970. Return how many documents."""

    def close(self) -> None:
        """Let go of files and connections."""


@runtime_checkable
class Partitioned(Protocol):
    """A store that needs a new place for new days, of which it may not have any number."""

    def require_room(self, days: Collection[int]) -> None:
        """See that there is room for entries of these days, counted from 1970 in UTC.

        Raises:
            StoreError: there is not.
        """


class Description(NamedTuple):
    """What a store is found to be, without a change to it."""

    lines: list[tuple[str, str]]
    """Of what, and what: to be read by an admin."""
    problems: list[str]
    """What keeps the two commands from their work, each with what to do."""


@runtime_checkable
class Described(Protocol):
    """A store of which there is more to tell than a file's size."""

    def describe(self) -> Description:
        """Look at everything that the store needs, and write nothing.

        Raises:
            StoreUnavailableError: it does not answer.
        """
