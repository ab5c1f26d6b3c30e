"""What a run has read of a transaction: its facts with their lines, or its lines with their document."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from mailtrace.message.document import Document, document
from mailtrace.message.lines import Line
from mailtrace.message.transaction import LONG, Keyed, Transaction, lines_of, transaction_id
from mailtrace.syslog.records import Record


class Writer(NamedTuple):
    """A process that writes lines."""

    host: str
    program: str
    pid: str


Collected: TypeAlias = tuple[int, Writer, str]
"""A line of a message: its time in microseconds since 1970, its writer, and its text after the queue ID."""


class _FromItsBeginning(Keyed):
    """A transaction from its beginning to its end; it has what a store asks of a `Transaction`."""

    __slots__ = ()
    first: int
    last: int
    """The times of the first and the last line, in microseconds."""
    written = False
    is_certain = True
    may_lack_beginning = False

    @property
    def is_settled(self) -> bool:
        """Whether only lines from about the same time can change it."""
        return self.is_timed or self.last - self.first <= LONG


@dataclass(slots=True, eq=False)
class Whole(_FromItsBeginning):
    """A whole, ordinary message."""

    host: str
    queue_id: str
    collected: Sequence[Collected]
    """Its lines, each once, in the order of the facts that they say."""
    document: Document
    start: int
    """What distinguishes transactions with one key, in microseconds since 1970."""
    mta: str
    first: int
    last: int
    line: str = ""

    @property
    def lines(self) -> list[Record]:
        """The lines, in the order of the facts that they say."""
        return [record_of(self.queue_id, *line) for line in self.collected]

    @property
    def id(self) -> str:
        """The ID of the document."""
        return transaction_id(self.host, self.queue_id, self.start)


@dataclass(slots=True, eq=False)
class Encoded(_FromItsBeginning):
    """A whole, ordinary message, or a refusal without a queue ID, that another process has encoded for the store."""

    host: str
    queue_id: str
    mta: str
    id: str
    """The ID of the document."""
    start: int
    first: int
    last: int
    beginning: Collected
    """The line with which it begins."""
    number: int
    """How many lines it has."""
    encoded: Any
    """What the store's `encode` has returned for its row."""
    lines_in: Callable[[str, Any], list[Record]]
    """Returns the lines in that, of a host."""
    line: str = ""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it in a third of the time that a dataclass takes."""
        of_part = self.host, self.queue_id, self.mta, self.id, self.start, self.first, self.last
        return Encoded, (*of_part, self.beginning, self.number, self.encoded, self.lines_in, self.line)

    @property
    def lines(self) -> list[Record]:
        """The lines, in the order of the facts that they say."""
        return self.lines_in(self.host, self.encoded)


def record_of(queue_id: str, time: int, writer: Writer, rest: str) -> Record:
    """Return a collected line whole."""
    return Record(time, *writer, f"{queue_id}: {rest}")


Part: TypeAlias = Transaction | Whole | Encoded
"""What a run has read of a transaction."""


def document_of(part: Part) -> Document | None:
    """Return the document of a transaction that is not encoded."""
    assert not isinstance(part, Encoded)
    return part.document if isinstance(part, Whole) else document(part)


def lines_to_keep(part: Part) -> list[Line]:
    """Return the lines of a transaction, each once, in the order of the facts that they say."""
    if isinstance(part, Whole):
        queue_id = part.queue_id
        return [(time, program, pid, f"{queue_id}: {rest}") for time, (_, program, pid), rest in part.collected]
    lines = lines_of(part) if isinstance(part, Transaction) else part.lines
    return [(time, program, pid, text) for time, _, program, pid, text in lines]
