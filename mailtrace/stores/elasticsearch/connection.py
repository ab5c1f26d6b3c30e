"""HTTP connections to the nodes of a cluster, kept open between requests; threads may share them.

This is the standard library's client: Elasticsearch's own refuses OpenSearch, and importing it takes most of the time
of a search.
"""

import re
import ssl
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from mailtrace.errors import StoreError, UsageError
from mailtrace.stores.access import Access
from mailtrace.stores.elasticsearch.errors import BUSY, Reply, cause_of

_CONNECT_SECONDS: Final = 10
"""Seconds to wait for a connection."""
_TRIES: Final = 3
"""Attempts of a request whose connection is lost: the server may have closed an idle one."""

LOST: Final = (ConnectionError, HTTPException, ssl.SSLEOFError, ssl.SSLZeroReturnError)
"""Errors of a connection that ends before the answer is complete."""
_before_url = re.compile(r",(?=https?://)").split


class Address(NamedTuple):
    """The address of a server."""

    name: str
    """Its URL, without user and password."""
    user: str | None
    password: str | None

    @property
    def parts(self) -> SplitResult:
        """The parts of the URL."""
        return urlsplit(self.name)


class Request(NamedTuple):
    """An HTTP request."""

    method: str
    target: str
    """Path and parameters."""
    headers: dict[str, str]
    body: bytes | None
    seconds: float
    """How long to wait for the answer."""


class NoAnswerError(TimeoutError):
    """The server did not answer in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


class Connections:
    """Connections to the nodes of a cluster: to one of them, until it fails, then to the next.

    Raises:
        StoreError: a certificate cannot be read.
        UsageError: there are certificates, but a URL does not begin with `https`.
    """

    def __init__(self, addresses: Sequence[Address], access: Access) -> None:
        self._nodes = [_Node(address, access) for address in addresses]
        self._current = 0

    def exchange(self, request: Request) -> Reply:
        """Send a request and return the reply, whatever its status, of the first node that answers.

        Raises:
            OSError: no node can be reached, is trusted or answers in time; the error is that of the last one.
            HTTPException: what it sends is not HTTP.
        """
        for _ in range(len(self._nodes) - 1):
            at = self._current
            try:
                return self._exchange(at, request)
            except ssl.SSLCertVerificationError:
                raise
            except (OSError, HTTPException):
                self._leave(at)
        return self._exchange(self._current, request)

    def _exchange(self, at: int, request: Request) -> Reply:
        reply = self._nodes[at].exchange(request)
        if reply.status in BUSY:  # another node may still belong to the cluster
            self._leave(at)
        return reply

    def _leave(self, at: int) -> None:
        """Send the next request to another node, unless another thread has already chosen one."""
        if self._current == at:
            self._current = (at + 1) % len(self._nodes)

    def __del__(self) -> None:
        """Close the connections of a store that nobody has closed, as of a search that ends."""
        self.close()

    def close(self) -> None:
        """Close the connections that wait for a request."""
        for node in self.__dict__.get("_nodes", ()):
            node.close()


class _Node:
    """Connections to a node, which verify its certificate if the URL begins with `https`."""

    def __init__(self, address: Address, access: Access) -> None:
        self._idle: deque[HTTPConnection] = deque()
        self._parts = address.parts
        self._context = _context(address.name, access)

    def exchange(self, request: Request) -> Reply:
        """Send a request and return the reply, whatever its status; try again if the connection is lost."""
        for _ in range(_TRIES - 1):
            try:
                return self._exchange(request)
            except LOST:
                self.close()  # the other idle connections are probably lost too
        return self._exchange(request)

    def _exchange(self, request: Request) -> Reply:
        connection = self._connection()
        try:
            with _limited(connection, request.seconds):
                connection.request(request.method, self._parts.path + request.target, request.body, request.headers)
                response = connection.getresponse()
                reply = Reply(response.status, response.headers, response.read())
        except BaseException:  # Ctrl-C too: the answer would be taken for that of the next request
            connection.close()
            raise
        self._idle.append(connection)
        return reply

    def _connection(self) -> HTTPConnection:
        try:
            return self._idle.pop()
        except IndexError:
            pass
        host, port = self._parts.hostname or "", self._parts.port
        if self._context is None:
            return HTTPConnection(host, port, timeout=_CONNECT_SECONDS)
        return HTTPSConnection(host, port, timeout=_CONNECT_SECONDS, context=self._context)

    def close(self) -> None:
        """Close the connections that wait for a request."""
        while self._idle:
            try:
                self._idle.pop().close()
            except IndexError:  # another thread has taken it
                return


@contextmanager
def _limited(connection: HTTPConnection, seconds: float) -> Iterator[None]:
    """Connect if necessary, and wait for each part of the answer that long; `NoAnswerError` tells how long it was."""
    limit: float = _CONNECT_SECONDS
    try:
        if connection.sock is None:
            connection.connect()
        limit = seconds
        connection.sock.settimeout(limit)
        yield
    except TimeoutError as error:
        if error.errno is not None:  # the operating system's, not ours
            raise
        raise NoAnswerError(limit) from error


def addresses_of(urls: str) -> list[Address]:
    """Return the addresses in a list of URLs, separated by commas, each of which may contain a user and a password.

    Raises:
        StoreError: one is not the URL of a server.
    """
    return [address_of(url) for url in _before_url(urls)]


def address_of(url: str) -> Address:
    """Return the address in a URL, which may contain a user and a password.

    Raises:
        StoreError: it is not the URL of a server.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or 9200
    except ValueError:
        parts, port = urlsplit(""), 0
    host = parts.hostname
    if parts.scheme not in ("http", "https") or not host:
        shown = url.rpartition("@")[2]
        raise StoreError(f"{shown} is not the URL of an Elasticsearch server: write http://HOST:9200")
    host = f"[{host}]" if ":" in host else host
    name = f"{parts.scheme}://{host}:{port}{parts.path.rstrip('/')}"
    user = None if not parts.username else unquote(parts.username)
    return Address(name, user, None if parts.password is None else unquote(parts.password))


def _context(url: str, access: Access) -> ssl.SSLContext | None:
    """Return the TLS context with the trusted CAs and the client certificate; None for plain HTTP."""
    if not url.startswith("https:"):
        if access.ca_certs or access.client_cert:
            raise UsageError(f"{url}: certificates need TLS: write https://")
        return None
    try:
        context = ssl.create_default_context(cafile=access.ca_certs)
    except OSError as error:  # ssl.SSLError is one
        raise StoreError(
            f"--ca-certs {access.ca_certs} cannot be used ({cause_of(error)}): it must be a PEM file"
        ) from error
    if access.client_cert:
        try:
            # With an empty password OpenSSL rejects a key with a passphrase instead of asking for the passphrase.
            context.load_cert_chain(access.client_cert, access.client_key, password="")
        except OSError as error:
            raise StoreError(
                f"--client-cert {access.client_cert} and its key cannot be used ({cause_of(error)}): both must be PEM,"
                " the key without a passphrase"
            ) from error
    return context
