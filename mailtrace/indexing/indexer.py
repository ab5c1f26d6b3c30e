"""The indexer: reads logs in blocks, reduces lines to transactions, writes them, then saves checkpoints."""

import gc
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from mailtrace.errors import LogError, LogMovedError
from mailtrace.indexing.collected import Popped
from mailtrace.indexing.pipeline import Pipeline
from mailtrace.indexing.reducer import MAX_HELD, Reducer
from mailtrace.indexing.report import Report
from mailtrace.indexing.writer import Writer, Written
from mailtrace.logs.checkpoint import Checkpoint
from mailtrace.logs.file import LogFile
from mailtrace.logs.known import KnownLogs
from mailtrace.logs.open import OpenLog, open_log
from mailtrace.logs.recognition import checkpoint_of
from mailtrace.logs.rotation import Calendar, Planned, planned, readable
from mailtrace.stores.base import Store
from mailtrace.syslog.clock_check import ClockCheck

if TYPE_CHECKING:  # most runs need no other process
    from mailtrace.indexing.workers import Workers

_COMPLETE_AFTER_SECONDS: Final = 60
"""A last line without a line feed counts as complete if the file was not modified for this long."""

Progress = Callable[[str, int, int], None]
"""Called with the path of a log, the bytes read of it, and the lines read in this run."""


class Limits(NamedTuple):
    """When transactions are written and checkpoints saved."""

    save_bytes: int = 32 << 20
    """A checkpoint is saved about every so many bytes of log text."""
    held: int = MAX_HELD
    """About how many transactions are held in memory; if there are more, the finished ones or all are written."""
    write_bytes: int = 8 << 20
    """Finished transactions are written at least every so many bytes: a few can have very many recipients."""


_USUAL: Final = Limits()


class Indexer:
    """Reads logs into a store. Checkpoints are saved at intervals (`Limits`) and at the end of each log."""

    def __init__(
        self,
        store: Store,
        calendar: Calendar,
        *,
        progress: Progress = lambda *_: None,
        from_start: bool = False,
        limits: Limits = _USUAL,
        writer: Writer | None = None,
        workers: "Workers | None" = None,
    ) -> None:
        self.report = Report()
        self.stopped = False
        """Set it to stop after the current block of lines; what has been read is stored."""
        self._store, self._calendar = store, calendar
        self._now: Callable[[], float] = time.time
        self._progress, self._from_start = progress, from_start
        self._limits = limits
        self._writer = writer or Writer(store)
        self._clock = ClockCheck()
        self._reducer = Reducer(self.report, self._clock)
        self._pipeline = Pipeline(self._reducer, self.report, self._clock, workers)
        self._first_year: int | None = None
        """The year of the first line of the oldest log, if its stamp has none."""
        self._has_years = True
        """Whether all stamps so far had a year."""
        self._known_before: int | None = None
        """`report.known_lines` before a new log; the log gets no checkpoint until there are more."""
        self._known = KnownLogs()
        self._checkpoints: dict[str, Checkpoint] = {}

    def index(self, paths: Sequence[str]) -> Report:
        """Read what is new in these logs, oldest first, and return the counts. Copies of a log are read once.

        Raises:
            LogError: a log cannot be read, or not to its end; the others have been read.
            StoreError: the store cannot be written; what it acknowledged before is stored.
        """
        logs, wrong = readable(paths)
        if not logs:
            raise LogError("; ".join(wrong))
        self.begin()
        try:
            self._read_logs(logs, wrong)
        finally:
            if note := self._clock.message(
                self._calendar.zone_name or None, self._first_year or self._calendar.year, has_years=self._has_years
            ):
                self.report.notes.append(note)
        return self.report

    def begin(self) -> None:
        """Prepare the store and load its checkpoints.

        Raises:
            StoreError: the store cannot be written.
        """
        self._store.prepare()
        self._checkpoints = {checkpoint.log: checkpoint for checkpoint in self._store.checkpoints()}
        # Nothing is locked while logs are read.
        self._store.commit([])

    def read_new(self, paths: Sequence[str]) -> None:
        """Read what is new in these logs. Call `begin` first.

        Raises:
            LogError: a log cannot be read, or is damaged; the others have been read.
            StoreError: the store cannot be written; what it acknowledged before is stored.
        """
        self._read_logs(*readable(paths))

    def _read_logs(self, logs: Sequence[LogFile], wrong: list[str]) -> None:
        """Read what is new of these logs; `wrong` are messages about the others."""
        checkpoints = list(self._checkpoints.values())
        plans = self._known.plans(logs, self._calendar) or planned(logs, self._calendar, checkpoints)
        for plan in plans:
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
        # Without checkpoints, rotated files have not been looked for.
        if checkpoints and not self.stopped and not self.report.unfinished.difference(log.path for log in logs):
            self._known.add(plans)

    def _read(self, plan: Planned) -> None:
        log = open_log(plan, self._calendar, self._checkpoints.values(), self._now, from_start=self._from_start)
        if log is None:
            return
        self._reducer.resume(log.reducer)
        # A log that logrotate has just created may begin with lines of other programs.
        is_new = log.reader.offset == 0 and plan.follows is None
        before = self.report.lines, self.report.mail_lines
        self._known_before = None if log.is_known else self.report.known_lines
        with log.reader as reader:
            size = log.log.size
            damage = self._read_blocks(log)
            # Save only here, where all lines before the reader's offset have been reduced.
            is_read = damage is None and not self.stopped and reader.is_packed and not log.log.is_stream
            self._save(log, packed=size if is_read else None)
            self._finish_write()
        if is_new and self.report.lines > before[0] and self.report.mail_lines == before[1]:
            self.report.without_mail.append(reader.path)
        self._note_year(log)
        if log.note:
            self.report.notes.append(log.note)
        if damage:
            raise damage

    def _note_year(self, log: OpenLog) -> None:
        """Keep the first year and whether stamps have years, for a warning about a wrong clock or year."""
        if log.frames.state()["latest"] is not None:
            if self._has_years:
                self._first_year = log.begin["year"]
            self._has_years = False

    def _read_blocks(self, log: OpenLog) -> LogError | None:
        """Read to the end or until stopped; return an error if the file is damaged."""
        reader = log.reader
        saved = written = reader.offset
        try:
            for block in log.blocks:
                self._pipeline.add(block, log)
                self._progress(reader.path, reader.position, self.report.lines)
                is_full = self._reducer.held > self._limits.held
                if is_full or reader.offset - written >= self._limits.write_bytes:
                    # Save no checkpoint: it would need open transactions written now, and again when they finish.
                    self._write(self._reducer.pop_finished(), [])
                    written = reader.offset
                is_full = is_full and self._reducer.held > self._limits.held // 2
                if is_full or reader.offset - saved >= self._limits.save_bytes:
                    self._save(log)
                    saved = written = reader.offset
                if self.stopped:
                    return None
            self._add_last_line(log)
        except LogError as error:
            return error
        return None

    def _add_last_line(self, log: OpenLog) -> None:
        """Add the last line if it has no line feed, unless its end may still be written."""
        reader = log.reader
        if not reader.is_packed and reader.partial_line and self._now() - log.log.modified < _COMPLETE_AFTER_SECONDS:
            self.report.unfinished.add(reader.path)
            return
        self.report.unfinished.discard(reader.path)
        if last := reader.last_line():
            self._pipeline.add(last, log)

    def _save(self, log: OpenLog, packed: int | None = None) -> None:
        """Start to write every transaction that has changed, then the checkpoint of the log.

        `packed` is the size of the compressed file if it was read to its end.
        """
        self._pipeline.finish(log)
        changed = self._reducer.pop_changed()
        state = {**log.state(), "reducer": self._reducer.state()}
        if packed is not None:
            state["packed"] = packed
        checkpoint = checkpoint_of(log.reader, state, self._now(), log.checkpoint)
        log.checkpoint = checkpoint.log if checkpoint else log.checkpoint
        is_understood = bool(changed) or self.report.known_lines != self._known_before
        self._write(changed, [checkpoint] if checkpoint and is_understood else [])
        if checkpoint and not is_understood:
            # Keep it for this run only: the next one, perhaps with other flags, reads the log from its start.
            self._checkpoints[checkpoint.log] = checkpoint
        # What has been written need not be looked through.
        del changed
        gc.collect(1)

    def _write(self, transactions: Sequence[Popped], checkpoints: list[Checkpoint]) -> None:
        """Start to write transactions, then checkpoints, after the previous write has finished."""
        self._count(self._writer.start(transactions, checkpoints))

    def _finish_write(self) -> None:
        """Wait for the write in progress."""
        self._count(self._writer.wait())

    def _count(self, written: Written) -> None:
        """Count the changes of a write."""
        self.report.created += written.changes.created
        self.report.updated += written.changes.updated
        self.report.refused += written.changes.refused
        self.report.add_lines(written.lines)
        self._checkpoints.update({checkpoint.log: checkpoint for checkpoint in written.checkpoints})
