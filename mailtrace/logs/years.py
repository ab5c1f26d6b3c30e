"""Choose the years of a log's lines, from a survey of the log and the time at which it was last written.

Every way to give years to the segments has a cost in days: the silences between them, and a penalty for each step back.
The cheapest way is chosen.
"""

from calendar import isleap
from collections.abc import Sequence
from datetime import tzinfo
from time import gmtime
from typing import Final, NamedTuple

from mailtrace.logs.evidence import Day
from mailtrace.logs.file import LogFile, Reader
from mailtrace.logs.survey import Segment, Survey, survey_log
from mailtrace.syslog.local_time import LocalTime
from mailtrace.syslog.text import decoded
from mailtrace.syslog.year import YearChange, YearPlan

_DAY_SECONDS: Final = 86400
_GRACE: Final = _DAY_SECONDS
"""Seconds by which a line may be later than its file's modification time, which another machine's clock gave."""
_RESUME_GRACE: Final = 60 * _DAY_SECONDS
"""Seconds by which a line may follow the lines of an earlier run, even if it is later than the modification time."""
_FIRST_YEAR, _LAST_YEAR = 1970, 2199
_MAX_EARLIER_YEARS: Final = 40
_LEAP_YEARS: Final = 9
"""29 February comes again after at most so many years."""

# Costs. A day of silence costs 1.
_STEP_BACK: Final = 400.0
"""More than any silence within a year: lines go forward."""
_STEP_BACK_AMONG_OTHERS: Final = 150.0
"""For a log whose lines step back elsewhere too, such as one of files joined in the wrong order."""
_STEP_BACK_PER_DAY: Final = 60.0
"""Small steps back cost less: lines of several hosts are a little out of order."""
_SILENT_END: Final = 0.97
"""For each day between the last line and the modification time."""
_LONGEST_END: Final = 366.0
"""After more days the modification time is that of a copy."""
_FUTURE: Final = 1e5
_NO_SUCH_DAY: Final = 1e6


class KnownStart(NamedTuple):
    """What is known before the first line."""

    latest: int | None = None
    """The instant of the line before it, in seconds since 1970."""
    year: int | None = None
    """The year that the user gave for it."""


class LogYears(NamedTuple):
    """The years of a log's lines."""

    plan: YearPlan
    has_evidence: bool
    """Whether any line shows its year."""
    begin: int
    """The instant of the first line, in seconds since 1970."""
    end: int
    """The instant of the latest line of the last segment."""
    silence: float
    """Seconds between the last line and the modification time."""

    @property
    def first_year(self) -> int:
        """The year of the first line."""
        return self.plan.changes[0].year


def choose_years(survey: Survey, zone: tzinfo, modified: float, start: KnownStart) -> LogYears | None:
    """Return the years of the lines of a finished survey; None if all stamps have years.

    `modified` is the modification time of the log, in seconds since 1970.
    """
    segments = survey.segments
    if not segments:
        return None
    search = _Search(segments, zone, modified, start)
    step_back = _STEP_BACK_AMONG_OTHERS if survey.is_disordered else _STEP_BACK
    has_evidence = any(segment.year is not None for segment in segments)
    chosen = search.cheapest(step_back, start.year)
    if has_evidence and start.year is not None:
        without_given = search.cheapest(step_back, None)
        # The year that the user gave may add a silence, but it does not outweigh what lines show.
        if segments[0].year not in (None, start.year) or chosen.cost > without_given.cost + _LONGEST_END:
            chosen = without_given
    changes = [
        YearChange(segment.day_number, segment.first.month, segment.first.day, year)
        for segment, year in zip(segments, chosen.years, strict=True)
    ]
    begin = search.instant(segments[0].first, chosen.years[0])
    end = search.instant(segments[-1].latest, chosen.years[-1])
    limit = search.limit if survey.is_full else float("inf")
    return LogYears(YearPlan(changes, survey.days, limit), has_evidence, begin, end, search.silence(chosen.years[-1]))


def years_of(log: LogFile, reader: Reader, zone: tzinfo, start: KnownStart) -> LogYears | None:
    """Return the years of all lines of a log, of which `reader` is at the beginning; None if its head has no such line.

    Raises:
        LogError: the log cannot be read.
    """
    head = Survey(zone)
    head.add(decoded(log.head).split("\n"))
    return choose_years(survey_log(reader, zone), zone, log.modified, start) if head.days else None


class _Choice(NamedTuple):
    """The years of all segments, and their cost."""

    cost: float
    years: list[int]


class _Search:
    """Finds the cheapest years of segments."""

    def __init__(self, segments: Sequence[Segment], zone: tzinfo, modified: float, start: KnownStart) -> None:
        self._segments, self._latest = segments, start.latest
        self._local = LocalTime(zone)
        self._written = min(max(0.0, modified), 7e9)
        self.limit = self._written + _GRACE
        """The latest instant of a line that does not show its year."""
        if start.latest is not None:
            self.limit = max(self.limit, start.latest + _RESUME_GRACE)
        if start.year is not None and self.instant(segments[0].latest, start.year) > self.limit:
            # The user knows better than the modification time.
            self.limit = float("inf")
        self._candidates = self._candidate_years(start.year)

    def _candidate_years(self, given: int | None) -> range:
        """Return the years to try for a segment without evidence."""
        known = [year for year in (*(segment.year for segment in self._segments), given) if year is not None]
        if self._latest is not None:
            known.append(gmtime(self._latest).tm_year)
        last = max(gmtime(self._written + _GRACE).tm_year, *known, _FIRST_YEAR) + 1
        first = min(known, default=last - _LEAP_YEARS) - min(len(self._segments), _MAX_EARLIER_YEARS)
        return range(max(first, _FIRST_YEAR), min(last, _LAST_YEAR) + 1)

    def cheapest(self, step_back: float, first_year: int | None) -> _Choice:
        """Return the cheapest years (by dynamic programming over the segments).

        `step_back` is the highest cost of a step back, `first_year` the year of the first segment if it is given.
        """
        first_years = self._years_of(0) if first_year is None else [first_year]
        costs = {year: self._first_cost(year, step_back) for year in first_years}
        # For each later segment: the best year of the segment before, by the segment's own year.
        best_before: list[dict[int, int]] = []
        for i in range(1, len(self._segments)):
            before, costs, best = costs, {}, {}
            ends = {year: self.instant(self._segments[i - 1].last, year) for year in before}
            for year in self._years_of(i):
                begin = self.instant(self._segments[i].first, year)
                # Of years that cost the same, the latest.
                cost, negative = min((before[y] + _step_cost(begin - ends[y], step_back), -y) for y in before)
                best[year] = -negative
                costs[year] = cost + self._own_cost(i, year)
            best_before.append(best)
        cost, negative = min((cost + self._end_cost(year), -year) for year, cost in costs.items())
        years = [-negative]
        for best in reversed(best_before):
            years.append(best[years[-1]])
        return _Choice(cost, years[::-1])

    def _years_of(self, i: int) -> Sequence[int]:
        year = self._segments[i].year
        return self._candidates if year is None else [year]

    def _first_cost(self, year: int, step_back: float) -> float:
        cost = self._own_cost(0, year)
        if self._latest is not None:
            cost += _step_cost(self.instant(self._segments[0].first, year) - self._latest, step_back)
        return cost

    def _own_cost(self, i: int, year: int) -> float:
        """Return the cost of a segment's year by itself, whatever the years of the others are."""
        segment, cost = self._segments[i], 0.0
        if segment.has_leap_day and not isleap(year):
            cost += _NO_SUCH_DAY
        if segment.year is None and (late := self.instant(segment.latest, year) - self.limit) > 0:
            cost += _FUTURE + late / _DAY_SECONDS
        return cost

    def _end_cost(self, year: int) -> float:
        return _SILENT_END * min(max(self.silence(year) / _DAY_SECONDS, 0.0), _LONGEST_END)

    def silence(self, year: int) -> float:
        """Return the seconds from the last segment, if it is of this year, to the modification time."""
        return self._written - self.instant(self._segments[-1].latest, year)

    def instant(self, day: Day, year: int) -> int:
        """Return the second since 1970 of a stamp in this year."""
        return day.instant(year, self._local)


def _step_cost(seconds: float, step_back: float) -> float:
    """Return the cost of so many seconds between two lines."""
    if seconds >= 0:
        return seconds / _DAY_SECONDS
    return min(-seconds / _DAY_SECONDS * _STEP_BACK_PER_DAY, step_back)
