"""The index template and the index of checkpoints that mailtrace creates on a server."""

from typing import Any, Final

from mailtrace import __version__
from mailtrace.mta.version import GRAMMAR_VERSION
from mailtrace.stores.elasticsearch.mapping import EXACT, UNCUT, UNSEARCHED, mapping

ARRAY_OBJECTS: Final = "index.mapping.array_objects.limit"
"""A limit that Elasticsearch 9 has, and that 8.19 rejects as an unknown setting."""

UNFINISHED: Final = "unfinished"
"""A member of the template's `_meta` while its new fields are being added to existing indices."""

GRAMMAR: Final = "grammar"
"""A member of the `_meta` of the index of checkpoints: the version of the grammar that made the documents."""

SCHEMA: Final = 2
"""The number of what is set up here. Raise it with every change of the mapping or the settings, and only then: a run
that finds its own number needs no rights to set up."""

COMPATIBLE: Final = 2
"""The lowest number whose mailtrace can read and write what this one sets up. A version with a lower number refuses."""

SCHEMA_MEMBER: Final = "schema"
COMPATIBLE_MEMBER: Final = "compatible"
"""Members with these numbers: both of the template's `_meta`, the latter of that of the index of checkpoints too."""

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
        "_meta": {"mailtrace": __version__, SCHEMA_MEMBER: SCHEMA, COMPATIBLE_MEMBER: COMPATIBLE, **meta},
    }


def adjusted_settings(found: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a template that are for an administrator to choose, so that a new version keeps them."""
    settings = _flat(found.get("template", {}).get("settings", {}))
    return {name: value for name, value in settings.items() if name.startswith(_ADJUSTABLE)}


def _flat(settings: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Return settings by their whole names: OpenSearch nests them, whatever the request asks for."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        found |= _flat(value, f"{before}{name}.") if isinstance(value, dict) else {f"{before}{name}": value}
    return found


def is_current(found: dict[str, Any]) -> bool:
    """Return whether the server's template is complete, and of this schema or a newer one."""
    if is_newer(found):
        return True
    meta = found.get("_meta") or {}
    if meta.get(UNFINISHED) or _number(meta, SCHEMA_MEMBER) < SCHEMA:
        return False
    return _has(found["template"].get("mappings", {}), mapping())


def is_newer(found: dict[str, Any]) -> bool:
    """Return whether a template is of a newer schema, which may have fields that this one does not know."""
    return _number(found.get("_meta") or {}, SCHEMA_MEMBER) > SCHEMA


def has_fields(found: dict[str, Any]) -> bool:
    """Return whether the mapping of an index is that of a template of mailtrace, of whatever version."""
    return bool(found.get("properties", {}).get("to", {}).get("type") == "nested")


def is_too_new(meta: dict[str, Any]) -> bool:
    """Return whether the `_meta` of a template, or of the index of checkpoints, asks for a newer mailtrace."""
    return _number(meta, COMPATIBLE_MEMBER) > SCHEMA


def _number(meta: dict[str, Any], name: str) -> int:
    """Return a number from a `_meta`; 0 if it is missing, as in what the first versions set up."""
    found = meta.get(name, 0)
    return found if isinstance(found, int) else 0


def _has(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Return whether a mapping has all fields of another."""
    return all(
        name in found.get(kind, {}) and _has(found[kind][name], field)
        for kind in ("properties", "fields")
        for name, field in wanted.get(kind, {}).items()
    )


def checkpoints_index() -> dict[str, Any]:
    """Return the settings and mapping of the index of checkpoints; only the member `checkpoint` is read back."""
    return {
        "settings": {"index.number_of_shards": 1, "index.auto_expand_replicas": "0-1"},
        "mappings": {
            "_meta": versions(GRAMMAR_VERSION),
            "dynamic": False,
            "properties": {
                "log": EXACT,
                "path": UNCUT,
                "saved": {"type": "double"},
                "checkpoint": UNSEARCHED,
            },
        },
    }


def versions(grammar: int) -> dict[str, int]:
    """Return the `_meta` of the index of checkpoints, for documents that the grammar of this version made."""
    return {GRAMMAR: grammar, COMPATIBLE_MEMBER: COMPATIBLE}
