"""The form of the dates in documents: ISO 8601 in UTC."""

from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

_SECOND: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_SECONDS: Final = [f"{second:02}" for second in range(60)]


@lru_cache(maxsize=4096)
def _iso_minute(minutes: int) -> str:
    return (_EPOCH + timedelta(minutes=minutes)).isoformat()[:17]


def iso_time(microseconds: int) -> str:
    """Return a time in microseconds since 1970 as ISO 8601 in UTC, with a fraction only if it is not zero."""
    seconds, micro = divmod(microseconds, _SECOND)
    minutes, second = divmod(seconds, 60)
    fraction = f".{micro:06}" if micro else ""
    return f"{_iso_minute(minutes)}{_SECONDS[second]}{fraction}+00:00"
