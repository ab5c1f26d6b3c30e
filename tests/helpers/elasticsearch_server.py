"""Start a real Elasticsearch server for the tests, and give each test its own prefix on it."""

import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from helpers.requirements import lacking

SERVERS = Path(__file__).parents[1] / "servers" / "elasticsearch"
VERSION_VARIABLE = "MAILTRACE_TEST_ELASTICSEARCH_VERSION"


class NoServerError(Exception):
    """No Elasticsearch can be started here; the message says why."""


@contextmanager
def elasticsearch_server(*options: str) -> Iterator[str]:
    """Run a server on a free port and yield its URL; stop it at the end. `options` are those of start.sh.

    Raises:
        NoServerError: it does not start.
    """
    version = version_options()
    port = str(free_port())
    started = _run("start.sh", "--port", port, *version, *options)
    if started.returncode:
        raise NoServerError(started.stderr.strip() or f"start.sh ended with {started.returncode}")
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        _run("stop.sh", "--port", port)


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(script: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", SERVERS / script, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def run_folder(port: str) -> Path:
    """Return the folder with the files of the server on a port, such as its CA certificate `ca.crt`."""
    find = f". '{SERVERS}/lib.sh'; run_dir {port}"
    return Path(subprocess.run(["bash", "-c", find], capture_output=True, text=True, check=True).stdout.strip())


def version_options() -> list[str]:
    """Return start.sh's options for the requested version, or for the newest one that this machine's Java can run.

    Elasticsearch 9 needs Java 21, and 8.19 needs Java 17.

    Raises:
        NoServerError: there is no suitable Java.
    """
    if wanted := os.environ.get(VERSION_VARIABLE):
        return ["--version", wanted]
    for release, version in (("21", []), ("17", ["--version", "8.19.8"])):
        find = f". '{SERVERS}/lib.sh'; find_java {release} javac"
        found = subprocess.run(["bash", "-c", find], capture_output=True, text=True, check=False)
        if not found.returncode:
            return version
    raise NoServerError(found.stderr.strip())


def give_up(reason: str) -> None:
    """Skip the test for want of a server; fail if a version or all tests were requested."""
    text = f"no Elasticsearch to test with: {reason}"
    if VERSION_VARIABLE in os.environ:
        pytest.fail(text)
    lacking(text)


@contextmanager
def own_prefix(url: str) -> Iterator[str]:
    """Yield an unused prefix; delete everything with this prefix from the server at the end."""
    from elasticsearch import Elasticsearch

    prefix = f"test{uuid4().hex[:12]}"
    yield prefix
    context = ssl.create_default_context() if url.startswith("https:") else None
    with Elasticsearch(url, request_timeout=60, ssl_context=context) as client:
        quiet = client.options(ignore_status=(400, 404, 405))
        for index in client.indices.get(index=[f"{prefix}-*", f"{prefix}_*"]):
            client.indices.delete(index=index)
        quiet.indices.delete_index_template(name=prefix)
        quiet.ilm.delete_lifecycle(name=prefix)
