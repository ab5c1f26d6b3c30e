"""An Elasticsearch server as the store sees it: requests, bulk requests with patience, and errors said in a line."""

import logging
import ssl
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

import orjson
from elasticsearch import (
    ApiError,
    ConnectionError,  # noqa: A004 - the client's name for it
    ConnectionTimeout,
    Elasticsearch,
    SSLError,
    TransportError,
    UnsupportedProductError,
)
from elasticsearch.exceptions import ElasticsearchWarning
from elasticsearch.serializer import OrjsonSerializer

from mailtrace.errors import StoreError, StoreUnavailableError

_TIMEOUT: Final = 120
"""Seconds until an answer: a document of 100,000 recipients takes some."""
_PAUSES: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds before each new try, when the server says that it is busy."""
_BUSY: Final = frozenset({429, 502, 503, 504})
_BULK_BYTES: Final = 5_000_000
_BULK_OPERATIONS: Final = 1000


class Answer(NamedTuple):
    """What became of one operation of a bulk request."""

    status: int
    """As in HTTP."""
    reason: str
    """Why it failed; empty where it did not."""


class Operation(NamedTuple):
    """One operation of a bulk request."""

    action: dict[str, Any]
    source: bytes = b""
    """The document; none to delete one."""


class AnswerError(StoreError):
    """The server has refused a request."""

    def __init__(self, message: str, status: int, kind: str, reason: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        """Elasticsearch's name for the error."""
        self.reason = reason


class BusyError(StoreUnavailableError):
    """The server has too much to do, or one of its parts is not there yet."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Server:
    """The server at a URL, which may hold a user and a password.

    For `https` the certificates count that the system trusts; OpenSSL's SSL_CERT_FILE names another file of them.

    Raises:
        StoreError: the URL is none of a server.
    """

    def __init__(self, url: str, *, pauses: Sequence[float] = _PAUSES) -> None:
        self.name, auth = _address(url)
        self._pauses = pauses
        # Without a handler of its own, the client's log of failed attempts would go to standard error.
        logging.getLogger("elastic_transport").addHandler(logging.NullHandler())
        warnings.filterwarnings("ignore", category=ElasticsearchWarning)
        self.client = Elasticsearch(
            self.name,
            basic_auth=auth,
            ssl_context=ssl.create_default_context() if self.name.startswith("https:") else None,
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
        with self._told():
            return method(**arguments).body

    def insist(self, method: Callable[..., Any], /, **arguments: Any) -> Any:
        """Return the answer to a request, asked again with growing pauses while the server is busy."""
        return self._again(self._pauses, method, arguments)

    def ask_twice(self, method: Callable[..., Any], /, **arguments: Any) -> Any:
        """Return the answer to a request that a person waits for: an index made just now is not there for a moment."""
        return self._again(self._pauses[:3], method, arguments)

    def _again(self, pauses: Sequence[float], method: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        for pause in pauses:
            try:
                return self.ask(method, **arguments)
            except BusyError:
                time.sleep(pause)
        return self.ask(method, **arguments)

    def bulk(self, operations: Sequence[Operation]) -> list[Answer]:
        """Return what became of each operation: done, or refused for good; whoever is busy was asked again.

        Raises:
            StoreError: as `ask`; what was not answered may have been done.
        """
        return [answer for chunk in _chunks(operations) for answer in self._settled(chunk)]

    def _settled(self, operations: Sequence[Operation]) -> list[Answer]:
        answers = self._attempt(operations)
        for pause in self._pauses:
            busy = [i for i, answer in enumerate(answers) if answer.status in _BUSY]
            if not busy:
                return answers
            time.sleep(pause)
            for i, answer in zip(busy, self._attempt([operations[i] for i in busy]), strict=True):
                answers[i] = answer
        for answer in answers:
            if answer.status in _BUSY:
                return [self._given_up(operations, answer)]
        return answers

    def _given_up(self, operations: Sequence[Operation], answer: Answer) -> Answer:
        """A lone big document may be too much for a server that is idle: nothing will help (`indexing_pressure`)."""
        if answer.status == 429 and len(operations) == 1 and len(operations[0].source) > _BULK_BYTES:
            return Answer(413, answer.reason)
        raise BusyError(f"{self.name} has too much to do ({answer.reason}): try again later", answer.status)

    def _attempt(self, operations: Sequence[Operation]) -> list[Answer]:
        lines = [line for action, source in operations for line in (orjson.dumps(action), source) if line]
        try:
            found = self.ask(self.client.bulk, operations=lines, filter_path="errors,items.*.status,items.*.error")
        except BusyError as error:
            return [Answer(error.status, str(error))] * len(operations)
        except AnswerError as error:
            if error.status != 413:
                raise
            if len(operations) == 1:
                return [Answer(413, error.reason)]
            half = len(operations) // 2
            return self._attempt(operations[:half]) + self._attempt(operations[half:])
        return [_answer(item) for item in found["items"]]

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say in a line what went wrong."""
        try:
            yield
        except ApiError as error:
            raise self._refusal(error) from error
        except ConnectionTimeout as error:
            raise StoreUnavailableError(f"{self.name} did not answer within {_TIMEOUT} seconds") from error
        except SSLError as error:
            raise StoreError(
                f"{self.name} cannot be trusted ({_cause(error)}): name its CA's certificate in SSL_CERT_FILE"
            ) from error
        except ConnectionError as error:
            raise StoreUnavailableError(
                f"{self.name} does not answer ({_cause(error)}): is Elasticsearch running there?"
            ) from error
        except TransportError as error:
            raise StoreError(f"{self.name} answers what mailtrace cannot read: is it Elasticsearch 8 or 9?") from error

    def _refusal(self, error: ApiError) -> StoreError:
        status, reason = error.status_code, _reason(error.body) or str(error.message)
        if status in _BUSY:
            return BusyError(f"{self.name} cannot do it now ({reason}): try again later", status)
        if status == 401:
            return StoreError(f"{self.name} wants a user and a password that it knows: http://USER:PASSWORD@HOST:9200")
        if status == 403:
            return StoreError(f"{self.name} does not allow it: {reason}")
        # A proxy says 413 in its own words.
        stranger = "x-elastic-product" not in error.meta.headers and status != 413
        if stranger or isinstance(error, UnsupportedProductError):
            return StoreError(f"{self.name} is not Elasticsearch: mailtrace needs an Elasticsearch 8 or 9 there")
        if status == 406 or error.message == "media_type_header_exception":
            return StoreError(f"{self.name} is an Elasticsearch that is too old: mailtrace needs 8 or 9")
        return AnswerError(f"{self.name} refuses it: {reason}", status, str(error.message), reason)


def _address(url: str) -> tuple[str, tuple[str, str] | None]:
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
    if parts.username is None:
        return name, None
    return name, (unquote(parts.username), unquote(parts.password or ""))


def _chunks(operations: Sequence[Operation]) -> Iterator[list[Operation]]:
    chunk: list[Operation] = []
    size = 0
    for operation in operations:
        if chunk and (len(chunk) == _BULK_OPERATIONS or size + len(operation.source) > _BULK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(operation)
        size += len(operation.source)
    if chunk:
        yield chunk


def _answer(item: dict[str, dict[str, Any]]) -> Answer:
    (found,) = item.values()
    return Answer(found["status"], _reason(found) if "error" in found else "")


def _reason(body: Any) -> str:
    """The innermost reason that an error gives, in one line."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return " ".join(str(error or "").split())
    for failed in error.get("failed_shards") or ():
        error = failed["reason"]
    reasons: list[str] = []
    while isinstance(error, dict):
        reasons.append(str(error.get("reason") or error.get("type")))
        error = error.get("caused_by")
    return " ".join(": ".join(dict.fromkeys(reasons)).split())


def _cause(error: BaseException) -> str:
    """What the operating system said, else the client."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        cause = cause.__cause__ or cause.__context__
    return " ".join(str(getattr(error, "message", error)).split())
