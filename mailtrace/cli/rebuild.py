"""`mailtrace-index --rebuild`: derive the documents of a store again. An embedded store is updated without it."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from mailtrace.cli.progress import count_of
from mailtrace.errors import ExitStatus
from mailtrace.indexing.rebuild import is_outdated, rebuild
from mailtrace.output.escape import safe
from mailtrace.stores.base import Refused, Store


def rebuild_store(store: Store, *, quiet: bool) -> ExitStatus:
    """Derive all documents again, and say how many there are.

    Raises:
        StoreError: the store cannot be written.
    """
    began = time.monotonic()
    store.prepare()
    number, refused = _rebuild(store, quiet=quiet)
    if not quiet or refused:
        lines = [f"{number} transactions derived again in {time.monotonic() - began:.1f} s, in {store.name}"]
        lines += [f"refused by the store: {one.transaction}: {one.reason}" for one in refused]
        print(*map(safe, lines), sep="\n", file=sys.stderr)
    return ExitStatus.REFUSED if refused else ExitStatus.OK


def update(store: Store, notify: Callable[[str], None], *, quiet: bool) -> None:
    """Derive the documents of an embedded store again if an older version made them."""
    if store.is_remote or not Path(store.name).exists():
        return
    store.prepare()
    outdated = is_outdated(store)
    # Other indexers may write until there is something to write.
    store.commit([])
    if outdated:
        notify(f"{store.name} was written by an older mailtrace: deriving its documents again")
        _rebuild(store, quiet=quiet)


def _rebuild(store: Store, *, quiet: bool) -> tuple[int, list[Refused]]:
    number = 0

    def count(transactions: int) -> None:
        nonlocal number
        number = transactions
        show(number)

    with count_of("transactions", quiet=quiet) as show:
        refused = rebuild(store, count)
    return number, refused
