"""The mapping of indices that an earlier mailtrace created, which are written and searched until they expire.

Their fields in `search` are not aliases of public members, so all values that queries compare are sent
(`values.with_all_values`). Queries are the same as for other indices.
"""

from typing import Any, Final

from mailtrace.message.fields import DOCUMENT, RECIPIENT_RESULT
from mailtrace.stores.elasticsearch.mapping import (
    BY_KIND,
    EXACT,
    MICROSECONDS,
    TEXTS,
    UNSEARCHED,
    alias,
    mappings_of,
    within,
)

MARK: Final = "properties.search.properties.from.type"
"""What tells an earlier mapping from the present one."""

_COMPARED: Final = {"type": "keyword", "doc_values": False}
_GROUPED: Final = {"type": "keyword", "index": False}
_BY_KIND: Final = {
    **BY_KIND,
    "date": {"type": "date_nanos", "ignore_malformed": True},
    "integer": {"type": "long", "ignore_malformed": True},
    "number": {"type": "float", "ignore_malformed": True},
}
_TEXTS: Final = {
    **TEXTS,
    "folded": {"type": "keyword", "index": False, "normalizer": "lowercase"},
    "exact": EXACT,
}

_RESULT: Final[dict[str, Any]] = {
    **mappings_of(RECIPIENT_RESULT, _TEXTS, _BY_KIND),
    "search": within(
        **dict.fromkeys(("addresses", "domains", "relays", "relay_ips", "status"), _COMPARED),
        **dict.fromkeys(("recipient", "domain", "relay", "reason"), _GROUPED),
        delay={"type": "long", "index": False},
    ),
    "email": within(to=within(address=alias("to.recipient"))),
    "destination": within(domain=alias("to.relay_host"), ip=alias("to.relay_ip")),
}
_DOCUMENT: Final[dict[str, Any]] = {
    **mappings_of(DOCUMENT, _TEXTS, _BY_KIND),
    "host": {**EXACT, "fields": {"name": EXACT}},
    "to": {"type": "nested", "properties": _RESULT},
    "id": _GROUPED,
    "stub": {"type": "boolean"},
    "headless": {"type": "boolean"},
    "start": {"type": "long", "index": False},
    "line": UNSEARCHED,
    "facts": {"type": "object", "enabled": False},  # of documents that version 0.1 wrote
    "lines": {"type": "binary"},
    "packed": UNSEARCHED,
    "is_packed": {"type": "boolean"},
    "search": within(
        date=MICROSECONDS,
        **dict.fromkeys(("from", "from_domain", "login"), EXACT),
        **dict.fromkeys(("msgid", "links", "clients", "client_ips", "hosts"), _COMPARED),
        client=_GROUPED,
    ),
    "@timestamp": alias("date"),
    "email": within(**{"from": within(address=alias("from")), "message_id": alias("msgid")}),
    "source": within(address=alias("client"), ip=alias("client_ip")),
}


def mapping() -> dict[str, Any]:
    """Return the mapping of a document in these indices."""
    return {"dynamic": False, "properties": _DOCUMENT}


def is_earlier(found: dict[str, Any]) -> bool:
    """Return whether the mapping of an index is an earlier one, given the part of it at `MARK`."""
    return bool(found["properties"]["search"]["properties"]["from"]["type"] != "alias")
