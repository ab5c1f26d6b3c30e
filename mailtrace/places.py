"""Places in logs: what a checkpoint says, and whether a log is the one it speaks of.

A log is known by the first whole lines of its text, and a place in it by the bytes before; both must be the same, or
the log is read from its start, which harms nothing.
"""

from collections.abc import Iterable

from mailtrace.logfiles import MARK, LogFile, Reader, digest, mark_of
from mailtrace.stores.base import Checkpoint


def checkpoint_of(reader: Reader, state: dict[str, object], now: float) -> Checkpoint | None:
    """Return where a reader is, for a later run; None where there is no whole line yet to know the log by."""
    mark = reader.mark
    if not mark:
        return None
    state = {**state, "mark": len(mark), "skipping": reader.is_skipping}
    return Checkpoint(digest(mark), reader.offset, digest(reader.tail), reader.path, state, now)


def head_of(log: LogFile) -> bytes:
    """Return the first bytes of a log's text: enough to know it by.

    Raises:
        LogError: it cannot be read.
    """
    reader = log.open()
    try:
        return reader.peek(MARK)
    finally:
        reader.close()


def known_place(log: LogFile, checkpoints: Iterable[Checkpoint]) -> tuple[Reader, Checkpoint] | None:
    """Return a reader that stands where an earlier run ended, and that run's checkpoint; None for a new log.

    Raises:
        LogError: it cannot be read.
    """
    if log.is_stdin:
        return None
    head = head_of(log)
    for checkpoint in sorted(checkpoints, key=lambda known: known.offset, reverse=True):
        if not _begins_with(head, checkpoint):
            continue
        reader = log.open()
        if reader.skip_to(checkpoint.offset) and digest(reader.tail) == checkpoint.tail:
            reader.is_skipping = bool(checkpoint.state.get("skipping"))
            return reader, checkpoint
        reader.close()
    return None


def _begins_with(head: bytes, checkpoint: Checkpoint) -> bool:
    length = checkpoint.state["mark"]
    return len(mark_of(head)) >= length and digest(head[:length]) == checkpoint.log
