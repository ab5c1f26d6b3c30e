"""Convert local times of a time zone to instants."""

from datetime import datetime, timedelta, timezone, tzinfo
from typing import Final

from mailtrace.syslog.stamp import FIRST_YEAR

_DAY: Final = 86400


class LocalTime:
    """Local time in a zone, with summer time. The zone is any tzinfo."""

    def __init__(self, zone: tzinfo) -> None:
        self.zone = zone
        self._offsets: dict[int, int | None] = {}

    def instant(self, wall: int, latest: int | None) -> int:
        """Return the second since 1970 of a local time, itself given as seconds from 1970 to that local time.

        In a repeated hour `latest`, the latest instant of the lines before, decides: after a step back the lines are in
        the second pass, and stay there. Times that the clock skips get the offset before the change.
        """
        day = wall - wall % _DAY
        try:
            offset = self._offsets[day]
        except KeyError:
            offset = self._remember(day)
        return wall - offset if offset is not None else self._near_change(wall, latest)

    def depends_on_order(self, wall: int) -> bool:
        """Return whether `instant` needs `latest` on the day of a local time, because the clock changes."""
        day = wall - wall % _DAY
        return (self._offsets[day] if day in self._offsets else self._remember(day)) is None

    def _remember(self, day: int) -> int | None:
        if len(self._offsets) > 1000:
            self._offsets.clear()
        offset = self._offset(day - 10800)
        self._offsets[day] = found = offset if offset == self._offset(day + _DAY + 10800) else None
        return found

    def _offset(self, wall: int) -> int:
        time = datetime(FIRST_YEAR, 1, 1, tzinfo=self.zone) + timedelta(seconds=wall)
        return round((time.utcoffset() or timedelta()).total_seconds())

    def _near_change(self, wall: int, latest: int | None) -> int:
        """Return an instant on a day on which the offset changes, without relying on `fold` of the zone."""
        before, after = self._offset(wall - _DAY), self._offset(wall + _DAY)
        found = sorted({wall - offset for offset in (before, after) if self._shows(wall - offset) == wall})
        if len(found) < 2 or latest is None:
            return found[0] if found else wall - before
        disorder = 10 if datetime.fromtimestamp(latest, self.zone).fold else 300
        return found[0] if found[0] >= latest - disorder else found[1]

    def _shows(self, instant: int) -> int:
        time = datetime.fromtimestamp(instant, self.zone).replace(tzinfo=timezone.utc)
        return round(time.timestamp())
