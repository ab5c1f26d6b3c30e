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


Used: TypeAlias = tuple[Record, str, Parsed]
"""A line about a transaction: its record, the name of the MTA, and what the grammar returned."""

_OTHER_PROGRAM: Final = OtherProgram(OTHER_PROGRAM)


def classify(line: str, frames: Frames) -> Used | Ignored | OtherProgram | Unrecognised:
    """Return the meaning of the next line of a log.

    `frames` keeps state between lines, such as the year, so the lines of a log must come in order.
    """
    record = frames.record(line)
    if isinstance(record, Unframed):
        return OtherProgram(record.reason) if record.ignored else Unrecognised(record.reason)
    return classify_record(record)


def classify_record(record: Record) -> Used | Ignored | OtherProgram | Unrecognised:
    """Return the meaning of a line whose frame has been read."""
    grammar = grammar_of(record.program)
    if grammar is None:
        return _OTHER_PROGRAM
    parsed = grammar.parse(record.program, record.text)
    if parsed is None:
        return Unrecognised(f"unknown {grammar.mta} line")
    if isinstance(parsed, Ignored):
        return _OTHER_PROGRAM if parsed is ANOTHER_PROGRAM else parsed
    return record, grammar.mta, parsed


def counted(record: Record, report: Report) -> tuple[str, Parsed] | None:
    """Count a line; return its MTA and what its grammar returned, None if it is not about a transaction."""
    meaning = classify_record(record)
    if isinstance(meaning, Ignored):
        report.ignored[meaning.reason] += 1
        report.ignored_mail_lines += 1
    elif isinstance(meaning, OtherProgram):
        report.ignored[meaning.reason] += 1
    elif isinstance(meaning, Unrecognised):
        report.unrecognised[meaning.reason] += 1
    else:
        report.used += 1
        return meaning[1:]
    return None
