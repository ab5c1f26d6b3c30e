"""Classification of log lines: read the frame, then parse the text with the grammar of its program."""

from typing import Final, NamedTuple, TypeAlias

from mailtrace.indexing.report import OTHER_PROGRAM, Report
from mailtrace.mta.facts import Ignored, Parsed
from mailtrace.mta.grammars import grammar_of
from mailtrace.mta.rules import ANOTHER_PROGRAM
from mailtrace.syslog.frame import Frames, Record, Unframed


class OtherProgram(NamedTuple):
    """The line comes from a program that is not part of an MTA."""

    reason: str


class Unrecognised(NamedTuple):
    """No rule matches the line."""

    reason: str


class Used(NamedTuple):
    """The line is about a transaction."""

    record: Record
    mta: str
    parsed: Parsed
    """What the grammar of the MTA returned."""


Meaning: TypeAlias = Used | Ignored | OtherProgram | Unrecognised

_OTHER_PROGRAM: Final = OtherProgram(OTHER_PROGRAM)


def classify(line: str, frames: Frames) -> Meaning:
    """Return the meaning of the next line of a log.

    `frames` keeps state between lines, such as the year, so the lines of a log must come in order.
    """
    return meaning_of(frames.record(line))


def meaning_of(record: Record | Unframed) -> Meaning:
    """Return the meaning of a line whose frame has been read."""
    if isinstance(record, Unframed):
        return OtherProgram(record.reason) if record.ignored else Unrecognised(record.reason)
    grammar = grammar_of(record.program)
    if grammar is None:
        return _OTHER_PROGRAM
    parsed = grammar.parse(record.program, record.text)
    if parsed is None:
        return Unrecognised(f"unknown {grammar.mta} line")
    if isinstance(parsed, Ignored):
        return _OTHER_PROGRAM if parsed is ANOTHER_PROGRAM else parsed
    return Used(record, grammar.mta, parsed)


def count(meaning: Meaning, report: Report) -> None:
    """Count a line in a report."""
    if isinstance(meaning, Used):
        report.used += 1
    elif isinstance(meaning, Unrecognised):
        report.unrecognised[meaning.reason] += 1
    else:
        report.ignored[meaning.reason] += 1
        report.ignored_mail_lines += isinstance(meaning, Ignored)
