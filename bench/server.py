"""An Elasticsearch server, spoken to with nothing in between: the bench's measure of what it can take."""

from contextlib import suppress
from http.client import HTTPConnection
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

_TIMEOUT: Final = 600


class RefusedError(SystemExit):
    """The server has refused a request, which ends the bench."""


class Server:
    """One connection to the server at a URL: `http` and without a password, as a server for tests is."""

    def __init__(self, url: str) -> None:
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=_TIMEOUT)

    def ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        """Return the answer to a request.

        Raises:
            RefusedError: the server refuses it.
        """
        kind = "application/x-ndjson" if "_bulk" in path else "application/json"
        self._connection.request(method, path, body, {"Content-Type": kind})
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise RefusedError(f"{method} {path}: {answer.status} {text[:500].decode('utf-8', 'replace')}")
        return orjson.loads(text) if text else {}

    def indices(self, prefix: str) -> list[str]:
        """Return the indices of a prefix."""
        found = self.ask("GET", "/_cluster/state/metadata?filter_path=metadata.indices.*.state")
        names = found.get("metadata", {}).get("indices", {})
        return [name for name in names if name.startswith((f"{prefix}-", f"{prefix}_"))]

    def clear(self, prefix: str) -> None:
        """Delete the indices of a prefix; its template and its policy stay."""
        for index in self.indices(prefix):
            self.ask("DELETE", f"/{index}")

    def remove(self, *paths: str) -> None:
        """Delete what stands under these paths, where it is there and the server knows of such things."""
        for path in paths:
            with suppress(RefusedError):
                self.ask("DELETE", path)
