"""Messages whose lines were only collected: they become transactions when they are written."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from mailtrace.indexing.classify import counted
from mailtrace.indexing.report import Report
from mailtrace.message.part import Collected, Part, record_of
from mailtrace.message.replay import events_of
from mailtrace.message.transaction import Key, Transaction
from mailtrace.message.whole import whole_of
from mailtrace.mta.grammars import grammar_of


@dataclass(frozen=True, slots=True)
class EndedMessage:
    """A message that has ended, and its lines, which have not been parsed or counted."""

    key: Key
    lines: Sequence[Collected]


Popped: TypeAlias = Part | EndedMessage
"""What the reducer gives away to be written."""


def parts_of(popped: Iterable[Popped], report: Report) -> list[Part]:
    """Return the transactions, those of collected lines too, whose lines are counted in the report."""
    return [_part_of(one, report) if isinstance(one, EndedMessage) else one for one in popped]


def _part_of(message: EndedMessage, report: Report) -> Part:
    whole = whole_of(*message.key, _mta_of(message.lines), message.lines)
    if whole is None:
        return transaction_of_collected(message.key, message.lines, report)
    report.used += len(message.lines)
    return whole


def transaction_of_collected(key: Key, lines: Sequence[Collected], report: Report) -> Transaction:
    """Return the transaction of lines that were only collected, and count them."""
    found = Transaction(*key, _mta_of(lines))
    for collected in lines:
        line = record_of(key[1], *collected)
        if parsed := counted(line, report):
            for event in events_of(parsed[1]):
                found.add(line.time, event.fact, (line,))
    return found


def _mta_of(lines: Sequence[Collected]) -> str:
    grammar = grammar_of(lines[0][1].program)
    assert grammar is not None
    return grammar.mta
