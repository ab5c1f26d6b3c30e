"""A cluster of three nodes for `make test-cluster`, and the commands that use it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.cluster import Cluster, cluster_of_three, until
from helpers.elasticsearch_server import NoServerError, give_up

BIN = Path(os.environ.get("MAILTRACE_TEST_COMMANDS") or Path(sys.executable).parent)


@pytest.fixture(scope="session")
def running_cluster() -> Iterator[Cluster]:
    """Return the cluster of this test run."""
    if "MAILTRACE_TEST_CLUSTER" not in os.environ:
        pytest.skip("takes minutes: run make test-cluster")
    try:
        with cluster_of_three() as cluster:
            yield cluster
    except NoServerError as error:
        give_up(str(error))


@pytest.fixture
def cluster(running_cluster):
    """Return the cluster, whole and without any mail."""
    # A failed test may have left nodes that have ended, and shards that no node can hold any more.
    running_cluster.restart_ended()
    running_cluster.empty()
    until(running_cluster.is_whole, 300)
    return running_cluster


class Runs:
    """Runs of the commands with the cluster."""

    def __init__(self, store: str, folder: Path) -> None:
        self.store, self._folder = store, folder
        self._folder.mkdir()
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, *arguments: object, store: str = "") -> "subprocess.Popen[bytes]":
        """Start a command, with all nodes unless a store is named."""
        command = [BIN / f"mailtrace-{name}", "--store", store or self.store, "--tz", "UTC", *map(str, arguments)]
        environment = {**os.environ, "XDG_CONFIG_HOME": str(self._folder), "XDG_DATA_HOME": str(self._folder)}
        pipe = subprocess.PIPE
        self.started.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment))
        return self.started[-1]

    def search(self, *arguments: object, store: str = "") -> tuple[int, bytes, str]:
        """Return the exit status of a search, what it found, and its messages."""
        run = self.start("search", *arguments, store=store)
        out, messages = run.communicate(timeout=120)
        return run.returncode, out, messages.decode()


@pytest.fixture
def runs(cluster: Cluster, tmp_path: Path) -> Iterator[Runs]:
    """Return runs with the cluster."""
    runs = Runs(cluster.store, tmp_path / "runs")
    yield runs
    for run in runs.started:
        run.kill()  # which a test that failed has left
        run.communicate()
