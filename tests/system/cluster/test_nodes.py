"""Nodes that are killed, stopped, restarted and full: nothing is lost or doubled, and no answer is silently a part."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from helpers import commands
from helpers.cluster import until

GENERATOR = Path(__file__).parents[2] / "generator" / "genlog.py"
JSON = ("--format", "json")
PARTLY = re.compile(
    r"mailtrace-search: \S+ (is temporarily unavailable \(|does not answer|has not answered|did not answer)"
)
"""What a search says whose answer would not be the whole one."""

pytestmark = pytest.mark.timeout(1800)


def log_of(hosts: str, transactions: int, seed: int) -> bytes:
    options = ["--mta", "mixed", "--hosts", hosts, "--transactions", transactions, "--seed", seed]
    return subprocess.run([sys.executable, GENERATOR, *map(str, options)], capture_output=True, check=True).stdout


def documents_of(folder: Path, *logs: bytes) -> bytes:
    """Return the documents of logs, as the embedded store has them."""
    folder.mkdir(exist_ok=True)
    files = [folder / f"{n}.log" for n in range(len(logs))]
    for file, log in zip(files, logs, strict=True):
        file.write_bytes(log)
    store = f"sqlite:{folder}/expected.db"
    assert commands.index(store, files).status == 0
    return commands.search(store)


def halves(log: bytes) -> tuple[bytes, bytes]:
    at = log.index(b"\n", len(log) * 9 // 10) + 1
    return log[:at], log[at:]


def new_in(messages: str) -> int:
    """Return how many transactions a summary says are new."""
    return int(re.findall(r"transactions: (\d+) new", messages)[0])


def report(fault: str, expected: bytes, messages: Sequence[str]) -> None:
    """Print counts, for people who read them with `pytest -s`."""
    new = [new_in(each) for each in messages]
    print(f"\n{fault}: {expected.count(10)} documents expected, new: {' + '.join(map(str, new))} = {sum(new)}")
    for each in messages:
        print("", *(line for line in each.splitlines() if line.startswith("mailtrace-")), sep="\n  ")


def found_by_each_node(cluster, runs):
    """Return what each node finds, whichever copies of the shards it reads."""
    until(cluster.is_whole, 300)
    return [runs.search(*JSON, store=node.url)[:2] for node in cluster.nodes]


def assert_whole(answer, expected) -> bool:
    """Check that the answer of a search is the whole one, or says that it has none; return whether it is."""
    status, out, messages = answer
    if status == 0:
        assert out == expected
        return True
    assert (status, out) == (2, b""), messages
    assert PARTLY.match(messages), messages
    return False


def test_a_node_is_killed_while_three_indexers_write(cluster, runs, tmp_path):
    """Two read the same log, one another; each writes to another node first."""
    one, other = log_of("mx1,mx2", 4000, 1), log_of("mx3,mx4", 4000, 2)
    expected = documents_of(tmp_path, one, other)
    writing = [(log, runs.start("index", "-", store=cluster.store_from(n))) for n, log in enumerate((one, one, other))]
    for log, process in writing:
        process.stdin.write(halves(log)[0])
        process.stdin.flush()
    until(lambda: cluster.documents() > 3000)
    cluster.nodes[0].end(signal.SIGKILL)
    time.sleep(1)
    cluster.start(cluster.nodes[:1])
    ends = [process.communicate(halves(log)[1], timeout=300)[1].decode() for log, process in writing]
    assert [process.returncode for _, process in writing] == [0] * 3, ends
    report("a node killed while three indexers write", expected, ends)
    assert found_by_each_node(cluster, runs) == [(0, expected)] * 3
    assert sum(map(new_in, ends)) == expected.count(b"\n")


def until_followed(following, runs, expected: bytes) -> None:
    """Wait until a search finds what is expected, as long as the log is followed."""

    def is_followed() -> bool:
        assert following.poll() is None, following.communicate()[1].decode()
        return runs.search(*JSON)[:2] == (0, expected)

    until(is_followed)


def finish(process) -> str:
    """End a run that follows a log, and return its messages."""
    process.send_signal(signal.SIGTERM)
    messages = process.communicate(timeout=120)[1].decode()
    assert process.returncode == 0, messages
    return messages


def test_two_nodes_are_killed_while_a_log_is_followed(cluster, runs, tmp_path):
    log = log_of("mx1,mx2", 3000, 3)
    first, rest = halves(log)
    before, expected = documents_of(tmp_path / "first", first), documents_of(tmp_path, log)
    followed = tmp_path / "followed.log"
    followed.write_bytes(first)
    following = runs.start("index", "--follow", followed)
    until_followed(following, runs, before)
    for node in cluster.nodes[1:]:
        node.end(signal.SIGKILL)
    with followed.open("ab") as file:
        file.write(rest)
    answers = [runs.search(*JSON) for _ in range(3)]
    # A run that follows no log ends after its last retry; the next one reads on.
    once = runs.start("index", "-", store=cluster.store_from(1))
    given_up = once.communicate(rest, timeout=300)[1].decode()
    assert once.returncode == 2, given_up
    assert re.search(r": try again later$|running there\?$", given_up), given_up
    wholes = [assert_whole(answer, before) for answer in answers]
    cluster.start(cluster.nodes[1:])
    until_followed(following, runs, expected)
    messages = finish(following)
    report("two nodes killed", expected, [messages])
    print(f"searches meanwhile: {sum(wholes)} answered from what was left, {wholes.count(False)} said what was missing")
    assert found_by_each_node(cluster, runs) == [(0, expected)] * 3
    assert new_in(messages) == expected.count(b"\n")


def test_a_rolling_restart_while_a_log_is_followed_and_searched(cluster, runs, tmp_path):
    log = log_of("mx1,mx2", 3000, 4)
    expected = documents_of(tmp_path, log)
    followed = tmp_path / "followed.log"
    growing = Appended(followed, log)
    growing.append()
    following = runs.start("index", "--follow", followed)
    until(lambda: runs.search("--count")[0] == 0)
    with ThreadPoolExecutor(2) as pool, Meanwhile(pool) as meanwhile:
        appended = meanwhile.repeat(growing.append)
        searched = meanwhile.repeat(lambda: runs.search("--count"))
        for node in cluster.nodes:
            node.end(signal.SIGTERM)
            cluster.start([node])
            until(cluster.is_whole, 300)
    assert len(appended.result()) > 10
    with followed.open("ab") as file:
        file.write(log[followed.stat().st_size :])
    until_followed(following, runs, expected)
    messages = finish(following)
    report("a rolling restart", expected, [messages])
    counts = [int(answer[1]) for answer in searched.result() if counted(answer)]
    print(f"searches meanwhile: {len(counts)} of {len(searched.result())} answered")
    # What was found once is found again, so no answer was a part.
    assert counts == sorted(counts)
    assert found_by_each_node(cluster, runs) == [(0, expected)] * 3
    assert new_in(messages) == expected.count(b"\n")


def counted(answer) -> bool:
    """Return whether a search gave a count; otherwise it must say why not."""
    status, out, messages = answer
    if status == 2:
        assert PARTLY.match(messages), messages
        return False
    return bool(out.strip())


class Appended:
    """A log that grows by some lines at a time."""

    def __init__(self, path: Path, log: bytes) -> None:
        self._path = path
        self._lines = iter(log.splitlines(keepends=True))

    def append(self) -> None:
        with self._path.open("ab") as file:
            file.write(b"".join(islice(self._lines, 100)))
        time.sleep(1)


class Meanwhile:
    """Repeats functions in threads until the block ends."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool, self._ended = pool, Event()

    def repeat(self, function: Callable[[], Any]) -> "Future[list[Any]]":
        def run() -> list[Any]:
            results = []
            while not self._ended.is_set():
                results.append(function())
            return results

        return self._pool.submit(run)

    def __enter__(self) -> "Meanwhile":
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()


def test_the_disk_of_a_node_is_full(cluster, runs, tmp_path):
    """Its copies fail; those on other nodes hold everything that was acknowledged."""
    log = log_of("mx1,mx2", 6000, 5)
    expected = documents_of(tmp_path, log)
    first, rest = log[: log.index(b"\n", len(log) // 10) + 1], log[log.index(b"\n", len(log) // 10) + 1 :]
    followed = tmp_path / "followed.log"
    followed.write_bytes(first)
    following = runs.start("index", "--follow", followed)
    until(lambda: cluster.documents() > 500)
    with cluster.nodes[2].full(left=100_000):
        with followed.open("ab") as file:
            file.write(rest)
        time.sleep(20)
        meanwhile = runs.search("--count")
    counted(meanwhile)
    # The node may have ended itself.
    cluster.restart_ended()
    cluster.ask("/_cluster/reroute?retry_failed=true", {}, "POST")
    until_followed(following, runs, expected)
    messages = finish(following)
    report("a full disk", expected, [messages])
    assert found_by_each_node(cluster, runs) == [(0, expected)] * 3
    assert new_in(messages) == expected.count(b"\n")
