"""Measure indexing into a real Elasticsearch, in turns with two threads that send the same documents in bulk requests.

The server is that of MAILTRACE_TEST_ELASTICSEARCH, or one started as in the tests. All indices have a prefix of their
own and are deleted at the end.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from uuid import uuid4

from bench.logs import READING, Log, cache, logs, of_lines
from bench.part import Options, Part, Table, shown
from bench.runs import ROOT, Command, in_turns, module, run
from bench.server import Server

_HEAD = ("log", "transactions", "s", "limit s", "CPU s", "transactions/s", "lines/s", "of the limit", "MiB")


def scaled(options: Options) -> Part:
    """Index each log with mailtrace-index, into indices with a prefix of their own.

    Raises:
        SystemExit: no server can be started, or the server refuses a request.
    """
    part = Part([Table(f"Into Elasticsearch (rounds: {options.rounds})", _HEAD, [])])
    made = logs([of_lines(mta, options.lines) for mta in options.mtas])
    rows = []
    with _server() as url:
        part.notes.append(f"Elasticsearch {Server(url).ask('GET', '/')['version']['number']}, on the same machine.")
        for mta, log in zip(options.mtas, made, strict=True):
            rows.append(_row(mta, log, url, options.rounds, part))
    part.tables[0] = part.tables[0]._replace(rows=rows)
    return part


@contextmanager
def _server() -> Iterator[str]:
    if running := os.environ.get("MAILTRACE_TEST_ELASTICSEARCH"):
        yield running
        return
    sys.path.insert(0, str(ROOT / "tests"))
    from helpers.elasticsearch_server import NoServerError, elasticsearch_server  # type: ignore[import-not-found]

    try:
        with elasticsearch_server("--ilm") as url:
            yield url
    except NoServerError as error:
        raise SystemExit(f"no Elasticsearch to measure: {error}; choose other parts with --only") from error


@contextmanager
def _prefixes(url: str) -> Iterator[tuple[str, str]]:
    """Yield two unused prefixes, and delete everything with these prefixes at the end."""
    name = f"bench{uuid4().hex[:12]}"
    server = Server(url)
    try:
        yield f"{name}a", f"{name}b"
    finally:
        for prefix in (f"{name}a", f"{name}b"):
            server.clear(prefix)
            server.remove(f"/_index_template/{prefix}", f"/_ilm/policy/{prefix}")


def _row(mta: str, log: Log, url: str, rounds: int, part: Part) -> list[str]:
    documents = cache() / "documents.ndjson"
    with _prefixes(url) as (our, bare):
        ours = Command(module("command", f"{url}={our}", *READING, log.path), partial(_clear, url, our))
        send = module("elasticsearch_limit", "send", url, bare, documents)
        limit = Command(send, partial(_clear, url, bare), prints_seconds=True)
        run(ours)
        run(Command(module("elasticsearch_limit", "export", url, our, documents)))
        found = in_turns({"indexed": ours, "limit": limit}, rounds)
    documents.unlink()
    indexed, bounds = found["indexed"], found["limit"]
    share = bounds.over(indexed)
    part.figures[f"elasticsearch: {mta} of the limit"] = share
    part.figures[f"elasticsearch: {mta}: MiB"] = indexed.peak
    rates = (shown(log.transactions / indexed.seconds), shown(log.lines / indexed.seconds))
    times = (shown(indexed.seconds), shown(bounds.seconds), shown(indexed.cpu))
    return [mta, f"{log.transactions:,}", *times, *rates, f"{share:.2f}", shown(indexed.peak)]


def _clear(url: str, prefix: str) -> None:
    Server(url).clear(prefix)
