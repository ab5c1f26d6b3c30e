"""Show how each log line is parsed, and which lines are unrecognised: `mailtrace-index --explain`."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TextIO

from mailtrace.errors import LogError
from mailtrace.indexing.classify import OtherProgram, Unrecognised, classify
from mailtrace.logs.file import Block, Reader
from mailtrace.logs.open import OpenLog, open_log
from mailtrace.logs.rotation import Calendar, planned, readable
from mailtrace.mta.facts import Accepted, Announced, Authenticated, Event, Fact, Ignored, Parsed
from mailtrace.output.escape import safe
from mailtrace.syslog.frame import Frames


def explain(paths: Sequence[str], calendar: Calendar, now: float, out: TextIO) -> None:
    """Print each line of the logs and how it is parsed, then the counts. Write nothing to a store.

    Raises:
        LogError: a log cannot be read.
    """
    files, problems = readable(paths)
    if problems:
        raise LogError("; ".join(problems))
    counts = Counter({"used": 0, "ignored": 0, "unrecognised": 0})
    for plan in planned(files, calendar, []):
        if log := open_log(plan, calendar, [], lambda: now, from_start=False):
            with log.reader:
                for line, kind, explanation in _explained(log):
                    counts[kind] += 1
                    out.write(f"{safe(line)}\n  {safe(explanation)}\n")
    summary = ", ".join(f"{number} {kind}" for kind, number in counts.items())
    out.write(f"{counts.total()} lines: {summary}\n")


def _explained(log: OpenLog) -> Iterator[tuple[str, str, str]]:
    """Each line, its kind (used, ignored or unrecognised), and how it is parsed."""
    for block in chain(log.blocks, _last_line(log.reader)):
        for _ in range(block.too_long):
            yield "...", "unrecognised", "UNRECOGNISED: too long"
        for line in block.lines:
            yield line, *_meaning(line, log.frames)


def _last_line(reader: Reader) -> Iterator[Block]:
    if last := reader.last_line():
        yield last


def _meaning(line: str, frames: Frames) -> tuple[str, str]:
    meaning = classify(line, frames)
    if isinstance(meaning, Unrecognised):
        return "unrecognised", f"UNRECOGNISED: {meaning.reason}"
    if isinstance(meaning, (Ignored, OtherProgram)):
        return "ignored", f"ignored: {meaning.reason}"
    return "used", described(meaning[2])


def described(parsed: Parsed) -> str:
    """Return the meaning of a line as text: the queue ID, the kind of fact, and its known members."""
    if isinstance(parsed, list):
        return "; ".join(map(described, parsed))
    if isinstance(parsed, Authenticated):
        return f"login: {parsed.login} from {parsed.client}"
    if isinstance(parsed, Announced):
        return f"the next message of this process: {_fact(parsed.fact)}"
    if isinstance(parsed, Accepted):
        return f"{parsed.queue_id}: accepted by the before-queue filter"
    assert isinstance(parsed, Event)
    return f"{parsed.queue_id}: {_fact(parsed.fact)}"


def _fact(fact: Fact) -> str:
    members = ", ".join(f"{name}={value!r}" for name, value in fact._asdict().items() if value is not None)
    return f"{type(fact).__name__}({members})"
