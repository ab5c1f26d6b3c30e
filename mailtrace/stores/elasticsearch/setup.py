"""What mailtrace sets up on an Elasticsearch server before it writes, safe to repeat: nobody's wishes are undone."""

from typing import Any, Final

from mailtrace.errors import StoreError
from mailtrace.stores.base import RETENTION_DAYS, Notify
from mailtrace.stores.elasticsearch.client import AnswerError, DeniedError, Server
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

FEW: Final = 100
"""How many index names go into one request's path, which may be 4 KiB long (`http.max_initial_line_length`)."""

_LIMITED: Final = 9
"""The first version of Elasticsearch that has the limit of `ARRAY_OBJECTS`."""
_EXISTS: Final = "resource_already_exists_exception"


class SetUp:
    """Policy, template and index of checkpoints of a prefix.

    Retention and period are what is wished for: None leaves them as they are.
    """

    def __init__(
        self, server: Server, prefix: str, retention_days: int | None, period: str | None, tell: Notify
    ) -> None:
        self.has_lifecycle = True
        """Whether the server deletes what is past its time; known after `prepare`."""
        self.periods = Periods(period or "day")
        self._server, self._prefix, self._tell = server, prefix, tell
        self._retention_days, self._period = retention_days, period
        self._told_of_closed = False

    def prepare(self, checkpoints: str) -> None:
        """Make what is missing, renew an older version's template, give its new fields to the indices that are there.

        Raises:
            StoreError: what is wished for cannot be, or the server does not let this user do it.
        """
        self._prepare_policy()
        self._prepare_template()
        create(self._server, checkpoints, checkpoints_index())

    def _prepare_policy(self) -> None:
        """A policy that is there stays, unless another retention is wished for and nobody has changed the policy."""
        try:
            found = self._server.ask(self._server.client.ilm.get_lifecycle, name=self._prefix)
        except AnswerError as error:
            if error.status == 404:
                self._put_policy(self._retention_days or RETENTION_DAYS)
            else:
                self._do_without_lifecycle(error)
            return
        wish, kept = self._retention_days, found[self._prefix]["policy"]
        if wish is None or deletes_after(kept) == f"{wish}d":
            return
        if not is_ours(kept):
            raise StoreError(
                f"--retention {wish}: the lifecycle policy {self._prefix} at {self._server.name} is an administrator's"
                f" (it deletes {_after(deletes_after(kept))}): change it there, or leave --retention out"
            )
        self._put_policy(wish)

    def _put_policy(self, days: int) -> None:
        try:
            self._server.ask(self._server.client.ilm.put_lifecycle, name=self._prefix, policy=policy(days))
        except AnswerError as error:
            self._do_without_lifecycle(error)

    def _do_without_lifecycle(self, error: AnswerError) -> None:
        """A server without lifecycles answers a path that it does not know with 400, an older one with 404 or 405."""
        if error.status not in (404, 405) and "no handler found" not in error.reason:
            raise error
        self.has_lifecycle = False

    def _prepare_template(self) -> None:
        found = self.template()
        self.periods = periods_of(found.get("_meta") or {}) if found else Periods(self._period or "day")
        if self._period and self._period != self.periods.current:
            if is_newer(found):
                raise StoreError(f"{self._server.name} was set up by a newer mailtrace: say --index-period to that one")
            self._change_period(self._period)
            found["_meta"] = {UNFINISHED: True}
        limited = ARRAY_OBJECTS in found.get("template", {}).get("settings", {})
        if found and is_current(found):
            if not limited and not is_newer(found):
                self._limit_template()
            return
        if indices := self.existing():
            self._put_template(unfinished=True)
            self._extend(indices)
        self._put_template()
        if not found and not self.has_lifecycle:
            self._tell(
                f"{self._server.name} has no lifecycles (ILM): mailtrace-index itself deletes what is past its time,"
                " at the end of each run"
            )

    def _change_period(self, period: str) -> None:
        there = self.existing()
        self.periods = self.periods.changed(period, [name.removeprefix(f"{self._prefix}-") for name in there])
        if there:
            self._tell(f"an index holds a {period} from now on; days of which there is an index stay where they are")

    def template(self) -> dict[str, Any]:
        """Return the index template; empty where there is none."""
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
        """Give the template the limit that only newer servers know, if this has become one since it was made."""
        nodes = self._server.ask(self._server.client.nodes.info, filter_path="nodes.*.version")["nodes"]
        if any(int(node["version"].partition(".")[0]) < _LIMITED for node in nodes.values()):
            return
        try:
            self._put(array_objects=True)
        except DeniedError:
            self._tell(
                f"{self._server.name}: its template is of an older Elasticsearch, and refuses transactions with more"
                " than 10,000 results: run mailtrace-index once as a user who may set up"
            )

    def _put_template(self, *, unfinished: bool = False) -> None:
        """With the limit that only newer servers know, if this is one."""
        try:
            self._put(array_objects=True, unfinished=unfinished)
        except AnswerError as error:
            if ARRAY_OBJECTS not in error.reason:
                raise
            self._put(array_objects=False, unfinished=unfinished)

    def _put(self, *, array_objects: bool, unfinished: bool = False) -> None:
        meta = {**self.periods.told(), **({UNFINISHED: True} if unfinished else {})}
        body = template(self._prefix, meta, lifecycle=self.has_lifecycle, array_objects=array_objects)
        self._server.ask(self._server.client.indices.put_index_template, name=self._prefix, **body)

    def _extend(self, indices: list[str]) -> None:
        """Give indices the fields that they lack; those they have stay as they are."""
        put = self._server.client.indices.put_mapping
        for at in range(0, len(indices), FEW):
            try:
                self._server.ask_until_answered(put, index=",".join(indices[at : at + FEW]), **mapping())
            except AnswerError as error:
                raise StoreError(
                    f"{self._server.name}: the indices that are there cannot take this version's fields"
                    f" ({error.reason}): index the logs anew, or ask for help with this line"
                ) from error

    def existing(self, expand: str = "open,closed") -> list[str]:
        """Return the names of the indices that there are, in their order: ours alone, open or closed."""
        resolve = self._server.client.indices.resolve_index
        found = self._server.ask_with_retries(resolve, name=f"{self._prefix}-*", expand_wildcards=expand)
        names = (each["name"] for each in found["indices"])
        return sorted(name for name in names if day_span_of(name.removeprefix(f"{self._prefix}-")) is not None)

    def tell_of_closed(self) -> None:
        """Say, once, which indices a search leaves out: the server does so silently."""
        closed = [] if self._told_of_closed else self.existing("closed")
        self._told_of_closed = True
        for index in closed:
            self._tell(left_out(index))


def left_out(index: str) -> str:
    """Return what to say of an index that somebody has closed."""
    return f"{index} is closed and not searched: open it with POST /{index}/_open"


def create(server: Server, index: str, body: dict[str, Any]) -> bool:
    """Create an index; False: it is there already."""
    try:
        server.ask_until_answered(server.client.indices.create, index=index, **body)
    except AnswerError as error:
        if error.kind != _EXISTS:
            raise
        return False
    return True


def _after(age: str | None) -> str:
    return "nothing" if age is None else f"after {age}"
