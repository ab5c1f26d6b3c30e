"""Standard output, which may be a terminal: pager, width and colours."""

from __future__ import annotations

import os
import shutil
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:  # keeps `--help` quick
    from mailtrace.output.documents_text import Style


class Terminal:
    """Standard output. `notify` shows a line to the user."""

    def __init__(self, arguments: Namespace, notify: Callable[[str], None]) -> None:
        self._arguments, self._notify = arguments, notify
        self.is_output = sys.stdout.isatty()
        """Whether standard output is a terminal."""

    @property
    def width(self) -> int | None:
        """The width of the terminal, or `COLUMNS`; None for a pipe or a file."""
        if self.is_output or "COLUMNS" in os.environ:
            return shutil.get_terminal_size().columns
        return None

    @property
    def has_color(self) -> bool:
        """Whether to print colours; `auto` respects NO_COLOR (no-color.org), and terminals without colours."""
        choice = self._arguments.color
        if choice != "auto":
            return bool(choice == "always")
        return self.is_output and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def style(self) -> Style:
        """Return the style of text."""
        from mailtrace.output.documents_text import Style  # noqa: PLC0415 # only text has a style

        return Style(
            outcomes=self.is_output or self._arguments.color == "always",
            color=self.has_color,
            long=self._arguments.long,
        )

    def write(self, chunks: Iterable[bytes]) -> None:
        """Write to standard output: on a terminal chunk by chunk, and through the pager if it fills the screen."""
        remaining = iter(chunks)
        if not self.is_output:
            sys.stdout.buffer.writelines(remaining)
        elif self._arguments.no_pager:
            _write_each(sys.stdout.buffer, remaining)
        else:
            begin, fits = _screenful(remaining)
            if fits:
                _write_each(sys.stdout.buffer, begin)
                return
            from mailtrace.cli.pager import paged  # noqa: PLC0415 # starts a process: seldom needed

            with paged(self._notify) as out:
                _write_each(out, chain(begin, remaining))


def _write_each(out: IO[bytes], chunks: Iterable[bytes]) -> None:
    for chunk in chunks:
        out.write(chunk)
        out.flush()


def _screenful(chunks: Iterator[bytes]) -> tuple[list[bytes], bool]:
    """Take chunks until they fill the screen; return them, and whether that was all and fits."""
    columns, rows = shutil.get_terminal_size()
    taken: list[bytes] = []
    for chunk in chunks:
        taken.append(chunk)
        rows -= sum(1 + len(line) // columns for line in chunk.splitlines())
        if rows <= 0:
            return taken, False
    return taken, True
