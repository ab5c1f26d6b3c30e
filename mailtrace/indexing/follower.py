"""Following of logs (`--follow`): read new lines as they are written, through any kind of rotation.

Each poll is an ordinary incremental run, which recognises renamed, copied, truncated and compressed logs by their
content. Only a log that is deleted before it was read to its end needs more: the follower keeps it open.
"""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from mailtrace.errors import LogError, StoreUnavailableError
from mailtrace.indexing.indexer import Indexer

_POLL_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 30.0
_DAY_SECONDS: Final = 86400

_FileState: TypeAlias = tuple[int, int, int, int] | None
"""Device, inode, size and modification time of a file; None if it does not exist."""


class _Failure(NamedTuple):
    """What failed at the last poll."""

    message: str = ""
    paths: frozenset[str] = frozenset()
    """The logs that were to be read."""
    is_reported: bool = False


class Follower:
    """Reads logs as they grow. `notify` shows a line to the admin; `beat` is called when all logs have been read."""

    def __init__(
        self, paths: Sequence[str], notify: Callable[[str], None], beat: Callable[[], None] = lambda: None
    ) -> None:
        self._paths = list(dict.fromkeys(paths))
        self._notify, self._beat = notify, beat
        self._is_stopped = False
        self._seen: dict[str, _FileState] = {}
        self._open: dict[str, int] = {}
        self.daily: Callable[[], None] = lambda: None
        """Called once a day, and at the first poll."""
        self._next_daily = 0.0
        self._is_waiting = False
        self._failure = _Failure()

    def stop(self, indexer: Indexer) -> None:
        """Stop after the block of lines that is being read.

        A signal handler calls this, perhaps while the main thread holds a lock: it must not take any.
        """
        indexer.stopped = True
        self._is_stopped = True

    def progress(self, *_: object) -> None:
        """Report that lines have been read, unless one of the logs cannot be read."""
        if not self._failure.message:
            self._beat()

    def _pause(self, seconds: float) -> bool:
        """Sleep, and return whether the follower may go on; a stopped one wakes up soon."""
        until = time.monotonic() + seconds
        while not self._is_stopped and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _POLL_SECONDS))
        return not self._is_stopped

    def wait_to_retry(self, error: StoreUnavailableError, times: int) -> bool:
        """Wait before the next attempt on a store that does not answer; return False if the follower was stopped.

        Pauses grow with `times`, the number of failures in a row. The first failure is reported, unless the store has
        reported it itself.
        """
        if times == 1 and not error.is_reported:
            self._notify(f"{error}; waiting for it, nothing is lost")
            self._is_waiting = True
        return self._pause(min(0.5 * 2**times, _LONGEST_PAUSE_SECONDS))

    def follow(self, indexer: Indexer) -> None:
        """Read until stopped, and wait for logs that do not exist yet.

        Raises:
            StoreError: the store cannot be written.
        """
        for path in self._paths:
            if not Path(path).exists():
                self._notify(f"{path} does not exist yet: waiting for it")
        self._retry(indexer.begin)
        while not self._is_stopped:
            states = {path: _state(path) for path in self._paths}
            changed = [path for path, state in states.items() if state is not None and state != self._seen.get(path)]
            if changed and self._read(indexer, changed):
                self._keep_open(changed)
                self._seen.update({path: states[path] for path in changed})
            if time.monotonic() >= self._next_daily:
                self._retry(self.daily)
                self._next_daily = time.monotonic() + _DAY_SECONDS
            if None not in states.values():
                self.progress()
            self._pause(_POLL_SECONDS)

    def _retry(self, work: Callable[[], None]) -> None:
        times = 0
        while True:
            try:
                work()
            except StoreUnavailableError as error:
                times += 1
                if not self.wait_to_retry(error, times):
                    return
            else:
                return

    def _deleted(self) -> list[str]:
        """Return paths in /proc under which logs can be opened that were deleted since the last poll."""
        gone = [handle for handle in self._open.values() if not os.fstat(handle).st_nlink]
        return [path for path in (f"/proc/self/fd/{handle}" for handle in gone) if os.path.exists(path)]  # noqa: PTH110

    def _keep_open(self, paths: Sequence[str]) -> None:
        for path in paths:
            with suppress(OSError):
                handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                if path in self._open:
                    os.close(self._open[path])
                self._open[path] = handle

    def _read(self, indexer: Indexer, paths: Sequence[str]) -> bool:
        """Read what is new; return whether nothing is left to do until a log changes again."""
        try:
            indexer.read_new([*self._deleted(), *paths])
        except LogError as error:
            return self._is_lasting(_Failure(str(error), frozenset(paths)))
        if self._failure.paths.issubset(paths):
            self._failure = _Failure()
        if self._is_waiting:
            self._is_waiting = False
            self._notify("the store answers again; everything read so far is stored")
        return True

    def _is_lasting(self, failure: _Failure) -> bool:
        """Return whether the last poll failed in the same way; report that once.

        A log may be in the middle of rotation, so only an error of two successive polls is reported.
        """
        last, self._failure = self._failure, failure
        if failure.message != last.message:
            return False
        if not last.is_reported:
            self._notify(failure.message)
        self._failure = failure._replace(is_reported=True)
        return True


def _state(path: str) -> _FileState:
    with suppress(OSError):
        found = Path(path).stat()
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
    return None


def can_follow(paths: Sequence[str]) -> bool:
    """Return whether these paths can be followed: files, and those that do not exist yet."""
    return "-" not in paths and all(path.is_file() or not path.exists() for path in map(Path, paths))
