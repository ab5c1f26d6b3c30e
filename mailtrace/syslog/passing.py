"""Pass over lines that another process dates: only the first line of each day must be read to date those after it.

That holds for lines which all begin with the usual stamps: RFC 3164's, or ISO 8601's with a `T`. Of any others, each
must be read in its order: entries of several lines, and the pieces of Exim's.
"""

import re
from typing import Final

from mailtrace.syslog.frame import Frames, Record
from mailtrace.syslog.stamp import DATES
from mailtrace.syslog.text import decoded

_MOST_DAYS: Final = 50
"""Lines of more days in one text are read in their order."""
_is_iso = re.compile(rb"\d{4}-\d\d-\d\dT", re.ASCII).match
_RFC3164: Final = 7
_ISO: Final = 11


def passed_over(frames: Frames, text: bytes) -> bool:
    """Go on behind whole lines, each with a newline, that another process dates from here on; return whether it can.

    The latest times, which date only what steps back, are then those of some lines near the end.
    """
    starts = _days(text)
    if not starts or b"exim" in text or "entry" in frames.state():
        return False
    before = frames.years.position()
    last = text.rfind(b"\n", 0, -1) + 1
    if all(_is_dated(frames, _line_at(text, at)) for at in (*starts, last)):
        return True
    frames.go_to(before)
    return False


def _days(text: bytes) -> list[int]:
    """Return where the lines of each day begin; nothing if some line begins without a usual stamp, or for many days."""
    found, at = list[int](), 0
    while at < len(text):
        start = text[at : at + _RFC3164]
        if start.decode("ascii", "replace") not in DATES:
            start = text[at : at + _ISO]
            if not _is_iso(start) or len(found) == _MOST_DAYS:
                return []
        found.append(at)
        other = re.compile(rb"\n(?!" + re.escape(start) + rb")").search(text, at)
        at = len(text) if other is None else other.end()
    return found


def _line_at(text: bytes, at: int) -> str:
    return decoded(text[at : text.index(b"\n", at)])


def _is_dated(frames: Frames, line: str) -> bool:
    """Return whether a line has a record, and its day can be dated whatever the order of its lines is."""
    record = frames.record(line)
    return isinstance(record, Record) and not frames.years.depends_on_order(record.time // 1_000_000)
