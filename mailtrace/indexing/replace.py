"""Take logs that were read with a wrong year or time zone out of the store, so that they can be read again.

The checkpoint of a log knows the year and the zone with which it was read, so reading it so again gives the lines to
take out (`subtract.py`). Only when all of them are, the checkpoints are deleted; until then the same can be repeated.
"""

from collections.abc import Sequence
from typing import Final

from mailtrace.errors import LogError
from mailtrace.indexing.collected import parts_of
from mailtrace.indexing.reducer import MAX_HELD, Reducer
from mailtrace.indexing.report import Report
from mailtrace.indexing.subtract import subtract
from mailtrace.logs.checkpoint import Checkpoint
from mailtrace.logs.file import LogFile
from mailtrace.logs.open import OpenLog, open_log
from mailtrace.logs.recognition import resume_point
from mailtrace.logs.rotation import Calendar, Planned, planned, readable
from mailtrace.message.part import Part
from mailtrace.stores.base import Refused, Store
from mailtrace.syslog.frame import Record
from mailtrace.syslog.timezones import zone_of

_AS_BEFORE: Final = Calendar(zone_of(""), "")
"""Each log keeps the year, the zone and the host of its checkpoint."""


class Taken:
    """What was taken out."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        """Messages about logs that had not been indexed."""
        self.refused: list[Refused] = []
        """Documents that the store rejected; then the checkpoints are kept."""


def take_out(store: Store, paths: Sequence[str], own_host: str = "") -> Taken:
    """Take the lines of these logs out of a store, then delete their checkpoints; `own_host` is as in `Calendar`.

    Raises:
        LogError: a log cannot be read, or a file rotated from it was indexed but is not among the paths.
        StoreError: the store cannot be written.
    """
    store.prepare()
    taken, known = Taken(), store.checkpoints()
    store.commit([])
    logs, wrong = readable(paths)
    wrong += [
        f"{log.path}: a stream leaves no checkpoint, so --replace does not know what it gave:"
        " index the same lines as a file in the same way, then replace that"
        for log in logs
        if log.is_stream
    ]
    if wrong:
        raise LogError("; ".join(wrong))
    calendar = _AS_BEFORE._replace(own_host=own_host)
    plans = planned(logs, calendar, known)
    _require_all(plans, known, paths)
    reducer, forgotten = Reducer(), list[Checkpoint]()
    for plan in plans:
        found = _checkpoints_of(plan.log, known)
        if not found and plan.log.path in paths:
            taken.notes.append(f"{plan.log.path} was not indexed before: nothing to replace")
        for checkpoint in found:
            opened = open_log(plan, calendar, [checkpoint], lambda: 0.0, from_start=True)
            assert opened is not None
            taken.refused += _subtract(store, reducer, opened, checkpoint.offset)
        forgotten += found
    taken.refused += subtract(store, _changed(reducer))
    store.commit([])
    if not taken.refused:
        store.forget(forgotten)
    return taken


def _require_all(plans: Sequence[Planned], known: Sequence[Checkpoint], paths: Sequence[str]) -> None:
    """Check that a whole rotation set is replaced: its logs share their year and zone.

    Were the others included silently, a run that was killed and repeated would no longer find them.
    """
    missing = [plan.log.path for plan in plans if plan.log.path not in paths and _checkpoints_of(plan.log, known)]
    if missing:
        raise LogError(f"these files of the same log were indexed too: name them after --replace: {' '.join(missing)}")


def _checkpoints_of(log: LogFile, known: Sequence[Checkpoint]) -> list[Checkpoint]:
    """Return the checkpoints from which the log would be continued: nearly always one."""
    found, left = list[Checkpoint](), list(known)
    while (point := resume_point(log, left)) is not None:
        if point.reader is not None:
            point.reader.close()
        found.append(point.checkpoint)
        left.remove(point.checkpoint)
    return found


def _subtract(store: Store, reducer: Reducer, log: OpenLog, read: int) -> list[Refused]:
    """Take out the lines of a log, to its end: those after the checkpoint may have been written too.

    `read` is the offset of the checkpoint.

    Raises:
        LogError: the log is damaged before this offset, so that not all lines are known.
    """
    refused: list[Refused] = []
    with log.reader as reader:
        try:
            for block in log.blocks:
                _reduce(reducer, log, block.lines)
                if reducer.held > MAX_HELD:
                    refused += subtract(store, _changed(reducer))
                    store.commit([])
            if last := reader.last_line():
                _reduce(reducer, log, last.lines)
        except LogError:
            # The log was as damaged when it was read before. This is reported when it is read again.
            if reader.offset < read:
                raise
    return refused


def _changed(reducer: Reducer) -> list[Part]:
    return parts_of(reducer.pop_changed(), Report())


def _reduce(reducer: Reducer, log: OpenLog, lines: Sequence[str]) -> None:
    for line in lines:
        record = log.frames.record(line)
        if type(record) is Record:
            reducer.add_line(record)
