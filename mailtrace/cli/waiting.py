"""What the indexer says on a terminal while it waits for another one (`--wait`)."""

import shlex
from collections.abc import Callable
from pathlib import Path

from mailtrace.indexing.lock import BusyError, locked
from mailtrace.stores.base import Store


def say_whom_it_waits_for(store: Store, notify: Callable[[str], None]) -> None:
    """If another indexer is using the store, say which one, before this one waits for it."""
    try:
        with locked(store, wait=False):
            return
    except BusyError as busy:
        notify(f"waiting for {_described(busy.process)}, which is using {store.name}; Ctrl-C ends this run")


def _described(process: int | None) -> str:
    """A process by its number and command line, if that can be read."""
    if not process:
        return "another mailtrace-index"
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="backslashreplace").split("\0")
    except OSError:
        return f"process {process}"
    names = [word for word in words if word]
    begin = next((i for i, word in enumerate(names) if Path(word).name == "mailtrace-index"), 0)
    if not names:
        return f"process {process}"
    return f"process {process} ({shlex.join(['mailtrace-index' if begin else names[0], *names[begin + 1 :]])})"
