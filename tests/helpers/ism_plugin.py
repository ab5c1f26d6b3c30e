"""OpenSearch's plugin for index state management, as far as mailtrace uses it, as answers of `helpers.http_proxy`.

The plugin is not published where the test servers come from. The forms of its answers are those of OpenSearch's
documentation ("ISM API" and "Policies"), so that these tests show which requests mailtrace sends, and not that a real
plugin accepts them.
"""

import json
from copy import deepcopy
from typing import Any

JSON = {"Content-Type": "application/json; charset=UTF-8"}
POLICIES = "/_plugins/_ism/policies/"
NOT_FOUND = {"root_cause": [{"type": "status_exception", "reason": "Policy not found"}], "reason": "Policy not found"}
START_PAGE = {"version": {"distribution": "opensearch", "number": "3.8.0"}}


class IsmPlugin:
    """Keeps policies, and notes the requests that change something."""

    def __init__(self, *, is_alone: bool = False) -> None:
        self.is_alone = is_alone
        """Whether there is no server behind the proxy, so that this answers the start page too."""
        self.policies: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, int] = {}
        self.requests: list[tuple[str, Any]] = []
        self.failing: list[str] = []
        """Indices that cannot take a policy."""

    def answer(self, path: str, body: bytes) -> tuple[int, dict[str, str], bytes] | None:
        """Return the answer to a request of the plugin; None for other requests."""
        if not path.startswith("/_plugins/_ism/"):
            return _answer(200, START_PAGE) if self.is_alone else None
        target, _, parameters = path.partition("?")
        if body:
            self.requests.append((path, json.loads(body)))
        if not target.startswith(POLICIES):
            failed = [{"index_name": name, "index_uuid": "u", "reason": "This index is busy"} for name in self.failing]
            return _answer(200, {"updated_indices": 1, "failures": bool(failed), "failed_indices": failed})
        name = target.removeprefix(POLICIES)
        if body:
            return self._put(name, parameters, json.loads(body)["policy"])
        return _answer(200, self._shown(name)) if name in self.policies else _answer(404, {"error": NOT_FOUND})

    def _put(self, name: str, parameters: str, policy: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        version = self.versions.get(name, 0)
        if parameters != (f"if_seq_no={version}&if_primary_term=1" if version else ""):
            return _answer(409, {"error": {"type": "version_conflict_engine_exception", "reason": "conflict"}})
        self.put(name, policy)
        return _answer(201, {**self._shown(name), "policy": self._shown(name)})

    def put(self, name: str, policy: dict[str, Any]) -> None:
        """Keep a policy, with what the plugin adds to it."""
        kept = deepcopy(policy)
        for state in kept["states"]:
            for action in state["actions"]:
                action["retry"] = {"count": 3, "backoff": "exponential", "delay": "1m"}
        for template in kept.get("ism_template") or []:
            template["last_updated_time"] = 1577990934044
        self.policies[name] = kept
        self.versions[name] = self.versions.get(name, 0) + 1

    def _shown(self, name: str) -> dict[str, Any]:
        added = {
            "policy_id": name,
            "last_updated_time": 1577990934044,
            "schema_version": 21,
            "error_notification": None,
        }
        policy = {**self.policies[name], **added}
        return {"_id": name, "_version": 2, "_seq_no": self.versions[name], "_primary_term": 1, "policy": policy}


def _answer(status: int, body: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    return status, JSON, json.dumps(body).encode()
