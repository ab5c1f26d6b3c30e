"""Set up an Elasticsearch server: lifecycle policy, index template, index of checkpoints.

Every run repeats this. What an administrator has changed stays as it is.
"""

from typing import Any, Final

from mailtrace.errors import StoreError
from mailtrace.stores.base import RETENTION_DAYS, Notify
from mailtrace.stores.elasticsearch.client import Server
from mailtrace.stores.elasticsearch.errors import AnswerError, DeniedError
from mailtrace.stores.elasticsearch.periods import Periods, day_span_of, periods_of
from mailtrace.stores.elasticsearch.template import (
    ARRAY_OBJECTS,
    UNFINISHED,
    checkpoints_index,
    deletes_after,
    is_current,
    is_newer,
    is_ours,
    mapping,
    policy,
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
        self.has_lifecycle = True
        """Whether the server deletes expired indices itself; known after `prepare`."""
        self.periods = Periods(period or "day")
        self._server, self._prefix, self._notify = server, prefix, notify
        self._retention_days, self._period = retention_days, period
        self._reported_closed = False

    def prepare(self, checkpoints: str) -> None:
        """Create what is missing; update an older version's template, and add its new fields to existing indices.

        Raises:
            StoreError: retention or period cannot be changed, or the user lacks a privilege.
        """
        self._prepare_policy()
        self._prepare_template()
        create(self._server, checkpoints, checkpoints_index())

    def _prepare_policy(self) -> None:
        """Create the policy; change an existing one only for a new retention, and only if mailtrace set it."""
        try:
            found = self._server.ask(self._server.client.ilm.get_lifecycle, name=self._prefix)
        except AnswerError as error:
            if error.status == 404:
                self._put_policy(self._retention_days or RETENTION_DAYS)
            else:
                self._do_without_lifecycle(error)
            return
        days, current = self._retention_days, found[self._prefix]["policy"]
        age = deletes_after(current)
        if days is None or age == f"{days}d":
            return
        if not is_ours(current):
            raise StoreError(
                f"--retention {days}: the lifecycle policy {self._prefix} at {self._server.name} was set by an"
                f" administrator (it deletes {'nothing' if age is None else f'after {age}'}): change it there, or omit"
                " --retention"
            )
        self._put_policy(days)

    def _put_policy(self, days: int) -> None:
        try:
            self._server.ask(self._server.client.ilm.put_lifecycle, name=self._prefix, policy=policy(days))
        except AnswerError as error:
            self._do_without_lifecycle(error)

    def _do_without_lifecycle(self, error: AnswerError) -> None:
        """Record that the server has no ILM, if it answers with 400, 404 or 405 as for an unknown path."""
        if error.status not in (404, 405) and "no handler found" not in error.reason:
            raise error
        self.has_lifecycle = False

    def _prepare_template(self) -> None:
        found = self.template()
        self.periods = periods_of(found.get("_meta") or {}) if found else Periods(self._period or "day")
        if self._period and self._period != self.periods.current:
            if is_newer(found):
                raise StoreError(
                    f"{self._server.name} was set up by a newer mailtrace: change --index-period with that version"
                )
            self._change_period(self._period)
            found["_meta"] = {UNFINISHED: True}
        limited = ARRAY_OBJECTS in found.get("template", {}).get("settings", {})
        if found and is_current(found):
            if not limited and not is_newer(found):
                self._limit_template()
            return
        if indices := self.indices():
            self._put_template(unfinished=True)
            self._add_fields(indices)
        self._put_template()
        if not found and not self.has_lifecycle:
            self._notify(
                f"{self._server.name} has no lifecycle management (ILM): mailtrace-index deletes expired indices"
                " itself, at the end of each run"
            )

    def _change_period(self, period: str) -> None:
        existing = self.indices()
        self.periods = self.periods.changed(period, [name.removeprefix(f"{self._prefix}-") for name in existing])
        if existing:
            self._notify(f"new indices hold a {period} from now on; days that already have an index keep it")

    def template(self) -> dict[str, Any]:
        """Return the index template; an empty dictionary if there is none."""
        get = self._server.client.indices.get_index_template
        try:
            answer = self._server.ask_until_answered(get, name=self._prefix, flat_settings=True)
        except AnswerError as error:
            if error.status != 404:
                raise
            return {}
        found: dict[str, Any] = answer["index_templates"][0]["index_template"]
        return found

    def _limit_template(self) -> None:
        """Add the setting `ARRAY_OBJECTS` to the template if the server has been upgraded to a version that has it."""
        nodes = self._server.ask(self._server.client.nodes.info, filter_path="nodes.*.version")["nodes"]
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
            self._put(array_objects=True, unfinished=unfinished)
        except AnswerError as error:
            if ARRAY_OBJECTS not in error.reason:
                raise
            self._put(array_objects=False, unfinished=unfinished)

    def _put(self, *, array_objects: bool, unfinished: bool = False) -> None:
        meta = {**self.periods.to_json(), **({UNFINISHED: True} if unfinished else {})}
        body = template(self._prefix, meta, lifecycle=self.has_lifecycle, array_objects=array_objects)
        self._server.ask(self._server.client.indices.put_index_template, name=self._prefix, **body)

    def _add_fields(self, indices: list[str]) -> None:
        """Add to indices the fields that they lack; existing fields stay as they are."""
        put = self._server.client.indices.put_mapping
        for at in range(0, len(indices), MOST_NAMES):
            try:
                self._server.ask_until_answered(put, index=",".join(indices[at : at + MOST_NAMES]), **mapping())
            except AnswerError as error:
                raise StoreError(
                    f"{self._server.name}: the existing indices cannot take this version's fields ({error.reason}):"
                    " delete them and index the logs again, or report this message"
                ) from error

    def indices(self, expand: str = "open,closed") -> list[str]:
        """Return the sorted names of mailtrace's own indices, with `expand="closed"` only the closed ones."""
        resolve = self._server.client.indices.resolve_index
        found = self._server.ask_with_retries(resolve, name=f"{self._prefix}-*", expand_wildcards=expand)
        names = (each["name"] for each in found["indices"])
        return sorted(name for name in names if day_span_of(name.removeprefix(f"{self._prefix}-")) is not None)

    def report_closed(self) -> None:
        """Report, once, the closed indices: the server leaves them out of searches without a word."""
        closed = [] if self._reported_closed else self.indices("closed")
        self._reported_closed = True
        for index in closed:
            self._notify(closed_message(index))


def closed_message(index: str) -> str:
    """Return the message about a closed index."""
    return f"{index} is closed and not searched: open it with POST /{index}/_open"


def create(server: Server, index: str, body: dict[str, Any]) -> bool:
    """Create an index; return False if it exists already.

    Raises:
        StoreError: as `Server.ask`.
    """
    try:
        server.ask_until_answered(server.client.indices.create, index=index, **body)
    except AnswerError as error:
        if error.kind != _EXISTS:
            raise
        return False
    return True
