"""Time zones by name: what `--tz` takes."""

import re
from datetime import timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from mailtrace.errors import UsageError

_is_offset = re.compile(r"(?:UTC)?([+-])(\d{1,2}):?(\d{2})?\Z").match


def zone_of(name: str) -> tzinfo:
    """Return the zone of a name such as `Europe/Madrid`, `UTC` or `+01:00`; the machine's own for the empty text.

    Raises:
        UsageError: there is no such zone.
    """
    from dateutil import tz  # noqa: PLC0415 # --help does not pay for it

    if not name:
        return tz.tzlocal()
    if offset := _is_offset(name):
        sign, hours, minutes = offset.groups()
        if int(hours) < 24 and int(minutes or 0) < 60:
            span = timedelta(hours=int(hours), minutes=int(minutes or 0))
            return timezone(span if sign == "+" else -span)
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        found = tz.gettz(name) if re.fullmatch(r"[A-Za-z]\w*(?:/[\w+-]+)*", name) else None
    if found is None:
        raise UsageError(f"{name}: no such time zone; use a name such as Europe/Madrid or UTC, or +01:00")
    return found
