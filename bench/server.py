"""Talk to an Elasticsearch server over plain HTTP, to measure its limit without a client library."""

from contextlib import suppress
from http.client import HTTPConnection
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

_TIMEOUT: Final = 600


class RefusedError(SystemExit):
    """The server refused a request; this ends the benchmark."""


class Server:
    """A connection to a test server, or to the first of several URLs: `http`, without a password."""

    def __init__(self, url: str) -> None:
        self._connection = HTTPConnection(urlsplit(url.partition(",")[0]).netloc, timeout=_TIMEOUT)

    def ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        """Return the response to a request, parsed.

        Raises:
            RefusedError: the status is 400 or higher.
        """
        kind = "application/x-ndjson" if "_bulk" in path else "application/json"
        self._connection.request(method, path, body, {"Content-Type": kind})
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise RefusedError(f"{method} {path}: {answer.status} {text[:500].decode('utf-8', 'replace')}")
        return orjson.loads(text) if text else {}

    def indices(self, prefix: str) -> list[str]:
        """Return the names of the indices with a prefix."""
        found = self.ask("GET", "/_cluster/state/metadata?filter_path=metadata.indices.*.state")
        names = found.get("metadata", {}).get("indices", {})
        return [name for name in names if name.startswith((f"{prefix}-", f"{prefix}_"))]

    def clear(self, prefix: str) -> None:
        """Delete the indices with a prefix, but not its template and policy."""
        for index in self.indices(prefix):
            self.ask("DELETE", f"/{index}")

    def remove(self, *paths: str) -> None:
        """Delete these paths, and ignore those that the server does not have."""
        for path in paths:
            with suppress(RefusedError):
                self.ask("DELETE", path)
