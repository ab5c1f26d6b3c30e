"""The mapping of an index: how the server finds, groups and sorts the members of a document.

A stored document has the public members under their own names, without those that are null and those of a recipient
result that say nothing new (`values.restored`). Beside them are private ones: `id`, `stub`, `headless`, `lines`,
`mark` (which write it is from), `packed` (the whole document, if searches compare other members than its own;
`is_packed` marks one whose results are merged), in results `domain` and `reason`, and in `search` the values that
queries compare and group by. Most of these are not sent: they are aliases of other members, or the server copies them.
It folds what it indexes with the normalizer `lowercase`, which folds ASCII as Python does.

Some members are also available under their names in the Elastic Common Schema (reference, "Email", "Source" and "Host"
fields).
"""

from collections.abc import Iterable
from typing import Any, Final

from mailtrace.message.fields import DOCUMENT, RECIPIENT_RESULT, Field

PRIVATE: Final = (
    *("id", "stub", "headless", "start", "line", "lines", "facts", "mark", "search"),
    *("to.search", "to.domain", "to.reason"),
)
"""The members that are not part of the public document, which searches leave out; some are of earlier layouts."""

EXACT: Final = {"type": "keyword"}
_FOUND: Final = {"type": "keyword", "doc_values": False}
_FOLDED: Final = {"type": "keyword", "normalizer": "lowercase"}
"""For what is searched, grouped by and counted, regardless of case."""
_SEARCHED: Final = {**_FOLDED, "doc_values": False}
_SHOWN: Final = {**_FOLDED, "index": False}
"""For what people group and filter by: without an index, filters read the column of values."""
UNCUT: Final = {"type": "keyword", "index": False, "ignore_above": 8191}
"""The same for values that documents do not cut, and that only a forged line could make too long."""
UNSEARCHED: Final = {"type": "keyword", "index": False, "doc_values": False}
_GROUPED: Final = {"type": "keyword", "index": False}
MICROSECONDS: Final = {"type": "date", "format": "epoch_millis"}
"""Microseconds since 1970, stored as if they were milliseconds. The server can skip the shards that hold nothing of a
time span only for dates, and its dates with nanoseconds end in 2262, while a forged line may have a later year."""
_TIME: Final = {"type": "date_nanos", "ignore_malformed": True}
_NUMBER: Final = {"type": "long", "index": False, "ignore_malformed": True}


def alias(path: str) -> dict[str, str]:
    """Return an alias of a field; Elasticsearch accepts one of a nested field only within that field, under `to`."""
    return {"type": "alias", "path": path}


def within(**properties: dict[str, Any]) -> dict[str, Any]:
    """Return the mapping of an object."""
    return {"properties": properties}


def _copied(field: dict[str, Any], target: str) -> dict[str, Any]:
    return {**field, "copy_to": target}


BY_KIND: Final[dict[str, dict[str, Any]]] = {
    "date": {**_TIME, "index": False},
    "integer": _NUMBER,
    "number": {"type": "double", "index": False, "ignore_malformed": True},
    "boolean": {"type": "boolean"},
    "recipient results": {"type": "nested"},
}
TEXTS: Final[dict[str, dict[str, Any]]] = {
    "folded": _SHOWN,
    "exact": _FOUND,
    "uncut": UNCUT,
    "address": {"type": "ip", "ignore_malformed": True},
}


def mappings_of(
    fields: Iterable[Field], texts: dict[str, dict[str, Any]], by_kind: dict[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return the mappings of public members by their names: of texts by how they are kept, of others by their kind."""
    return {field.name: texts[field.kept] if field.kind == "text" else by_kind[field.kind] for field in fields}


_RESULT: Final[dict[str, Any]] = {
    **mappings_of(RECIPIENT_RESULT, TEXTS, BY_KIND),
    "recipient": _copied(_SHOWN, "to.search.addresses"),
    "orig_to": _copied(_SHOWN, "to.search.addresses"),
    "relay": _copied(_SHOWN, "to.search.relays"),
    "relay_host": _copied(_SHOWN, "to.search.relays"),
    "relay_ip": _copied(TEXTS["address"], "to.search.relays"),
    "status": _SEARCHED,
    "outcome": EXACT,
    "queued_as": _copied(_SHOWN, "search.links"),
    "reason": _GROUPED,
    "domain": _copied(_GROUPED, "to.search.domains"),
    "search": within(
        addresses=_SEARCHED,
        domains=_FOUND,
        recipient=alias("to.recipient"),
        domain=alias("to.domain"),
        relays=_SEARCHED,
        relay_ips=_FOUND,
        relay=alias("to.relay_host"),
        status=alias("to.status"),
        reason=alias("to.reason"),
        delay={"type": "long", "index": False},  # of earlier mappings only: queries name both
    ),
    "email": within(to=within(address=alias("to.recipient"))),
    "destination": within(domain=alias("to.relay_host"), ip=alias("to.relay_ip")),
}
_DOCUMENT: Final[dict[str, Any]] = {
    **mappings_of(DOCUMENT, TEXTS, BY_KIND),
    "host": {**_copied(EXACT, "search.hosts"), "fields": {"name": EXACT}},
    "mta": EXACT,
    "date": _TIME,
    "from": _FOLDED,
    "client": _copied(_SHOWN, "search.clients"),
    "client_ip": _copied(TEXTS["address"], "search.clients"),
    "login": _FOLDED,
    "msgid": _SEARCHED,
    "origin": _copied(_SHOWN, "search.links"),
    "to": {"type": "nested", "properties": _RESULT},
    "id": _GROUPED,
    "stub": {"type": "boolean"},
    "headless": {"type": "boolean"},
    "lines": {"type": "binary"},
    "packed": UNSEARCHED,
    "is_packed": {"type": "boolean"},
    "search": within(
        **{"from": alias("from")},
        date=MICROSECONDS,
        from_domain=EXACT,
        msgid=alias("msgid"),
        links=_FOUND,
        clients=_SEARCHED,
        client_ips=_FOUND,
        client=alias("client"),
        login=alias("login"),
        hosts=_FOUND,
    ),
    "@timestamp": alias("date"),
    "email": within(**{"from": within(address=alias("from")), "message_id": alias("msgid")}),
    "source": within(address=alias("client"), ip=alias("client_ip")),
}
"""`host.name` is a subfield, since `host` is a value and cannot contain an alias."""


def mapping() -> dict[str, Any]:
    """Return the mapping of a document."""
    return {"dynamic": False, "properties": _DOCUMENT}
