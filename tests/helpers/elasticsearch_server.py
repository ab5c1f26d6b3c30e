"""Start a real Elasticsearch or OpenSearch for the tests, and give each test its own prefix on it."""

import os
import shutil
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from helpers.requirements import lacking

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

VERSION_VARIABLE = "MAILTRACE_TEST_ELASTICSEARCH_VERSION"
OPENSEARCH_VARIABLE = "MAILTRACE_TEST_OPENSEARCH_VERSION"
"""The version of OpenSearch that takes the place of Elasticsearch in the tests."""
IS_OPENSEARCH = OPENSEARCH_VARIABLE in os.environ
SERVERS = Path(__file__).parents[1] / "servers" / ("opensearch" if IS_OPENSEARCH else "elasticsearch")

SHORT_LIVED = ("--jvm", "-XX:TieredStopAtLevel=1")
"""Options for a server of some minutes, in which the better compiler of the JVM takes more time than it saves."""
_MEMORY = Path("/dev/shm")
"""Files here are in memory."""
_LEAST_MEMORY = 2 << 30

needs_elasticsearch = pytest.mark.skipif(IS_OPENSEARCH, reason="tests what only Elasticsearch has")


class NoServerError(Exception):
    """No server can be started here; the message says why."""


def start_options(*options: str) -> list[str]:
    """Return options of start.sh, with the version; the start.sh of OpenSearch has no option `--ilm`.

    Raises:
        NoServerError: there is no suitable Java.
    """
    if IS_OPENSEARCH:
        return ["--version", os.environ[OPENSEARCH_VARIABLE], *(each for each in options if each != "--ilm")]
    return [*version_options(), *options]


@contextmanager
def elasticsearch_server(*options: str) -> Iterator[str]:
    """Run a server on a free port and yield its URL; stop it at the end. `options` are those of start.sh.

    Raises:
        NoServerError: it does not start.
    """
    port, folder = str(free_port()), data_folder()
    try:
        started = run_script(
            "start.sh", "--port", port, "--data", f"{folder}/data", *start_options(*options, *SHORT_LIVED)
        )
        if started.returncode:
            raise NoServerError(started.stderr.strip() or f"start.sh ended with {started.returncode}")
        yield f"http://127.0.0.1:{port}"
    finally:
        run_script("stop.sh", "--port", port)
        shutil.rmtree(folder)


def data_folder() -> Path:
    """Return a new folder for the data of a server: in memory if there is enough, where no write waits for a disk."""
    is_large = os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _LEAST_MEMORY
    folder = Path(tempfile.mkdtemp(prefix="mailtrace-test-", dir=_MEMORY if is_large else None))
    folder.chmod(0o755)  # root starts the server as another user
    return folder


def client_of(url: str, **options: Any) -> "Elasticsearch":
    """Return Elasticsearch's client, made to accept OpenSearch too."""
    from elastic_transport import HttpHeaders, Transport, TransportApiResponse
    from elasticsearch import Elasticsearch

    class AnyServer(Transport):
        def perform_request(self, method: str, target: str, *, headers: Any = None, **rest: Any) -> Any:
            plain = {name: value.replace("vnd.elasticsearch+", "").partition(";")[0] for name, value in headers.items()}
            meta, body = super().perform_request(method, target, headers=plain, **rest)
            shown = HttpHeaders({**meta.headers, "x-elastic-product": "Elasticsearch"})
            return TransportApiResponse(replace(meta, headers=shown), body)

    return Elasticsearch(url, request_timeout=60, transport_class=AnyServer, **options)


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_script(script: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a script of the server to its end."""
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
    text = f"no server to test with: {reason}"
    if {VERSION_VARIABLE, OPENSEARCH_VARIABLE} & os.environ.keys():
        pytest.fail(text)
    lacking(text)


_NAMES_IN_A_REQUEST = 50
"""Names of indices that the URL of a request has room for."""


@contextmanager
def own_prefix(url: str) -> Iterator[str]:
    """Yield an unused prefix; delete everything with this prefix from the server at the end."""
    prefix = f"test{uuid4().hex[:12]}"
    yield prefix
    context = ssl.create_default_context() if url.startswith("https:") else None
    with client_of(url, ssl_context=context) as client:
        quiet = client.options(ignore_status=(400, 404, 405))
        names = list(client.indices.get_alias(index=[f"{prefix}-*", f"{prefix}_*"]))
        for at in range(0, len(names), _NAMES_IN_A_REQUEST):
            client.indices.delete(index=names[at : at + _NAMES_IN_A_REQUEST])
        quiet.indices.delete_index_template(name=prefix)
        quiet.ilm.delete_lifecycle(name=prefix)
