"""What each line is taken for: `mailtrace-index --explain`, by which an admin sees what is not understood."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, TextIO

from mailtrace.errors import ExitStatus
from mailtrace.logfiles import LogFile
from mailtrace.mta.events import Authenticated, Event, Ignored, Parsed
from mailtrace.mta.grammars import grammar_of
from mailtrace.render import safe
from mailtrace.sets import Calendar, in_order, year_of
from mailtrace.syslog import Frames, Unframed


def explain(paths: Sequence[str], calendar: Calendar, out: TextIO) -> ExitStatus:
    """Print each line of the logs with what it says, and at the end the counts. Nothing is stored.

    Raises:
        LogError: a log cannot be read.
    """
    logs = [LogFile(path) for path in dict.fromkeys(paths)]
    for log in logs:
        log.check()
    counts = {"used": 0, "ignored": 0, "not understood": 0}
    for log, year in in_order(logs, calendar):
        for line, kind, meaning in _explained(log, calendar, year):
            counts[kind] += 1
            out.write(f"{safe(line)}\n  {safe(meaning)}\n")
    out.write(
        f"{sum(counts.values())} lines: " + ", ".join(f"{number} {kind}" for kind, number in counts.items()) + "\n"
    )
    return ExitStatus.OK


def _explained(log: LogFile, calendar: Calendar, year: int | None) -> Iterator[tuple[str, str, str]]:
    """Each line, whether it is used, ignored or not understood, and what it says."""
    with log.open() as reader:
        blocks = reader.blocks()
        first = next(blocks, None)
        head = first.lines if first else []
        frames = Frames(
            calendar.zone, year or year_of(log, head, calendar.zone, log.modified if not log.is_stdin else 0)
        )
        for block in chain([first] if first else [], blocks, _rest(reader)):
            for _ in range(block.too_long):
                yield "...", "not understood", "NOT UNDERSTOOD: too long"
            for line in block.lines:
                yield line, *_meaning(line, frames)


def _rest(reader: Any) -> Iterator[Any]:
    if last := reader.last_line():
        yield last


def _meaning(line: str, frames: Frames) -> tuple[str, str]:
    record = frames.record(line)
    if isinstance(record, Unframed):
        return _verdict(record.reason, ignored=record.ignored)
    grammar = grammar_of(record.program)
    if grammar is None:
        return _verdict("another program", ignored=True)
    parsed = grammar.parse(record.program, record.text)
    if parsed is None:
        return _verdict(f"a {grammar.mta} line of no known form", ignored=False)
    if isinstance(parsed, Ignored):
        return _verdict(parsed.reason, ignored=True)
    return "used", described(parsed)


def _verdict(reason: str, *, ignored: bool) -> tuple[str, str]:
    return ("ignored", f"ignored: {reason}") if ignored else ("not understood", f"NOT UNDERSTOOD: {reason}")


def described(parsed: Parsed) -> str:
    """Return what a line says, in words: the queue ID, the kind of fact, and its members that are known."""
    if isinstance(parsed, list):
        return "; ".join(map(described, parsed))
    if isinstance(parsed, Authenticated):
        return f"login: {parsed.login} from {parsed.client}"
    assert isinstance(parsed, Event)
    fact = parsed.fact
    members = ", ".join(f"{name}={value!r}" for name, value in fact._asdict().items() if value is not None)
    return f"{parsed.queue_id}: {type(fact).__name__}({members})"
