"""The pager for output on a terminal, as git uses it: `$PAGER`, else less."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Final

_SHELL: Final = frozenset("|&;<>()$`\"'*?[#~=%\\{")
"""Characters that make a command one for the shell."""
_LESS: Final = {"LESS": "FRX", "LV": "-c"}
"""How git calls pagers: quit if it fits on one screen, show colours, leave the text on the screen."""


@contextmanager
def paged(notify: Callable[[str], None]) -> Iterator[IO[bytes]]:
    """Return what to write to: the input of the pager, or standard output if there is none.

    The block ends when the user quits the pager. After the block, the pager may still be showing what was written: this
    waits for it, and leaves Ctrl-C to it.
    """
    if (command := _command(notify)) is None:
        yield sys.stdout.buffer
        return
    sys.stdout.flush()
    pager = subprocess.Popen(["/bin/sh", "-c", command], stdin=subprocess.PIPE, env={**_LESS, **os.environ})  # noqa: S603
    assert pager.stdin is not None
    try:
        with suppress(BrokenPipeError):
            yield pager.stdin
    finally:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        with suppress(BrokenPipeError):
            pager.stdin.close()
        pager.wait()
        signal.signal(signal.SIGINT, before)


def _command(notify: Callable[[str], None]) -> str | None:
    """The pager's command; None if there is none, or if the terminal is too simple for one."""
    if os.environ.get("TERM", "") in ("", "dumb"):
        return None
    chosen = os.environ.get("PAGER")
    command = "less" if chosen is None else chosen.strip()
    if command in ("", "cat"):
        return None
    if not _SHELL.isdisjoint(command) or shutil.which(shlex.split(command)[0]):
        return command
    if chosen is not None:
        notify(f"PAGER: {command}: no such command: showing everything at once")
    return None
