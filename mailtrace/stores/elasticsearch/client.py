"""Send requests to an Elasticsearch server: retry while it is busy, report outages, raise errors of one line."""

import logging
import ssl
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Lock
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from elasticsearch import (
    ApiError,
    ConnectionError,  # noqa: A004 - the client's name for it
    ConnectionTimeout,
    Elasticsearch,
    SSLError,
    TransportError,
)
from elasticsearch.exceptions import ElasticsearchWarning
from elasticsearch.serializer import OrjsonSerializer

from mailtrace.errors import StoreError, StoreUnavailableError, UsageError
from mailtrace.stores.access import Access
from mailtrace.stores.elasticsearch.errors import BusyError, LostError, RetryableError, cause_of, error_of

_TIMEOUT: Final = 120
"""Seconds to wait for an answer: a document of 100,000 recipients takes long."""
_PAUSES: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds before each retry while the server is busy or restarting."""
_UNREPORTED_TRIES: Final = 3
"""Retries of one request before the outage is reported: about two seconds."""
_QUIET_SECONDS: Final = 600
"""A server that is busy again and again is reported once in this time."""


class Outage:
    """Tracks whether the server fails, and whether the admin has been notified. Threads may share it.

    An outage that lasts is reported once when it begins and once when it ends.
    """

    def __init__(self, name: str, notify: Callable[[str], None]) -> None:
        self._name, self._notify = name, notify
        self._lock = Lock()
        self._is_known = False
        self._is_reported = False
        self._quiet_until = 0.0

    def failed(self, error: RetryableError, tries: int) -> None:
        """Record that a request failed after `tries` earlier attempts; report the outage once it lasts."""
        if tries < _UNREPORTED_TRIES:
            return
        with self._lock:
            if self._is_known or (isinstance(error, BusyError) and time.monotonic() < self._quiet_until):
                return
            self._is_known = self._is_reported = True
            self._quiet_until = time.monotonic() + _QUIET_SECONDS
            self._notify(f"{error.problem}: retrying for at least a minute; nothing is lost")

    @contextmanager
    def reported_with_error(self) -> Iterator[None]:
        """Mark the outage as known if a `StoreUnavailableError` leaves the block, since that error reports it."""
        try:
            yield
        except StoreUnavailableError as error:
            with self._lock:
                error.is_reported = self._is_reported
                self._is_known = True
            raise

    def recovered(self) -> None:
        """Record that everything is written; report the end of an outage whose beginning was reported."""
        with self._lock:
            if self._is_reported:
                self._notify(f"{self._name} answers again; everything read so far is stored")
            self._is_known = self._is_reported = False


class Server:
    """The server at a URL, which may contain a user and a password; `notify` is called with messages about outages.

    The server's certificate is verified, against the CAs in `access` or else those that the system trusts.

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
        access = access or Access()
        self.name, user, password = _address(url)
        self.outage = Outage(self.name, notify)
        self.pauses: Sequence[float] = _PAUSES
        self._closed = Event()
        # Without a handler, the client's log of failed attempts would be printed on standard error.
        logging.getLogger("elastic_transport").addHandler(logging.NullHandler())
        warnings.filterwarnings("ignore", category=ElasticsearchWarning)
        self.client = Elasticsearch(
            self.name,
            basic_auth=access.basic(self.name, user, password),
            api_key=_api_key(access.api_key),
            ssl_context=_context(self.name, access),
            request_timeout=_TIMEOUT,
            max_retries=2,
            retry_on_status=(),
            retry_on_timeout=False,
            serializers={"application/json": OrjsonSerializer()},
        )

    def ask(self, method: Callable[..., Any], /, **arguments: Any) -> Any:
        """Send a request once and return the answer.

        Raises:
            AnswerError: the server refuses this request.
            StoreUnavailableError: there is no answer, or the server is busy.
            StoreError: it is not a supported Elasticsearch, or refuses this user.
        """
        with self.outage.reported_with_error():
            return self.attempt(method, **arguments)

    def attempt(self, method: Callable[..., Any], /, **arguments: Any) -> Any:
        """Send a request once, as `ask` does, for a caller that retries and reports the outage itself."""
        with _as_store_error(self.name, self.client):
            return method(**arguments).body

    def ask_until_answered(self, method: Callable[..., Any], /, **arguments: Any) -> Any:
        """Send a request and return the answer; retry for about a minute while the server is busy or away.

        Raises:
            StoreError: as `ask`.
        """
        return self._ask(method, arguments, self.pauses, RetryableError)

    def ask_with_retries(self, method: Callable[..., Any], /, **arguments: Any) -> Any:
        """Send a request that a person waits for and return the answer; retry for about two seconds while busy.

        An index that was just created may be unavailable for a moment.

        Raises:
            StoreError: as `ask`.
        """
        return self._ask(method, arguments, self.pauses[:_UNREPORTED_TRIES], BusyError)

    def _ask(
        self,
        method: Callable[..., Any],
        arguments: dict[str, Any],
        pauses: Sequence[float],
        retried: type[RetryableError],
    ) -> Any:
        with self.outage.reported_with_error():
            for tries in range(len(pauses)):
                try:
                    return self.attempt(method, **arguments)
                except retried as error:
                    if not self.pause(tries, error):
                        break
            return self.attempt(method, **arguments)

    def pause(self, tries: int, error: RetryableError) -> bool:
        """Wait before the next retry of a request; return False, at once, if the connections have been closed."""
        self.outage.failed(error, tries)
        return not self._closed.wait(self.pauses[tries])

    def close(self) -> None:
        """Close the connections."""
        self._closed.set()
        self.client.close()


@contextmanager
def _as_store_error(name: str, client: Elasticsearch) -> Iterator[None]:
    """Turn the client's exceptions into errors of one line."""
    try:
        yield
    except ApiError as error:
        raise error_of(name, client, error) from error
    except ConnectionTimeout as error:
        raise StoreUnavailableError(f"{name} did not answer within {_TIMEOUT} seconds") from error
    except SSLError as error:
        raise StoreError(f"{name} cannot be trusted ({cause_of(error)}): {_tls_advice(error)}") from error
    except ConnectionError as error:
        raise LostError(f"{name} does not answer ({cause_of(error)})") from error
    except TransportError as error:
        raise StoreError(f"{name} sent an answer that mailtrace cannot read: is it Elasticsearch 8 or 9?") from error


def _tls_advice(error: SSLError) -> str:
    if "WRONG_VERSION_NUMBER" in str(error):
        return "it does not use TLS: write http:// instead of https://, if that is intended"
    return "pass its CA certificate with --ca-certs FILE"


def _api_key(text: str | None) -> str | tuple[str, str] | None:
    """Return an API key for the client: Elasticsearch's encoded form, or the ID and the secret of `ID:SECRET`."""
    if text is None or ":" not in text:
        return text
    name, _, secret = text.partition(":")
    return name, secret


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


def _address(url: str) -> tuple[str, str | None, str | None]:
    """Return the URL without credentials, the user and the password."""
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
    return name, user, None if parts.password is None else unquote(parts.password)
