"""The state of a store, told without writing: what it is, what it holds, and what is wrong with it."""

import os
from collections.abc import Iterator
from datetime import tzinfo
from pathlib import Path
from typing import Final, TextIO

from mailtrace.errors import ExitStatus, StoreMissingError
from mailtrace.output.escape import safe
from mailtrace.output.times import local_time
from mailtrace.search.query import Query
from mailtrace.stores.base import Described, Description, Store

_WIDTH: Final = 12


def check(store: Store, zone: tzinfo, out: TextIO) -> ExitStatus:
    """Print what a store is found to be, its times in the zone; a problem makes it an error.

    Raises:
        StoreError: it does not answer, or is none.
    """
    found = store.describe() if isinstance(store, Described) else _file(Path(store.name))
    for name, text in [("store", store.name), *found.lines, *_held(store, zone)]:
        print(f"{name + ':':{_WIDTH}} {safe(text)}", file=out)
    for problem in found.problems:
        print(f"{'problem:':{_WIDTH}} {safe(problem)}", file=out)
    return ExitStatus.ERROR if found.problems else ExitStatus.OK


def _file(path: Path) -> Description:
    """An embedded store is written beside its file as well."""
    if not path.exists():
        return Description([("size", "not there yet: the first run makes it")], [])
    files = [path, *(each for end in ("-wal", "-shm") if (each := path.with_name(path.name + end)).exists())]
    size = sum(each.stat().st_size for each in files)
    may = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    return Description([("size", f"{size:,} bytes"), ("writable", "yes" if may else "no, by this user")], [])


def _held(store: Store, zone: tzinfo) -> Iterator[tuple[str, str]]:
    """How many documents there are, and of when."""
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
