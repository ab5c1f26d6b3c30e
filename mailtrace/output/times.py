"""Format times, durations and sizes."""

from datetime import datetime, tzinfo
from typing import Final

_UNITS: Final = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


_BYTES: Final = ("B", "kB", "MB", "GB", "TB")


def size(number: int) -> str:
    """Return a number of bytes in the largest unit that it fills, such as `800 B`, `1.2 MB` or `35 GB`."""
    exact, unit = float(number), 0
    while exact >= 999.5 and unit < len(_BYTES) - 1:  # is rounded to 1000
        exact, unit = exact / 1000, unit + 1
    return f"{exact:.{1 if unit and exact < 9.95 else 0}f} {_BYTES[unit]}"  # is rounded to 10


def iso_time(date: str, zone: tzinfo) -> str:
    """Return a document's date in a zone, in ISO 8601 with the UTC offset."""
    return datetime.fromisoformat(date).astimezone(zone).isoformat()


def local_time(date: str, zone: tzinfo) -> str:
    """Return a document's date in a zone for people, without fraction and offset: `2011-12-15 15:27:19`."""
    return f"{datetime.fromisoformat(date).astimezone(zone):%Y-%m-%d %H:%M:%S}"


def duration(seconds: float) -> str:
    """Return a duration in its two largest units, such as `0.25 s`, `3 min 20 s`, `5 d` or `-2 s`."""
    sign, length = "-" if seconds < 0 else "", abs(seconds)
    if (short := round(length, 2)) < 60:
        return f"{sign}{short:g} s"
    left = round(length)
    parts: list[str] = []
    for unit, size in _UNITS:
        number, left = divmod(left, size)
        if parts or number:
            parts.append(f"{number} {unit}" if number else "")
    return sign + " ".join(filter(None, parts[:2]))
