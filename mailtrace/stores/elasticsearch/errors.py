"""What goes wrong with an Elasticsearch server, each thing as an error whose text is one line that says what to do."""

import re
from typing import Any, Final
from urllib.parse import urlsplit

from elasticsearch import ApiError, Elasticsearch, TransportError, UnsupportedProductError

from mailtrace.errors import StoreError, StoreUnavailableError

BUSY: Final = frozenset({429, 502, 503, 504})
"""The statuses, as in HTTP, after which the same request is worth another try."""

_NEEDED: Final = "mailtrace needs an Elasticsearch 8 or 9 there"
_DOCUMENTS_FAULT: Final = frozenset(
    {
        "document_parsing_exception",
        "mapper_parsing_exception",
        "illegal_argument_exception",
        "parsing_exception",
        "parse_exception",
        "x_content_parse_exception",
        "not_x_content_exception",
        "strict_dynamic_mapping_exception",
    }
)
"""Elasticsearch's names of what is wrong with one document; all else is the index's or the server's."""
_MANY_SHARDS: Final = "maximum normal shards open"
_title = re.compile(r"<title[^<>]{0,100}>([^<]{1,60})", re.IGNORECASE).search


class AnswerError(StoreError):
    """The server has refused a request."""

    def __init__(self, message: str, status: int, kind: str, reason: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        """Elasticsearch's name for the error."""
        self.reason = reason


class DeniedError(StoreError):
    """Its user may not do what is asked."""


class BusyError(StoreUnavailableError):
    """The server has too much to do, or one of its parts is not there yet."""

    def __init__(self, what: str, status: int) -> None:
        super().__init__(f"{what}: try again later")
        self.what = what
        """The message without what to do."""
        self.status = status


class LostError(StoreUnavailableError):
    """The server does not answer: it is not there, or goes away or comes up just now."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}: is Elasticsearch running there?")
        self.what = what
        """The message without what to do."""
        self.status = 503


def is_documents_fault(status: int, kind: str) -> bool:
    """Return whether a document cannot be stored, whatever is done to the server and its indices."""
    return status == 413 or (status == 400 and kind in _DOCUMENTS_FAULT)


def advice(index: str, kind: str, reason: str) -> str:
    """Return what to do about an index that is not written to, as a message's end; empty where nobody knows."""
    if kind == "index_closed_exception":
        return f": open it with POST /{index}/_open, or delete it, and run mailtrace-index again"
    if kind == "cluster_block_exception" and "read-only-allow-delete" in reason.replace(
        " / allow delete", "-allow-delete"
    ):
        return ": a disk is too full: make room, and run mailtrace-index again"
    if kind == "cluster_block_exception":
        return f": an administrator has blocked {index}: lift the block, and run mailtrace-index again"
    return shard_advice(reason)


def shard_advice(reason: str) -> str:
    """Return what to do where the reason is that the cluster is full of shards; else nothing."""
    if _MANY_SHARDS not in reason:
        return ""
    return ": --index-period month needs fewer, or raise cluster.max_shards_per_node; what was written is kept"


def _in_short(reason: str) -> str:
    """A reason without the pages to read that a server adds to some."""
    return reason.partition("; for more information")[0]


def refusal(name: str, client: Elasticsearch, error: ApiError) -> StoreError:
    """Return the error for an answer that is none of success."""
    status, reason = error.status_code, reason_in(error.body) or str(error.message)
    if status in BUSY:
        return BusyError(f"{name} cannot do it now ({reason})", status)
    if status == 401:
        return StoreError(
            f"{name} wants to know who you are: set MAILTRACE_USER and MAILTRACE_PASSWORD, or MAILTRACE_API_KEY,"
            " to what it knows"
        )
    if status == 403:
        return DeniedError(f"{name} does not allow it: {reason}")
    is_old = status == 406 or error.message == "media_type_header_exception"
    # A proxy says 413 in its own words.
    is_stranger = "x-elastic-product" not in error.meta.headers and status != 413
    what = "not Elasticsearch" if is_stranger else "an Elasticsearch that is too old"
    if is_stranger or is_old or isinstance(error, UnsupportedProductError):
        return StoreError(f"{name} is {_what_is(client) or what}: {_NEEDED}")
    return AnswerError(
        f"{name} refuses it: {_in_short(reason)}{shard_advice(reason)}", status, str(error.message), reason
    )


def _what_is(client: Elasticsearch) -> str:
    """What a server says that it is, when it is asked as any browser would; empty where it does not say."""
    try:
        answer = client.transport.perform_request("GET", "/", headers={"accept": "application/json"})
    except TransportError:
        return ""
    headers, body = answer.meta.headers, answer.body
    if 300 <= answer.meta.status < 400:
        place = urlsplit(str(headers.get("location", "")))
        return f"a web server or proxy that sends you to {place.scheme}://{place.hostname}" if place.hostname else ""
    if isinstance(body, str) and "html" in str(headers.get("content-type")):
        title = _title(body)
        return "a web server or proxy" + (f' with the page "{" ".join(title[1].split())}"' if title else "")
    version = body.get("version") if isinstance(body, dict) else None
    if not isinstance(version, dict) or not isinstance(version.get("number"), str):
        return ""
    product = "OpenSearch" if version.get("distribution") == "opensearch" else "Elasticsearch"
    return f"{product} {version['number']}"


def reason_in(body: Any) -> str:
    """Return the innermost reason that an error gives, in one line."""
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


def cause_of(error: BaseException) -> str:
    """Return what the operating system said of a lost connection, else what the client did."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        cause = cause.__cause__ or cause.__context__
    return " ".join(str(getattr(error, "message", error)).split())
