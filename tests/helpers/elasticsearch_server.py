"""A real Elasticsearch for the tests: a node of its own, and what one test may call its own on it."""

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
ASKED_FOR = "MAILTRACE_TEST_ELASTICSEARCH_VERSION"


class NoServerError(Exception):
    """No Elasticsearch can be had here: the text says why."""


@contextmanager
def elasticsearch_server(*options: str) -> Iterator[str]:
    """Run a node of its own on a free port, and stop it at the end; `options` are those of start.sh."""
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
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(script: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", SERVERS / script, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def run_folder(port: str) -> Path:
    """Where the server on a port keeps what it needs, its CA's certificate among it."""
    find = f". '{SERVERS}/lib.sh'; run_dir {port}"
    return Path(subprocess.run(["bash", "-c", find], capture_output=True, text=True, check=True).stdout.strip())


def version_options() -> list[str]:
    """The version that is asked for, else the newest that the Java here can run: 9 needs 21, and 8.19 needs 17."""
    if wanted := os.environ.get(ASKED_FOR):
        return ["--version", wanted]
    for release, version in (("21", []), ("17", ["--version", "8.19.8"])):
        find = f". '{SERVERS}/lib.sh'; find_java {release} javac"
        found = subprocess.run(["bash", "-c", find], capture_output=True, text=True, check=False)
        if not found.returncode:
            return version
    raise NoServerError(found.stderr.strip())


def give_up(reason: str) -> None:
    """A developer's machine may lack Java; where everything is to be tested, or one version, that is a failure."""
    text = f"no Elasticsearch to test with: {reason}"
    if ASKED_FOR in os.environ:
        pytest.fail(text)
    lacking(text)


@contextmanager
def own_prefix(url: str) -> Iterator[str]:
    """Give a prefix that nobody else uses, and delete at the end what is named so on the server."""
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
