"""The logs that a store knows, for `mailtrace-index --check`: how far each has been read, and what is left to read."""

from collections.abc import Iterable
from datetime import datetime, timezone, tzinfo
from pathlib import Path
from shlex import quote
from typing import Final

from mailtrace.errors import LogError, StoreError, StoreUnavailableError
from mailtrace.logs.checkpoint import Checkpoint
from mailtrace.logs.file import LogFile
from mailtrace.logs.recognition import candidates
from mailtrace.output.times import duration, local_time
from mailtrace.stores.base import Description, KnowsLogs, Store
from mailtrace.syslog.frame import Frames
from mailtrace.syslog.records import Record
from mailtrace.syslog.text import decoded
from mailtrace.syslog.timezones import zone_of

_MOST: Final = 10
"""Logs to list."""
_TAIL_BYTES: Final = 64 << 10
_LATE_SECONDS: Final = 3600
"""A log should be read within this time after it has grown."""


def known_logs(store: Store, zone: tzinfo, now: float) -> Description:
    """Return the last run and the known logs, the latest first, and which of them are not read any more."""
    try:
        checkpoints = store.known_logs() if isinstance(store, KnowsLogs) else store.checkpoints()
    except StoreUnavailableError:
        raise
    except StoreError:  # nothing has been indexed, or this user may not see it
        return Description([], [])
    latest = _latest(checkpoints)
    if not latest:
        return Description([], [])
    lines = [("last run", f"{_date(latest[0].saved, zone)}, {_ago(now - latest[0].saved)} (the last with new lines)")]
    problems: list[str] = []
    for checkpoint in latest[:_MOST]:
        text, problem = _state(checkpoint, zone, now)
        lines.append(("log", f"{checkpoint.path}: {text}"))
        problems += [problem] if problem else []
    if len(latest) > _MOST:
        lines.append(("log", f"and {len(latest) - _MOST} more"))
    return Description(lines, problems)


def _latest(checkpoints: Iterable[Checkpoint]) -> list[Checkpoint]:
    """The latest checkpoint of each path, the latest first: what had this name before was rotated."""
    found: dict[str, Checkpoint] = {}
    for checkpoint in sorted(checkpoints, key=lambda each: each.saved, reverse=True):
        found.setdefault(checkpoint.path, checkpoint)
    return list(found.values())


def _state(checkpoint: Checkpoint, zone: tzinfo, now: float) -> tuple[str, str]:
    """How far a log has been read, and a problem or empty text."""
    last = _last_line(checkpoint)
    last_line = "" if last is None else f", last line {_date(last, zone)}"
    try:
        file = Path(checkpoint.path).stat()
    except FileNotFoundError:
        is_absolute = Path(checkpoint.path).is_absolute()
        gone = "the file has been renamed or deleted since" if is_absolute else "no such file in this folder"
        return f"read {checkpoint.offset:,} bytes{last_line}; {gone}", ""
    except OSError as error:
        return f"read {checkpoint.offset:,} bytes{last_line}; {error.strerror}", ""
    packed = checkpoint.state.get("packed")
    if packed is not None or file.st_size < checkpoint.offset:
        return _state_of_compressed(checkpoint, file.st_size, last_line, now)
    left = file.st_size - checkpoint.offset
    text = f"read {checkpoint.offset:,} of {file.st_size:,} bytes{last_line}"
    waits = now - checkpoint.saved
    if not left or waits < _LATE_SECONDS:
        return text, ""
    return text, (
        f"{checkpoint.path} has {left:,} bytes that no run has read for {duration(int(waits))}: run mailtrace-index"
        f" {quote(checkpoint.path)}, and see whether cron or the service still runs (systemctl status mailtrace)"
    )


def _state_of_compressed(checkpoint: Checkpoint, size: int, last_line: str, now: float) -> tuple[str, str]:
    """The state of a log that was compressed when it was read, or of what has its name by now."""
    packed, waits = checkpoint.state.get("packed"), now - checkpoint.saved
    if packed == size:
        return f"{size:,} bytes, all read{last_line}", ""
    if packed is not None or not _begins_like(checkpoint):
        return f"{size:,} bytes, another file has this name by now{last_line}", ""
    problem = (
        f"{checkpoint.path} was not read to its end, {_ago(waits)}: run mailtrace-index {quote(checkpoint.path)}; if"
        " it is damaged, restore it first"
    )
    return f"{size:,} bytes, not read to its end{last_line}", problem if waits >= _LATE_SECONDS else ""


def _begins_like(checkpoint: Checkpoint) -> bool:
    """Return whether the file with the name of a checkpoint is still the log that was read."""
    try:
        return bool(candidates(LogFile(checkpoint.path), [checkpoint]))
    except LogError:
        return False


def _last_line(checkpoint: Checkpoint) -> float | None:
    """The time of the last line that was read, in seconds since 1970; of a file that is gone, if it was kept."""
    frames = checkpoint.state["frames"]
    name = checkpoint.state.get("zone")
    parser = Frames.resume(zone_of(name or ""), frames)
    for line in reversed(_tail(checkpoint)):
        if isinstance(record := parser.record(line), Record):
            return record.time / 1_000_000
    known: float | None = frames["latest"] if frames["latest"] is not None else frames["dated"]
    return known


def _tail(checkpoint: Checkpoint) -> list[str]:
    """The last lines that were read of a file that is not compressed."""
    if checkpoint.state.get("packed") is not None:
        return []
    try:
        with Path(checkpoint.path).open("rb") as file:
            file.seek(max(checkpoint.offset - _TAIL_BYTES, 0))
            return decoded(file.read(min(checkpoint.offset, _TAIL_BYTES))).splitlines()
    except OSError:
        return []


def _date(seconds: float, zone: tzinfo) -> str:
    return local_time(datetime.fromtimestamp(seconds, timezone.utc).isoformat(), zone)


def _ago(seconds: float) -> str:
    return f"{duration(int(seconds))} ago" if seconds >= 1 else "now"
