"""An indexer as a process of its own, to be killed: STORE is a path, or a URL and an index prefix with a blank between.

run_indexer.py STORE SAVE_BYTES FILE...
"""

import sys
from datetime import timezone

from mailtrace.indexer import Indexer
from mailtrace.sets import Calendar
from mailtrace.stores.base import Store


def open_store(name: str) -> Store:
    """The store of a name as above."""
    if name.startswith("http"):
        from mailtrace.stores.elasticsearch import ElasticsearchStore

        url, prefix = name.split(" ")
        return ElasticsearchStore(url, prefix=prefix)
    from mailtrace.stores.sqlite import SqliteStore

    return SqliteStore(name)


def main(name: str, save_bytes: str, *paths: str) -> None:
    """Index the files."""
    store = open_store(name)
    Indexer(store, Calendar(timezone.utc, "UTC"), save_bytes=int(save_bytes)).index(paths)
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
