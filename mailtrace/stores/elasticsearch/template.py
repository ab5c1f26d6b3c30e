"""The index template, lifecycle policy and checkpoint index that mailtrace creates on a server.

A stored document has the public members under their own names, and beside them private members, which searches do not
return: `id`, `stub`, `headless`, `start`, `line`, `facts`, `mark` (which write it is from), `packed` (the whole
document, if it is too big for fields of its own; `is_packed` marks it), and in `search` the values that queries
compare and group by. Python folds these values, as `search.query.matches` does, because Elasticsearch folds some
characters differently (a capital sigma at the end of a word, a dotted capital I). The public members are for people's
own queries, in Kibana for example. Some are also available under their names in the Elastic Common Schema (reference,
"Email", "Source" and "Host" fields).
"""

from typing import Any, Final

from mailtrace import __version__
from mailtrace.message.fields import DOCUMENT, RECIPIENT_RESULT, Field
from mailtrace.mta.version import GRAMMAR_VERSION

ARRAY_OBJECTS: Final = "index.mapping.array_objects.limit"
"""A limit that Elasticsearch 9 has, and that 8.19 rejects as an unknown setting."""

UNFINISHED: Final = "unfinished"
"""A member of the template's `_meta` while its new fields are being added to existing indices."""

GRAMMAR: Final = "grammar"
"""A member of the `_meta` of the index of checkpoints: the version of the grammar that made the documents."""

PRIVATE: Final = ("id", "stub", "headless", "start", "line", "lines", "facts", "mark", "search", "to.search")
"""The members that are not part of the public document, which searches leave out."""

PRIORITY: Final = 500
"""Above Elasticsearch's built-in templates, which have 100 to 200 (manual, "Index templates")."""
_OBJECTS: Final = 1_000_000
"""The most objects, and so the most recipient results, in a document; the default of 10,000 is too few."""

_ADJUSTABLE: Final = (
    "index.auto_expand_replicas",
    "index.number_of_",
    "index.refresh_interval",
    "index.routing.",
    "index.translog.",
)
"""What the names of settings begin with that depend on the cluster."""

_EXACT: Final = {"type": "keyword"}
_COMPARED: Final = {"type": "keyword", "doc_values": False}
"""For what queries compare: documents cut values at 8,191 characters, which fit in a term in any script."""
_GROUPED: Final = {"type": "keyword", "index": False}
"""For what queries only group by."""
_SHOWN: Final = {"type": "keyword", "index": False, "normalizer": "lowercase"}
"""For what people group and filter by: without an index, filters read the column of values."""
_UNCUT: Final = {"type": "keyword", "index": False, "ignore_above": 8191}
"""The same for values that documents do not cut, and that only a forged line could make too long."""
_UNSEARCHED: Final = {"type": "keyword", "index": False, "doc_values": False}
_MICROSECONDS: Final = {"type": "date", "format": "epoch_millis"}
"""Microseconds since 1970, stored as if they were milliseconds. The server can skip the shards that hold nothing of a
time span only for dates, and its dates with nanoseconds end in 2262, while a forged line may have a later year."""
_TIME: Final = {"type": "date_nanos", "ignore_malformed": True}
_ADDRESS: Final = {"type": "ip", "ignore_malformed": True}
_NUMBER: Final = {"type": "long", "ignore_malformed": True}


def _alias(path: str) -> dict[str, str]:
    """Return an alias of a field; Elasticsearch accepts one of a nested field only within that field, under `to`."""
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


def _mapping_of(field: Field) -> dict[str, Any]:
    """Return the mapping of a public member."""
    return _TEXTS[field.kept] if field.kind == "text" else _BY_KIND[field.kind]


_RESULT: Final[dict[str, Any]] = {
    **{field.name: _mapping_of(field) for field in RECIPIENT_RESULT},
    "search": {
        "properties": {
            "addresses": _COMPARED,
            "domains": _COMPARED,
            "recipient": _GROUPED,
            "domain": _GROUPED,
            "relays": _COMPARED,
            "relay_ips": _COMPARED,
            "relay": _GROUPED,
            "status": _COMPARED,
            "reason": _GROUPED,
            "delay": {"type": "long", "index": False},
        }
    },
    "email": _within(to=_within(address=_alias("to.recipient"))),
    "destination": _within(domain=_alias("to.relay_host"), ip=_alias("to.relay_ip")),
}
_DOCUMENT: Final[dict[str, Any]] = {
    **{field.name: _mapping_of(field) for field in DOCUMENT},
    "host": {**_EXACT, "fields": {"name": _EXACT}},
    "to": {"type": "nested", "properties": _RESULT},
    "id": {"type": "keyword", "index": False},
    "stub": {"type": "boolean"},
    "headless": {"type": "boolean"},
    "start": {"type": "long", "index": False},
    "line": _UNSEARCHED,
    "facts": {"type": "object", "enabled": False},  # of documents that version 0.1 wrote
    "lines": {"type": "binary"},
    "packed": _UNSEARCHED,
    "is_packed": {"type": "boolean"},
    "search": {
        "properties": {
            "date": _MICROSECONDS,
            "from": _EXACT,
            "from_domain": _EXACT,
            "msgid": _COMPARED,
            "links": _COMPARED,
            "clients": _COMPARED,
            "client_ips": _COMPARED,
            "client": _GROUPED,
            "login": _EXACT,
            "hosts": _COMPARED,
        }
    },
    "@timestamp": _alias("date"),
    "email": _within(**{"from": _within(address=_alias("from")), "message_id": _alias("msgid")}),
    "source": _within(address=_alias("client"), ip=_alias("client_ip")),
}
"""`host.name` is a subfield, since `host` is a value and cannot contain an alias."""


def template(prefix: str, meta: dict[str, Any], *, lifecycle: bool, array_objects: bool) -> dict[str, Any]:
    """Return the index template; `lifecycle` and `array_objects` tell which settings the server knows.

    Writes must not create an index: `mailtrace-index` creates each one with its origination date.
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
        "priority": PRIORITY,
        "allow_auto_create": False,
        "template": {"settings": settings, "mappings": mapping()},
        "_meta": {"mailtrace": __version__, **meta},
    }


def adjusted_settings(found: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a template that are for an administrator to choose, so that a new version keeps them."""
    settings = found.get("template", {}).get("settings", {})
    return {name: value for name, value in settings.items() if name.startswith(_ADJUSTABLE)}


def mapping() -> dict[str, Any]:
    """Return the mapping of a document."""
    return {"dynamic": False, "properties": _DOCUMENT}


def is_current(found: dict[str, Any]) -> bool:
    """Return whether the server's template is complete, and of this version or a newer one."""
    if is_newer(found):
        return True
    meta = found.get("_meta") or {}
    if meta.get(UNFINISHED) or _version_in(meta) < _version(__version__):
        return False
    return _has(found["template"].get("mappings", {}), mapping())


def is_newer(found: dict[str, Any]) -> bool:
    """Return whether a template is of a newer version, which may have fields that this one does not know."""
    return _version_in(found.get("_meta") or {}) > _version(__version__)


def has_fields(found: dict[str, Any]) -> bool:
    """Return whether the mapping of an index is that of a template of mailtrace, of whatever version."""
    return bool(found.get("properties", {}).get("to", {}).get("type") == "nested")


def _version_in(meta: dict[str, Any]) -> tuple[int, ...]:
    return _version(str(meta.get("mailtrace", "0")))


def _has(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Return whether a mapping has all fields of another."""
    return all(
        name in found.get(kind, {}) and _has(found[kind][name], field)
        for kind in ("properties", "fields")
        for name, field in wanted.get(kind, {}).items()
    )


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() else 0 for part in text.split("."))


def policy(retention_days: int) -> dict[str, Any]:
    """Return the lifecycle policy, which deletes an index that many days after its origination date."""
    return {
        "_meta": {"mailtrace": __version__, "retention_days": retention_days},
        "phases": {"delete": {"min_age": f"{retention_days}d", "actions": {"delete": {}}}},
    }


def is_ours(found: dict[str, Any]) -> bool:
    """Return whether a policy is as mailtrace set it, unchanged by an administrator."""
    meta = found.get("_meta") or {}
    phases = found.get("phases", {})
    actions = phases.get("delete", {}).get("actions", {})
    return (
        "mailtrace" in meta
        and deletes_after(found) == f"{meta.get('retention_days')}d"
        and list(phases) == ["delete"]
        # The server adds its default to the action.
        and actions in ({"delete": {}}, {"delete": {"delete_searchable_snapshot": True}})
    )


def deletes_after(found: dict[str, Any]) -> str | None:
    """Return the age at which a policy deletes, such as `90d`; None if it does not delete."""
    phase = found.get("phases", {}).get("delete")
    return None if phase is None else str(phase.get("min_age", "0ms"))


def checkpoints_index() -> dict[str, Any]:
    """Return the settings and mapping of the index of checkpoints; only the member `checkpoint` is read back."""
    return {
        "settings": {"index.number_of_shards": 1, "index.auto_expand_replicas": "0-1"},
        "mappings": {
            "_meta": {GRAMMAR: GRAMMAR_VERSION},
            "dynamic": False,
            "properties": {
                "log": _EXACT,
                "path": _UNCUT,
                "saved": {"type": "double"},
                "checkpoint": _UNSEARCHED,
            },
        },
    }
