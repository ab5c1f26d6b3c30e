"""Places in logs: what a checkpoint says, and whether a log is the one it speaks of.

A log is known by the first whole lines of its text, and a place in it by the bytes before; both must be the same, or
the log is read from its start, which harms nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from mailtrace.logs.checkpoint import Checkpoint
from mailtrace.logs.file import LogFile, Reader, digest, mark_of


class ResumePoint(NamedTuple):
    """Where an earlier run ended."""

    checkpoint: Checkpoint
    reader: Reader | None
    """Stands there; None where nothing can have come since: the file is compressed, and was read to its end."""


def checkpoint_of(reader: Reader, state: Mapping[str, Any], now: float) -> Checkpoint | None:
    """Return where a reader is, for a later run; None where there is no whole line yet to know the log by."""
    mark = reader.mark
    if not mark or reader.is_stream:
        return None
    known = {**state, "mark": len(mark), "skipping": reader.is_skipping}
    return Checkpoint(digest(mark), reader.offset, digest(reader.tail), reader.path, known, now)


def candidates(log: LogFile, checkpoints: Iterable[Checkpoint]) -> list[Checkpoint]:
    """Return the checkpoints of logs that begin as this one does, the furthest first.

    Raises:
        LogError: the log cannot be read.
    """
    if log.is_stream:
        return []
    mark, digests = mark_of(log.head), dict[int, str]()
    found = []
    for checkpoint in checkpoints:
        length = checkpoint.state["mark"]
        if length <= len(mark) and checkpoint.log == (
            digests.get(length) or digests.setdefault(length, digest(mark[:length]))
        ):
            found.append(checkpoint)
    return sorted(found, key=lambda checkpoint: checkpoint.offset, reverse=True)


def resume_point(log: LogFile, checkpoints: Iterable[Checkpoint]) -> ResumePoint | None:
    """Return where an earlier run ended in this log; None for a log that is new, or was cut or written anew.

    Raises:
        LogError: it cannot be read.
    """
    for checkpoint in candidates(log, checkpoints):
        if checkpoint.state.get("packed") == log.size:
            return ResumePoint(checkpoint, None)
        reader = log.open()
        if reader.skip_to(checkpoint.offset) and digest(reader.tail) == checkpoint.tail:
            reader.is_skipping = bool(checkpoint.state.get("skipping"))
            return ResumePoint(checkpoint, reader)
        reader.close()
    return None
