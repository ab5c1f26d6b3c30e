"""An indexer in its own process, to be killed: STORE is a path, or a URL and an index prefix separated by a space.

run_indexer.py STORE SAVE_BYTES[:HELD] [--follow | --peak | --two] FILE...

HELD is how many transactions are held in memory at most. --peak prints the peak memory of the process, in bytes. With
--two others parse, as with `mailtrace-index --jobs 2`.
"""

import sys
from datetime import timezone
from pathlib import Path

from mailtrace.cli.jobs import workers_of
from mailtrace.cli.parser import stop_at_signals
from mailtrace.indexing.follower import Follower
from mailtrace.indexing.indexer import Indexer, Limits
from mailtrace.indexing.reducer import MAX_HELD
from mailtrace.indexing.writer import Writer
from mailtrace.logs.rotation import Calendar
from mailtrace.stores.base import Notify, Store


def open_store(name: str, tell: Notify = lambda _: None) -> Store:
    """The store of a name as above; of an outage of a server, who is told hears."""
    if name.startswith("http"):
        from mailtrace.stores.elasticsearch.store import ElasticsearchStore

        url, prefix = name.split(" ")
        return ElasticsearchStore(url, prefix=prefix, notify=tell)
    from mailtrace.stores.sqlite.store import SqliteStore

    return SqliteStore(name)


def say(message: str) -> None:
    """Print a message for the admin."""
    print(message, flush=True)


def main(name: str, asked: str, *paths: str) -> None:
    """Index the files, once or as they grow."""
    follows = paths[0] == "--follow"
    store = open_store(name, say if follows else lambda _: None)
    calendar = Calendar(timezone.utc, "UTC")
    save_bytes, _, held = asked.partition(":")
    limits = Limits(int(save_bytes), int(held or MAX_HELD))
    if follows:
        follower = Follower(paths[1:], say)
        indexer = Indexer(store, calendar, limits=limits, writer=Writer(store, follower.wait_to_retry))
        stop_at_signals(lambda: follower.stop(indexer))
        follower.follow(indexer)
    else:
        with workers_of(2 if paths[0] == "--two" else 1, store) as workers:
            indexer = Indexer(store, calendar, limits=limits, workers=workers)
            indexer.index([path for path in paths if not path.startswith("--")])
    store.close()
    if paths[0] == "--peak":
        status = Path("/proc/self/status").read_text()
        print(int(status.partition("VmHWM:")[2].split()[0]) * 1024)


if __name__ == "__main__":
    main(*sys.argv[1:])
