"""What the log lines of one day show about its year.

Queue IDs and message IDs may contain the time, and the wrapper of a line, or a line next to it, may have a stamp with a
year.
"""

from collections import Counter, defaultdict
from enum import IntEnum
from typing import Final, NamedTuple

from mailtrace.mta.grammars import grammar_of
from mailtrace.mta.queue_ids import time_in_message_id, time_of
from mailtrace.syslog.local_time import LocalTime
from mailtrace.syslog.records import Record
from mailtrace.syslog.stamp import midnight
from mailtrace.syslog.year import nearest_year, year_after, year_before

_DAY_SECONDS: Final = 86400
_PROMPT: Final = 2 * _DAY_SECONDS
"""A queue ID's time and the line that begins its message are no further apart, whatever their time zones."""
_QUEUE_TIME: Final = 40 * _DAY_SECONDS
"""Few messages stay in the queue for longer."""
_LONGEST_ID: Final = 32
_LEAP_YEAR: Final = 2000


class Day(NamedTuple):
    """A month, a day, and a second of that day in local time: a stamp without its year."""

    month: int
    day: int
    second: int

    @property
    def second_of_year(self) -> int:
        """Seconds since the start of a leap year."""
        return (midnight(_LEAP_YEAR, self.month, self.day) or 0) - 946684800 + self.second

    def instant(self, year: int, local: LocalTime) -> int:
        """Return the second since 1970 in this year; 29 February becomes 1 March if it is not a leap year."""
        start = midnight(year, self.month, self.day)
        if start is None:
            start = midnight(year, 3, 1) or 0
        return local.instant(start + self.second, None)


class Evidence(IntEnum):
    """What shows the year of a day, the most certain first."""

    PLANNED = 0
    """An earlier run chose the year."""
    OWN_MESSAGE_ID = 1
    """A message ID that the MTA generated when it wrote the line."""
    BEGINNING = 2
    """The queue ID of a line that begins a message."""
    QUEUED = 3
    """The queue ID of a message that has been in the queue for at most 40 days."""
    WRAPPER = 4
    """The time that a collector added to the line."""
    NEIGHBOUR = 5
    """The line before or after, whose stamp has a year."""
    LONG_QUEUED = 6
    """The queue ID of a message that seems to have been in the queue for longer."""
    NONE = 7

    @property
    def is_certain(self) -> bool:
        """Whether it is believed even if the order of the lines suggests another year."""
        return self <= Evidence.WRAPPER


class DayEvidence:
    """Counts the years that the lines of one day show, by kind of evidence."""

    def __init__(self, local: LocalTime) -> None:
        """Begin with no evidence; `local` is the time zone of the stamps."""
        self._local = local
        self._years: dict[Evidence, Counter[int]] = defaultdict(Counter)
        self.is_conclusive = False
        """Whether the rest of the day's lines need not be searched."""

    def __bool__(self) -> bool:
        """Return whether there is any evidence."""
        return bool(self._years)

    def conclude(self) -> tuple[Evidence, int | None]:
        """Return the most certain kind of evidence and the year that most of it shows; forget all for the next day."""
        kind = min(self._years, default=Evidence.NONE)
        years = self._years.pop(kind, Counter())
        self._years.clear()
        self.is_conclusive = False
        return kind, max(years, key=lambda year: (years[year], year), default=None)

    def add(self, kind: Evidence, year: int | None) -> None:
        """Count a year; None counts nothing."""
        if year is not None:
            self._years[kind][year] += 1

    def add_neighbour(self, day: Day, instant: int) -> None:
        """Count the year in which a line is nearest to the line before or after it."""
        self.add(Evidence.NEIGHBOUR, nearest_year(day, instant, self._local))

    def add_wrapper(self, day: Day, instant: int) -> None:
        """Count the year of a line whose collector received it at this instant."""
        self.add(Evidence.WRAPPER, year_before(day, instant, self._local))

    def add_ids(self, record: Record, day: Day) -> None:
        """Count the years that the queue ID and the message ID of a line contain."""
        grammar = grammar_of(record.program)
        is_exim = grammar is not None and grammar.mta == "exim"
        queue_id, _, rest = record.text.partition(" " if is_exim else ": ")
        if grammar is None or len(queue_id) > _LONGEST_ID or not rest:
            return
        is_postfix = grammar.mta == "postfix"
        message_id = rest.partition("message-id=<" if is_postfix else "msgid=<")[2].partition(">")[0]
        if message_id and (time := time_in_message_id(message_id, queue_id)) is not None:
            self._add_prompt(Evidence.OWN_MESSAGE_ID, day, time)
        if (time := time_of(queue_id, grammar.mta)) is None:
            return
        if rest.startswith(("client=", "uid=") if is_postfix else ("from=", "<= ")):
            self._add_prompt(Evidence.BEGINNING, day, time)
        else:
            self._add_queued(day, time)

    def _add_prompt(self, kind: Evidence, day: Day, time: int) -> None:
        """Count the year of an ID that was generated with the line; ignore one that is days apart from the stamp."""
        year = nearest_year(day, time, self._local)
        if year is not None and abs(day.instant(year, self._local) - time) <= _PROMPT:
            self.add(kind, year)
            self.is_conclusive = kind == Evidence.OWN_MESSAGE_ID or self._years[kind][year] > 1

    def _add_queued(self, day: Day, time: int) -> None:
        """Count the year of a line about a message that arrived at `time`, at most a year before."""
        year = year_after(day, time, self._local)
        if year is not None:
            is_recent = -_PROMPT <= day.instant(year, self._local) - time <= _QUEUE_TIME
            self.add(Evidence.QUEUED if is_recent else Evidence.LONG_QUEUED, year)
