"""The way of a log's lines to the reducer: straight, or through worker processes, always in their order.

A worker must know how the lines before its own were dated. Where that can be told without reading all of them
(`passing.py`), several slices are read at a time. If one has dated its lines otherwise than was expected, those after
it are read again, here.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mailtrace.indexing.found import Found, Slice
from mailtrace.indexing.reducer import Reducer
from mailtrace.indexing.report import Report
from mailtrace.logs.file import Block
from mailtrace.logs.open import OpenLog
from mailtrace.syslog.clock_check import ClockCheck
from mailtrace.syslog.frame import Frames
from mailtrace.syslog.passing import passed_over

if TYPE_CHECKING:  # most runs need no other process
    from mailtrace.indexing.workers import Workers

_EACH: Final = 2
"""Slices that a worker has: one that it reads, and the next."""
_LATEST: Final = ("latest", "_dated", "_seen")
"""The members of a position that date only lines which step back far."""


class _Sent(NamedTuple):
    """A slice that a worker reads."""

    block: Block
    position: dict[str, Any]
    """That of the timeline after it, as expected."""
    found: Callable[[], Found]
    """Waits for what it has."""


class Pipeline:
    """Adds the lines of logs to a reducer, and counts them in its report."""

    def __init__(self, reducer: Reducer, report: Report, clock: ClockCheck, workers: "Workers | None") -> None:
        self._reducer, self._report, self._clock, self._workers = reducer, report, clock, workers
        self._sent: deque[_Sent] = deque()

    def add(self, block: Block, log: OpenLog) -> None:
        """Add the next lines of a log; they may be on their way until `finish`."""
        workers, before = self._workers, log.frames.years.position()
        if workers is None or log.log.is_stream or not passed_over(log.frames, block.text):
            self.finish(log)
            self._reduce(block, log.frames)
            return
        found = workers.read(Slice(block, log.zone_name, before, log.frames.given_host))
        self._sent.append(_Sent(block, log.frames.years.position(), found))
        while len(self._sent) > _EACH * workers.number:
            self._take(log)

    def finish(self, log: OpenLog) -> None:
        """Wait until all lines have been added."""
        while self._sent:
            self._take(log)

    def _take(self, log: OpenLog) -> None:
        """Add what the first slice on its way has."""
        _, expected, sent = self._sent.popleft()
        found = sent()
        self._report.add_lines(found.report)
        self._clock.add(found.clock)
        self._reducer.add_found(found.items)
        log.frames.host_of_nameless = found.host or log.frames.host_of_nameless
        rest = [] if _is_same(expected, found.position) else self._taken_back()
        if not self._sent:
            log.frames.go_to(found.position)
        for block in rest:
            self._reduce(block, log.frames)

    def _taken_back(self) -> list[Block]:
        """Return the lines that are on their way, and leave out what the workers find in them."""
        rest, self._sent = self._sent, deque()
        for one in rest:
            one.found()
        return [one.block for one in rest]

    def _reduce(self, block: Block, frames: Frames) -> None:
        self._report.add_block(block)
        self._reducer.add_lines(block.lines, frames)


def _is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two positions date the lines after them alike."""
    return all(one[name] == other[name] for name in one if name not in _LATEST)
