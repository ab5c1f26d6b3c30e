"""What an Elasticsearch server is found to be: its version, what is set up there, what this user may do."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from mailtrace.errors import StoreError, StoreUnavailableError
from mailtrace.stores.base import RETENTION_DAYS, Description
from mailtrace.stores.elasticsearch.client import AnswerError, Server
from mailtrace.stores.elasticsearch.indices import Indices
from mailtrace.stores.elasticsearch.periods import periods_of
from mailtrace.stores.elasticsearch.setup import SetUp, left_out
from mailtrace.stores.elasticsearch.template import deletes_after, is_current, is_newer, is_ours

_INDEX: Final = ("read", "write", "manage")
_NEEDS: Final = {
    "search": ((), ("read", "view_index_metadata")),
    "index": (("monitor", "read_ilm"), _INDEX),
    "set up": (("monitor", "manage_ilm", "manage_index_templates"), _INDEX),
}
"""Rights on the cluster and on the indices that it takes; only a first or a newer version's run sets up."""


def describe(server: Server, set_up: SetUp, indices: Indices) -> Description:
    """Look at everything, and write nothing.

    Raises:
        StoreUnavailableError: the server does not answer.
        StoreError: it is no Elasticsearch 8 or 9, or does not know this user.
    """
    problems: list[str] = []
    rights = _rights(server, indices, problems)
    lines = [
        ("server", _seen(lambda: _version(server))),
        ("rights", rights),
        ("policy", _seen(lambda: _policy(server, indices.prefix))),
        ("template", _seen(lambda: _template(set_up))),
        ("indices", _seen(lambda: _indices(set_up, problems))),
        ("cluster", _seen(lambda: _health(server, indices.pattern, problems))),
    ]
    return Description(lines, problems)


def _seen(look: Callable[[], str]) -> str:
    """What a look shows; a user who may not look is told so, and sees the rest."""
    try:
        return look()
    except StoreUnavailableError:
        raise
    except StoreError:
        return "not shown to this user"


def _version(server: Server) -> str:
    info = server.ask(server.client.info)
    return f"Elasticsearch {info['version']['number']}, cluster {info['cluster_name']}"


def _rights(server: Server, indices: Indices, problems: list[str]) -> str:
    names = [indices.pattern, indices.checkpoints]
    cluster = {name for needs, _ in _NEEDS.values() for name in needs}
    index = {name for _, needs in _NEEDS.values() for name in needs}
    try:
        found = server.ask(
            server.client.security.has_privileges,
            cluster=sorted(cluster),
            index=[{"names": names, "privileges": sorted(index)}],
        )
    except AnswerError:
        return "all: security is off there"
    lacking = {what: _lacking(found, *needs) for what, needs in _NEEDS.items()}
    if lacking["index"]:
        problems.append(f"this user may not index: it lacks {', '.join(sorted(lacking['index']))}")
    may = [what for what, names in lacking.items() if not names]
    return f"{found['username']} may {', '.join(may) or 'do nothing'} here"


def _lacking(found: dict[str, Any], cluster: Iterable[str], index: Iterable[str]) -> set[str]:
    """Rights that a user has not."""
    on_indices = {name for rights in found["index"].values() for name in index if not rights[name]}
    return {name for name in cluster if not found["cluster"][name]} | on_indices


def _policy(server: Server, prefix: str) -> str:
    try:
        found = server.ask(server.client.ilm.get_lifecycle, name=prefix)[prefix]["policy"]
    except AnswerError as error:
        if error.status == 404:
            return f"{prefix}: not there yet; the first run makes it, with {RETENTION_DAYS} days"
        return "the server has no lifecycles (ILM): mailtrace-index deletes what is past its time"
    age = deletes_after(found)
    whose = "as mailtrace made it" if is_ours(found) else "an administrator's"
    return f"{prefix}: deletes {'nothing' if age is None else f'after {age}'}, {whose}"


def _template(set_up: SetUp) -> str:
    found = set_up.template()
    if not found:
        return "not there yet; the first run makes it"
    meta = found.get("_meta") or {}
    state = "current" if is_current(found) else "older; the next run renews it"
    if is_newer(found):
        state = "of a newer mailtrace"
    return f"of mailtrace {meta.get('mailtrace', '?')}, {state}; an index holds a {periods_of(meta).current}"


def _indices(set_up: SetUp, problems: list[str]) -> str:
    names, closed = set_up.existing(), set_up.existing("closed")
    problems += [left_out(index) for index in closed]
    return f"{len(names)}, {names[0]} to {names[-1]}" if names else "none yet"


def _health(server: Server, pattern: str, problems: list[str]) -> str:
    found = server.ask(server.client.cluster.health, index=pattern, level="indices", expand_wildcards="open")
    red = [name for name, state in found.get("indices", {}).items() if state["status"] == "red"]
    problems += [f"{name} is red: a part of it is not there to be searched or written" for name in _some(red)]
    return f"{found['number_of_data_nodes']} nodes with data, {found['status']}"


def _some(names: list[str]) -> Iterator[str]:
    yield from sorted(names)[:10]
