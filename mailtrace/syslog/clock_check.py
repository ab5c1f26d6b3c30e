"""Check with the times in queue IDs whether a log was dated in the right time zone and year.

Sendmail's, Exim's and long Postfix queue IDs contain the second at which the message began to arrive, and so do the
message IDs that the MTA generates. The same machine writes the log line moments later, so a difference between line and
ID means that the line was dated in a wrong zone or year.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from statistics import median
from typing import Final, NamedTuple

from mailtrace.errors import UsageError
from mailtrace.mta.queue_ids import time_in_message_id, time_of
from mailtrace.syslog.timezones import zone_of

_ENOUGH: Final = 200
_AGREE: Final = 300
"""Seconds by which a line may follow its queue ID, and a difference may deviate from a whole quarter of an hour."""
_QUARTER: Final = 900
_DAY: Final = 86400
_YEAR: Final = 365.2425 * _DAY

_ZONES: Final = """
    Europe/Madrid Europe/Berlin Europe/London America/New_York America/Chicago America/Denver
    America/Los_Angeles America/Phoenix America/Anchorage Pacific/Honolulu America/Sao_Paulo
    America/Argentina/Buenos_Aires America/Santiago America/Bogota America/Caracas America/Mexico_City America/Halifax
    America/St_Johns Atlantic/Azores Europe/Athens Africa/Johannesburg Africa/Lagos Europe/Moscow Asia/Dubai
    Asia/Tehran Asia/Kabul Asia/Karachi Asia/Kolkata Asia/Kathmandu Asia/Dhaka Asia/Yangon Asia/Bangkok Asia/Shanghai
    Asia/Tokyo Australia/Perth Australia/Brisbane Australia/Adelaide Australia/Darwin Australia/Sydney
    Pacific/Auckland Pacific/Tongatapu
"""
"""The zones that a message may suggest, the more likely ones first."""


class _Sample(NamedTuple):
    """The second to which a line was dated, and the one in its queue ID."""

    line: int
    queue_id: int


class ClockCheck:
    """Compares the times of lines with those in their queue IDs, for the first 200 messages."""

    def __init__(self) -> None:
        self.samples: list[_Sample] = []

    def sample(self, time: int, queue_id: str, mta: str) -> None:
        """Add the line that begins a message; `time` is its time in microseconds since 1970."""
        if len(self.samples) < _ENOUGH and (id_time := time_of(queue_id, mta)) is not None:
            self.samples.append(_Sample(time // 1_000_000, id_time))

    def sample_message_id(self, time: int, queue_id: str, msgid: str) -> None:
        """Add the line that logs a message ID, which the MTA may have generated at that time."""
        if len(self.samples) < _ENOUGH and (id_time := time_in_message_id(msgid, queue_id)) is not None:
            self.samples.append(_Sample(time // 1_000_000, id_time))

    def add(self, other: "ClockCheck") -> None:
        """Add the messages of another check, which follow those of this one."""
        self.samples += other.samples[: _ENOUGH - len(self.samples)]

    def message(self, zone_name: str | None, given_year: int | None, *, has_years: bool = False) -> str | None:
        """Return a line that names the flag to use; None if the queue IDs agree with the lines.

        `zone_name` is the zone in which the lines were dated, None for the machine's own; `given_year` the year of the
        first line as it was dated; `has_years` says that the stamps have years, which no flag changes. The median
        decides, so that messages which took minutes to arrive do not matter.
        """
        if not self.samples:
            return None
        difference = median(sample.line - sample.queue_id for sample in self.samples)
        if abs(difference) < _AGREE:
            return None
        try:
            zone = zone_of(zone_name or "")
        except UsageError:
            return None
        if years := round(difference / _YEAR):
            return None if has_years else self._other_year(difference, years, given_year, zone)
        return self._other_zone(difference, zone)

    def _other_year(self, difference: float, years: int, given_year: int | None, zone: tzinfo) -> str | None:
        # Leap years make whole years a day longer or shorter, and the zone may be wrong as well.
        if abs(difference - years * _YEAR) > 2 * _DAY:
            return None
        year = _at(self.samples[0].queue_id, zone).year if given_year is None else given_year - years
        return f"the queue IDs show {year}, so these dates are wrong: run again with --replace -y {year}"

    def _other_zone(self, difference: float, zone: tzinfo) -> str | None:
        whole = round(difference / _QUARTER) * _QUARTER
        # One slow message is no proof of another clock, so few samples must fit more closely.
        if abs(difference - whole) > (_AGREE if len(self.samples) > 2 else 60):
            return None
        typical = min(self.samples, key=lambda sample: abs(sample.line - sample.queue_id - difference))
        offset = _offset(typical.line, zone) + whole
        if not _is_in_use(offset):
            return None
        shown = _shown(offset)
        name = _zone_like(self.samples, zone, typical, offset) or shown
        return (
            f"the log's clock is UTC{shown if offset else ''}, so these dates are wrong:"
            f" run again with --replace --tz{'=' if name[0] == '-' else ' '}{name}"
        )


def _at(instant: int, zone: tzinfo) -> datetime:
    """Return the time in a zone at a second since 1970."""
    return datetime.fromtimestamp(instant, zone)


def _offset(instant: int, zone: tzinfo) -> int:
    return round((_at(instant, zone).utcoffset() or timedelta()).total_seconds())


def _is_in_use(offset: int) -> bool:
    """Return whether some zone has this offset: whole and half hours, quarters in Nepal, Eucla and Chatham."""
    return -12 * 3600 <= offset <= 14 * 3600 and (offset % 1800 == 0 or offset in (20700, 31500, 45900, 49500))


def _shown(offset: int) -> str:
    sign, (hours, seconds) = "-" if offset < 0 else "+", divmod(abs(offset), 3600)
    return f"{sign}{hours:02}:{seconds // 60:02}"


def _zone_like(samples: Sequence[_Sample], zone: tzinfo, typical: _Sample, offset: int) -> str | None:
    """Return the well-known zone with this offset at this time that fits the most samples, summer and winter."""
    if not offset:
        return "UTC"
    fits: dict[str, int] = {}
    for name in _ZONES.split():
        try:
            candidate = zone_of(name)
        except UsageError:
            continue
        if _offset(typical.queue_id, candidate) == offset:
            fits[name] = sum(_fits(sample, zone, candidate) for sample in samples)
    return max(fits, key=lambda name: fits[name], default=None)


def _fits(sample: _Sample, zone: tzinfo, candidate: tzinfo) -> bool:
    wall = _at(sample.line, zone).replace(tzinfo=timezone.utc).timestamp()
    return abs(wall - sample.queue_id - _offset(sample.queue_id, candidate)) < 2 * _AGREE
