"""A real terminal: a pseudo-terminal that a command has as its controlling terminal, with a size and a keyboard."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_controls = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\x07")


class Shown(NamedTuple):
    """What a command wrote to its terminal, and how it ended."""

    status: int
    raw: str

    @property
    def text(self) -> str:
        """The text without escape sequences."""
        return _controls.sub("", self.raw).replace("\r\n", "\n")


class Terminal:
    """A command that runs on a terminal of its own."""

    def __init__(
        self,
        command: Sequence[object],
        environment: Mapping[str, str],
        *,
        size: tuple[int, int] = (24, 80),
        folder: Path | None = None,
    ) -> None:
        self._end, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        self.process = subprocess.Popen(
            list(map(str, command)),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            env={"TERM": "xterm", **environment},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 # the tests use no threads here
        )
        os.close(theirs)
        self.written = b""

    def press(self, keys: bytes) -> None:
        os.write(self._end, keys)

    def until(self, words: str, seconds: float = 20) -> None:
        """Wait until the terminal has shown some words."""
        limit = time.monotonic() + seconds
        while words not in self.written.decode(errors="replace"):
            assert time.monotonic() < limit, self.written
            self._read(0.1)

    def close(self, seconds: float = 20) -> Shown:
        """Wait for the end of the command."""
        limit = time.monotonic() + seconds
        while self._read(0.1):
            assert time.monotonic() < limit, self.written
        os.close(self._end)
        return Shown(self.process.wait(timeout=seconds), self.written.decode(errors="replace"))

    def _read(self, seconds: float) -> bool:
        """Read what is there; return False after the last process has closed the terminal."""
        if not select.select([self._end], [], [], seconds)[0]:
            return True
        with suppress(OSError):
            if data := os.read(self._end, 65536):
                self.written += data
                return True
        return False
