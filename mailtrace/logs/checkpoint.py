"""How far a log has been read."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Checkpoint:
    """How far a log has been read. A log is known by its content, not by its name."""

    log: str
    """Identifies the log's beginning: see `logs/file.py`."""
    offset: int
    """Bytes of uncompressed text that have been read."""
    tail: str
    """A digest of the bytes just before the offset."""
    path: str
    """Where the log was last seen: to tell people, and to find what was rotated away."""
    state: dict[str, Any] = field(default_factory=dict)
    """What reading goes on with: the year, the zone, sessions that had logged in."""
    saved: float = 0.0
    """When it was saved, in seconds since 1970."""
