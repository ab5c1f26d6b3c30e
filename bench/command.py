"""Run mailtrace-index with one of the stores of this benchmark.

python -m bench.command counting|bodies|URL=PREFIX ARGUMENT...

URL=PREFIX writes to Elasticsearch indices with that prefix, so that no other indices are touched.
"""

import sys
from typing import Any

from bench.stores import Bodies, Counting
from mailtrace.cli import index
from mailtrace.stores.base import Store


def _store(name: str) -> Store:
    if name in ("counting", "bodies"):
        return Counting() if name == "counting" else Bodies()
    from mailtrace.stores.elasticsearch.store import ElasticsearchStore

    url, _, prefix = name.rpartition("=")
    return ElasticsearchStore(url, prefix=prefix)


def main(store: str, *arguments: str) -> int:
    """Index into the named store; return the exit status of mailtrace-index."""

    def store_from(_arguments: Any, **_: Any) -> Store:
        return _store(store)

    index.store_from = store_from  # type: ignore[assignment,attr-defined]
    return index.main(arguments)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
