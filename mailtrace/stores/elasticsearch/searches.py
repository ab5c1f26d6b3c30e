"""Search a server, page by page, however many documents match."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any, Final

from mailtrace.errors import StoreError, StoreMissingError
from mailtrace.message.document import Document
from mailtrace.message.transaction import Key
from mailtrace.search.query import Query, matches
from mailtrace.stores.elasticsearch.client import Server
from mailtrace.stores.elasticsearch.errors import AnswerError
from mailtrace.stores.elasticsearch.indices import Indices
from mailtrace.stores.elasticsearch.mapping import PRIVATE
from mailtrace.stores.elasticsearch.pages import pages_of
from mailtrace.stores.elasticsearch.query import Clause, Conditions, of_keys, of_keys_lacking_beginning, sort_of
from mailtrace.stores.elasticsearch.rows import LINES, document_of

_PAGE: Final = 1000
_KEEP_ALIVE: Final = "5m"
"""How long the server keeps the state of a search between two pages; a slower reader continues with a new state."""
_SPANS: Final = 4
"""A page is searched in a time this much longer than the one before it spans."""


class Searches:
    """Searches in all indices with a prefix. A search fails if a shard is missing: no result is silently incomplete."""

    def __init__(self, server: Server, indices: Indices) -> None:
        self._server = server
        self._indices = indices

    def documents(self, query: Query, *, packed: bool | None = None, early: bool = False) -> Iterator[Document]:
        """Return the documents that match, in the query's order; `packed` and `early` as in `Conditions`.

        Raises:
            StoreMissingError: nothing has been indexed here.
            StoreError: as `Server.ask`.
        """
        try:
            limit = None if query.compares_results else query.limit
            found = self._pages(Conditions(query, packed=packed, early=early), query, limit)
            yield from islice(
                (each for each in found if not query.compares_results or matches(query, each)), query.limit
            )
        except AnswerError as error:
            if not is_too_complex(error):
                raise
            candidates = self._pages(Conditions(query, globs=False, packed=packed, early=early), query, None)
            yield from islice((found for found in candidates if matches(query, found)), query.limit)

    def count(self, query: Query) -> int:
        """Return how many documents match, whatever the limit."""
        if query.compares_results:
            return sum(1 for _ in self.documents(replace(query, limit=None)))
        try:
            answer = self._ask(query=Conditions(query).of_documents(), size=0, track_total_hits=True)
        except AnswerError as error:
            if not is_too_complex(error):
                raise
            return sum(1 for _ in self.documents(replace(query, limit=None)))
        return int(answer["hits"]["total"]["value"])

    def aggregate(self, conditions: Conditions, wanted: dict[str, Any]) -> dict[str, Any]:
        """Return Elasticsearch's aggregations of the documents that match.

        Raises:
            AnswerError: the server refuses them.
        """
        answer = self._ask(query=conditions.of_documents(), aggregations=wanted, size=0, track_total_hits=False)
        found: dict[str, Any] = answer["aggregations"]
        return found

    def size(self, index: str) -> int:
        """Return how many documents an index holds."""
        everything = {"query": Conditions(Query()).of_documents(), "size": 0, "track_total_hits": True}
        answer = self._server.ask_until_answered("POST", f"/{index}/_search", everything)
        return int(answer["hits"]["total"]["value"])

    def of_keys(self, keys: Sequence[Key]) -> Iterator[dict[str, Any]]:
        """Return the hits, with their versions, of all transactions with these keys, including stubs."""
        return self._hits(of_keys(keys), LINES)

    def slices(self, indices: Iterable[str]) -> Iterator[Sequence[dict[str, Any]]]:
        """Yield the hits of everything in these indices in pages, each in the order of the IDs."""
        for index in indices:
            yield from pages_of(self._server, index, {"match_all": {}}, "id", LINES)

    def lacking_beginning(self, keys: Sequence[Key]) -> set[Key]:
        """Return the keys that have a transaction whose beginning may be missing."""
        found = self._hits(of_keys_lacking_beginning(keys), ["host", "transaction"])
        return {(hit["_source"]["host"], hit["_source"]["transaction"]) for hit in found}

    def _hits(self, condition: Clause, source: list[str]) -> Iterator[dict[str, Any]]:
        for page in pages_of(self._server, self._indices.pattern, condition, "id", source):
            yield from page

    def _pages(self, conditions: Conditions, query: Query, limit: int | None) -> Iterator[Document]:
        """Return the documents: few by one request, many in pages of one point in time."""
        body = {
            "query": conditions.of_documents(),
            "sort": sort_of(query),
            "_source": {"excludes": [name for name in PRIVATE if not (query.with_lines and name in LINES)]},
            "track_total_hits": False,
        }
        if limit is not None and limit <= _PAGE:
            hits = self._ask(**body, size=limit)["hits"]["hits"]
        else:
            hits = self._all(body)
        return map(partial(document_of, with_lines=query.with_lines), hits)

    def _all(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield all hits; the server finds a page while the one before is used."""
        pit = self._open()
        if not pit:
            return
        try:
            with ThreadPoolExecutor(1, "page") as ahead:
                asked = body
                page = ahead.submit(self._page, pit, asked)
                while True:
                    try:
                        pit, hits = page.result()
                    except AnswerError as error:
                        if error.status != 404:
                            raise
                        if not (pit := self._open()):
                            return
                        page = ahead.submit(self._page, pit, asked)
                        continue
                    following = _following(body, asked, hits)
                    if following:
                        asked = following
                        page = ahead.submit(self._page, pit, asked)
                    yield from hits
                    if not following:
                        return
        finally:
            if pit:
                with suppress(StoreError):
                    self._server.ask(*self._server.dialect.close_snapshot(pit))

    def _open(self) -> str | None:
        """Open a point in time and return its ID; None if there is no index to search."""
        dialect = self._server.dialect
        try:
            answer = self._server.ask_with_retries(*dialect.open_snapshot(self._indices.pattern, _KEEP_ALIVE))
        except AnswerError as error:
            if not dialect.matches_no_index(error):
                raise
            answer = {"_shards": {"total": 0}}
        self._require_indexed(answer)
        return dialect.snapshot_of(answer) if answer["_shards"]["total"] else None

    def _page(self, pit: str, body: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
        """Return the next hits, and the ID that the point in time has from now on."""
        body = {"pit": {"id": pit, "keep_alive": _KEEP_ALIVE}, "size": _PAGE, **body}
        answer = self._server.ask_with_retries("POST", "/_search", body, allow_partial_search_results=False)
        return answer.get("pit_id", pit), answer["hits"]["hits"]

    def _ask(self, **body: Any) -> Any:
        answer = self._server.ask_with_retries(
            "POST",
            f"/{self._indices.pattern}/_search",
            body,
            allow_partial_search_results=False,
            # Skip shards without documents of the query's days, even if there are few shards and nothing is sorted.
            pre_filter_shard_size=1,
        )
        self._require_indexed(answer)
        return answer

    def _require_indexed(self, answer: Any) -> None:
        """Raise an error if there is nothing to search, unless the indexer found no mail or all of it has expired."""
        if answer["_shards"]["total"]:
            return
        path = f"/{self._indices.checkpoints}"
        if not self._server.ask("GET", path, ignore_unavailable=True, filter_path="*.settings.index.uuid"):
            raise StoreMissingError(f"nothing has been indexed at {self._server.name}: run mailtrace-index first")


def _following(body: dict[str, Any], asked: dict[str, Any], hits: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the request for the page after these hits of `asked`; None if they were the last. `body` came first.

    It asks for documents of a limited time, or for all that are left if the time of `asked` held less than a page: for
    each page, the server compares the IDs of nearly all documents that are left in the time that it searches.
    """
    following = {**asked, "query": body["query"]}
    if hits:
        # The last sort value is only valid in this point in time, and a new one may be needed.
        following["search_after"] = hits[-1]["sort"][: len(body["sort"])]
    if len(hits) == _PAGE:
        first, last = (int(hit["sort"][0]) for hit in (hits[0], hits[-1]))
        since, until = sorted((last, last + _SPANS * (last - first)))
        # Not `lte`: as in `Conditions.of_documents`.
        within = {"range": {"search.date": {"gte": since, "lt": until + 1}}}
        following["query"] = {"bool": {"filter": [body["query"], within]}}
        return following
    return None if asked["query"] is body["query"] else following


def is_too_complex(error: AnswerError) -> bool:
    """Return whether a pattern is too complex for Lucene: too long, or with too many ways to match (`*a???????????b*`).

    Lucene's reasons are `Determinizing automaton with ... would require more than 10000 effort` and `input automaton is
    too large`.
    """
    return error.status == 400 and "automaton" in error.reason
