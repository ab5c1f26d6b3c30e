"""`mailtrace-index --check`: show the state of a store and its problems, without writing."""

import os
from collections.abc import Iterator
from datetime import tzinfo
from pathlib import Path
from typing import Final, TextIO

from mailtrace.cli.known_logs import known_logs
from mailtrace.errors import ExitStatus, StoreMissingError
from mailtrace.output.escape import safe
from mailtrace.output.times import local_time
from mailtrace.search.query import Query
from mailtrace.stores.base import Described, Description, Store

_WIDTH: Final = 12


def check(store: Store, zone: tzinfo, now: float, out: TextIO) -> ExitStatus:
    """Print the state of a store and its logs, with times in the zone; return ERROR if there is a problem.

    Raises:
        StoreError: the store does not answer, or is not a mailtrace store.
    """
    description = store.describe() if isinstance(store, Described) else _describe_file(Path(store.name))
    logs = known_logs(store, zone, now)
    lines = [("store", store.name), *description.lines, *_documents(store, zone), *logs.lines]
    problems = [*description.problems, *logs.problems]
    for name, text in lines:
        print(f"{name + ':':{_WIDTH}} {safe(text)}", file=out)
    for problem in problems:
        print(f"{'problem:':{_WIDTH}} {safe(problem)}", file=out)
    return ExitStatus.ERROR if problems else ExitStatus.OK


def _describe_file(path: Path) -> Description:
    """The state of an embedded store: its database, with the two files of SQLite's write-ahead log."""
    if not path.exists():
        return Description([("size", "not created yet: the first run creates it")], [])
    files = [path, *(each for end in ("-wal", "-shm") if (each := path.with_name(path.name + end)).exists())]
    size = sum(each.stat().st_size for each in files)
    is_writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    return Description([("size", f"{size:,} bytes"), ("writable", "yes" if is_writable else "no, by this user")], [])


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
