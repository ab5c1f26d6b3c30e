"""Create, refresh, prolong and delete the indices on a server.

The retention of an index counts from its *origination date*: the later of the end of its last day and the time when a
new document was last added. A server with ILM keeps it in `index.lifecycle.origination_date` and deletes the index. For
other servers it is kept in the mapping's `_meta`, and `ElasticsearchStore.expire` deletes the index, unless the server
has ISM, which counts from the creation.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

from mailtrace.errors import StoreError
from mailtrace.stores.elasticsearch.client import Server
from mailtrace.stores.elasticsearch.periods import DaySpan, day_span_of, name_of, periods_of
from mailtrace.stores.elasticsearch.setup import MOST_NAMES, Setup, create
from mailtrace.stores.elasticsearch.template import has_fields

_HOUR: Final = 3_600_000
_DAY: Final = 86_400_000
_UNCHECKED: Final = 31
"""Up to so many new indices are created without first asking the server for room."""


class Indices:
    """The indices with a prefix."""

    def __init__(self, server: Server, prefix: str, setup: Setup, now: Callable[[], float]) -> None:
        self.prefix = prefix
        self.pattern = f"{prefix}-*"
        self.checkpoints = f"{prefix}_checkpoints"
        self._server = server
        self._setup = setup
        self._now = now
        self._originations: dict[str, int] = {}
        self._earlier: dict[str, bool] = {}
        """For each index, whether an earlier mailtrace created it."""
        self.is_fresh = False
        """Whether all indices have been refreshed since this run began."""
        self._written: set[str] = set()
        self._unchecked: set[str] = set()
        """Written indices that may have been deleted before the write, and created by it."""

    def of(self, day: int) -> str:
        """Return the name of the index that holds a day, counted from 1970 in UTC."""
        return f"{self.prefix}-{name_of(day, self._setup.periods.of(day))}"

    def create_missing(self, days: Iterable[int]) -> set[str]:
        """Create the missing indices of these days, counted from 1970 in UTC.

        Return the indices that a new document would prolong by more than an hour.

        Raises:
            StoreError: as `Server.ask`; the cluster may have reached its limit of shards.
        """
        days = set(days)
        if not {self.of(day) for day in days} <= self._originations.keys():
            self._reload_periods()
        indices = {self.of(day) for day in days}
        for index in sorted(indices - self._originations.keys()):
            self._originations[index] = self._create_or_read(index)
        return {index for index in indices if self._milliseconds() - self._originations[index] > _HOUR}

    def is_earlier(self, index: str) -> bool:
        """Return whether an index has the mapping of an earlier mailtrace."""
        if index not in self._earlier:
            self._earlier |= dict.fromkeys([index], False) | self._setup.earlier([index])
        return self._earlier[index]

    def _reload_periods(self) -> None:
        """Read the periods again: another indexer may have changed them, and no day may be in two indices."""
        if found := self._setup.template():
            self._setup.periods = periods_of(found.get("_meta") or {})

    def forget(self, index: str) -> None:
        """Forget an index that was deleted, so that it is created again before the next document is written."""
        self._originations.pop(index, None)
        self._earlier.pop(index, None)

    def _create_or_read(self, index: str) -> int:
        """Create an index, or read the existing one; return its origination date in milliseconds since 1970."""
        origination = self._origination_of_new(index)
        if self._setup.keeps_origination:
            body: dict[str, Any] = {"settings": {"index.lifecycle.origination_date": origination}}
        else:
            body = {"mappings": {"_meta": {"origination": origination}}}
        if create(self._server, index, body):
            self._require_fields(index)
            self._earlier[index] = False
            return origination
        self._set_missing_originations([index])
        return self._read_originations(index).get(index, origination)

    def _require_fields(self, index: str) -> None:
        """Check that a new index has the fields of the template; otherwise delete it, since no search could use it.

        Raises:
            StoreError: another template applies, or an administrator has deleted ours.
        """
        found = self._server.ask_until_answered("GET", f"/{index}/_mapping")
        if has_fields(found[index]["mappings"]):
            return
        self.delete(index)
        raise StoreError(
            f"{self._server.name}: {index} would not get the fields of the index template {self.prefix}: it is missing,"
            f" or another one has a higher priority (POST /_index_template/_simulate_index/{index} tells which); change"
            " that, then run mailtrace-index again"
        )

    def _origination_of_new(self, index: str) -> int:
        return max(_end(self._span(index)), self._milliseconds())

    def _set_missing_originations(self, indices: Collection[str]) -> None:
        """Set the origination date of indices that a write created by itself, after they had been deleted."""
        if not indices or not self._server.dialect.writes_create_indices:
            return
        # Each index has `dynamic`, so that one that is not found has been deleted.
        kept = "*.mappings._meta,*.mappings.dynamic"
        found = self._server.ask_until_answered(
            "GET", f"/{self._path_of(indices)}/_mapping", ignore_unavailable=True, filter_path=kept
        )
        for index in set(indices) & found.keys():
            if "origination" not in found[index]["mappings"].get("_meta", {}):
                self._set_origination(index, self._origination_of_new(index))

    def _span(self, index: str) -> DaySpan:
        span = day_span_of(index.removeprefix(f"{self.prefix}-"))
        assert span is not None
        return span

    def _read_originations(self, indices: str) -> dict[str, int]:
        """Return the origination date of each index, or when it was created if mailtrace did not create it."""
        found = self._server.ask_until_answered(
            "GET",
            f"/{indices}",
            ignore_unavailable=True,
            filter_path="*.settings.index.creation_date,*.settings.index.lifecycle.origination_date,*.mappings._meta",
        )
        return {index: _origination(state) for index, state in found.items()}

    def prolong(self, index: str) -> None:
        """Start the retention of an index again, because a new document is about to be added."""
        now = self._milliseconds()
        self._set_origination(index, now)
        self._originations[index] = now

    def _set_origination(self, index: str, at: int) -> None:
        """Set the origination date of an index, in milliseconds since 1970."""
        if self._setup.keeps_origination:
            self._server.ask_until_answered("PUT", f"/{index}/_settings", {"index.lifecycle.origination_date": at})
        else:
            self._server.ask_until_answered("PUT", f"/{index}/_mapping", {"_meta": {"origination": at}})

    def require_room(self, days: Collection[int]) -> None:
        """Check that the server has room for the new indices that these days, counted from 1970 in UTC, need.

        Without this check a backfill would fill the cluster up to its limit of shards: no other application could
        create an index any more, and changing `--index-period` afterwards would not help, as that needs new indices.

        Raises:
            StoreError: there is not enough room.
        """
        needed = {self.of(day) for day in days} - set(self._setup.indices())
        room = self._room() if len(needed) > _UNCHECKED else None
        if room is None or len(needed) <= room:
            return
        advice = "raise cluster.max_shards_per_node"
        if self._setup.periods.current != "month":
            advice = f"use --index-period month, or {advice}"
        raise StoreError(
            f"{self._server.name} has room for {max(room, 0)} more indices, but these logs span about {len(days)} days"
            f" and need {len(needed)}: {advice}; nothing has been written"
        )

    def _room(self) -> int | None:
        """Return how many more indices the cluster allows; None if this user may not ask."""
        limit = "cluster.max_shards_per_node"
        try:
            health = self._server.ask("GET", "/_cluster/health")
            found = self._server.ask("GET", "/_cluster/settings", include_defaults=True, flat_settings=True)
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
        # The server also counts the replica of a new index, even if there is no second node to hold it.
        return int((most * nodes - shards - 2) // min(2, nodes or 1)) + 1

    def add_written(self, index: str) -> None:
        """Record that this index is being written: it needs a refresh before searches see it all."""
        self._written.add(index)
        self._unchecked.add(index)

    def refresh_written(self) -> None:
        """Refresh the indices that were written by this process."""
        self._set_missing_originations(self._unchecked)
        self._unchecked.clear()
        if self._written:
            self._refresh(self._path_of(self._written))

    def _path_of(self, indices: Iterable[str]) -> str:
        """Return the names of indices for the path of a request; the pattern of all indices if they are too many."""
        names = sorted(indices)
        return ",".join(names) if len(names) <= MOST_NAMES else self.pattern

    def refresh(self) -> None:
        """Refresh all indices, so that searches see what any process has written."""
        self._refresh(self.pattern)
        self.is_fresh = True

    def refresh_for_look_up(self) -> None:
        """Refresh the indices that this process has written since the last refresh; in a run's first look-up, all.

        Every writer does so between its writes and the look-up that follows them. Of two writers, the one whose look-up
        begins later sees what the other has written: its refresh was over before. What a process that was killed has
        not refreshed is seen by the one that reads its lines again.
        """
        if not self.is_fresh:
            self.refresh()
        elif self._written:
            self._refresh(self._path_of(self._written))

    def _refresh(self, indices: str) -> None:
        self._server.ask_until_answered("POST", f"/{indices}/_refresh", ignore_unavailable=True)
        self._written.clear()

    def expired(self, before: float) -> list[str]:
        """Return the indices to delete; none on a server that deletes them itself.

        These are the indices whose origination date is earlier than `before`, in seconds since 1970.
        """
        if self._setup.lifecycle is not None:
            return []
        ends = (
            (index, _end(span), origination)
            for index, origination in self._read_originations(self.pattern).items()
            if (span := day_span_of(index.removeprefix(f"{self.prefix}-"))) is not None
        )
        return [index for index, end, origination in ends if max(end, origination) < before * 1000]

    def delete(self, index: str) -> None:
        """Delete an index."""
        self._server.ask_until_answered("DELETE", f"/{index}", ignore_unavailable=True)

    def _milliseconds(self) -> int:
        return int(self._now() * 1000)


def _origination(state: dict[str, Any]) -> int:
    settings = state["settings"]["index"]
    kept = state.get("mappings", {}).get("_meta", {}).get("origination")
    return int(settings.get("lifecycle", {}).get("origination_date") or kept or settings["creation_date"])


def _end(span: DaySpan) -> int:
    """Return the end of an index's last day, in milliseconds since 1970."""
    return (span.last + 1) * _DAY
