"""`--jobs`: how many processes index."""

import os
from argparse import ArgumentTypeError
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mailtrace.stores.base import Store

if TYPE_CHECKING:  # as below
    from mailtrace.indexing.workers import Workers

_MANY_BYTES: Final = 64 << 20
"""For less, a second process is not worth its start."""
_MOST: Final = 4
"""More are kept busy only by a log that is cheap to join and write."""
_LIMIT: Final = 64
HELP: Final = (
    "processes that parse, besides the one that joins and writes; 1: a single process does all (default: one for each"
    " processor, at most 4, for more than 64 MiB of logs, else 1)"
)


def jobs(text: str) -> int:
    """Return the number of processes.

    Raises:
        ArgumentTypeError: this is not a number from 1 to 64.
    """
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= _LIMIT):
        raise ArgumentTypeError(f"{text!r}: give a number of processes, such as 2; at most {_LIMIT}")
    return int(text)


def usual_jobs(files: Sequence[str]) -> int:
    """Return how many processes index these files best."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(processors, _MOST) if sum(map(_size, files)) > _MANY_BYTES else 1


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except (OSError, ValueError):
        return 0


@contextmanager
def workers_of(count: int, store: Store) -> "Iterator[Workers | None]":
    """Yield the worker processes, or None for a single process. Enter it before the store is opened."""
    if count == 1:
        yield None
        return
    # Imported here, because most runs need no other process.
    from mailtrace.indexing.workers import Workers  # noqa: PLC0415

    workers = Workers(count, store.encoding)
    try:
        yield workers
    finally:
        workers.close()
