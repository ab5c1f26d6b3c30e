"""Keep checkpoints on an Elasticsearch server, in an index of their own that no lifecycle policy deletes."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from typing import Any, Final

from mailtrace.errors import StoreError
from mailtrace.logs.checkpoint import Checkpoint
from mailtrace.stores.elasticsearch.bulk import Bulk, Operation
from mailtrace.stores.elasticsearch.client import Server
from mailtrace.stores.elasticsearch.pages import pages_of
from mailtrace.stores.elasticsearch.setup import create
from mailtrace.stores.elasticsearch.template import checkpoints_index

_MEMBERS: Final = frozenset(field.name for field in fields(Checkpoint))


class Checkpoints:
    """The checkpoints in an index, each as JSON in a single string because paths need not be valid UTF-8."""

    def __init__(self, server: Server, bulk: Bulk, index: str) -> None:
        self._server, self._bulk = server, bulk
        self._index = index

    def save(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Save checkpoints, each replacing the previous one of its log.

        Raises:
            StoreError: the server refuses them or does not answer.
        """
        if checkpoints:
            self._create_if_deleted()
        self._apply(
            [Operation({"index": {"_index": self._index, "_id": one.log}}, _source(one)) for one in checkpoints]
        )

    def _create_if_deleted(self) -> None:
        """Create the index if an administrator has deleted it: a write would create it without its mapping."""
        if not self._server.ask_until_answered("GET", f"/{self._index}/_mapping", ignore_unavailable=True):
            create(self._server, self._index, checkpoints_index())

    def delete(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Delete checkpoints."""
        self._apply([Operation({"delete": {"_index": self._index, "_id": one.log}}) for one in checkpoints])

    def load(self) -> list[Checkpoint]:
        """Return all checkpoints; an empty list if the index does not exist."""
        return [_checkpoint(hit["_source"]["checkpoint"]) for hit in self._hits({"match_all": {}})]

    def versions(self) -> dict[str, Any]:
        """Return the `_meta` with the versions of what is stored (`template.versions`); empty without an index."""
        answer = self._server.ask_with_retries("GET", f"/{self._index}/_mapping", ignore_unavailable=True)
        found = (state["mappings"].get("_meta", {}) for state in answer.values())
        return next(map(dict, found), {})

    def set_versions(self, versions: dict[str, Any]) -> None:
        """Record the versions of what is stored."""
        self._server.ask_until_answered("PUT", f"/{self._index}/_mapping", {"_meta": versions})

    def prune(self, before: float) -> None:
        """Delete checkpoints last saved before a time, in seconds since 1970, unless another run saves them again."""
        self._apply(
            [
                Operation(
                    {
                        "delete": {
                            "_index": hit["_index"],
                            "_id": hit["_id"],
                            "if_seq_no": hit["_seq_no"],
                            "if_primary_term": hit["_primary_term"],
                        }
                    }
                )
                for hit in self._hits({"range": {"saved": {"lt": before}}})
            ]
        )

    def _hits(self, query: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the checkpoints page by page, in an order that does not change when one is saved meanwhile."""
        self._server.ask_until_answered("POST", f"/{self._index}/_refresh", ignore_unavailable=True)
        # Without counting, OpenSearch 3.8 finds nothing if no checkpoint has the field of the sort.
        for page in pages_of(self._server, self._index, query, "log", ["checkpoint"], counts=True):
            yield from page

    def _apply(self, operations: Sequence[Operation]) -> None:
        for answer in self._bulk.send(operations):
            if answer.status >= 400 and answer.status not in (404, 409):
                raise StoreError(f"{self._server.name} cannot save checkpoints: {answer.reason}")


def _source(checkpoint: Checkpoint) -> bytes:
    """Return the document of a checkpoint: in ASCII, so that lone surrogates (undecodable bytes) survive."""
    shown = {
        "log": checkpoint.log,
        "path": checkpoint.path.encode("utf-8", "backslashreplace").decode(),
        "offset": checkpoint.offset,
        "saved": checkpoint.saved,
        "checkpoint": json.dumps(asdict(checkpoint)),
    }
    return json.dumps(shown).encode()


def _checkpoint(text: str) -> Checkpoint:
    """Return the checkpoint of a JSON text, without members that only a newer version knows."""
    return Checkpoint(**{name: value for name, value in json.loads(text).items() if name in _MEMBERS})
