"""Records: parsed log lines, and the reasons why a line has none."""

from typing import Final, NamedTuple


class Record(NamedTuple):
    """One parsed log line."""

    time: int
    """Microseconds since 1970, UTC."""
    host: str
    """In lower case, as logged; empty where the line has none."""
    program: str
    """`postfix/submission/smtpd`, `sm-mta`; empty where the line has none."""
    pid: str
    text: str


class Unframed(NamedTuple):
    """A line without a record, and the reason."""

    reason: str
    ignored: bool
    """Whether the line is known to have no content, such as `-- MARK --`; otherwise it is unrecognised."""


BLANK: Final = Unframed("blank line", ignored=True)
JOURNAL_NOTE: Final = Unframed("journalctl's own line", ignored=True)
JOURNAL_FIELD: Final = Unframed("journal field", ignored=True)
READERS_NOTE: Final = Unframed("grep's, tail's or stern's own line", ignored=True)
MARK: Final = Unframed("syslogd's mark", ignored=True)
REPEATED: Final = Unframed("last message repeated", ignored=True)
EXIM_COPY: Final = Unframed("copy for Exim's reject log", ignored=True)
EXIM_HEADER: Final = Unframed("header in Exim's reject log", ignored=True)
EXIM_PIECE: Final = Unframed("piece of a long Exim line", ignored=True)
EXIM_ADVICE: Final = Unframed("second line of Exim's warning", ignored=True)
EXIM_LOST_PIECE: Final = Unframed("Exim line of which a piece is missing", ignored=False)
NO_STAMP: Final = Unframed("no time stamp", ignored=False)
NO_DATE: Final = Unframed("no such date", ignored=False)
AMBIGUOUS_DATE: Final = Unframed("ambiguous date: day or month first", ignored=False)
NO_YEAR: Final = Unframed("the year is not known", ignored=False)
NO_JSON: Final = Unframed("JSON that is no journal entry", ignored=False)
NO_PROGRAM: Final = Unframed("JSON without a program's name", ignored=False)
TOO_DEEP: Final = Unframed("JSON within JSON within JSON", ignored=False)
SEVERAL: Final = Unframed("several messages in one line", ignored=False)
VERBOSE: Final = Unframed("journalctl -o verbose", ignored=False)
