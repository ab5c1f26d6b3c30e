"""Messages whose lines were only collected: they become transactions when they are written."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from mailtrace.indexing.classify import Used, count, meaning_of
from mailtrace.indexing.report import Report
from mailtrace.message.part import Collected, Part, Whole, record_of
from mailtrace.message.replay import events_of
from mailtrace.message.transaction import Key, Transaction
from mailtrace.message.whole import whole_of
from mailtrace.mta.grammars import grammar_of


@dataclass(frozen=True, slots=True)
class EndedMessage:
    """A message that has ended, and its lines, which have not been parsed or counted."""

    key: Key
    lines: Sequence[Collected]

    @property
    def mta(self) -> str:
        """The name of the MTA that wrote the lines."""
        return _mta_of(self.lines)

    def whole(self) -> Whole | None:
        """Return the transaction if it is whole and ordinary."""
        return whole_of(*self.key, self.mta, self.lines)


Popped: TypeAlias = Part | EndedMessage
"""What the reducer gives away to be written."""


def parts_of(popped: Iterable[Popped], report: Report) -> list[Part]:
    """Return the transactions, those of collected lines too, whose lines are counted in the report."""
    return [part_of(one, one.whole(), report) if isinstance(one, EndedMessage) else one for one in popped]


def part_of(message: EndedMessage, whole: Whole | None, report: Report) -> Part:
    """Return the transaction of a message, `whole` if it is ordinary, and count its lines in the report."""
    if whole is None:
        return transaction_of_collected(message.key, message.lines, report)
    report.used += len(message.lines)
    return whole


def transaction_of_collected(key: Key, lines: Sequence[Collected], report: Report) -> Transaction:
    """Return the transaction of lines that were only collected, and count them."""
    found = Transaction(*key, _mta_of(lines))
    for collected in lines:
        line = record_of(key[1], *collected)
        meaning = meaning_of(line)
        count(meaning, report)
        if isinstance(meaning, Used):
            for event in events_of(meaning.parsed):
                found.add(line.time, event.fact, (line,))
    return found


def _mta_of(lines: Sequence[Collected]) -> str:
    grammar = grammar_of(lines[0][1].program)
    assert grammar is not None
    return grammar.mta
