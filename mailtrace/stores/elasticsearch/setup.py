"""Set up a server: lifecycle policy, index template, index of checkpoints.

Every run repeats this. What an administrator has changed stays as it is.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, Final

from mailtrace.errors import StoreError
from mailtrace.stores.base import RETENTION_DAYS, Notify
from mailtrace.stores.elasticsearch import earlier
from mailtrace.stores.elasticsearch.client import Server
from mailtrace.stores.elasticsearch.errors import AnswerError, DeniedError
from mailtrace.stores.elasticsearch.lifecycle import Found, Lifecycle, lifecycle_of
from mailtrace.stores.elasticsearch.mapping import mapping
from mailtrace.stores.elasticsearch.periods import Periods, day_span_of, periods_of
from mailtrace.stores.elasticsearch.template import (
    ARRAY_OBJECTS,
    UNFINISHED,
    adjusted_settings,
    checkpoints_index,
    is_current,
    is_newer,
    is_too_new,
    template,
)

MOST_NAMES: Final = 100
"""The most index names in the path of a request, which may be 4 KiB long (`http.max_initial_line_length`)."""

_FIRST_LIMITED: Final = 9
"""The first version of Elasticsearch with the setting `ARRAY_OBJECTS`."""
_EXISTS: Final = "resource_already_exists_exception"


class Setup:
    """The lifecycle policy, index template and index of checkpoints for a prefix.

    `retention_days` and `period` are the values that the user asks for: None keeps what is set up.
    """

    def __init__(
        self, server: Server, prefix: str, retention_days: int | None, period: str | None, notify: Notify
    ) -> None:
        self.periods = Periods(period or "day")
        self._server, self._prefix, self._notify = server, prefix, notify
        self._retention_days, self._period = retention_days, period
        self._adjusted: dict[str, Any] = {}
        """Settings of the template that an administrator may have chosen."""
        self._reported_closed = False

    @cached_property
    def lifecycle(self) -> Lifecycle | None:
        """What deletes expired indices on the server. If None, mailtrace deletes them itself.

        A process that only writes asks for it when it creates an index, without `prepare`.
        """
        lifecycle = self.management()
        try:
            lifecycle.read({"day"})
        except AnswerError as error:
            if not error.is_of_unknown_path:
                raise
            return None
        return lifecycle

    def prepare(self, checkpoints: str) -> None:
        """Create what is missing; update an older version's template, and add its new fields to existing indices.

        Raises:
            StoreError: retention or period cannot be changed, or the user lacks a privilege.
        """
        found = self._read_template(self._server.ask)  # a server that is down is reported at once
        if is_too_new(found.get("_meta") or {}):
            raise StoreError(f"{self._server.name} was set up by a newer mailtrace: install that version here too")
        self._prepare_policy(self.periods_in_use(found))
        self._prepare_template(found)
        create(self._server, checkpoints, checkpoints_index())

    def periods_in_use(self, found: dict[str, Any]) -> set[str]:
        """Return the periods of all indices, given the template that is set up."""
        kept = periods_of(found.get("_meta") or {})
        earlier = {span.period for span in kept.earlier} | ({kept.current} if found else set())
        return {self._period or kept.current, *earlier}

    def _prepare_policy(self, periods: set[str]) -> None:
        """Create the policy; change an existing one only for a new retention, and only if mailtrace set it."""
        if self.lifecycle is None:
            return
        found = self.lifecycle.read(periods)
        if found is None:
            self.lifecycle.write(self._retention_days or RETENTION_DAYS, periods, None)
        elif (days := self._days(found)) is not None:
            self.lifecycle.write(days, periods, found)

    def management(self) -> Lifecycle:
        """Return the management of policies that belongs to the server's product, which may lack it."""
        return lifecycle_of(self._server, self._prefix, self.indices, self._notify)

    def _days(self, found: Found) -> int | None:
        """Return the retention to which the policy must be changed; None if it stays as it is.

        Raises:
            StoreError: it must be changed, but an administrator set it.
        """
        days = self._retention_days
        if days is None or found.age == f"{days}d":
            return int(str(found.age).removesuffix("d")) if found.is_outdated else None
        if not found.is_ours:
            raise StoreError(
                f"--retention {days}: the lifecycle policy {self._prefix} at {self._server.name} was set by an"
                f" administrator (it deletes {'nothing' if found.age is None else f'after {found.age}'}): change it"
                " there, or omit --retention"
            )
        return days

    def _prepare_template(self, found: dict[str, Any]) -> None:
        self.periods = periods_of(found.get("_meta") or {}) if found else Periods(self._period or "day")
        if self._period and self._period != self.periods.current:
            if is_newer(found):
                raise StoreError(
                    f"{self._server.name} was set up by a newer mailtrace: change --index-period with that version"
                )
            self._change_period(self._period)
            found["_meta"] = {UNFINISHED: True}
        self._adjusted = adjusted_settings(found)
        limited = ARRAY_OBJECTS in found.get("template", {}).get("settings", {})
        if found and is_current(found):
            if not limited and self._server.dialect.has_array_limit and not is_newer(found):
                self._limit_template()
            return
        if indices := self.indices():
            self._put_template(unfinished=True)
            self._add_fields(indices)
        self._put_template()
        if not found and self.lifecycle is None:
            self._notify(
                f"{self._server.name} has no {self.management().name}: mailtrace-index deletes expired indices"
                " itself, at the end of each run"
            )

    @property
    def keeps_origination(self) -> bool:
        """Whether indices have their origination date as a setting."""
        return self.lifecycle is not None and self.lifecycle.keeps_origination

    def _change_period(self, period: str) -> None:
        existing = self.indices()
        self.periods = self.periods.changed(period, [name.removeprefix(f"{self._prefix}-") for name in existing])
        if existing:
            self._notify(f"new indices hold a {period} from now on; days that already have an index keep it")

    def template(self) -> dict[str, Any]:
        """Return the index template; an empty dictionary if there is none."""
        return self._read_template(self._server.ask_until_answered)

    def _read_template(self, ask: Callable[..., Any]) -> dict[str, Any]:
        try:
            answer = ask("GET", f"/_index_template/{self._prefix}", flat_settings=True)
        except AnswerError as error:
            if error.status != 404:
                raise
            return {}
        found: dict[str, Any] = answer["index_templates"][0]["index_template"]
        return found

    def _limit_template(self) -> None:
        """Add the setting `ARRAY_OBJECTS` to the template if the server has been upgraded to a version that has it."""
        nodes = self._server.ask("GET", "/_nodes", filter_path="nodes.*.version")["nodes"]
        if any(int(node["version"].partition(".")[0]) < _FIRST_LIMITED for node in nodes.values()):
            return
        try:
            self._put(array_objects=True)
        except DeniedError:
            self._notify(
                f"{self._server.name}: the index template dates from an older Elasticsearch, and refuses transactions"
                " with more than 10,000 recipients: run mailtrace-index once as a user with the role mailtrace-setup"
            )

    def _put_template(self, *, unfinished: bool = False) -> None:
        """Write the template, with the setting `ARRAY_OBJECTS` if the server has it."""
        try:
            self._put(array_objects=self._server.dialect.has_array_limit, unfinished=unfinished)
        except AnswerError as error:
            if ARRAY_OBJECTS not in error.reason:
                raise
            self._put(array_objects=False, unfinished=unfinished)

    def _put(self, *, array_objects: bool, unfinished: bool = False) -> None:
        meta = {**self.periods.to_json(), **({UNFINISHED: True} if unfinished else {})}
        body = template(self._prefix, meta, lifecycle=self.keeps_origination, array_objects=array_objects)
        body["template"]["settings"] |= self._adjusted
        self._server.ask("PUT", f"/_index_template/{self._prefix}", self._server.dialect.template(body))

    def earlier(self, indices: Sequence[str]) -> dict[str, bool]:
        """Return for each of these indices that exist whether it has the mapping of an earlier mailtrace."""
        found: dict[str, bool] = {}
        for names in _for_paths(indices):
            answer = self._server.ask_until_answered(
                *("GET", f"/{names}/_mapping"), ignore_unavailable=True, filter_path=f"*.mappings.{earlier.MARK}"
            )
            found |= {index: earlier.is_earlier(state["mappings"]) for index, state in answer.items()}
        return found

    def _add_fields(self, indices: Sequence[str]) -> None:
        """Add to indices the fields that they lack; existing fields stay as they are."""
        known = self.earlier(indices)
        former = [index for index in indices if known.get(index)]
        self._put_mapping(former, earlier.mapping())
        self._put_mapping([index for index in indices if not known.get(index)], mapping())

    def _put_mapping(self, indices: Sequence[str], body: dict[str, Any]) -> None:
        for names in _for_paths(indices):
            try:
                self._server.ask_until_answered("PUT", f"/{names}/_mapping", body)
            except AnswerError as error:
                raise StoreError(
                    f"{self._server.name}: the existing indices cannot take this version's fields ({error.reason}):"
                    " delete them and index the logs again, or report this message"
                ) from error

    def indices(self, expand: str = "open,closed") -> list[str]:
        """Return the sorted names of mailtrace's own indices, with `expand="closed"` only the closed ones."""
        path = f"/_resolve/index/{self._prefix}-*"
        found = self._server.ask_with_retries("GET", path, expand_wildcards=expand)
        names = (each["name"] for each in found["indices"])
        return sorted(name for name in names if day_span_of(name.removeprefix(f"{self._prefix}-")) is not None)

    def report_closed(self) -> None:
        """Report, once, the closed indices: the server leaves them out of searches without a word."""
        if not self._reported_closed:
            for message in self.closed():
                self._notify(message)

    def closed(self) -> list[str]:
        """Return a message about each closed index, for a caller that reports them itself."""
        self._reported_closed = True
        return [
            f"{index} is closed and not searched: open it with POST /{index}/_open" for index in self.indices("closed")
        ]


def _for_paths(indices: Sequence[str]) -> Iterator[str]:
    """Yield the names of indices, in strings that fit into the path of a request."""
    for at in range(0, len(indices), MOST_NAMES):
        yield ",".join(indices[at : at + MOST_NAMES])


def create(server: Server, index: str, body: dict[str, Any]) -> bool:
    """Create an index; return False if it exists already.

    Raises:
        StoreError: as `Server.ask`.
    """
    try:
        server.ask_until_answered("PUT", f"/{index}", body)
    except AnswerError as error:
        if error.kind != _EXISTS:
            raise
        return False
    return True
