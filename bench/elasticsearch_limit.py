"""Measure the limit of Elasticsearch: send the documents of a finished run, serialised beforehand, in a minimal loop.

python -m bench.elasticsearch_limit export URL PREFIX FILE
python -m bench.elasticsearch_limit send URL PREFIX FILE

`export` writes the documents of the indices with a prefix to a file, in the order in which they were written. `send`
sends that file to new indices with the store's own template, from two threads that each send one bulk request after the
other. It prints the seconds until all documents can be searched.
"""

import gc
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any, Final

import orjson

from bench.server import Server

_PAGE: Final = 2000
_OPERATIONS: Final = 1000
"""Operations per request; more were not faster."""
_THREADS: Final = 2


def export(url: str, prefix: str, path: str) -> None:
    """Write two lines for each document: its index (without the prefix) and ID, then the document."""
    server = Server(url)
    with Path(path).open("wb") as out:
        for index in sorted(name for name in server.indices(prefix) if name.startswith(f"{prefix}-")):
            for hit in _hits(server, index):
                target = {"day": index.removeprefix(prefix), "id": hit["_id"]}
                out.write(orjson.dumps(target) + b"\n" + orjson.dumps(hit["_source"]) + b"\n")


def _hits(server: Server, index: str) -> Iterator[dict[str, Any]]:
    point = server.ask("POST", f"/{index}/_pit?keep_alive=5m")["id"]
    wanted: dict[str, Any] = {"size": _PAGE, "sort": ["_shard_doc"], "track_total_hits": False}
    wanted["pit"] = {"id": point, "keep_alive": "5m"}
    while hits := server.ask("POST", "/_search", orjson.dumps(wanted))["hits"]["hits"]:
        yield from hits
        wanted["search_after"] = hits[-1]["sort"]
    server.ask("DELETE", "/_pit", orjson.dumps({"id": point}))


def send(url: str, prefix: str, path: str) -> None:
    """Send the documents of a file, and print the seconds it took."""
    bodies, days, documents = _bodies(path, prefix)
    _prepare(url, prefix, days)
    gc.collect()
    gc.freeze()
    waiting, lock = iter(bodies), Lock()

    def work(server: Server) -> None:
        while True:
            with lock:
                body = next(waiting, None)
            if body is None:
                return
            if server.ask("POST", "/_bulk?filter_path=errors", body)["errors"]:
                raise SystemExit("the server refused documents that it had accepted before")

    began = time.perf_counter()
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(work, [Server(url) for _ in range(_THREADS)]))
    Server(url).ask("POST", f"/{prefix}-*/_refresh")
    print(json.dumps({"seconds": time.perf_counter() - began, "documents": documents}))


def _bodies(path: str, prefix: str) -> tuple[list[bytes], set[str], int]:
    bodies, days, documents = [], set(), 0
    with Path(path).open("rb") as lines:
        while some := list(islice(lines, 2 * _OPERATIONS)):
            for at in range(0, len(some), 2):
                target = orjson.loads(some[at])
                days.add(target["day"])
                action = {"create": {"_index": f"{prefix}{target['day']}", "_id": target["id"]}}
                some[at] = orjson.dumps(action) + b"\n"
            bodies.append(b"".join(some))
            documents += len(some) // 2
    return bodies, days, documents


def _prepare(url: str, prefix: str, days: set[str]) -> None:
    """Create the store's own template, and an empty index for each day."""
    from mailtrace.stores.elasticsearch.store import ElasticsearchStore

    store = ElasticsearchStore(url, prefix=prefix)
    store.prepare()
    store.close()
    server = Server(url)
    for day in days:
        server.ask("PUT", f"/{prefix}{day}")


if __name__ == "__main__":
    {"export": export, "send": send}[sys.argv[1]](*sys.argv[2:])
