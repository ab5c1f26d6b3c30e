"""An Elasticsearch server as the store sees it: requests, with patience where it is busy, and errors said in a line."""

import logging
import ssl
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event
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
from mailtrace.stores.elasticsearch.errors import AnswerError, BusyError, DeniedError, LostError, cause_of, refusal
from mailtrace.stores.elasticsearch.outage import Outage

__all__ = ["AnswerError", "BusyError", "DeniedError", "Server"]

_TIMEOUT: Final = 120
"""Seconds until an answer: a document of 100,000 recipients takes some."""
_PAUSES: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds before each new try, when the server says that it is busy, or starts anew."""


class Server:
    """The server at a URL, which may hold a user and a password; who is told hears of its outages.

    Its certificate is checked, against those that the system trusts where `access` names no others.

    Raises:
        StoreError: the URL is none of a server, or a certificate cannot be read.
        UsageError: it is not told who comes.
    """

    def __init__(
        self,
        url: str,
        access: Access | None = None,
        tell: Callable[[str], None] = lambda _: None,
        *,
        pauses: Sequence[float] = _PAUSES,
    ) -> None:
        access = access or Access()
        self.name, user, password = _address(url)
        self.outage = Outage(self.name, tell)
        self.pauses = pauses
        self._closed = Event()
        # Without a handler of its own, the client's log of failed attempts would go to standard error.
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
        """Return the answer to a request.

        Raises:
            AnswerError: the server refuses this request.
            StoreUnavailableError: there is no answer, or the server is busy.
            StoreError: this is no server for mailtrace, or not for this user.
        """
        with self.outage.given_up():
            return self.attempt(method, **arguments)

    def attempt(self, method: Callable[..., Any], /, **arguments: Any) -> Any:
        """Ask as `ask` does, for someone who asks again or gives up the outage."""
        with self._in_a_line():
            return method(**arguments).body

    def ask_until_answered(self, method: Callable[..., Any], /, **arguments: Any) -> Any:
        """Return the answer to a request, asked again with growing pauses while the server is busy or away."""
        with self.outage.given_up():
            for tries in range(len(self.pauses)):
                try:
                    return self.attempt(method, **arguments)
                except (BusyError, LostError) as error:
                    if not self.pause(tries, error):
                        break
            return self.attempt(method, **arguments)

    def ask_with_retries(self, method: Callable[..., Any], /, **arguments: Any) -> Any:
        """Return the answer to a request that a person waits for: an index made just now is not there for a moment."""
        with self.outage.given_up():
            for tries in range(len(self.pauses[:3])):
                try:
                    return self.attempt(method, **arguments)
                except BusyError as error:
                    self.pause(tries, error)
            return self.attempt(method, **arguments)

    def pause(self, tries: int, error: BusyError | LostError) -> bool:
        """Wait before a request's next try; return False at once where the server is not wanted any more."""
        self.outage.failed(error, tries)
        return not self._closed.wait(self.pauses[tries])

    def close(self) -> None:
        """Close the connections."""
        self._closed.set()
        self.client.close()

    @contextmanager
    def _in_a_line(self) -> Iterator[None]:
        """Say in a line what went wrong."""
        try:
            yield
        except ApiError as error:
            raise refusal(self.name, self.client, error) from error
        except ConnectionTimeout as error:
            raise StoreUnavailableError(f"{self.name} did not answer within {_TIMEOUT} seconds") from error
        except SSLError as error:
            raise StoreError(f"{self.name} cannot be trusted ({cause_of(error)}): {_remedy(error)}") from error
        except ConnectionError as error:
            raise LostError(f"{self.name} does not answer ({cause_of(error)})") from error
        except TransportError as error:
            raise StoreError(f"{self.name} answers what mailtrace cannot read: is it Elasticsearch 8 or 9?") from error


def _remedy(error: SSLError) -> str:
    if "WRONG_VERSION_NUMBER" in str(error):
        return "it does not speak TLS: write http:// for https://, if that is meant"
    return "name the file of its CA's certificate with --ca-certs"


def _api_key(text: str | None) -> str | tuple[str, str] | None:
    """An API key as Elasticsearch encodes it, or as its ID and secret with a colon between."""
    if text is None or ":" not in text:
        return text
    name, _, secret = text.partition(":")
    return name, secret


def _context(url: str, access: Access) -> ssl.SSLContext | None:
    """Whom to trust, and what to show."""
    if not url.startswith("https:"):
        if access.ca_certs or access.client_cert:
            raise UsageError(f"{url} does not use certificates: write https://")
        return None
    try:
        context = ssl.create_default_context(cafile=access.ca_certs)
    except OSError as error:  # ssl.SSLError is one
        raise StoreError(f"--ca-certs {access.ca_certs} holds no certificates: {cause_of(error)}") from error
    if access.client_cert:
        try:
            # A key with a passphrase is refused: without this, OpenSSL would ask for it.
            context.load_cert_chain(access.client_cert, access.client_key, password="")
        except OSError as error:
            raise StoreError(
                f"--client-cert {access.client_cert} and its key cannot be used (PEM, the key without a passphrase):"
                f" {cause_of(error)}"
            ) from error
    return context


def _address(url: str) -> tuple[str, str | None, str | None]:
    """The URL without user and password, and these."""
    try:
        parts = urlsplit(url)
        port = parts.port or 9200
    except ValueError:
        parts, port = urlsplit(""), 0
    host = parts.hostname
    if parts.scheme not in ("http", "https") or not host:
        shown = url.rpartition("@")[2]
        raise StoreError(f"{shown} is no address of an Elasticsearch server: write http://HOST:9200")
    host = f"[{host}]" if ":" in host else host
    name = f"{parts.scheme}://{host}:{port}{parts.path.rstrip('/')}"
    user = None if not parts.username else unquote(parts.username)
    return name, user, None if parts.password is None else unquote(parts.password)
