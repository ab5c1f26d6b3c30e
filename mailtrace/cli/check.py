"""`mailtrace-index --check`: show the state of a store and its problems, without writing."""

import os
from collections.abc import Iterator
from datetime import tzinfo
from pathlib import Path
from typing import Final, TextIO

from mailtrace.cli.known_logs import known_logs
from mailtrace.errors import ExitStatus, StoreError, StoreMissingError
from mailtrace.output.escape import safe
from mailtrace.output.times import local_time
from mailtrace.search.query import Query
from mailtrace.stores.base import Described, Description, Store

_WIDTH: Final = 12
_MIN_FREE_BYTES: Final = 1 << 20
"""Less is full: SQLite writes a block of new rows to its write-ahead log before it moves them to the store."""
_MIN_FREE_INODES: Final = 4


def check(store: Store, zone: tzinfo, now: float, out: TextIO) -> ExitStatus:
    """Print the state of a store and its logs, with times in the zone; return ERROR if there is a problem.

    Raises:
        StoreError: the store does not answer, or is not a mailtrace store, and nothing else shows why.
    """
    description = store.describe() if isinstance(store, Described) else _describe_file(Path(store.name))
    try:
        documents = list(_documents(store, zone))
    except StoreError as error:
        if not description.problems:
            raise
        documents = [("documents", f"unknown: {error}")]
    logs = known_logs(store, zone, now)
    lines = [("store", store.name), *description.lines, *documents, *logs.lines]
    problems = [*description.problems, *logs.problems]
    for name, text in lines:
        print(f"{name + ':':{_WIDTH}} {safe(text)}", file=out)
    for problem in problems:
        print(f"{'problem:':{_WIDTH}} {safe(problem)}", file=out)
    return ExitStatus.ERROR if problems else ExitStatus.OK


def _describe_file(path: Path) -> Description:
    """The state of an embedded store: its database, with the two files of SQLite's write-ahead log."""
    if not path.exists():
        return Description([("size", "not created yet: the first run creates it")], _lack_of_space(path))
    files = [path, *(each for end in ("-wal", "-shm") if (each := path.with_name(path.name + end)).exists())]
    size = sum(each.stat().st_size for each in files)
    is_writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    writable = "no, by this user" if not is_writable else "no, the disk is full" if _is_full(path) else "yes"
    return Description([("size", f"{size:,} bytes"), ("writable", writable)], _lack_of_space(path))


def _lack_of_space(path: Path) -> list[str]:
    return [f"the disk of {path} is full: free some space, then run the indexer again"] if _is_full(path) else []


def _is_full(path: Path) -> bool:
    """Return whether the disk of a store lacks space or inodes for a write; some file systems do not count inodes."""
    folder = next((each for each in path.parents if each.exists()), path)
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize < _MIN_FREE_BYTES or (disk.f_files > 0 and disk.f_favail < _MIN_FREE_INODES)


def _documents(store: Store, zone: tzinfo) -> Iterator[tuple[str, str]]:
    """The number of documents, and the dates of the oldest and the newest."""
    try:
        newest = next(store.search(Query(limit=1)), None)
    except StoreMissingError:
        newest = None
    if newest is None:
        yield "documents", "none yet"
        return
    yield "documents", f"{store.count(Query()):,}"
    oldest = next(store.search(Query(limit=1, oldest_first=True)), newest)
    yield "oldest", local_time(oldest["date"], zone)
    yield "newest", local_time(newest["date"], zone)
