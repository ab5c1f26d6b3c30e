"""Errors of an Elasticsearch server: each message is one line that says what went wrong and what to do."""

import re
from email.message import Message
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from mailtrace.errors import StoreError, StoreUnavailableError

BUSY: Final = frozenset({429, 502, 503, 504})
"""HTTP statuses after which the same request is worth retrying."""

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
_UNAVAILABLE: Final = frozenset(
    {
        "illegal_index_shard_state_exception",
        "index_shard_closed_exception",
        "no_shard_available_action_exception",
        "node_closed_exception",
        "node_disconnected_exception",
        "node_not_connected_exception",
        "receive_timeout_transport_exception",
        "shard_not_found_exception",
        "unavailable_shards_exception",
    }
)
"""Elasticsearch's types of errors while a shard moves to another node or waits for its own."""
_UNKNOWN_PATH: Final = "no handler found"
_many_shards = re.compile(r"maximum (?:\w+ )?shards open").search
"""Matches what Elasticsearch (`normal shards`), OpenSearch 2 (`shards`) and 3 (`LOCAL_ONLY shards`) say."""
_title = re.compile(r"<title[^<>]{0,100}>([^<]{1,60})", re.IGNORECASE).search


class Reply:
    """An HTTP reply."""

    def __init__(self, status: int, headers: Message, content: bytes) -> None:
        self.status, self.headers, self.content = status, headers, content

    @property
    def is_json(self) -> bool:
        """Whether the reply says that it is JSON."""
        return "json" in str(self.headers.get("content-type"))

    @cached_property
    def body(self) -> Any:
        """The JSON in the reply, or its text; None if it is empty.

        Raises:
            ValueError: it is not the JSON that it says it is.
        """
        if not self.content:
            return None
        return orjson.loads(self.content) if self.is_json else self.content.decode(errors="replace")


class AnswerError(StoreError):
    """The server refused a request."""

    def __init__(self, message: str, status: int, kind: str, reason: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        """Elasticsearch's type of the error."""
        self.reason = reason

    @property
    def is_of_unknown_path(self) -> bool:
        """Whether the server has no such API: a module or plugin is missing."""
        return self.status in (404, 405) or _UNKNOWN_PATH in self.reason


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

    def __init__(self, problem: str, product: str) -> None:
        super().__init__(f"{problem}: is {product} running there?", problem, 503)


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
    if not _many_shards(reason):
        return ""
    return (
        ": raise cluster.max_shards_per_node or delete indices, then run mailtrace-index again (--index-period month"
        " creates fewer indices); what was written is kept"
    )


def _without_link(reason: str) -> str:
    """Return a reason without the link to the manual, and the semicolon, that the server may append."""
    return reason.partition("; for more information")[0].rstrip(";")


def error_of(name: str, reply: Reply) -> StoreError:
    """Return the error for an unsuccessful reply of the server."""
    status, kind = reply.status, _kind_of(reply.body)
    reason = reason_in(reply.body) or kind or f"HTTP status {status}"
    if status in BUSY:
        return BusyError(f"{name} is temporarily unavailable ({reason})", status)
    if status == 401:
        return StoreError(
            f"{name} needs a valid login: set MAILTRACE_USER and MAILTRACE_PASSWORD, or MAILTRACE_API_KEY"
        )
    if status == 403:
        return DeniedError(f"{name} denies this request: {reason}")
    return AnswerError(
        f"{name} refuses the request: {_without_link(reason)}{shard_advice(reason)}", status, kind, reason
    )


def missing_in(body: Any) -> str:
    """Return why an answer is only a part of the whole one: missing shards, a time-out; empty if it is whole."""
    if not isinstance(body, dict):
        return ""
    for document in body.get("docs") or ():  # of an mget request
        if document.get("error", {}).get("type") in _UNAVAILABLE:
            return f"{document['_index']}: {reason_in(document) or document['error']['type']}"
    shards = body.get("_shards") or {}
    if failed := shards.get("failed"):
        reason = reason_in({"error": {"failed_shards": (shards.get("failures") or [])[:1]}})
        return f"{failed} of {shards['total']} shards failed{reason and f': {reason}'}"
    return "a time-out of the cluster has ended the search" if body.get("timed_out") is True else ""


def is_too_old(reply: Reply) -> bool:
    """Return whether Elasticsearch refuses the media type of the request, as version 7 does."""
    return reply.status == 406 or _kind_of(reply.body) == "media_type_header_exception"


def _kind_of(body: Any) -> str:
    """Return the type of an error, or the text of a reply that is not JSON."""
    if not isinstance(body, dict):
        return str(body or "")
    error = body.get("error")
    return str(error.get("type", "") if isinstance(error, dict) else error or "")


def unsupported(name: str, page: Reply | None, unknown: str = "not Elasticsearch") -> StoreError:
    """Return the error for a server that mailtrace does not support, from what its start page says that it is."""
    product = (page and _product(page)) or unknown
    return StoreError(f"{name} is {product}: mailtrace needs Elasticsearch 8 or 9, or OpenSearch 2 or 3")


def opensearch_version(page: Reply) -> str:
    """Return the version that a start page of OpenSearch shows; empty if it is not OpenSearch's."""
    version = _version(page)
    return str(version["number"]) if version.get("distribution") == "opensearch" else ""


def _product(page: Reply) -> str:
    """Return what a start page says that the server is; empty if it does not say."""
    if 300 <= page.status < 400:
        target = urlsplit(str(page.headers.get("location", "")))
        return f"a web server or proxy that redirects to {target.scheme}://{target.hostname}" if target.hostname else ""
    if "html" in str(page.headers.get("content-type")):
        title = _title(str(page.body))
        return "a web server or proxy" + (f' with the page "{" ".join(title[1].split())}"' if title else "")
    version = _version(page)
    if not version:
        return ""
    return f"{'OpenSearch' if opensearch_version(page) else 'Elasticsearch'} {version['number']}"


def _version(page: Reply) -> dict[str, Any]:
    """Return the member `version` of a start page; an empty dictionary if it is not there or has another form."""
    try:
        version = page.body.get("version")
    except (ValueError, AttributeError):
        return {}
    return version if isinstance(version, dict) and isinstance(version.get("number"), str) else {}


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
