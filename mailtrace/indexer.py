"""The indexer: from log files to the store, in blocks, with a checkpoint behind what has been acknowledged."""

import time
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Final

from mailtrace.clocks import ClockCheck
from mailtrace.errors import LogError
from mailtrace.logfiles import Block, LogFile, Reader
from mailtrace.mta.events import BEGINNINGS, Event, Ignored
from mailtrace.mta.grammars import grammar_of
from mailtrace.places import checkpoint_of, known_place
from mailtrace.reducer import MAX_HELD, Reducer
from mailtrace.sets import Calendar, in_order, year_of
from mailtrace.stores.base import Checkpoint, Store
from mailtrace.stores.writing import write
from mailtrace.syslog import Frames, Unframed
from mailtrace.tally import Tally

_SAVE_BYTES: Final = 8 << 20
"""How much text is read between checkpoints."""
_SETTLED_SECONDS: Final = 60
"""A file that was not written for so long is not in the middle of a line."""


Progress = Callable[[str, int, int], None]
"""Told a log's name, how many bytes of it have been read, and how many lines."""


class Indexer:
    """Reads logs into a store."""

    def __init__(
        self,
        store: Store,
        calendar: Calendar,
        *,
        now: Callable[[], float] = time.time,
        progress: Progress = lambda *_: None,
        from_start: bool = False,
    ) -> None:
        self.tally = Tally()
        self._store, self._calendar, self._now = store, calendar, now
        self._progress, self._from_start = progress, from_start
        self._reducer, self._clock = Reducer(), ClockCheck()
        self._checkpoints: list[Checkpoint] = []

    def index(self, paths: Sequence[str]) -> Tally:
        """Read these logs, each content once, oldest first, and what is new of those that are known.

        Raises:
            LogError: a log cannot be read; nothing has been read then, or a damaged one's beginning.
            StoreError: the store cannot be written; what was acknowledged before is there.
        """
        logs = [LogFile(path) for path in dict.fromkeys(paths)]
        for log in logs:
            log.check()
        self._store.prepare()
        self._checkpoints = self._store.checkpoints()
        damaged = None
        for log, year in in_order(logs, self._calendar):
            damaged = self._read_all(log, year) or damaged
        note = self._clock.message(self._calendar.zone_name or None, self._calendar.year)
        if note:
            self.tally.notes.append(note)
        if damaged:
            raise damaged
        return self.tally

    def _read_all(self, log: LogFile, year: int | None) -> LogError | None:
        """Read a log; a damaged one does not keep the others from being read."""
        try:
            self._read(log, year)
        except LogError as error:
            return error
        return None

    def _read(self, log: LogFile, year: int | None) -> None:
        reader, frames, blocks = self._begin(log, year)
        before = self.tally.lines, self.tally.mail_lines
        is_new, saved = reader.offset == 0, reader.offset
        try:
            for block in blocks:
                self._take(block, frames)
                self._progress(log.path, reader.position, self.tally.lines)
                if reader.offset - saved >= _SAVE_BYTES or self._reducer.held > MAX_HELD:
                    self._save(reader, frames)
                    saved = reader.offset
            self._take_last_line(log, reader, frames)
        finally:
            self._save(reader, frames)
            reader.close()
        if is_new and self.tally.lines > before[0] and self.tally.mail_lines == before[1]:
            self.tally.without_mail.append(log.path)

    def _begin(self, log: LogFile, year: int | None) -> tuple[Reader, Frames, "chain[Block]"]:
        """Open a log where an earlier run ended, or at its start with the year of its first line."""
        known = None if self._from_start else known_place(log, self._checkpoints)
        if known:
            reader, checkpoint = known
            self._reducer.resume(checkpoint.state.get("logins", []))
            return reader, Frames.resume(self._calendar.zone, checkpoint.state["frames"]), chain(reader.blocks())
        reader = log.open()
        blocks = reader.blocks()
        first = next(blocks, None)
        if first is None:
            return reader, Frames(self._calendar.zone, year), chain(())
        if year is None:
            year = year_of(log, first.lines, self._calendar.zone, self._now())
        # The first block has moved the reader on: the save after it is no earlier than its lines.
        return reader, Frames(self._calendar.zone, year), chain([first], blocks)

    def _take(self, block: Block, frames: Frames) -> None:
        tally = self.tally
        tally.lines += len(block.lines) + block.too_long
        if block.too_long:
            tally.not_understood["too long"] += block.too_long
        for line in block.lines:
            self._take_line(line, frames)

    def _take_line(self, line: str, frames: Frames) -> None:
        record = frames.record(line)
        if type(record) is Unframed:
            (self.tally.ignored if record.ignored else self.tally.not_understood)[record.reason] += 1
            return
        grammar = grammar_of(record.program)
        if grammar is None:
            self.tally.ignored["another program"] += 1
            return
        parsed = grammar.parse(record.program, record.text)
        if parsed is None:
            self.tally.not_understood[f"a {grammar.mta} line of no known form"] += 1
            return
        self.tally.mail_lines += 1
        if type(parsed) is Ignored:
            self.tally.ignored[parsed.reason] += 1
            return
        self.tally.used += 1
        self._reducer.take(record, grammar.mta, parsed)
        if type(parsed) is Event and type(parsed.fact) in BEGINNINGS:
            self._clock.sample(record.time, parsed.queue_id, grammar.mta)

    def _take_last_line(self, log: LogFile, reader: Reader, frames: Frames) -> None:
        """A last line without an end is left for later where its end may still come."""
        if not reader.is_packed and reader.rest and self._now() - log.modified < _SETTLED_SECONDS:
            self.tally.unfinished.append(log.path)
            return
        if last := reader.last_line():
            self._take(last, frames)

    def _save(self, reader: Reader, frames: Frames) -> None:
        """Write everything that the lines so far have touched, and behind it the checkpoint."""
        written = write(self._store, self._reducer.touched())
        self.tally.created += written.created
        self.tally.updated += written.updated
        self.tally.refused += written.refused
        state = {"frames": frames.state(), "logins": self._reducer.state(), "zone": self._calendar.zone_name}
        checkpoint = None if reader.path == "-" else checkpoint_of(reader, state, self._now())
        self._store.commit([checkpoint] if checkpoint else [])
        self._reducer.saved()
