"""What the indexer shows on a terminal while it follows logs: lines read, how many a second, and when the last came."""

import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Final

from mailtrace.cli.progress import erase, show_line, shows_progress
from mailtrace.indexing.indexer import Progress
from mailtrace.output.escape import safe
from mailtrace.output.times import duration

_EVERY_SECONDS: Final = 1.0
_WINDOW_SECONDS: Final = 10.0
"""The speed is that of so many seconds."""


class Following:
    """Shows what is read while the block runs, on a terminal and unless `quiet`."""

    def __init__(self, paths: Sequence[str], notify: Callable[[str], None], *, quiet: bool) -> None:
        self._paths, self._notify = paths, notify
        self._is_shown = shows_progress() and not quiet
        self._state, self._stop = _State(), Event()
        self._thread = Thread(target=_show, args=(self._state, self._stop), daemon=True)
        self.count: Progress = self._state.count
        """Called when lines have been read."""

    def __enter__(self) -> None:
        if self._is_shown:
            self._notify(f"following {', '.join(self._paths)}; Ctrl-C ends this")
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        if self._is_shown:
            self._stop.set()
            self._thread.join()
            erase()


class _State:
    """What has been read so far."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._began = time.monotonic()
        self._lines = 0
        self._last: float | None = None
        self._path = ""
        self._history: deque[tuple[float, int]] = deque([(self._began, 0)])

    def count(self, path: str, _offset: int, lines: int) -> None:
        """Note that so many lines have been read in all, the last one of this log."""
        with self._lock:
            if lines > self._lines:
                self._lines, self._last, self._path = lines, time.time(), path

    def text(self) -> str:
        """Return the line to show."""
        with self._lock:
            now = time.monotonic()
            self._history.append((now, self._lines))
            while len(self._history) > 2 and self._history[1][0] < now - _WINDOW_SECONDS:
                self._history.popleft()
            begin, before = self._history[0]
            speed = (self._lines - before) / max(now - begin, 0.001)
            if self._last is None:
                return f"no line yet, for {duration(round(now - self._began))}"
            ago = duration(round(time.time() - self._last))
            return (
                f"{self._lines:,} lines, {speed:,.1f} lines/s, the last {ago} ago"
                f" ({time.strftime('%H:%M:%S', time.localtime(self._last))})  {safe(Path(self._path).name)}"
            )


def _show(state: _State, stop: Event) -> None:
    while True:
        show_line(sys.stderr, state.text())
        if stop.wait(_EVERY_SECONDS):
            return
