"""Read all hits of a search, page by page, in the order of a field that has each value once."""

from collections.abc import Iterator
from typing import Any, Final

from mailtrace.stores.elasticsearch.client import Server

_PAGE: Final = 1000


def pages_of(
    server: Server, index: str, query: dict[str, Any], field: str, source: list[str], *, counts: bool = False
) -> Iterator[list[dict[str, Any]]]:
    """Yield the hits, with their versions and these members, in the order of a keyword field; none without the index.

    `counts` makes the server count them all.
    """
    body: dict[str, Any] = {
        "query": query,
        "sort": [{field: {"order": "asc", "unmapped_type": "keyword"}}],
        "size": _PAGE,
        "_source": source,
        "seq_no_primary_term": True,
        "track_total_hits": counts,
    }
    while True:
        answer = server.ask_until_answered(
            "POST",
            f"/{index}/_search",
            body,
            ignore_unavailable=True,  # retention may delete it meanwhile
            allow_partial_search_results=False,
        )
        hits = answer["hits"]["hits"]
        if hits:
            yield hits
        if len(hits) < _PAGE:
            return
        body["search_after"] = hits[-1]["sort"]
