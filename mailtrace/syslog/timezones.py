"""Time zones by name, as for `--tz`."""

import os
import re
from datetime import timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from mailtrace.errors import UsageError

_is_name = re.compile(r"[A-Za-z]\w*(?:/[\w+-]+)*\Z").match
_is_offset = re.compile(r"(?:UTC)?([+-])(\d{1,2}):?(\d{2})?\Z").match


def zone_of(name: str) -> tzinfo:
    """Return the zone of a name such as `Europe/Madrid`, `UTC` or `+01:00`; the machine's own for the empty text.

    Raises:
        UsageError: there is no such zone.
    """
    if not name:
        return _local()
    if offset := _is_offset(name):
        sign, hours, minutes = offset.groups()
        if int(hours) < 24 and int(minutes or 0) < 60:
            span = timedelta(hours=int(hours), minutes=int(minutes or 0))
            return timezone(span if sign == "+" else -span)
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        from dateutil import tz  # noqa: PLC0415 # slow to import, and rarely needed

        found = tz.gettz(name) if _is_name(name) else None
    if found is None:
        raise UsageError(f"{name}: no such time zone; use a name such as Europe/Madrid or UTC, or +01:00")
    return found


def _local() -> tzinfo:
    """Return the machine's time zone: from TZ, else from /etc/localtime."""
    name = os.environ.get("TZ")
    try:
        if name is None:
            with Path("/etc/localtime").open("rb") as file:
                return ZoneInfo.from_file(file)
        if _is_name(name):
            return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        pass
    from dateutil import tz  # noqa: PLC0415 # as above

    return tz.tzlocal()
