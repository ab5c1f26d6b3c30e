"""Dates as documents have them."""

from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

_SECOND: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


@lru_cache(maxsize=4096)
def _iso_second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]


def iso_time(microseconds: int) -> str:
    """Return microseconds since 1970 as ISO 8601 in UTC, with a fraction only where there is one."""
    seconds, micro = divmod(microseconds, _SECOND)
    return f"{_iso_second(seconds)}.{micro:06}+00:00" if micro else f"{_iso_second(seconds)}+00:00"
