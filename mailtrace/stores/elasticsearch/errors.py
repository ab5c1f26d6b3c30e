"""Errors of an Elasticsearch server: each message is one line that says what went wrong and what to do."""

import re
from typing import Any, Final
from urllib.parse import urlsplit

from elasticsearch import ApiError, Elasticsearch, TransportError, UnsupportedProductError

from mailtrace.errors import StoreError, StoreUnavailableError

BUSY: Final = frozenset({429, 502, 503, 504})
"""HTTP statuses after which the same request is worth retrying."""

_NEEDED: Final = "mailtrace needs Elasticsearch 8 or 9"
_DOCUMENT_ERRORS: Final = frozenset(
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
"""Elasticsearch's types of errors in one document; all others concern the index or the server."""
_MANY_SHARDS: Final = "maximum normal shards open"
_title = re.compile(r"<title[^<>]{0,100}>([^<]{1,60})", re.IGNORECASE).search


class AnswerError(StoreError):
    """The server refused a request."""

    def __init__(self, message: str, status: int, kind: str, reason: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        """Elasticsearch's type of the error."""
        self.reason = reason


class DeniedError(StoreError):
    """The user lacks a privilege."""


class RetryableError(StoreUnavailableError):
    """The server cannot answer a request now, but may answer the same request later."""

    def __init__(self, message: str, problem: str, status: int) -> None:
        super().__init__(message)
        self.problem = problem
        """The message without the advice."""
        self.status = status


class BusyError(RetryableError):
    """The server is overloaded, or a part of it is not available yet."""

    def __init__(self, problem: str, status: int) -> None:
        super().__init__(f"{problem}: try again later", problem, status)


class LostError(RetryableError):
    """The server does not answer: it is down, or just stopping or starting."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem}: is Elasticsearch running there?", problem, 503)


def is_document_error(status: int, kind: str) -> bool:
    """Return whether the document itself is the cause, so that no change to the server or index would help."""
    return status == 413 or (status == 400 and kind in _DOCUMENT_ERRORS)


def advice(index: str, kind: str, reason: str) -> str:
    """Return what to do about an index that cannot be used, as the end of a message; empty if unknown."""
    if kind == "index_closed_exception":
        return f": open it with POST /{index}/_open, or delete it, then run mailtrace-index again"
    if kind == "cluster_block_exception" and "read-only-allow-delete" in reason.replace(
        " / allow delete", "-allow-delete"
    ):
        return ": a disk of the server is too full: free some space, then run mailtrace-index again"
    if kind == "cluster_block_exception":
        return f": an administrator has blocked {index}: remove the block, then run mailtrace-index again"
    return shard_advice(reason)


def shard_advice(reason: str) -> str:
    """Return what to do if the cluster has reached its limit of shards; otherwise an empty text."""
    if _MANY_SHARDS not in reason:
        return ""
    return (
        ": raise cluster.max_shards_per_node or delete indices, then run mailtrace-index again (--index-period month"
        " creates fewer indices); what was written is kept"
    )


def _without_link(reason: str) -> str:
    """Return a reason without the link to the manual that the server may append."""
    return reason.partition("; for more information")[0]


def error_of(name: str, client: Elasticsearch, error: ApiError) -> StoreError:
    """Return the error for an unsuccessful answer; ask an unexpected server what it is."""
    status, reason = error.status_code, reason_in(error.body) or str(error.message)
    if status in BUSY:
        return BusyError(f"{name} is temporarily unavailable ({reason})", status)
    if status == 401:
        return StoreError(
            f"{name} needs a valid login: set MAILTRACE_USER and MAILTRACE_PASSWORD, or MAILTRACE_API_KEY"
        )
    if status == 403:
        return DeniedError(f"{name} denies this request: {reason}")
    is_old = status == 406 or error.message == "media_type_header_exception"
    # A proxy may answer 413 without the header of Elasticsearch.
    is_foreign = "x-elastic-product" not in error.meta.headers and status != 413
    unknown = "not Elasticsearch" if is_foreign else "too old an Elasticsearch"
    if is_foreign or is_old or isinstance(error, UnsupportedProductError):
        return StoreError(f"{name} is {_product(client) or unknown}: {_NEEDED}")
    return AnswerError(
        f"{name} refuses the request: {_without_link(reason)}{shard_advice(reason)}", status, str(error.message), reason
    )


def _product(client: Elasticsearch) -> str:
    """Return what the server's start page says that it is, as a browser would see it; empty if it does not say."""
    try:
        answer = client.transport.perform_request("GET", "/", headers={"accept": "application/json"})
    except TransportError:
        return ""
    headers, body = answer.meta.headers, answer.body
    if 300 <= answer.meta.status < 400:
        target = urlsplit(str(headers.get("location", "")))
        return f"a web server or proxy that redirects to {target.scheme}://{target.hostname}" if target.hostname else ""
    if isinstance(body, str) and "html" in str(headers.get("content-type")):
        title = _title(body)
        return "a web server or proxy" + (f' with the page "{" ".join(title[1].split())}"' if title else "")
    version = body.get("version") if isinstance(body, dict) else None
    if not isinstance(version, dict) or not isinstance(version.get("number"), str):
        return ""
    product = "OpenSearch" if version.get("distribution") == "opensearch" else "Elasticsearch"
    return f"{product} {version['number']}"


def reason_in(body: Any) -> str:
    """Return the reasons in an error's JSON, from the outermost to the innermost, in one line."""
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
    """Return the operating system's reason for a failed connection, or else the client's."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        cause = cause.__cause__ or cause.__context__
    return " ".join(str(getattr(error, "message", error)).split())
