"""The policy with which the server deletes expired indices: of Elasticsearch's ILM or OpenSearch's ISM.

ISM counts the age of an index from its creation, and ILM from the origination date that mailtrace sets. So a policy of
ISM adds the length of an index period to the retention: an index is created before its last transaction.
"""

import re
from collections.abc import Callable, Collection
from typing import Any, Final, NamedTuple, Protocol

from mailtrace import __version__
from mailtrace.stores.base import Notify
from mailtrace.stores.elasticsearch.client import Server
from mailtrace.stores.elasticsearch.dialect import OpenSearch
from mailtrace.stores.elasticsearch.errors import AnswerError
from mailtrace.stores.elasticsearch.template import PRIORITY

_PERIOD_DAYS: Final = {"day": 1, "week": 7, "month": 31}
_description = re.compile(r"mailtrace deletes an index (\d+) days after its last day").fullmatch
_DESCRIPTION: Final = "mailtrace deletes an index {days} days after its last day"


class Found(NamedTuple):
    """A policy on the server."""

    age: str | None
    """The retention, such as `90d`; None if the policy does not delete."""
    is_ours: bool
    """Whether it is as mailtrace set it, unchanged by an administrator."""
    is_outdated: bool = False
    """Whether it is ours, but for other index periods."""
    version: dict[str, Any] = {}  # noqa: RUF012 - never changed
    """Parameters of a request that changes this version only."""


class Lifecycle(Protocol):
    """The management of policies on a server."""

    name: str
    """Its name, for messages."""
    keeps_origination: bool
    """Whether indices have an origination date as a setting, which decides when they are deleted."""

    def read(self, periods: Collection[str]) -> Found | None:
        """Return the policy; None if it is missing.

        Raises:
            AnswerError: the server has no such management, if `is_of_unknown_path`.
        """

    def write(self, days: int, periods: Collection[str], found: Found | None) -> None:
        """Create or change the policy. `periods` are those of all indices, `found` is the policy so far."""


def lifecycle_of(server: Server, prefix: str, indices: Callable[[], list[str]], notify: Notify) -> Lifecycle:
    """Return the management for the server's product; `indices` returns the names of mailtrace's own indices."""
    if isinstance(server.dialect, OpenSearch):
        return _Ism(server, prefix, indices, notify)
    return _Ilm(server, prefix)


class _Ilm:
    """Index lifecycle management of Elasticsearch."""

    name = "lifecycle management (ILM)"
    keeps_origination = True

    def __init__(self, server: Server, prefix: str) -> None:
        self._server, self._prefix = server, prefix
        self._path = f"/_ilm/policy/{prefix}"

    def read(self, _: Collection[str]) -> Found | None:
        try:
            current = self._server.ask("GET", self._path)[self._prefix]["policy"]
        except AnswerError as error:
            if error.status != 404:
                raise
            return None
        return Found(_ilm_age(current), _is_our_ilm_policy(current))

    def write(self, days: int, _: Collection[str], __: Found | None) -> None:
        self._server.ask("PUT", self._path, {"policy": _ilm_policy(days)})


class _Ism:
    """Index state management of OpenSearch, a plugin."""

    name = "index state management (ISM)"
    keeps_origination = False

    def __init__(self, server: Server, prefix: str, indices: Callable[[], list[str]], notify: Notify) -> None:
        self._server, self._prefix, self._indices, self._notify = server, prefix, indices, notify
        self._path = f"/_plugins/_ism/policies/{prefix}"

    def read(self, periods: Collection[str]) -> Found | None:
        try:
            answer = self._server.ask("GET", self._path)
        except AnswerError as error:
            if error.status != 404:
                raise
            return None
        current, version = answer["policy"], {name: answer[f"_{name[3:]}"] for name in ("if_seq_no", "if_primary_term")}
        named = _description(str(current.get("description")))
        days = int(named[1]) if named else 0
        wanted = _essence(_ism_policy(self._prefix, days, periods))
        ours = [
            period
            for period in _PERIOD_DAYS
            if _essence(current) == _essence(_ism_policy(self._prefix, days, [period]))
        ]
        if not ours:
            return Found(_ism_age(current), is_ours=False, version=version)
        return Found(f"{days}d", is_ours=True, is_outdated=_essence(current) != wanted, version=version)

    def write(self, days: int, periods: Collection[str], found: Found | None) -> None:
        """Create or change the policy, and apply it to the indices that exist: ISM does so for new ones only."""
        body = {"policy": _ism_policy(self._prefix, days, periods)}
        self._server.ask("PUT", self._path, body, **(found.version if found else {}))
        if not self._indices():
            return
        verb = "change_policy" if found else "add"
        answer = self._server.ask("POST", f"/_plugins/_ism/{verb}/{self._prefix}-*", {"policy_id": self._prefix})
        if answer.get("failures"):
            names = ", ".join(sorted(failed["index_name"] for failed in answer["failed_indices"])[:3])
            self._notify(
                f"{self._server.name}: the policy {self._prefix} does not apply to {len(answer['failed_indices'])}"
                f" indices ({names}): GET /_plugins/_ism/explain/{self._prefix}-* tells which policy they have"
            )


def _ilm_policy(retention_days: int) -> dict[str, Any]:
    """Return the lifecycle policy, which deletes an index that many days after its origination date."""
    return {
        "_meta": {"mailtrace": __version__, "retention_days": retention_days},
        "phases": {"delete": {"min_age": f"{retention_days}d", "actions": {"delete": {}}}},
    }


def _is_our_ilm_policy(found: dict[str, Any]) -> bool:
    """Return whether a policy is as mailtrace set it, unchanged by an administrator."""
    meta = found.get("_meta") or {}
    phases = found.get("phases", {})
    actions = phases.get("delete", {}).get("actions", {})
    return (
        "mailtrace" in meta
        and _ilm_age(found) == f"{meta.get('retention_days')}d"
        and list(phases) == ["delete"]
        # The server adds its default to the action.
        and actions in ({"delete": {}}, {"delete": {"delete_searchable_snapshot": True}})
    )


def _ilm_age(found: dict[str, Any]) -> str | None:
    """Return the age at which a policy deletes, such as `90d`; None if it does not delete."""
    phase = found.get("phases", {}).get("delete")
    return None if phase is None else str(phase.get("min_age", "0ms"))


def _ism_policy(prefix: str, days: int, periods: Collection[str]) -> dict[str, Any]:
    """Return the ISM policy that deletes indices of these periods so many days after their last day."""
    age = days + max(_PERIOD_DAYS[period] for period in periods)
    return {
        "description": _DESCRIPTION.format(days=days),
        "default_state": "kept",
        "states": [
            {
                "name": "kept",
                "actions": [],
                "transitions": [{"state_name": "deleted", "conditions": {"min_index_age": f"{age}d"}}],
            },
            {"name": "deleted", "actions": [{"delete": {}}], "transitions": []},
        ],
        "ism_template": [{"index_patterns": [f"{prefix}-*"], "priority": PRIORITY}],
    }


def _essence(found: dict[str, Any]) -> Any:
    """Return what a policy does, without what ISM adds: retries of actions, times, versions."""
    states = [
        (state["name"], [sorted(action.keys() - {"retry"}) for action in state["actions"]], state["transitions"])
        for state in found["states"]
    ]
    templates = found.get("ism_template") or []
    patterns = [(each["index_patterns"], each.get("priority")) for each in templates]
    return found.get("default_state"), states, patterns


def _ism_age(found: dict[str, Any]) -> str | None:
    """Return the age at which a policy deletes, counted from the creation of an index; None if it does not."""
    deleting = {state["name"] for state in found["states"] if any("delete" in action for action in state["actions"])}
    ages = (
        each.get("conditions", {}).get("min_index_age")
        for state in found["states"]
        for each in state["transitions"]
        if each["state_name"] in deleting
    )
    return next((str(age) for age in ages if age), None)
