"""Logs whose rotated files have all been read, so that a follower opens none of these at every new line."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeAlias

from mailtrace.logs.file import LogFile
from mailtrace.logs.rotation import Calendar, Planned, in_order, rotated_from

_State: TypeAlias = tuple[int, int, int, int]
"""Device, inode, size and modification time of a file."""


class _Known(NamedTuple):
    """A log as it was when it and its rotated files were read to their ends."""

    rotated: dict[str, _State]
    head: bytes
    year: int | None
    """The year of its first line, as it was planned."""


class KnownLogs:
    """The logs that were read to their ends, with their rotated files."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._rotated: dict[str, dict[str, _State]] = {}

    def plans(self, logs: Sequence[LogFile], calendar: Calendar) -> list[Planned] | None:
        """Return these logs alone if their rotated files have not changed since they were read; None if they have.

        Raises:
            LogError: a log cannot be read.
        """
        self._rotated = {log.path: _rotated(log.path) for log in logs}
        if not all(map(self._is_known, logs)):
            return None
        ordered = in_order(logs, calendar._replace(year=None))
        return [Planned(log, self._known[log.path].year, None) for log, _ in ordered]

    def _is_known(self, log: LogFile) -> bool:
        """Return whether this is a log that was read, and has grown at most."""
        known = self._known.get(log.path)
        return known is not None and known.rotated == self._rotated[log.path] and log.head.startswith(known.head)

    def add(self, plans: Sequence[Planned]) -> None:
        """Add the logs that `plans` was asked for: all of these plans have been carried out."""
        for log, year, _ in plans:
            if log.path in self._rotated and not log.is_stream and log.head:
                self._known[log.path] = _Known(self._rotated[log.path], log.head, year)


def _rotated(path: str) -> dict[str, _State]:
    """Return the files rotated from a log, as they are now."""
    found = {}
    for name in rotated_from(path):
        with suppress(OSError):
            file = Path(name).stat()
            found[name] = (file.st_dev, file.st_ino, file.st_size, file.st_mtime_ns)
    return found
