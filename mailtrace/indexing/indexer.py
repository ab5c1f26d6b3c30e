"""The indexer: from log files to the store, in blocks, with a checkpoint behind what has been acknowledged."""

import gc
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from mailtrace.errors import LogError, LogMovedError
from mailtrace.indexing.classify import OtherProgram, Unrecognised, classify
from mailtrace.indexing.reducer import MAX_HELD, Reducer
from mailtrace.indexing.report import Report
from mailtrace.indexing.writer import Patience, Writer, impatient
from mailtrace.logs.checkpoint import Checkpoint
from mailtrace.logs.file import Block
from mailtrace.logs.open import OpenLog, open_log
from mailtrace.logs.recognition import checkpoint_of
from mailtrace.logs.rotation import Calendar, Planned, planned, readable
from mailtrace.message.transaction import Transaction
from mailtrace.mta.facts import BEGINNINGS, Event, Ignored, MessageId
from mailtrace.stores.base import Store
from mailtrace.syslog.clock_check import ClockCheck
from mailtrace.syslog.frame import Frames

_SETTLED_SECONDS: Final = 60
"""A file that was not written for so long is not in the middle of a line."""


Progress = Callable[[str, int, int], None]
"""Told a log's name, how many bytes of it have been read, and how many lines."""


class Limits(NamedTuple):
    """When what has been read is written."""

    save_bytes: int = 32 << 20
    """So much text stands between two checkpoints, about."""
    held: int = MAX_HELD
    """So many transactions are in memory, about: of more, those that are finished are written, or all are."""
    write_bytes: int = 8 << 20
    """After so much text, those that are finished are written anyway: few may have very many recipients."""


_USUAL: Final = Limits()


class Indexer:
    """Reads logs into a store, with a checkpoint now and then and at the end of each log."""

    def __init__(
        self,
        store: Store,
        calendar: Calendar,
        *,
        now: Callable[[], float] = time.time,
        progress: Progress = lambda *_: None,
        from_start: bool = False,
        limits: Limits = _USUAL,
        patience: Patience = impatient,
    ) -> None:
        self.report = Report()
        self.stopped = False
        """Set to end at the next block, with what has been read stored."""
        self._store, self._calendar, self._now = store, calendar, now
        self._progress, self._from_start = progress, from_start
        self._limits = limits
        self._writer = Writer(store, patience)
        self._reducer, self._clock = Reducer(), ClockCheck()
        self._first_year: int | None = None
        """The year of the first line of the oldest log, where its stamp has none."""
        self._has_years = True
        """Whether all stamps have had their years so far."""
        self._unmoved: int | None = None
        """Known lines before a log that is new; as long as there are no more, it gets no checkpoint."""
        self._checkpoints: dict[str, Checkpoint] = {}
        self._saving: list[Checkpoint] = []

    def index(self, paths: Sequence[str]) -> Report:
        """Read these logs, each content once, oldest first, and what is new of those that are known.

        Raises:
            LogError: a log cannot be read, or not to its end; the others have been read.
            StoreError: the store cannot be written; what was acknowledged before is there.
        """
        if not readable(paths)[0]:
            raise LogError("; ".join(readable(paths)[1]))
        self.begin()
        try:
            self.read_new(paths)
        finally:
            if note := self._clock.message(
                self._calendar.zone_name or None, self._first_year or self._calendar.year, has_years=self._has_years
            ):
                self.report.notes.append(note)
        return self.report

    def begin(self) -> None:
        """Make the store ready, and learn what is known.

        Raises:
            StoreError: the store cannot be written.
        """
        self._store.prepare()
        self._checkpoints = {checkpoint.log: checkpoint for checkpoint in self._store.checkpoints()}

    def read_new(self, paths: Sequence[str]) -> None:
        """Read what is new of these logs; `begin` comes before.

        Raises:
            LogError: a log cannot be read, or is damaged; the others have been read.
            StoreError: the store cannot be written; what was acknowledged before is there.
        """
        good, wrong = readable(paths)
        for plan in planned(good, self._calendar, list(self._checkpoints.values())):
            try:
                self._read(plan)
            except LogError as error:
                wrong.append(str(error))
                if isinstance(error, LogMovedError):
                    # Were a newer log read, no later run would look for this one.
                    break
            if self.stopped:
                break
        self._from_start = False
        if wrong:
            raise LogError("; ".join(wrong))

    def _read(self, plan: Planned) -> None:
        log = open_log(plan, self._calendar, self._checkpoints.values(), self._now, from_start=self._from_start)
        if log is None:
            return
        self._reducer.resume(log.reducer)
        # A log just begun by logrotate may well begin with lines of others.
        is_new = log.reader.offset == 0 and plan.follows is None
        before = self.report.lines, self.report.mail_lines
        self._unmoved = None if log.is_known else self.report.known_lines
        with log.reader as reader:
            size = log.log.size
            damage = self._read_blocks(log)
            # Only here all lines before the reader's offset have been taken in: a save is right at no other place.
            is_read = damage is None and not self.stopped and reader.is_packed and not log.log.is_stream
            self._save(log, packed=size if is_read else None)
            self._settle()
        if is_new and self.report.lines > before[0] and self.report.mail_lines == before[1]:
            self.report.without_mail.append(reader.path)
        self._keep_year(log)
        if log.note:
            self.report.notes.append(log.note)
        if damage:
            raise damage

    def _keep_year(self, log: OpenLog) -> None:
        """Keep what a message about another clock has to know."""
        if log.frames.state()["latest"] is not None:
            if self._has_years:
                self._first_year = log.begin["year"]
            self._has_years = False

    def _read_blocks(self, log: OpenLog) -> LogError | None:
        """Read to the end, or until stopped; return what is wrong with the file."""
        reader = log.reader
        saved = written = reader.offset
        try:
            for block in log.blocks:
                self._take(block, log.frames)
                self._progress(reader.path, reader.position, self.report.lines)
                is_full = self._reducer.held > self._limits.held
                if is_full or reader.offset - written >= self._limits.write_bytes:
                    # Without a checkpoint: what is open would be written with one, and again when it has ended.
                    self._put(self._reducer.hand_over_finished(), [])
                    written = reader.offset
                is_full = is_full and self._reducer.held > self._limits.held // 2
                if is_full or reader.offset - saved >= self._limits.save_bytes:
                    self._save(log)
                    saved = written = reader.offset
                if self.stopped:
                    return None
            self._take_last_line(log)
        except LogError as error:
            return error
        return None

    def _take(self, block: Block, frames: Frames) -> None:
        report = self.report
        report.lines += len(block.lines) + block.too_long
        if block.too_long:
            report.unrecognised["too long"] += block.too_long
        take, ignored = self._reducer.take, report.ignored
        for line in block.lines:
            meaning = classify(line, frames)
            if isinstance(meaning, Ignored):
                ignored[meaning.reason] += 1
                report.silent += 1
            elif isinstance(meaning, OtherProgram):
                ignored[meaning.reason] += 1
            elif isinstance(meaning, Unrecognised):
                report.unrecognised[meaning.reason] += 1
            else:
                record, mta, parsed = meaning
                report.used += 1
                take(record, mta, parsed)
                if type(parsed) is Event:
                    fact = parsed.fact
                    if type(fact) in BEGINNINGS:
                        self._clock.sample(record.time, parsed.queue_id, mta)
                    elif isinstance(fact, MessageId) and fact.msgid:
                        self._clock.sample_message_id(record.time, parsed.queue_id, fact.msgid)

    def _take_last_line(self, log: OpenLog) -> None:
        """A last line without an end is left for later where its end may still come."""
        reader = log.reader
        if not reader.is_packed and reader.rest and self._now() - log.log.modified < _SETTLED_SECONDS:
            self.report.unfinished.add(reader.path)
            return
        self.report.unfinished.discard(reader.path)
        if last := reader.last_line():
            self._take(last, log.frames)

    def _save(self, log: OpenLog, packed: int | None = None) -> None:
        """Have everything written that the lines so far have touched, and behind it the checkpoint."""
        touched = self._reducer.hand_over()
        state = {**log.state(), "reducer": self._reducer.state()}
        if packed is not None:
            state["packed"] = packed
        checkpoint = checkpoint_of(log.reader, state, self._now())
        is_understood = self.report.known_lines != self._unmoved
        self._put(touched, [checkpoint] if checkpoint and is_understood else [])
        if checkpoint and not is_understood:
            # Another run reads it from its start, maybe with other flags; this one goes on.
            self._checkpoints[checkpoint.log] = checkpoint
        gc.collect(1)

    def _put(self, transactions: Sequence[Transaction], checkpoints: list[Checkpoint]) -> None:
        """Have transactions written, and behind them the checkpoints."""
        self._settle()
        self._saving = checkpoints
        self._writer.put(transactions, checkpoints)

    def _settle(self) -> None:
        """Wait for what is being written."""
        written = self._writer.settle()
        self.report.created += written.created
        self.report.updated += written.updated
        self.report.refused += written.refused
        self._checkpoints.update({checkpoint.log: checkpoint for checkpoint in self._saving})
        self._saving = []
