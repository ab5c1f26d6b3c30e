"""A real cluster of three nodes on this machine, whose nodes can be killed and started again."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from helpers.elasticsearch_server import IS_OPENSEARCH, SERVERS, NoServerError, free_port, start_options
from helpers.requirements import lacking

_PID = "OPENSEARCH_PID=" if IS_OPENSEARCH else "ES_PID="


SMALL = 400_000_000
"""Bytes on the small disk of the last node."""
QUICK = ("--heap", "512m", "--jvm", "-XX:TieredStopAtLevel=1")
"""Options of nodes that start quickly."""


def until(condition: Callable[[], bool], seconds: float = 180) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "this takes too long"
        time.sleep(0.1)


class Node:
    """A node, with its data in a folder that survives it."""

    def __init__(self, folder: Path, options: Sequence[str]) -> None:
        self.port, self.transport = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data = folder
        self._options = options
        self._process = 0

    def start(self, cluster: str) -> None:
        """Start the node and wait until it has joined the cluster.

        Raises:
            NoServerError: it does not start.
        """
        options = ["--port", str(self.port), "--cluster", cluster, "--data", str(self.data), *self._options]
        # More than a minute may pass on two processors that three nodes share.
        options += ["--timeout", "300", *start_options("--ilm")]
        done = subprocess.run(
            ["bash", SERVERS / "start.sh", *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise NoServerError(done.stderr.strip())
        self._process = int(next(line for line in done.stdout.splitlines() if line.startswith(_PID)).removeprefix(_PID))

    def end(self, how: signal.Signals) -> None:
        """Send a signal to the node and wait until it has ended."""
        os.kill(self._process, how)
        until(lambda: not self.is_running)

    @property
    def is_running(self) -> bool:
        """Whether the process of the node exists and is no zombie."""
        return Path(f"/proc/{self._process}/exe").exists()

    @contextmanager
    def full(self, left: int) -> Iterator[None]:
        """Leave so many bytes of the disk free; skip the test if it is no small disk."""
        if shutil.disk_usage(self.data).total > 2 * SMALL:
            lacking("only root can mount a small disk")
        filler = self.data.parent / "filler"
        with filler.open("wb") as file, suppress(OSError):  # the disk is full
            while True:
                os.write(file.fileno(), bytes(1_000_000))
        os.truncate(filler, filler.stat().st_size - left)
        try:
            yield
        finally:
            filler.unlink()

    def clean_up(self) -> None:
        """Stop the node, if it runs, and remove what start.sh has made."""
        subprocess.run(["bash", SERVERS / "stop.sh", "--port", str(self.port)], capture_output=True, check=False)

    def ask(self, path: str, body: Any = None, method: str = "GET") -> Any:
        """Return the answer of this node.

        Raises:
            OSError: it does not answer, or refuses the request.
        """
        content = None if body is None else json.dumps(body).encode()
        request = Request(self.url + path, content, {"Content-Type": "application/json"}, method=method)
        with urlopen(request, timeout=60) as answer:
            return json.load(answer)


class Cluster:
    """Three nodes, started with these options of start.sh."""

    def __init__(self, folder: Path, options: Sequence[str]) -> None:
        self.nodes = [Node(folder / f"disk{n}" / "data", options) for n in range(3)]
        self._ports = ",".join(f"{node.port}:{node.transport}" for node in self.nodes)

    @property
    def store(self) -> str:
        """The name of the store: the URLs of all nodes."""
        return self.store_from(0)

    def store_from(self, first: int) -> str:
        """Return a name of the store that begins with another node: for an indexer as if on another machine."""
        return ",".join(node.url for node in (*self.nodes[first:], *self.nodes[:first]))

    def start(self, nodes: Sequence[Node]) -> None:
        """Start nodes at the same time, since none answers before most of them run."""
        with ThreadPoolExecutor(len(nodes)) as pool:
            list(pool.map(lambda node: node.start(self._ports), nodes))

    def restart_ended(self) -> None:
        """Start the nodes again that have ended."""
        if ended := [node for node in self.nodes if not node.is_running]:
            self.start(ended)

    def ask(self, path: str, body: Any = None, method: str = "GET") -> Any:
        """Return the answer of the first node that answers."""
        for node in self.nodes[:-1]:
            try:
                return node.ask(path, body, method)
            except URLError:
                continue
        return self.nodes[-1].ask(path, body, method)

    def is_whole(self) -> bool:
        """Return whether three nodes are there, with all copies of all shards."""
        try:
            found = self.ask("/_cluster/health")
        except OSError:
            return False
        return found["status"] == "green" and found["number_of_nodes"] == 3 and not found["relocating_shards"]

    def documents(self) -> int:
        """Return how many documents and nested documents have been indexed, replicas not counted."""
        found = self.ask("/mailtrace-*/_stats/indexing?ignore_unavailable=true")
        return int(found["_all"].get("primaries", {}).get("indexing", {}).get("index_total", 0))

    def empty(self) -> None:
        """Delete everything that mailtrace has stored."""
        names = self.ask("/_cluster/state/metadata?filter_path=metadata.indices.*.state")
        for name in names.get("metadata", {}).get("indices", {}):
            self.ask(f"/{name}", method="DELETE")


@contextmanager
def cluster_of_three(options: Sequence[str] = QUICK, *, small_disk: bool = True) -> Iterator[Cluster]:
    """Run a cluster, started with these options of start.sh; `small_disk` mounts one for the last node if it may.

    Raises:
        NoServerError: it does not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="mailtrace-cluster-"))
    folder.chmod(0o755)
    cluster = Cluster(folder, options)
    disk = cluster.nodes[-1].data.parent
    is_mounted = small_disk and _mount_small(disk)
    try:
        cluster.start(cluster.nodes)
        yield cluster
    finally:
        for node in cluster.nodes:
            node.clean_up()
        if is_mounted:
            subprocess.run(["umount", "--lazy", disk], check=True)
        shutil.rmtree(folder)


def _mount_small(disk: Path) -> bool:
    """Create the folder of a small disk; return whether this user may mount one there."""
    disk.mkdir()
    options = f"size={SMALL},mode=755"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", disk], capture_output=True, check=False)
    return done.returncode == 0
