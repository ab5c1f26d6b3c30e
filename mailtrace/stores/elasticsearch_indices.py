"""The daily indices on an Elasticsearch server: set up, made, kept for their time, deleted where the server does not.

An index's time counts from its *origination*: the later of its day's end and the last time that a new document came
into it. On a server with lifecycles that is `index.lifecycle.origination_date`, and the server deletes; on one
without, it stands in the index's `_meta`, and `expire` deletes.
"""

import re
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any, Final

from mailtrace.stores.elasticsearch_mapping import (
    ARRAY_OBJECTS,
    checkpoints_index,
    day_end,
    is_current,
    policy,
    template,
)
from mailtrace.stores.elasticsearch_rows import index_of
from mailtrace.stores.elasticsearch_server import AnswerError, Server

_HOUR: Final = 3_600_000
_EXISTS: Final = "resource_already_exists_exception"
_FEW: Final = 100
"""How many index names go into one request's path, which may be 4 KiB long (`http.max_initial_line_length`)."""


class DailyIndices:
    """The indices of a prefix."""

    def __init__(self, server: Server, prefix: str, retention_days: int, now: Callable[[], float]) -> None:
        self.prefix = prefix
        self.pattern = f"{prefix}-*"
        self.checkpoints = f"{prefix}_checkpoints"
        self.has_lifecycle = True
        """Whether the server deletes what is past its time; known after `prepare`."""
        self._server = server
        self._retention_days = retention_days
        self._now = now
        self._originations: dict[int, int] = {}
        self._written: set[str] = set()

    def prepare(self) -> None:
        """Make policy, template and the index of checkpoints where they are missing; renew an older template."""
        self._prepare_policy()
        self._prepare_template()
        self._create(self.checkpoints, checkpoints_index())

    def _prepare_policy(self) -> None:
        """A policy that is there stays: the administrator may have changed it."""
        ilm = self._server.client.ilm
        try:
            self._server.ask(ilm.get_lifecycle, name=self.prefix)
        except AnswerError as error:
            if error.status == 404:
                self._create_policy()
            else:
                self._do_without_lifecycle(error)

    def _create_policy(self) -> None:
        ilm = self._server.client.ilm
        try:
            self._server.ask(ilm.put_lifecycle, name=self.prefix, policy=policy(self._retention_days))
        except AnswerError as error:
            self._do_without_lifecycle(error)

    def _do_without_lifecycle(self, error: AnswerError) -> None:
        """A server without lifecycles answers a path that it does not know with 400, an older one with 404 or 405."""
        if error.status not in (404, 405) and "no handler found" not in error.reason:
            raise error
        self.has_lifecycle = False

    def _prepare_template(self) -> None:
        indices = self._server.client.indices
        current, limited = False, False
        try:
            answer = self._server.ask(indices.get_index_template, name=self.prefix, flat_settings=True)
        except AnswerError as error:
            if error.status != 404:
                raise
        else:
            found = answer["index_templates"][0]["index_template"]
            current, limited = is_current(found), ARRAY_OBJECTS in found["template"].get("settings", {})
        if current and limited:
            return
        try:
            self._put_template(array_objects=True)
        except AnswerError as error:
            if ARRAY_OBJECTS not in error.reason:
                raise
            if not current:
                self._put_template(array_objects=False)

    def _put_template(self, *, array_objects: bool) -> None:
        body = template(self.prefix, lifecycle=self.has_lifecycle, array_objects=array_objects)
        self._server.ask(self._server.client.indices.put_index_template, name=self.prefix, **body)

    def _create(self, index: str, body: dict[str, Any]) -> bool:
        """Create an index; False: it is there already."""
        try:
            self._server.insist(self._server.client.indices.create, index=index, **body)
        except AnswerError as error:
            if error.kind != _EXISTS:
                raise
            return False
        return True

    def open(self, days: Iterable[int]) -> set[int]:
        """Make the indices of these days, counted from 1970, where they are missing.

        Returns the days whose origination would rise by more than an hour if a new document came in now.
        """
        days = set(days)
        for day in days - self._originations.keys():
            self._originations[day] = self._opened(day)
        return {day for day in days if self._milliseconds() - self._originations[day] > _HOUR}

    def _opened(self, day: int) -> int:
        """Create an index, or look at the one that is there; return its origination."""
        index = index_of(self.prefix, day)
        origination = max(day_end(day), self._milliseconds())
        if self.has_lifecycle:
            body: dict[str, Any] = {"settings": {"index.lifecycle.origination_date": origination}}
        else:
            body = {"mappings": {"_meta": {"origination": origination}}}
        return origination if self._create(index, body) else self._read_originations(index)[index]

    def _read_originations(self, indices: str) -> dict[str, int]:
        """The origination of each index: of one that somebody else has made, the time at which that was."""
        found = self._server.insist(
            self._server.client.indices.get,
            index=indices,
            filter_path="*.settings.index.creation_date,*.settings.index.lifecycle.origination_date,*.mappings._meta",
        )
        return {index: _origination(state) for index, state in found.items()}

    def prolong(self, day: int) -> None:
        """Let a day's index stay as long as if it had been made now: a new document is about to come in."""
        index, now = index_of(self.prefix, day), self._milliseconds()
        indices = self._server.client.indices
        if self.has_lifecycle:
            settings = {"index.lifecycle.origination_date": now}
            self._server.insist(indices.put_settings, index=index, settings=settings)
        else:
            self._server.insist(indices.put_mapping, index=index, meta={"origination": now})
        self._originations[day] = now

    def wrote(self, index: str) -> None:
        """Remember that something in this index is not to be seen by searches yet."""
        self._written.add(index)

    def refresh_written(self) -> None:
        """Let searches see what was written here."""
        if self._written:
            self._refresh(",".join(sorted(self._written)) if len(self._written) <= _FEW else self.pattern)

    def refresh(self) -> None:
        """Let searches see what anyone has written."""
        self._refresh(self.pattern)

    def _refresh(self, indices: str) -> None:
        self._server.insist(self._server.client.indices.refresh, index=indices, ignore_unavailable=True)
        self._written.clear()

    def past(self, before: float) -> list[str]:
        """Return the indices that are past their time on a server that does not see to it itself.

        Those whose day ended, and whose last new document came, before that time, in seconds since 1970.
        """
        if self.has_lifecycle:
            return []
        ends = (
            (index, end, origination)
            for index, origination in self._read_originations(self.pattern).items()
            if (end := _end(index, self.prefix)) is not None
        )
        return [index for index, end, origination in ends if max(end, origination) < before * 1000]

    def delete(self, index: str) -> None:
        """Delete an index."""
        self._server.insist(self._server.client.indices.delete, index=index, ignore_unavailable=True)

    def _milliseconds(self) -> int:
        return int(self._now() * 1000)


def _origination(state: dict[str, Any]) -> int:
    settings = state["settings"]["index"]
    kept = state.get("mappings", {}).get("_meta", {}).get("origination")
    return int(settings.get("lifecycle", {}).get("origination_date") or kept or settings["creation_date"])


def _end(index: str, prefix: str) -> int | None:
    """The end of the day that an index's name tells, in milliseconds; None where it is no daily index of ours."""
    found = re.fullmatch(re.escape(prefix) + r"-(\d{4})\.(\d\d)\.(\d\d)", index)
    if found is None:
        return None
    try:
        return day_end((date(*map(int, found.groups())) - date(1970, 1, 1)).days)
    except ValueError:
        return None
