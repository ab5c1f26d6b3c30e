"""Following logs: what is new is read as it comes, through rotation of any kind, until told to stop.

Each look at the logs is an ordinary incremental run, which finds what was renamed, copied, truncated or compressed by
its content. Only a file that is deleted before it was read to its end needs more: it is kept open, and finished.
"""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Final, NamedTuple, TypeAlias

from mailtrace.errors import LogError, StoreUnavailableError
from mailtrace.indexing.indexer import Indexer

_LOOK_SECONDS: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_DAY_SECONDS: Final = 86400

State: TypeAlias = tuple[int, int, int, int] | None
"""A file's device, inode, size and time of change; None while there is no such file."""


class Complaint(NamedTuple):
    """What was wrong at the last look."""

    words: str = ""
    paths: frozenset[str] = frozenset()
    """The logs that were looked at."""
    is_told: bool = False


class Follower:
    """Reads logs as they grow."""

    def __init__(self, paths: Sequence[str], tell: Callable[[str], None]) -> None:
        self._paths = list(dict.fromkeys(paths))
        self._tell = tell
        self._stop = Event()
        self._seen: dict[str, State] = {}
        self._open: dict[str, int] = {}
        self.daily: Callable[[], None] = lambda: None
        """Done once a day, at the first look of all too."""
        self._next_day = 0.0
        self._is_waiting = False
        self._complaint = Complaint()

    def stop(self, indexer: Indexer) -> None:
        """End soon: after the block that is being read."""
        indexer.stopped = True
        self._stop.set()

    def patience(self, error: StoreUnavailableError, times: int) -> bool:
        """Wait for a store that is away, with growing pauses; say so once, unless the store has done it."""
        if times == 1 and not error.is_reported:
            self._tell(f"{error}; waiting for it, nothing is lost")
            self._is_waiting = True
        return not self._stop.wait(min(0.5 * 2**times, _LONGEST_PAUSE))

    def follow(self, indexer: Indexer) -> None:
        """Read until stopped. A log that is away is waited for.

        Raises:
            StoreError: the store cannot be written.
        """
        for path in self._paths:
            if not Path(path).exists():
                self._tell(f"{path} is not there yet: waiting for it")
        self._insist(indexer.begin)
        while not self._stop.is_set():
            states = {path: _state(path) for path in self._paths}
            changed = [path for path, state in states.items() if state is not None and state != self._seen.get(path)]
            if changed and self._look(indexer, changed):
                self._keep_open(changed)
                self._seen.update({path: states[path] for path in changed})
            if time.monotonic() >= self._next_day:
                self._insist(self.daily)
                self._next_day = time.monotonic() + _DAY_SECONDS
            self._stop.wait(_LOOK_SECONDS)

    def _insist(self, work: Callable[[], None]) -> None:
        times = 0
        while True:
            try:
                work()
            except StoreUnavailableError as error:
                times += 1
                if not self.patience(error, times):
                    return
            else:
                return

    def _deleted(self) -> list[str]:
        """Logs that were read and have been deleted since, by a name under which the kernel still opens them."""
        gone = [handle for handle in self._open.values() if not os.fstat(handle).st_nlink]
        return [path for path in (f"/proc/self/fd/{handle}" for handle in gone) if os.path.exists(path)]  # noqa: PTH110

    def _keep_open(self, paths: Sequence[str]) -> None:
        for path in paths:
            with suppress(OSError):
                handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                if path in self._open:
                    os.close(self._open[path])
                self._open[path] = handle

    def _look(self, indexer: Indexer, paths: Sequence[str]) -> bool:
        """Read what is new; return whether that is done until a log changes again."""
        try:
            indexer.read_new([*self._deleted(), *paths])
        except LogError as error:
            return self._is_lasting(Complaint(str(error), frozenset(paths)))
        if self._complaint.paths.issubset(paths):
            self._complaint = Complaint()
        if self._is_waiting:
            self._is_waiting = False
            self._tell("the store answers again, and has all that was read")
        return True

    def _is_lasting(self, now: Complaint) -> bool:
        """Whether the last look failed in the same way; say so once.

        A file can be renamed, or be half compressed, at just this moment: the next look sees it whole.
        """
        before, self._complaint = self._complaint, now
        if now.words != before.words:
            return False
        if not before.is_told:
            self._tell(now.words)
        self._complaint = now._replace(is_told=True)
        return True


def _state(path: str) -> State:
    with suppress(OSError):
        found = Path(path).stat()
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
    return None


def can_follow(paths: Sequence[str]) -> bool:
    """Return whether these can be followed: standard input cannot."""
    return "-" not in paths and all(not os.path.isdir(path) for path in paths)  # noqa: PTH112 # a missing one may come
