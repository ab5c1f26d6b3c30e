"""What mailtrace sets up on an Elasticsearch server: an index template, a lifecycle policy, an index of checkpoints.

A stored document has the public members as they are, and private ones beside them, which no search shows: `id`,
`stub`, `headless`, `start`, `line`, `facts`, `packed` (the whole document, where it is too big; `is_packed` says that
it is), and in `search` the values that queries compare and group by, folded by Python just as `query.matches` folds
them: Elasticsearch folds some otherwise (a capital sigma at a word's end, a dotted capital I). The public members are
there for people's queries, in Kibana say, some under the names of the Elastic Common Schema as well (its reference,
"Email", "Source" and "Host" fields).
"""

from typing import Any, Final

from mailtrace import __version__
from mailtrace.message.fields import DOCUMENT, RECIPIENT_RESULT, Field

ARRAY_OBJECTS: Final = "index.mapping.array_objects.limit"
"""A limit that Elasticsearch 9 has and 8.19 refuses as unknown."""

UNFINISHED: Final = "unfinished"
"""Stands in a template's `_meta` while the indices that are there are being given its new fields."""

PRIVATE: Final = ("id", "stub", "headless", "start", "line", "facts", "search", "to.search")
"""The members that are no part of the public document, and that searches do not ask for."""

_PRIORITY: Final = 500
"""Above the templates that Elasticsearch brings along, which have 100 to 200 (manual, "Index templates")."""
_OBJECTS: Final = 1_000_000
"""The most objects in a document, which is the most recipients' results of a transaction; 10,000 were too few."""

_EXACT: Final = {"type": "keyword"}
_ASKED: Final = {"type": "keyword", "doc_values": False}
"""What queries compare: values are cut at 8,191 characters, which fit in a term whatever the characters are."""
_GROUPED: Final = {"type": "keyword", "index": False}
"""What queries group by alone."""
_SHOWN: Final = {"type": "keyword", "index": False, "normalizer": "lowercase"}
"""What people may group and filter by: without an index, from the column that groups them."""
_UNCUT: Final = {"type": "keyword", "index": False, "ignore_above": 8191}
"""The same, for what no document cuts and only a forged line could make too long."""
_KEPT: Final = {"type": "keyword", "index": False, "doc_values": False}
_MICROSECONDS: Final = {"type": "date", "format": "epoch_millis"}
"""Microseconds since 1970, in place of milliseconds: of dates alone does the server know without looking at documents
whether a shard holds any of a span. Its dates with nanoseconds end in 2262, and a forged line may tell a later year."""
_TIME: Final = {"type": "date_nanos", "ignore_malformed": True}
_ADDRESS: Final = {"type": "ip", "ignore_malformed": True}
_NUMBER: Final = {"type": "long", "ignore_malformed": True}


def _alias(path: str) -> dict[str, str]:
    """Another name of a field. One of a nested field is nested as well, under `to.`: elsewhere it is refused."""
    return {"type": "alias", "path": path}


def _within(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"properties": properties}


_BY_KIND: Final[dict[str, dict[str, Any]]] = {
    "date": _TIME,
    "integer": _NUMBER,
    "number": {"type": "float", "ignore_malformed": True},
    "boolean": {"type": "boolean"},
    "recipient results": {"type": "nested"},
}
_TEXTS: Final[dict[str, dict[str, Any]]] = {"folded": _SHOWN, "exact": _EXACT, "uncut": _UNCUT, "address": _ADDRESS}


def _kept(field: Field) -> dict[str, Any]:
    return _TEXTS[field.kept] if field.kind == "text" else _BY_KIND[field.kind]


_ENTRY: Final[dict[str, Any]] = {
    **{field.name: _kept(field) for field in RECIPIENT_RESULT},
    "search": {
        "properties": {
            "addresses": _ASKED,
            "domains": _ASKED,
            "recipient": _GROUPED,
            "domain": _GROUPED,
            "relays": _ASKED,
            "relay_ips": _ASKED,
            "relay": _GROUPED,
            "status": _ASKED,
            "reason": _GROUPED,
            "delay": {"type": "long", "index": False},
        }
    },
    "email": _within(to=_within(address=_alias("to.recipient"))),
    "destination": _within(domain=_alias("to.relay_host"), ip=_alias("to.relay_ip")),
}
_DOCUMENT: Final[dict[str, Any]] = {
    **{field.name: _kept(field) for field in DOCUMENT},
    "host": {**_EXACT, "fields": {"name": _EXACT}},
    "to": {"type": "nested", "properties": _ENTRY},
    "id": {"type": "keyword", "index": False},
    "stub": {"type": "boolean"},
    "headless": {"type": "boolean"},
    "start": {"type": "long", "index": False},
    "line": _KEPT,
    "facts": {"type": "object", "enabled": False},
    "packed": _KEPT,
    "is_packed": {"type": "boolean"},
    "search": {
        "properties": {
            "date": _MICROSECONDS,
            "from": _EXACT,
            "from_domain": _EXACT,
            "msgid": _ASKED,
            "links": _ASKED,
            "clients": _ASKED,
            "client_ips": _ASKED,
            "client": _GROUPED,
            "login": _EXACT,
            "hosts": _ASKED,
        }
    },
    "@timestamp": _alias("date"),
    "email": _within(**{"from": _within(address=_alias("from")), "message_id": _alias("msgid")}),
    "source": _within(address=_alias("client"), ip=_alias("client_ip")),
}
"""`host.name` is a field within `host`, since that is a value and cannot hold an alias."""


def template(prefix: str, meta: dict[str, Any], *, lifecycle: bool, array_objects: bool) -> dict[str, Any]:
    """Return the index template, with only the settings that the server knows.

    Only `mailtrace-index` makes indices, with the time from which they count: no write may make one by the way.
    """
    settings: dict[str, Any] = {
        "index.number_of_shards": 1,
        "index.auto_expand_replicas": "0-1",
        "index.mapping.nested_objects.limit": _OBJECTS,
    }
    if array_objects:
        settings[ARRAY_OBJECTS] = _OBJECTS
    if lifecycle:
        settings["index.lifecycle.name"] = prefix
    return {
        "index_patterns": [f"{prefix}-*"],
        "priority": _PRIORITY,
        "allow_auto_create": False,
        "template": {"settings": settings, "mappings": mapping()},
        "meta": {"mailtrace": __version__, **meta},
    }


def mapping() -> dict[str, Any]:
    """Return the mapping of a document."""
    return {"dynamic": False, "properties": _DOCUMENT}


def is_current(found: dict[str, Any]) -> bool:
    """Return whether a template that the server has is this version's or a later one's, and all of it came about."""
    if is_newer(found):
        return True
    meta = found.get("_meta") or {}
    if meta.get(UNFINISHED) or _version_in(meta) < _version(__version__):
        return False
    return _has(found["template"].get("mappings", {}), mapping())


def is_newer(found: dict[str, Any]) -> bool:
    """Return whether a template is a later version's, which may have fields that this one does not know."""
    return _version_in(found.get("_meta") or {}) > _version(__version__)


def _version_in(meta: dict[str, Any]) -> tuple[int, ...]:
    return _version(str(meta.get("mailtrace", "0")))


def _has(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether a mapping has all fields of another."""
    return all(
        name in found.get(kind, {}) and _has(found[kind][name], field)
        for kind in ("properties", "fields")
        for name, field in wanted.get(kind, {}).items()
    )


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() else 0 for part in text.split("."))


def policy(retention_days: int) -> dict[str, Any]:
    """Return the lifecycle policy: indices go that many days after their `origination_date`."""
    return {
        "_meta": {"mailtrace": __version__, "retention_days": retention_days},
        "phases": {"delete": {"min_age": f"{retention_days}d", "actions": {"delete": {}}}},
    }


def is_ours(found: dict[str, Any]) -> bool:
    """Return whether a policy is as mailtrace made it; if not, an administrator has other wishes."""
    meta = found.get("_meta") or {}
    phases = found.get("phases", {})
    actions = phases.get("delete", {}).get("actions", {})
    return (
        "mailtrace" in meta
        and deletes_after(found) == f"{meta.get('retention_days')}d"
        and list(phases) == ["delete"]
        # A server adds what it does by itself.
        and actions in ({"delete": {}}, {"delete": {"delete_searchable_snapshot": True}})
    )


def deletes_after(found: dict[str, Any]) -> str | None:
    """Return the age at which a policy deletes, as the server says it; None where it does not delete."""
    phase = found.get("phases", {}).get("delete")
    return None if phase is None else str(phase.get("min_age", "0ms"))


def checkpoints_index() -> dict[str, Any]:
    """Return settings and mapping of the index of checkpoints: what is read back is the member `checkpoint`."""
    return {
        "settings": {"index.number_of_shards": 1, "index.auto_expand_replicas": "0-1"},
        "mappings": {
            "dynamic": False,
            "properties": {
                "log": _EXACT,
                "path": _UNCUT,
                "saved": {"type": "double"},
                "checkpoint": _KEPT,
            },
        },
    }
