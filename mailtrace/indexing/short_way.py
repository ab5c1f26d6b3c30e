"""The short way: collects the lines of ordinary messages, and counts lines that say nothing, each in a few steps.

Nine lines of ten in a log are of these kinds. A line that is not surely one of them goes the general way.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from mailtrace.indexing.report import OTHER_PROGRAM, Report
from mailtrace.message.part import Collected, Writer
from mailtrace.message.transaction import Key
from mailtrace.mta.grammars import grammar_of
from mailtrace.mta.postfix import whole as postfix
from mailtrace.mta.rules import NOTHING_ORDINARY, Ordinary
from mailtrace.mta.sendmail import whole as sendmail
from mailtrace.syslog.clock_check import ClockCheck
from mailtrace.syslog.frame import Frames, Record, Unframed

_MAX_WRITERS: Final = 4096
_FRACTION: Final = 6
_NO_TIME: Final = -(1 << 62)

Messages = dict[str, list[Collected]]
"""The lines of the open messages of one host, by queue ID."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a writer of lines."""

    writer: Writer
    is_other: bool
    """Whether its program is not part of an MTA."""
    messages: Messages
    """Those of its host."""
    ordinary: Ordinary
    """How to know its lines that take the short way."""


_UNKNOWN: Final = _Known(Writer("", "", ""), False, {}, NOTHING_ORDINARY)
_NO_MESSAGES: Final[Messages] = {}


class ShortWay:
    """Collects the lines of messages from their beginning to their end."""

    def __init__(
        self, report: Report, clock: ClockCheck, may_begin: Callable[[Writer, str, str, Ordinary], bool]
    ) -> None:
        """Count lines in `report`, and ask `may_begin` for each usual beginning: with queue ID and text after it."""
        self.open: dict[str, Messages] = {}
        """The messages that have begun, by host."""
        self.closed: dict[Key, list[Collected]] = {}
        """Those that have ended."""
        self._report, self._clock, self._may_begin = report, clock, may_begin
        self._writers: dict[tuple[str, str, str], _Known] = {}

    def add_lines(
        self, lines: Iterable[str], frames: Frames, general: Callable[[Record | Unframed, bool], None]
    ) -> None:
        """Add lines of a log; `general` gets the record of every line that is not surely of a kind for the short way.

        It also gets whether the program is not known from the beginning of the line. The loop does for most lines what
        `Frames.record` does, without a call.
        """
        kept, zone, others = frames.kept, frames.zone, 0
        stamp, start, at, has_fraction = kept
        known: dict[str, _Known] = {}
        ignored = dict.fromkeys((*postfix.REASONS, *sendmail.REASONS), 0)
        for line in lines:
            is_kept = line.startswith(stamp) or frames.next_stamp(line)
            if frames.kept is not kept:
                stamp, start, at, has_fraction = kept = frames.kept
                if frames.zone is not zone:
                    zone = frames.zone
                    known.clear()
            parts = line.split(": ", 2)
            head = parts[0][at:]
            time = start + _micros(line[at - _FRACTION : at]) if has_fraction else start
            found = (known.get(head) or self._learn(known, head, frames)) if is_kept and time >= 0 else _UNKNOWN
            if found.is_other:
                others += 1
                continue
            ordinary = found.ordinary
            if ordinary is not NOTHING_ORDINARY:
                if len(parts) == 3 and line[-1] > " " and self._collect(time, found, parts[1], parts[2]):
                    continue
                if reason := ordinary.ignored_reason(parts):
                    ignored[reason] += 1
                    continue
            general(frames.record(line), found is _UNKNOWN)
        self._count(others, ignored)

    def add_record(self, record: Record) -> bool:
        """Add a line in any format whose frame has been read; return whether it went the short way."""
        time, host, program, pid, text = record
        known = self._learned((host, program, pid))
        if known.ordinary is NOTHING_ORDINARY:
            return False
        queue_id, _, rest = text.partition(": ")
        return bool(rest) and self._collect(time, known, queue_id, rest)

    def _learn(self, known: dict[str, _Known], head: str, frames: Frames) -> _Known:
        """Return what is known of the process that writes lines with this head, and remember it."""
        if (process := frames.heads.get(head)) is None:
            return _UNKNOWN
        found = known[head] = self._learned(process)
        return found

    def _learned(self, process: tuple[str, str, str]) -> _Known:
        """Return what is known of a process, from the part of its lines before the text."""
        found = self._writers.get(process)
        if found is None:
            if len(self._writers) >= _MAX_WRITERS:
                self._writers.clear()
            writer = Writer(*process)
            messages, is_other = self.open.setdefault(writer.host, {}), grammar_of(writer.program) is None
            found = self._writers[process] = _Known(writer, is_other, messages, ordinary_of(writer.program))
        return found

    def _collect(self, time: int, known: _Known, queue_id: str, rest: str) -> bool:
        """Add a line to the message with this queue ID, or begin or close one; return whether that is all of it."""
        lines = known.messages.get(queue_id)
        if lines is None:
            if rest.startswith(known.ordinary.beginnings):
                return self._begin(time, known, queue_id, rest)
        elif time >= lines[0][0]:
            if rest[:4] in known.ordinary.plain:
                lines.append((time, known.writer, rest))
                if rest[0] == "m":
                    self._clock.sample_message_id(time, queue_id, rest[12:-1])
                return True
            if rest == postfix.REMOVED and known.writer.program.endswith(postfix.REMOVER):
                lines.append((time, known.writer, rest))
                self.closed[known.writer.host, queue_id] = lines
                del known.messages[queue_id]
                return True
        return False

    def _begin(self, time: int, known: _Known, queue_id: str, rest: str) -> bool:
        """Begin a message, if its beginning is usual."""
        writer, ordinary = known.writer, known.ordinary
        if not (
            ordinary.is_usual(writer.program, queue_id, rest) and self._may_begin(writer, queue_id, rest, ordinary)
        ):
            return False
        self._clock.sample(time, queue_id, ordinary.mta)
        known.messages[queue_id] = [(time, writer, rest)]
        return True

    def put(self, key: Key, lines: Sequence[Collected]) -> None:
        """Add a message that has begun, with its lines so far."""
        host, queue_id = key
        self.open.setdefault(host, {})[queue_id] = list(lines)

    def pop(self, key: Key) -> list[Collected] | None:
        """Remove a message, open or closed, and return its lines; None if it is not here."""
        host, queue_id = key
        return self.open.get(host, _NO_MESSAGES).pop(queue_id, None) or self.closed.pop(key, None)

    def pop_open(self) -> list[tuple[Key, list[Collected]]]:
        """Remove and return all open messages."""
        found = [((host, queue_id), lines) for host, some in self.open.items() for queue_id, lines in some.items()]
        for messages in self.open.values():
            messages.clear()
        return found

    def pop_closed(self) -> list[tuple[Key, list[Collected]]]:
        """Remove and return all messages that have ended."""
        for host, messages in self.open.items():
            for queue_id in [queue_id for queue_id, lines in messages.items() if sendmail.may_be_finished(lines)]:
                self.closed[host, queue_id] = messages.pop(queue_id)
        closed, self.closed = self.closed, {}
        return list(closed.items())

    def __len__(self) -> int:
        """Return how many messages there are, open and closed."""
        return len(self.closed) + sum(map(len, self.open.values()))

    def _count(self, others: int, ignored: dict[str, int]) -> None:
        """Add to the report what a block of lines had; a reason that it did not have stays out of it."""
        self._report.ignored.update({reason: lines for reason, lines in ignored.items() if lines})
        self._report.ignored_mail_lines += sum(ignored.values())
        if others:
            self._report.ignored[OTHER_PROGRAM] += others


def ordinary_of(program: str) -> Ordinary:
    """Return how to know the lines of a program that take the short way."""
    return postfix.ordinary_of(program) or sendmail.ordinary_of(program) or NOTHING_ORDINARY


def _micros(digits: str) -> int:
    """Return the number of these digits; a negative one if they are none."""
    return int(digits) if digits.isdecimal() else _NO_TIME
