"""The indices on an Elasticsearch server: made, kept for their time, deleted where the server does not.

An index's time counts from its *origination*: the later of the end of its days and the last time that a new document
came into it. On a server with lifecycles that is `index.lifecycle.origination_date`, and the server deletes; on one
without, it stands in the index's `_meta`, and `expire` deletes.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

from mailtrace.errors import StoreError
from mailtrace.stores.elasticsearch.client import Server
from mailtrace.stores.elasticsearch.periods import DaySpan, day_span_of, name_of, periods_of
from mailtrace.stores.elasticsearch.setup import FEW, SetUp, create

_HOUR: Final = 3_600_000
_DAY: Final = 86_400_000
_FEW_NEW: Final = 31
"""So many new indices are made without asking whether there is room for them."""


class Indices:
    """The indices of a prefix."""

    def __init__(self, server: Server, prefix: str, set_up: SetUp, now: Callable[[], float]) -> None:
        self.prefix = prefix
        self.pattern = f"{prefix}-*"
        self.checkpoints = f"{prefix}_checkpoints"
        self._server = server
        self._set_up = set_up
        self._now = now
        self._originations: dict[str, int] = {}
        self._written: set[str] = set()

    def of(self, day: int) -> str:
        """Return the name of the index that holds a day, counted from 1970 in UTC."""
        return f"{self.prefix}-{name_of(day, self._set_up.periods.of(day))}"

    def open(self, days: Iterable[int]) -> set[str]:
        """Make the indices of these days where they are missing.

        Returns those whose origination would rise by more than an hour if a new document came in now.
        """
        days = set(days)
        if not {self.of(day) for day in days} <= self._originations.keys():
            self._learn_periods()
        indices = {self.of(day) for day in days}
        for index in sorted(indices - self._originations.keys()):
            self._originations[index] = self._opened(index)
        return {index for index in indices if self._milliseconds() - self._originations[index] > _HOUR}

    def _learn_periods(self) -> None:
        """Another indexer may have chosen another period since this one began: no day may be in two indices."""
        if found := self._set_up.template():
            self._set_up.periods = periods_of(found.get("_meta") or {})

    def forget(self, index: str) -> None:
        """Look at an index anew before the next document goes there: it may have been deleted."""
        self._originations.pop(index, None)

    def _opened(self, index: str) -> int:
        """Create an index, or look at the one that is there; return its origination."""
        origination = max(_end(self._span(index)), self._milliseconds())
        if self._set_up.has_lifecycle:
            body: dict[str, Any] = {"settings": {"index.lifecycle.origination_date": origination}}
        else:
            body = {"mappings": {"_meta": {"origination": origination}}}
        if create(self._server, index, body):
            return origination
        return self._read_originations(index).get(index, origination)

    def _span(self, index: str) -> DaySpan:
        span = day_span_of(index.removeprefix(f"{self.prefix}-"))
        assert span is not None
        return span

    def _read_originations(self, indices: str) -> dict[str, int]:
        """The origination of each index: of one that somebody else has made, the time at which that was."""
        found = self._server.ask_until_answered(
            self._server.client.indices.get,
            index=indices,
            ignore_unavailable=True,
            filter_path="*.settings.index.creation_date,*.settings.index.lifecycle.origination_date,*.mappings._meta",
        )
        return {index: _origination(state) for index, state in found.items()}

    def prolong(self, index: str) -> None:
        """Let an index stay as long as if it had been made now: a new document is about to come in."""
        now = self._milliseconds()
        indices = self._server.client.indices
        if self._set_up.has_lifecycle:
            settings = {"index.lifecycle.origination_date": now}
            self._server.ask_until_answered(indices.put_settings, index=index, settings=settings)
        else:
            self._server.ask_until_answered(indices.put_mapping, index=index, meta={"origination": now})
        self._originations[index] = now

    def require_room(self, days: Collection[int]) -> None:
        """See that the server takes as many new indices as these days need.

        Raises:
            StoreError: it does not.
        """
        wanted = {self.of(day) for day in days} - set(self._set_up.existing())
        room = self._room() if len(wanted) > _FEW_NEW else None
        if room is None or len(wanted) <= room:
            return
        remedy = "raise cluster.max_shards_per_node there"
        if self._set_up.periods.current != "month":
            remedy = f"--index-period month makes one of each month, or {remedy}"
        raise StoreError(
            f"{self._server.name}: these logs are of some {len(days)} days, which need {len(wanted)} more indices, and"
            f" it has room for {max(room, 0)}: {remedy}; nothing has been written"
        )

    def _room(self) -> int | None:
        """How many more indices the cluster takes; None where it does not say so."""
        client, limit = self._server.client, "cluster.max_shards_per_node"
        try:
            health = self._server.ask(client.cluster.health)
            found = self._server.ask(client.cluster.get_settings, include_defaults=True, flat_settings=True)
        except StoreError:
            return None
        most = next(
            (
                int(kind[limit])
                for kind in map(found.get, ("transient", "persistent", "defaults"))
                if kind and limit in kind
            ),
            None,
        )
        if most is None:
            return None
        nodes = health["number_of_data_nodes"]
        shards = health["active_shards"] + health["initializing_shards"] + health["unassigned_shards"]
        # A new index must have room for its copy as well, even where there is no other node that can have it.
        return int((most * nodes - shards - 2) // min(2, nodes or 1)) + 1

    def wrote(self, index: str) -> None:
        """Remember that something in this index is not to be seen by searches yet."""
        self._written.add(index)

    def refresh_written(self) -> None:
        """Let searches see what was written here."""
        if self._written:
            self._refresh(",".join(sorted(self._written)) if len(self._written) <= FEW else self.pattern)

    def refresh(self) -> None:
        """Let searches see what anyone has written."""
        self._refresh(self.pattern)

    def _refresh(self, indices: str) -> None:
        self._server.ask_until_answered(self._server.client.indices.refresh, index=indices, ignore_unavailable=True)
        self._written.clear()

    def past(self, before: float) -> list[str]:
        """Return the indices that are past their time on a server that does not see to it itself.

        Those whose days ended, and whose last new document came, before that time, in seconds since 1970.
        """
        if self._set_up.has_lifecycle:
            return []
        ends = (
            (index, _end(span), origination)
            for index, origination in self._read_originations(self.pattern).items()
            if (span := day_span_of(index.removeprefix(f"{self.prefix}-"))) is not None
        )
        return [index for index, end, origination in ends if max(end, origination) < before * 1000]

    def delete(self, index: str) -> None:
        """Delete an index."""
        self._server.ask_until_answered(self._server.client.indices.delete, index=index, ignore_unavailable=True)

    def _milliseconds(self) -> int:
        return int(self._now() * 1000)


def _origination(state: dict[str, Any]) -> int:
    settings = state["settings"]["index"]
    kept = state.get("mappings", {}).get("_meta", {}).get("origination")
    return int(settings.get("lifecycle", {}).get("origination_date") or kept or settings["creation_date"])


def _end(span: DaySpan) -> int:
    """The end of an index's last day, in milliseconds since 1970."""
    return (span.last + 1) * _DAY
