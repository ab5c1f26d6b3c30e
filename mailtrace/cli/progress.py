"""The progress line of the indexer on a terminal: how much of a log has been read, and lines per second."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from mailtrace.indexing.indexer import Progress
from mailtrace.output.escape import safe

_EVERY_SECONDS: Final = 0.1
_ERASE: Final = "\x1b[K"
"""Erases from the cursor to the end of the line (ECMA-48, EL)."""


@contextmanager
def progress_of(*, quiet: bool) -> Iterator[Progress]:
    """Return the callback that shows progress while the indexer reads, on a terminal and unless `quiet`."""
    if quiet or not shows_progress():
        yield lambda *_: None
        return
    try:
        yield _Line(sys.stderr).show
    finally:
        erase()


def shows_progress() -> bool:
    """Return whether standard error is a terminal that can erase a line."""
    return sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def message_line(text: str) -> str:
    """Return a message that can be printed over the progress line without leaving a part of that behind."""
    return f"{_ERASE}{text}" if shows_progress() else text


def show_line(terminal: TextIO, text: str) -> None:
    """Show a line that the next output overwrites."""
    columns = os.get_terminal_size(terminal.fileno()).columns or 80
    terminal.write(f"{text[: columns - 1]}{_ERASE}\r")
    terminal.flush()


def erase() -> None:
    """Erase the line that is shown."""
    sys.stderr.write(_ERASE)
    sys.stderr.flush()


class _Line:
    """The progress line. The cursor stays at its start, so that a message overwrites it."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal
        self._began = time.monotonic()
        self._next = self._began
        self._sizes: dict[str, int] = {}

    def show(self, path: str, offset: int, lines: int) -> None:
        """Show how far a log has been read, at most ten times per second."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _EVERY_SECONDS
        speed = int(lines / max(now - self._began, 0.001))
        text = f"{self._percent(path, offset)}{speed:,} lines/s  {safe(Path(path).name)}"
        show_line(self._terminal, text)

    def _percent(self, path: str, offset: int) -> str:
        """The percentage of a file that has been read; empty for a pipe, whose size is unknown."""
        if path not in self._sizes:
            self._sizes[path] = _size(path)
        size = self._sizes[path]
        return f"{min(100 * offset // size, 100):3} %  " if size else ""


def _size(path: str) -> int:
    """The size of a file; 0 for standard input, and for a file that was moved away since it was opened."""
    try:
        return 0 if path == "-" else Path(path).stat().st_size
    except OSError:
        return 0
