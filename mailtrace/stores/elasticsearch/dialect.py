"""What differs between Elasticsearch and OpenSearch in requests and answers. The rest of the store knows one server.

What is the same on both, though only one of them would need it in this form, has a comment where it is written.
"""

from typing import Any, Protocol, TypeAlias

from mailtrace.stores.elasticsearch.errors import AnswerError, Reply

Request: TypeAlias = tuple[str, str, Any]
"""Method, path and body."""


class Dialect(Protocol):
    """How a server wants requests, and what its answers mean."""

    name: str
    """The product."""
    json: str
    """The media type of requests."""
    ndjson: str
    """The media type of bulk requests."""
    writes_create_indices: bool
    """Whether a write creates a missing index although the index template forbids it."""
    has_array_limit: bool
    """Whether the server may have the setting `ARRAY_OBJECTS`."""

    def is_foreign(self, reply: Reply) -> bool:
        """Return whether an unsuccessful reply is not the server's but that of a proxy, for example."""

    def open_snapshot(self, pattern: str, keep_alive: str) -> Request:
        """Return the request that opens a point in time of all indices with a pattern."""

    def snapshot_of(self, answer: dict[str, Any]) -> str:
        """Return the ID of the point in time from that request's answer."""

    def close_snapshot(self, snapshot: str) -> Request:
        """Return the request that closes a point in time."""

    def matches_no_index(self, error: AnswerError) -> bool:
        """Return whether a point in time was refused because no index has the pattern."""

    def template(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the index template as the server accepts it."""


class Elasticsearch:
    """Elasticsearch 8 and 9."""

    name = "Elasticsearch"
    json = "application/vnd.elasticsearch+json; compatible-with=8"
    ndjson = "application/vnd.elasticsearch+x-ndjson; compatible-with=8"
    writes_create_indices = False
    has_array_limit = True

    def is_foreign(self, reply: Reply) -> bool:
        """Return whether the header that Elasticsearch sends with every reply is missing."""
        return "x-elastic-product" not in reply.headers

    def open_snapshot(self, pattern: str, keep_alive: str) -> Request:
        """Return the request that opens a point in time."""
        return "POST", f"/{pattern}/_pit?keep_alive={keep_alive}", None

    def snapshot_of(self, answer: dict[str, Any]) -> str:
        """Return the ID of the point in time."""
        return str(answer["id"])

    def close_snapshot(self, snapshot: str) -> Request:
        """Return the request that closes a point in time."""
        return "DELETE", "/_pit", {"id": snapshot}

    def matches_no_index(self, _: AnswerError) -> bool:
        """Return False: Elasticsearch opens an empty point in time."""
        return False

    def template(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the template as it is."""
        return body


class OpenSearch:
    """OpenSearch 2 and 3."""

    name = "OpenSearch"
    json = "application/json"
    ndjson = "application/x-ndjson"
    writes_create_indices = True
    has_array_limit = False

    def is_foreign(self, reply: Reply) -> bool:
        """Return whether the reply is not JSON: no header names the product."""
        return not reply.is_json

    def open_snapshot(self, pattern: str, keep_alive: str) -> Request:
        """Return the request that opens a point in time, and fails if a shard is missing."""
        path = f"/{pattern}/_search/point_in_time?keep_alive={keep_alive}&allow_partial_pit_creation=false"
        return "POST", path, None

    def snapshot_of(self, answer: dict[str, Any]) -> str:
        """Return the ID of the point in time."""
        return str(answer["pit_id"])

    def close_snapshot(self, snapshot: str) -> Request:
        """Return the request that closes a point in time."""
        return "DELETE", "/_search/point_in_time", {"pit_id": [snapshot]}

    def matches_no_index(self, error: AnswerError) -> bool:
        """Return whether a point in time was refused because no index has the pattern."""
        return error.status == 400 and "invalid id: [null]" in error.reason

    def template(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the template without the member that OpenSearch does not know."""
        return {name: value for name, value in body.items() if name != "allow_auto_create"}
