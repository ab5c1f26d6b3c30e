"""Describe a server: its version, what is set up there, the user's privileges, and problems."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from mailtrace.errors import StoreError, StoreUnavailableError
from mailtrace.stores.base import RETENTION_DAYS, Description
from mailtrace.stores.elasticsearch.client import Server
from mailtrace.stores.elasticsearch.dialect import OpenSearch
from mailtrace.stores.elasticsearch.errors import AnswerError, DeniedError
from mailtrace.stores.elasticsearch.indices import Indices
from mailtrace.stores.elasticsearch.periods import periods_of
from mailtrace.stores.elasticsearch.setup import Setup
from mailtrace.stores.elasticsearch.template import is_current, is_newer

_INDEX: Final = ("read", "write", "manage")
_NEEDS: Final = {
    "search": ((), ("read", "view_index_metadata")),
    "index": (("monitor", "read_ilm"), _INDEX),
    "set up": (("monitor", "manage_ilm", "manage_index_templates"), _INDEX),
}
"""Privileges on the cluster and on the indices for each task; only the first run of a version needs `set up`."""

_UNKNOWN_RIGHTS: Final = "not known: this user may not see them"
_MOST_RED: Final = 10
"""How many red indices are listed."""


def describe(server: Server, setup: Setup, indices: Indices) -> Description:
    """Return the state of the server, its indices and this user's privileges; write nothing.

    Raises:
        StoreUnavailableError: the server does not answer.
        StoreError: it is not a supported server, or rejects the login.
    """
    problems: list[str] = []
    closed: list[str] = []
    # The first request must be one that a user who may only search may send: its reply shows the product.
    found = _if_allowed(lambda: _indices(setup, closed))
    lines = [
        ("server", _if_allowed(lambda: _version(server))),
        ("rights", _rights(server, indices, problems)),
        ("policy", _if_allowed(lambda: _policy(setup, indices.prefix))),
        ("template", _if_allowed(lambda: _template(setup))),
        ("indices", found),
    ]
    problems += closed
    lines.append(("cluster", _if_allowed(lambda: _health(server, indices.pattern, problems))))
    return Description(lines, problems)


def _if_allowed(read: Callable[[], str]) -> str:
    """Return what `read` returns, or a remark if this user may not read it."""
    try:
        return read()
    except StoreUnavailableError:
        raise
    except StoreError:
        return "this user may not see it"


def _version(server: Server) -> str:
    info = server.ask("GET", "/")
    return f"{server.dialect.name} {info['version']['number']}, cluster {info['cluster_name']}"


def _rights(server: Server, indices: Indices, problems: list[str]) -> str:
    if isinstance(server.dialect, OpenSearch):
        return _roles(server)
    cluster = {name for needs, _ in _NEEDS.values() for name in needs}
    index = {name for _, needs in _NEEDS.values() for name in needs}
    names = [indices.pattern, indices.checkpoints]
    asked = {"cluster": sorted(cluster), "index": [{"names": names, "privileges": sorted(index)}]}
    try:
        found = server.ask("POST", "/_security/user/_has_privileges", asked)
    except AnswerError as error:
        return _UNKNOWN_RIGHTS if not error.is_of_unknown_path else "all (security is disabled on the server)"
    lacking = {what: _lacking(found, *needs) for what, needs in _NEEDS.items()}
    if lacking["index"]:
        problems.append(f"this user may not index: it lacks the privileges {', '.join(sorted(lacking['index']))}")
    may = [what for what, names in lacking.items() if not names]
    return f"{found['username']} may {', '.join(may) or 'do nothing'} here"


def _roles(server: Server) -> str:
    """Return what OpenSearch's security plugin tells about the user: roles, but not what they allow."""
    try:
        found = server.ask("GET", "/_plugins/_security/authinfo")
    except AnswerError:
        return "not known: no security plugin answers here"
    except DeniedError:
        return _UNKNOWN_RIGHTS
    roles = ", ".join(found.get("roles") or ()) or "none"
    return f"{found.get('user_name') or 'this user'} has the roles {roles}; what they allow cannot be seen"


def _lacking(found: dict[str, Any], cluster: Iterable[str], index: Iterable[str]) -> set[str]:
    """Return the privileges that the user lacks."""
    on_indices = {name for rights in found["index"].values() for name in index if not rights[name]}
    return {name for name in cluster if not found["cluster"][name]} | on_indices


def _policy(setup: Setup, prefix: str) -> str:
    lifecycle = setup.management()
    try:
        found = lifecycle.read(setup.periods_in_use(setup.template()))
    except AnswerError as error:
        if not error.is_of_unknown_path:
            raise
        return f"the server has no {lifecycle.name}: mailtrace-index deletes expired indices itself"
    if found is None:
        return f"{prefix}: missing; the first run creates it, with {RETENTION_DAYS} days"
    origin = "set by mailtrace" if found.is_ours else "set by an administrator"
    return f"{prefix}: deletes {'nothing' if found.age is None else f'after {found.age}'}, {origin}"


def _template(setup: Setup) -> str:
    found = setup.template()
    if not found:
        return "missing; the first run creates it"
    meta = found.get("_meta") or {}
    state = "current" if is_current(found) else "outdated; the next run updates it"
    if is_newer(found):
        state = "from a newer mailtrace"
    return f"from mailtrace {meta.get('mailtrace', '?')}, {state}; one index per {periods_of(meta).current}"


def _indices(setup: Setup, problems: list[str]) -> str:
    names = setup.indices()
    problems += setup.closed()
    return f"{len(names)}, {names[0]} to {names[-1]}" if names else "none yet"


def _health(server: Server, pattern: str, problems: list[str]) -> str:
    found = server.ask("GET", f"/_cluster/health/{pattern}", level="indices", expand_wildcards="open")
    red = [name for name, state in found.get("indices", {}).items() if state["status"] == "red"]
    problems += [
        f"{name} is red: a part of it can be neither searched nor written; GET /_cluster/allocation/explain tells why"
        for name in sorted(red)[:_MOST_RED]
    ]
    return f"{found['number_of_data_nodes']} data nodes, {found['status']}"
