"""Checkpoints: how far logs have been read."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Checkpoint:
    """How far a log has been read. The log is identified by its content, not by its name."""

    log: str
    """The log's name in the store: a digest of its first lines as they were at its first checkpoint."""
    offset: int
    """Bytes of uncompressed text that have been read."""
    tail: str
    """A digest of the bytes just before the offset."""
    path: str
    """The log's path when it was last read, for messages."""
    state: dict[str, Any] = field(default_factory=dict)
    """What the next run needs to continue: year, time zone, open sessions and so on."""
    saved: float = 0.0
    """When it was saved, in seconds since 1970."""
