"""The counts of a run. Used, ignored and unrecognised lines add up to all lines."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from mailtrace.logs.file import Block
from mailtrace.mta.rules import ANOTHER_PROGRAM
from mailtrace.stores.base import Refused

OTHER_PROGRAM: Final = ANOTHER_PROGRAM.reason


@dataclass
class Report:
    """The counts of one run."""

    lines: int = 0
    used: int = 0
    """Lines about a transaction."""
    ignored: Counter[str] = field(default_factory=Counter)
    """Lines not about a transaction, by reason."""
    unrecognised: Counter[str] = field(default_factory=Counter)
    """Lines that no rule matches, by reason."""
    created: int = 0
    """New documents."""
    updated: int = 0
    """Stored transactions that got new lines."""
    refused: list[Refused] = field(default_factory=list)
    """Documents that the store rejected."""
    without_mail: list[str] = field(default_factory=list)
    """Logs without a single line of an MTA."""
    unfinished: set[str] = field(default_factory=set)
    """Logs whose last line is not complete yet."""
    notes: list[str] = field(default_factory=list)
    """Warnings for the admin: a wrong year or time zone, a damaged file."""
    ignored_mail_lines: int = 0
    """How many of the ignored lines are of an MTA."""

    @property
    def mail_lines(self) -> int:
        """Lines of an MTA that were recognised."""
        return self.used + self.ignored_mail_lines

    @property
    def known_lines(self) -> int:
        """Lines whose time and program were recognised."""
        return self.mail_lines + self.ignored[OTHER_PROGRAM]

    def add_block(self, block: Block) -> None:
        """Count the lines of a block, and those that are too long to be read."""
        self.lines += len(block.lines) + block.too_long
        if block.too_long:
            self.unrecognised["too long"] += block.too_long

    def add_lines(self, other: "Report") -> None:
        """Add the counts of lines of another report."""
        self.lines += other.lines
        self.used += other.used
        self.ignored.update(other.ignored)
        self.unrecognised.update(other.unrecognised)
        self.ignored_mail_lines += other.ignored_mail_lines
