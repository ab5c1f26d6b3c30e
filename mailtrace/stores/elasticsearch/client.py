"""Send requests to a server: retry while it is busy, report outages, raise errors of one line."""

import ssl
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPException
from threading import Event
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from mailtrace import __version__
from mailtrace.errors import StoreError, StoreUnavailableError, UsageError
from mailtrace.stores.access import Access
from mailtrace.stores.elasticsearch.connection import LOST, Connections, NoAnswerError, Request, addresses_of
from mailtrace.stores.elasticsearch.dialect import Dialect, Elasticsearch, OpenSearch
from mailtrace.stores.elasticsearch.errors import (
    BUSY,
    AnswerError,
    BusyError,
    LostError,
    Reply,
    RetryableError,
    cause_of,
    error_of,
    is_too_old,
    missing_in,
    opensearch_version,
    unsupported,
)
from mailtrace.stores.elasticsearch.outage import UNREPORTED_TRIES, Outage

_PAUSES: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds before each retry while the server is busy or restarting."""
_RETRY_SECONDS: Final = 60
"""No more than one retry begins later than this: a node without a master takes half a minute to refuse a request."""
_READ_SECONDS: Final = 35
"""How long to wait for what a node has in memory: its version, templates, names of indices.

After 30 seconds a node without a master says so.
"""
_SEARCH_SECONDS: Final = 60
_WRITE_SECONDS: Final = 120
"""How long to wait for a write: a document of 100,000 recipients takes long."""


class Server:
    """The server at a URL, which may contain a user and a password; `notify` is called with messages about outages.

    Several URLs, separated by commas, are those of nodes of one cluster. User and password are those in the first.
    The server's certificate is verified, against the CAs in `access` or else those that the system trusts.

    Requests are a method, a path and a body: JSON, or bytes for a bulk request. Keywords are parameters of the URL.

    Raises:
        StoreError: the URL is not one of a server, or a certificate cannot be read.
        UsageError: the credentials are incomplete or contradict each other.
    """

    def __init__(
        self,
        url: str,
        access: Access | None = None,
        notify: Callable[[str], None] = lambda _: None,
    ) -> None:
        access, addresses = access or Access(), addresses_of(url)
        self.name = ",".join(address.name for address in addresses)
        self.outage = Outage(self.name, notify)
        self.pauses: Sequence[float] = _PAUSES
        self._closed = Event()
        self._headers = {"User-Agent": f"mailtrace/{__version__}"}
        login = access.basic(self.name, addresses[0].user, addresses[0].password)
        if access.api_key is not None:
            self._headers["Authorization"] = f"ApiKey {_api_key(access.api_key)}"
        elif login is not None:
            self._headers["Authorization"] = f"Basic {_base64(':'.join(login))}"
        self._connections = Connections(addresses, access)
        self._dialect: Dialect | None = None

    @property
    def dialect(self) -> Dialect:
        """What differs between servers. The first reply shows it, so this costs no request afterwards.

        Raises:
            StoreError: as `ask`.
        """
        if self._dialect is None:
            with suppress(AnswerError):
                self.ask("GET", "/")
        assert self._dialect is not None
        return self._dialect

    def ask(self, method: str, path: str, body: Any = None, /, **parameters: Any) -> Any:
        """Send a request once and return the answer.

        Raises:
            AnswerError: the server refuses this request.
            StoreUnavailableError: there is no answer, or the server is busy.
            StoreError: it is not a supported server, or refuses this user.
        """
        with self.outage.reported_with_error():
            return self.attempt(method, path, body, **parameters)

    def attempt(self, method: str, path: str, body: Any = None, /, **parameters: Any) -> Any:
        """Send a request once, as `ask` does, for a caller that retries and reports the outage itself."""
        if "filter_path" in parameters:  # it also leaves out why a request fails
            parameters["filter_path"] += ",error"
        mark = "&" if "?" in path else "?"
        target = f"{path}{mark}{_encoded(parameters)}" if parameters else path
        with self._as_store_error():
            content = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
            reply = self._exchange(method, target, content, is_bulk=isinstance(body, bytes))
            if missing := missing_in(reply.body):  # the status may be that of a shard
                raise BusyError(f"{self.name} has only a part of the answer ({missing})", 503)
            if reply.status >= 300:
                raise self._refusal(reply)
            if reply.content and not reply.is_json:
                raise ValueError
            return reply.body

    def _exchange(self, method: str, target: str, content: bytes | None, *, is_bulk: bool) -> Reply:
        """Send a request in the dialect of the server, which the first reply shows.

        OpenSearch gets the first request twice, which is harmless: it is a read.
        """
        if self._dialect is None:
            reply = self._send(method, target, content, Elasticsearch(), is_bulk=is_bulk)
            self._dialect = self._recognised(reply)
            if not isinstance(self._dialect, OpenSearch):
                return reply
        return self._send(method, target, content, self._dialect, is_bulk=is_bulk)

    def _send(self, method: str, target: str, content: bytes | None, dialect: Dialect, *, is_bulk: bool) -> Reply:
        headers = {**self._headers, "Accept": dialect.json}
        if content is not None:
            headers["Content-Type"] = dialect.ndjson if is_bulk else dialect.json
        request = Request(method, target, headers, content, _seconds_of(method, target))
        with self.outage.reported_if_slow(request.seconds):
            return self._connections.exchange(request)

    def _recognised(self, reply: Reply) -> Dialect | None:
        """Return the dialect of the server that sent a reply; None if the reply says something else first.

        Raises:
            StoreError: it is not a supported server.
        """
        if not Elasticsearch().is_foreign(reply):
            return Elasticsearch()
        if reply.status in BUSY | {401, 403, 413}:  # a proxy's, or OpenSearch's to a stranger
            return None
        page = self._start_page()
        if page.status in (401, 403):
            raise error_of(self.name, page)
        version = opensearch_version(page)
        if not version or version.startswith("1."):
            raise unsupported(self.name, page)
        return OpenSearch()

    def _refusal(self, reply: Reply) -> StoreError:
        dialect = self._dialect or Elasticsearch()
        if reply.status not in BUSY | {401, 403, 413} and dialect.is_foreign(reply):
            return unsupported(self.name, self._start_page(), f"not {dialect.name}")
        if is_too_old(reply):
            return unsupported(self.name, self._start_page(), f"too old an {dialect.name}")
        return error_of(self.name, reply)

    def _start_page(self) -> Reply:
        """Return the start page as a browser sees it."""
        headers = {**self._headers, "Accept": "application/json"}
        return self._connections.exchange(Request("GET", "/", headers, None, _READ_SECONDS))

    def ask_until_answered(self, method: str, path: str, body: Any = None, /, **parameters: Any) -> Any:
        """Send a request and return the answer; retry for about a minute while the server is busy or away.

        Raises:
            StoreError: as `ask`.
        """
        return self._ask((method, path, body), parameters, self.pauses, RetryableError)

    def ask_with_retries(self, method: str, path: str, body: Any = None, /, **parameters: Any) -> Any:
        """Send a request that a person waits for and return the answer; retry for about two seconds while busy.

        An index that was just created may be unavailable for a moment.

        Raises:
            StoreError: as `ask`.
        """
        return self._ask((method, path, body), parameters, self.pauses[:UNREPORTED_TRIES], BusyError)

    def _ask(
        self,
        request: tuple[str, str, Any],
        parameters: dict[str, Any],
        pauses: Sequence[float],
        retried: type[RetryableError],
    ) -> Any:
        began = time.monotonic()
        with self.outage.reported_with_error():
            for tries in range(len(pauses)):
                try:
                    return self.attempt(*request, **parameters)
                except retried as error:
                    if not self.pause(tries, error, began):
                        break
            return self.attempt(*request, **parameters)

    def pause(self, tries: int, error: RetryableError, began: float) -> bool:
        """Wait before the next retry of a request that began at a monotonic time.

        Return False, at once, if that was too long ago or the connections have been closed.
        """
        self.outage.failed(error, tries)
        return time.monotonic() - began < _RETRY_SECONDS and not self._closed.wait(self.pauses[tries])

    def close(self) -> None:
        """Close the connections."""
        self._closed.set()
        self._connections.close()

    @contextmanager
    def _as_store_error(self) -> Iterator[None]:
        """Turn errors of the connection and of what it carries into errors of one line."""
        try:
            yield
        except LOST as error:
            raise self._lost(error) from error
        except ssl.SSLError as error:
            raise StoreError(f"{self.name} cannot be trusted ({cause_of(error)}): {_tls_advice(error)}") from error
        except NoAnswerError as error:
            raise StoreUnavailableError(f"{self.name} did not answer within {error.seconds:.0f} seconds") from error
        except OSError as error:
            raise self._lost(error) from error
        except orjson.JSONEncodeError as error:
            raise StoreError(f"{self.name} cannot be asked this: {error}") from error
        except ValueError as error:
            raise StoreError(
                f"{self.name} sent an answer that mailtrace cannot read: is it Elasticsearch 8 or 9?"
            ) from error

    def _lost(self, error: OSError | HTTPException) -> LostError:
        product = (self._dialect or Elasticsearch()).name
        return LostError(f"{self.name} does not answer ({cause_of(error)})", product)


def _seconds_of(method: str, target: str) -> float:
    """Return how long to wait for the answer to a request."""
    if method == "GET":
        return _READ_SECONDS
    return _SEARCH_SECONDS if "/_search" in target else _WRITE_SECONDS


def _encoded(parameters: dict[str, Any]) -> str:
    shown = {name: str(value).lower() if isinstance(value, bool) else value for name, value in parameters.items()}
    return urlencode(shown, safe="*,")


def _tls_advice(error: ssl.SSLError) -> str:
    if "WRONG_VERSION_NUMBER" in str(error):
        return "it does not use TLS: write http:// instead of https://, if that is intended"
    return "pass its CA certificate with --ca-certs FILE"


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def _api_key(text: str) -> str:
    """Return an API key in Elasticsearch's encoded form, given that or the ID and the secret as `ID:SECRET`."""
    key = _base64(text) if ":" in text else text
    if not (key.isascii() and key.isprintable()):
        raise UsageError("the API key contains characters that none can have: copy it again")
    return key
