"""What became of the lines that were read: used, ignored and unrecognised add up to all of them."""

from collections import Counter
from dataclasses import dataclass, field

from mailtrace.indexing.classify import OTHER_PROGRAM
from mailtrace.stores.base import Refused


@dataclass
class Report:
    """The counts of one run."""

    lines: int = 0
    used: int = 0
    ignored: Counter[str] = field(default_factory=Counter)
    unrecognised: Counter[str] = field(default_factory=Counter)
    created: int = 0
    """New documents."""
    updated: int = 0
    """Documents and stubs that learned something new."""
    refused: list[Refused] = field(default_factory=list)
    """Documents that the store would not take."""
    without_mail: list[str] = field(default_factory=list)
    """Logs with lines of which none was a mail server's."""
    unfinished: set[str] = field(default_factory=set)
    """Logs whose last line has no end yet."""
    notes: list[str] = field(default_factory=list)
    """What the admin should know: another clock, a damaged file."""
    silent: int = 0
    """Lines of a mail server among the ignored."""

    @property
    def mail_lines(self) -> int:
        """Lines of a mail server that were understood."""
        return self.used + self.silent

    @property
    def known_lines(self) -> int:
        """Lines whose time and program were understood."""
        return self.mail_lines + self.ignored[OTHER_PROGRAM]
