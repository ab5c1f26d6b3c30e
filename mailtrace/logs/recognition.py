"""Recognise logs: make checkpoints, and find the checkpoint of a log.

Both the first whole lines of a log and the bytes before the checkpoint's offset must be the same. Otherwise the log is
read from its start, which is harmless.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from mailtrace.logs.checkpoint import Checkpoint
from mailtrace.logs.file import LogFile, Reader, digest, mark_of


class ResumePoint(NamedTuple):
    """Where an earlier run stopped."""

    checkpoint: Checkpoint
    reader: Reader | None
    """A reader at that offset; None for a compressed file that was read to its end."""


def checkpoint_of(reader: Reader, state: Mapping[str, Any], now: float, log: str = "") -> Checkpoint | None:
    """Return the checkpoint of a reader; None for a stream, and as long as no whole line identifies the log.

    `log` is the log in its earlier checkpoint, which the new one replaces although its mark may have grown.
    """
    mark = reader.mark
    if not mark or reader.is_stream:
        return None
    begins = digest(mark)
    known = {**state, "mark": len(mark), "begins": begins, "skipping": reader.is_skipping}
    return Checkpoint(log or begins, reader.offset, digest(reader.tail), reader.path, known, now)


def candidates(log: LogFile, checkpoints: Iterable[Checkpoint]) -> list[Checkpoint]:
    """Return the checkpoints of logs that begin like this one, the largest offset first.

    Raises:
        LogError: the log cannot be read.
    """
    if log.is_stream:
        return []
    mark, digests = mark_of(log.head), dict[int, str]()
    found = []
    for checkpoint in checkpoints:
        length = checkpoint.state["mark"]
        if length > len(mark):
            continue
        begins = digests.get(length) or digests.setdefault(length, digest(mark[:length]))
        # Checkpoints of earlier versions have no `begins`: each has the name of its mark.
        if begins == checkpoint.state.get("begins", checkpoint.log):
            found.append(checkpoint)
    return sorted(found, key=lambda checkpoint: checkpoint.offset, reverse=True)


def resume_point(log: LogFile, checkpoints: Iterable[Checkpoint]) -> ResumePoint | None:
    """Return where an earlier run stopped in this log; None for a log that is new, or was truncated or replaced.

    Raises:
        LogError: the log cannot be read.
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
