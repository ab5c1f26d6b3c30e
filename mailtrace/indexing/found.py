"""What a process finds in lines without knowing those before them: whole messages, and what must be joined in order."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from mailtrace.indexing.classify import Used, count, meaning_of
from mailtrace.indexing.collected import EndedMessage
from mailtrace.indexing.report import Report
from mailtrace.indexing.short_way import ShortWay
from mailtrace.logs.file import Block
from mailtrace.message.part import Collected, Encoded, Whole, Writer, document_of
from mailtrace.message.replay import add_refusal
from mailtrace.message.sessions import Sessions
from mailtrace.message.transaction import Key, Transaction
from mailtrace.mta.facts import REQUEUE, Accepted, Announced, Authenticated, Event, Origin, Parsed
from mailtrace.mta.queue_ids import NOQUEUE
from mailtrace.mta.rules import Ordinary
from mailtrace.stores.base import Encoding, Row
from mailtrace.syslog.clock_check import ClockCheck
from mailtrace.syslog.frame import Frames, Record, Unframed
from mailtrace.syslog.timezones import zone_of
from mailtrace.syslog.year import Timeline


class OpenMessage(NamedTuple):
    """The lines of a message so far, or of one that is not ordinary; they have not been counted."""

    key: Key
    lines: Sequence[Collected]


Item: TypeAlias = Encoded | OpenMessage | Used
"""A whole message, or lines of one, or a line of any other message or session."""


class Slice(NamedTuple):
    """Whole lines of a log, and what must be known to read their frames."""

    block: Block
    zone: str
    position: dict[str, Any]
    """That of the timeline before the first line."""
    host: str
    """The host of lines that name none."""


class Found(NamedTuple):
    """What a slice has."""

    items: list[Item]
    report: Report
    clock: ClockCheck
    position: dict[str, Any]
    """That of the timeline after the last line."""
    host: str
    """The host of lines that name none, if there was one."""


class Finder:
    """Reads lines, and encodes the messages that are whole and ordinary for a store.

    What it finds is the same whatever the lines before are; whether they make a difference is for `Reducer.add_found`
    to say.
    """

    def __init__(self, encoding: Encoding) -> None:
        self.report, self.clock = Report(), ClockCheck()
        self._encoding = encoding
        self._short = ShortWay(self.report, self.clock, self._may_begin)
        self._items: list[Item | None] = []
        self._places: dict[Key, int] = {}
        """Where among the items each message that has begun belongs: where it began."""
        self._sessions = Sessions()
        """What lines say about the next messages of their processes; nothing ends that here."""

    def found(self, lines: Sequence[str], frames: Frames) -> list[Item]:
        """Return what is in all of these lines, in their order."""
        self._short.add_lines(lines, frames, self._add)
        for ended in self._short.pop_closed():
            self._end(EndedMessage(*ended))
        for key, collected in self._short.pop_open():
            self._put(key, OpenMessage(key, collected))
        return [item for item in self._items if item is not None]

    def _may_begin(self, writer: Writer, queue_id: str, rest: str, ordinary: Ordinary) -> bool:
        key = writer.host, queue_id
        if (lines := self._short.closed.pop(key, None)) is not None:
            self._end(EndedMessage(key, lines))
        if self._sessions.may_tell((writer.host, writer.pid), ordinary.client_of(rest)):
            return False
        self._places[key] = len(self._items)
        self._items.append(None)
        return True

    def _add(self, record: Record | Unframed, may_be_short: bool) -> None:
        """Add a line that is not surely of a kind for the short way."""
        if may_be_short and isinstance(record, Record) and self._short.add_record(record):
            return
        meaning = meaning_of(record)
        if not isinstance(meaning, Used):
            count(meaning, self.report)
            return
        for key in _keys(meaning.record.host, meaning.parsed):
            if (lines := self._short.pop(key)) is not None:
                self._put(key, OpenMessage(key, lines))
        if isinstance(meaning.parsed, Authenticated | Announced):
            self._sessions.keep(meaning.record, meaning.parsed)
        self._items.append(self._refusal(meaning) or meaning)

    def _put(self, key: Key, item: Item) -> None:
        self._items[self._places.pop(key)] = item

    def _end(self, message: EndedMessage) -> None:
        self._put(message.key, self._encoded(message) or OpenMessage(message.key, message.lines))

    def _encoded(self, message: EndedMessage) -> Encoded | None:
        """Return a message as the store keeps it; None if it is not ordinary, or the store cannot keep it."""
        whole = message.whole()
        return None if whole is None else self._row(whole, whole.last, message.lines[0], len(message.lines))

    def _refusal(self, used: Used) -> Encoded | None:
        """Return a refusal without a queue ID; None if the line is another one, or may say more than by itself."""
        (time, host, program, pid, text), mta, event = used
        if not isinstance(event, Event) or event.queue_id != NOQUEUE or self._sessions.may_tell_of_refusal((host, pid)):
            return None
        refused = Transaction(host, NOQUEUE, mta)
        add_refusal(refused, used.record, event, Sessions())
        return self._row(refused, time, (time, Writer(host, program, pid), text), 1)

    def _row(self, part: Transaction | Whole, last: int, beginning: Collected, number: int) -> Encoded | None:
        row = Row(part.id, part, document_of(part))
        kept: Any = self._encoding.encode(row)
        if kept is None or row.document is None:
            return None
        of_part = part.host, part.queue_id, part.mta, row.id, part.start, part.first, last
        return Encoded(*of_part, beginning, number, kept, self._encoding.lines_in, part.line)


def found_in(some: Slice, encoding: Encoding) -> Found:
    """Return what a slice has, encoded for a store."""
    years = Timeline(zone_of(some.zone), None)
    years.go_to(some.position)
    frames = Frames.dated_by(years)
    frames.name_host(some.host, "")
    finder, block = Finder(encoding), some.block
    finder.report.add_block(block)
    items = finder.found(block.lines, frames)
    return Found(items, finder.report, finder.clock, years.position(), frames.host_of_nameless)


def _keys(host: str, parsed: Parsed) -> Iterator[Key]:
    """Yield the keys of all transactions that a line says something about."""
    if isinstance(parsed, list):
        for event in parsed:
            yield from _keys(host, event)
    elif isinstance(parsed, Event):
        yield host, parsed.queue_id
        if isinstance(parsed.fact, Origin) and parsed.fact.kind == REQUEUE:
            yield host, parsed.fact.origin
    elif isinstance(parsed, Accepted):
        yield host, parsed.queue_id
