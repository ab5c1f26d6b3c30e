"""What a run has read of a transaction: its facts with their lines, or its lines with their document."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from mailtrace.message.document import Document, document
from mailtrace.message.lines import Line
from mailtrace.message.transaction import LONG, Key, Transaction, lines_of, transaction_id
from mailtrace.mta.queue_ids import time_of
from mailtrace.syslog.records import Record


class Writer(NamedTuple):
    """A process that writes lines."""

    host: str
    program: str
    pid: str


Collected: TypeAlias = tuple[int, Writer, str]
"""A line of a message: its time in microseconds since 1970, its writer, and its text after the queue ID."""


@dataclass(slots=True, eq=False)
class Whole:
    """A transaction from its beginning to its end; it has what a store asks of a `Transaction`."""

    host: str
    queue_id: str
    collected: Sequence[Collected]
    """Its lines, each once, in the order of the facts that they say; of their times if `encoded` is there."""
    document: Document | None
    """None if it is `encoded`."""
    start: int
    """What distinguishes transactions with one key, in microseconds since 1970."""
    mta: str
    encoded: Any = None
    """What the store's `encode` has returned for its row in another process; else None."""
    line: str = ""
    written: bool = False
    is_certain: bool = True
    may_lack_beginning: bool = False

    @property
    def lines(self) -> list[Record]:
        """The lines, in the order of the facts that they say."""
        return [record_of(self.queue_id, *line) for line in self.collected]

    @property
    def key(self) -> Key:
        """The host and the queue ID."""
        return self.host, self.queue_id

    @property
    def id(self) -> str:
        """The ID of the document."""
        return transaction_id(self.host, self.queue_id, self.start)

    @property
    def first(self) -> int:
        """The time of the first line, in microseconds."""
        return self.collected[0][0]

    @property
    def is_timed(self) -> bool:
        """Whether the queue ID contains a time, and so is never reused."""
        return time_of(self.queue_id, self.mta) is not None

    @property
    def is_settled(self) -> bool:
        """Whether only lines from about the same time can change it."""
        return self.is_timed or self.collected[-1][0] - self.first <= LONG


def record_of(queue_id: str, time: int, writer: Writer, rest: str) -> Record:
    """Return a collected line whole."""
    return Record(time, *writer, f"{queue_id}: {rest}")


Part: TypeAlias = Transaction | Whole
"""What a run has read of a transaction."""


def document_of(part: Part) -> Document | None:
    """Return the document of a transaction."""
    if isinstance(part, Whole):
        assert part.encoded is None
        return part.document
    return document(part)


def lines_to_keep(part: Part) -> list[Line]:
    """Return the lines of a transaction, each once, in the order of the facts that they say."""
    if isinstance(part, Whole):
        queue_id = part.queue_id
        return [(time, program, pid, f"{queue_id}: {rest}") for time, (_, program, pid), rest in part.collected]
    return [(time, program, pid, text) for time, _, program, pid, text in lines_of(part)]
