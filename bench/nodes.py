"""Compare one node and three nodes of Elasticsearch with the embedded store: indexing a log, an export, and searches.

The servers are started for this, on this machine. On three nodes each index has a replica.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from bench.embedded import remove
from bench.logs import READING, Log, Wanted, cache, logs, of_lines
from bench.part import Options, Part, Table, shown
from bench.questions import DAYS, answerable, samples, values
from bench.runs import INDEX, ROOT, SEARCH, Command, run
from bench.server import Server

_HEAP: Final = ("--heap", "1g")
_HEAD: Final = ("what", "store", "s", "CPU s", "servers' CPU s", "transactions/s", "MiB")
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class _Taken(NamedTuple):
    """What a command has taken."""

    seconds: float
    cpu: float
    server: float
    """CPU seconds of the servers meanwhile."""
    peak: int
    output: str


class _Store(NamedTuple):
    """A store, and the IDs of the processes that serve it."""

    name: str
    url: str
    processes: Sequence[int] = ()

    def search(self, *arguments: str) -> _Taken:
        """Run mailtrace-search with this store."""
        return self.run(Command([SEARCH, "--store", self.url, "--tz", "UTC", *arguments], accepts=(0, 1)))

    def fill(self, log: Log) -> _Taken:
        """Run mailtrace-index with this store."""
        return self.run(Command([INDEX, "--store", self.url, *READING, str(log.path)]))

    def run(self, command: Command) -> _Taken:
        """Run a command that uses this store."""
        before = self._cpu()
        found = run(command)
        return _Taken(found.seconds, found.cpu, self._cpu() - before, found.peak, found.output)

    def _cpu(self) -> float:
        """Return the CPU seconds of the servers since they were started."""
        texts = (Path(f"/proc/{process}/stat").read_text() for process in self.processes)
        # proc(5): utime and stime are the 12th and 13th fields after the name, which is in parentheses.
        return sum(sum(map(int, text.rpartition(")")[2].split()[11:13])) for text in texts) / _TICKS


def nodes(options: Options) -> Part:
    """Compare the embedded store, one node and three nodes.

    Raises:
        SystemExit: no server can be started.
    """
    wanted = of_lines("mixed", options.lines)
    with _embedded() as embedded, _servers(1) as one, _servers(3) as three:
        return _compared(wanted, [embedded, one, three], options.rounds)


def node(options: Options) -> Part:
    """Compare the embedded store and one node with as many transactions as the first log of `growth` has.

    Raises:
        SystemExit: no server can be started.
    """
    wanted = Wanted("mixed", options.step, days=DAYS)
    with _embedded() as embedded, _servers(1) as one:
        return _compared(wanted, [embedded, one], options.rounds)


@contextmanager
def _embedded() -> Iterator[_Store]:
    file = cache() / "nodes.db"
    remove(file)
    yield _Store("embedded", f"sqlite:{file}")
    remove(file)


@contextmanager
def _servers(number: int) -> Iterator[_Store]:
    """Start one node or three: with more memory than in tests, and with the compiler that is slower at first."""
    sys.path.insert(0, str(ROOT / "tests"))
    from helpers.cluster import cluster_of_three  # type: ignore[import-not-found]
    from helpers.elasticsearch_server import NoServerError, elasticsearch_server  # type: ignore[import-not-found]

    try:
        if number == 1:
            with elasticsearch_server("--ilm", *_HEAP) as url:
                yield _Store("one node", url, _processes(url))
        else:
            with cluster_of_three(_HEAP, small_disk=False) as cluster:
                yield _Store("three nodes", cluster.store, _processes(cluster.store))
    except NoServerError as error:
        raise SystemExit(f"no Elasticsearch to measure: {error}; choose other parts with --only") from error


def _processes(url: str) -> list[int]:
    found = Server(url).ask("GET", "/_nodes/process")
    return [each["process"]["id"] for each in found["nodes"].values()]


def _compared(wanted: Wanted, stores: Sequence[_Store], rounds: int) -> Part:
    """Fill each store once, export all of it once, and ask each question `rounds` times in turns."""
    (log,) = logs([wanted])
    title = f"{', '.join(store.name for store in stores)}: {log.transactions:,} transactions"
    filled = [(store, store.fill(log)) for store in stores]
    exported = [(store, _exported(log, store)) for store in stores]
    rows = [_row("index", store, log, taken) for store, taken in filled]
    rows += [_row("export as JSON", store, log, taken) for store, taken in exported]
    searches = [_searched(kind, found, stores, rounds) for kind, found in _questions(stores[0], wanted.days)]
    head = ["search", *(f"{store.name}{column}" for store in stores for column in (": s", ": CPU s"))]
    part = Part(
        [
            Table(f"Writing and reading, {title}", _HEAD, rows),
            Table(f"Searches, {title} (rounds: {rounds})", head, searches),
        ]
    )
    for store, taken in exported:
        part.figures[f"nodes: export of 100,000, {store.name}: s"] = taken.seconds * 100_000 / log.transactions
    version = Server(stores[-1].url).ask("GET", "/")["version"]["number"]
    part.notes.append(f"Elasticsearch {version}, all nodes on this machine. Searches include process start.")
    part.notes.append("Times of searches are medians of all values. Their CPU time includes that of the servers.")
    return part


def _exported(log: Log, store: _Store) -> _Taken:
    taken = store.search("--format", "json")
    if (found := taken.output.count("\n")) < log.transactions:
        raise SystemExit(f"{store.name}: {found} documents, but {log.transactions} expected")
    return taken


def _row(what: str, store: _Store, log: Log, taken: _Taken) -> list[str]:
    measured = (taken.seconds, taken.cpu, taken.server, log.transactions / taken.seconds, taken.peak / (1 << 20))
    return [what, store.name, *map(shown, measured)]


def _questions(store: _Store, days: int) -> Iterator[tuple[str, list[list[str]]]]:
    """Yield the name of each kind of search, with the arguments for each of its values."""
    documents = samples(store.url, days)
    for kind in answerable():
        yield kind.name, [[part.replace("{}", value) for part in kind.arguments] for value in values(kind, documents)]


def _searched(kind: str, questions: Sequence[Sequence[str]], stores: Sequence[_Store], rounds: int) -> list[str]:
    turns = [[store.search(*arguments) for store in stores] for _ in range(rounds) for arguments in questions]
    if any(taken.output != turn[0].output for turn in turns for taken in turn):
        raise SystemExit(f"{kind}: the stores do not find the same")
    cells = [kind]
    for taken in zip(*turns, strict=True):
        cells += [f"{median(one.seconds for one in taken):.3f}", f"{median(one.cpu + one.server for one in taken):.3f}"]
    return cells
