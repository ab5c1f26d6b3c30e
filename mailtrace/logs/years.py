"""The years of a log's lines, from a survey of them and the time at which the file was last written.

Of all ways to give years to the stretches of a log, the one is taken that needs the shortest silences and steps back.
"""

from calendar import isleap
from collections.abc import Sequence
from datetime import tzinfo
from time import gmtime
from typing import Final, NamedTuple

from mailtrace.logs.survey import Day, Stretch, Survey
from mailtrace.syslog.local_time import LocalTime
from mailtrace.syslog.stamp import midnight
from mailtrace.syslog.year import Plan, Turn

_DAY: Final = 86400
_GRACE: Final = _DAY
"""By so many seconds may a line be younger than its file, whose clock is another machine's."""
_SOON: Final = 60 * _DAY
"""So much later than the lines before it a line may seem younger than its file."""
_FIRST, _LAST = 1970, 2199
_MANY: Final = 40
_LEAP_YEARS: Final = 9
"""29 February comes again after so many years at most."""

# In days of silence, which cost one each.
_STEP_BACK: Final = 400.0
"""More than any silence within a year: lines go forward."""
_STEP_BACK_AMONG_OTHERS: Final = 150.0
"""In a log whose lines step back elsewhere too, as where files were joined in another order."""
_STEP_BACK_PER_DAY: Final = 60.0
"""Lines of several hosts are a little out of order."""
_SILENT_END: Final = 0.97
"""A day between the last line and the last writing."""
_LONGEST_END: Final = 366.0
"""What is further off is the time of a copy."""
_FUTURE: Final = 1e5
_NO_SUCH_DAY: Final = 1e6


class Prior(NamedTuple):
    """What is known before the first line."""

    latest: int | None = None
    """The instant of the line before, in seconds since 1970."""
    year: int | None = None
    """The first line's year, as it was given."""


class Found(NamedTuple):
    """The years of the lines of a survey."""

    plan: Plan
    is_known: bool
    """Whether any line told its year."""
    begin: int
    """The instant of the first line, in seconds since 1970."""
    end: int
    """The instant of the latest of the last lines."""
    silence: float
    """Seconds between the last line and the time at which the log was last written."""

    @property
    def year(self) -> int:
        """The first line's."""
        return self.plan.turns[0].year


def found(survey: Survey, zone: tzinfo, modified: float, prior: Prior) -> Found | None:
    """Return the years of the lines that were surveyed; None where no line lacks its year.

    `modified` is when the log was last written, in seconds since 1970.
    """
    stretches = survey.stretches
    if not stretches:
        return None
    search = _Search(stretches, zone, modified, prior)
    step_back = _STEP_BACK_AMONG_OTHERS if survey.is_disordered else _STEP_BACK
    is_known = any(stretch.year is not None for stretch in stretches)
    chosen = search.cheapest(step_back, prior.year)
    if is_known and prior.year is not None:
        freely = search.cheapest(step_back, None)
        # A year that was given may add a silence, but what lines tell it cannot change.
        if stretches[0].year not in (None, prior.year) or chosen.cost > freely.cost + _LONGEST_END:
            chosen = freely
    turns = [
        Turn(stretch.number, stretch.first.month, stretch.first.day, year)
        for stretch, year in zip(stretches, chosen.years, strict=True)
    ]
    begin = search.instant(stretches[0].first, chosen.years[0])
    end = search.instant(stretches[-1].latest, chosen.years[-1])
    limit = search.limit if survey.is_full else float("inf")
    return Found(Plan(turns, survey.days, limit), is_known, begin, end, search.silence(chosen.years[-1]))


class _Choice(NamedTuple):
    """Timeline of the stretches, and what they cost."""

    cost: float
    years: list[int]


class _Search:
    """Finds the cheapest years."""

    def __init__(self, stretches: Sequence[Stretch], zone: tzinfo, modified: float, prior: Prior) -> None:
        self._stretches, self._latest = stretches, prior.latest
        self._years = [stretch.year for stretch in stretches]
        self._local = LocalTime(zone)
        self._written = min(max(0.0, modified), 7e9)
        self.limit = self._written + _GRACE
        """The latest instant of a line that tells no year."""
        if prior.latest is not None:
            self.limit = max(self.limit, prior.latest + _SOON)
        first = prior.year
        if first is not None and self.instant(stretches[0].latest, first) > self.limit:
            # Who says the year knows better than the file.
            self.limit = float("inf")
        self._candidates = self._tried(first)

    def _tried(self, first_year: int | None) -> range:
        """The years that are tried for a stretch that tells none."""
        known = [year for year in (*self._years, first_year) if year is not None]
        if self._latest is not None:
            known.append(gmtime(self._latest).tm_year)
        last = max(gmtime(self._written + _GRACE).tm_year, *known, _FIRST) + 1
        first = min(known, default=last - _LEAP_YEARS) - min(len(self._stretches), _MANY)
        return range(max(first, _FIRST), min(last, _LAST) + 1)

    def cheapest(self, step_back: float, first: int | None) -> _Choice:
        """Return the best years; `step_back` is what a step back costs at most, `first` the first line's year."""
        begins = self._years_of(0) if first is None else [first]
        costs = {year: self._begin(year, step_back) for year in begins}
        ways: list[dict[int, int]] = []
        for i in range(1, len(self._stretches)):
            before, costs, way = costs, {}, {}
            ends = {year: self.instant(self._stretches[i - 1].last, year) for year in before}
            for year in self._years_of(i):
                begin = self.instant(self._stretches[i].first, year)
                cost, way[year] = min((before[y] + _step(begin - ends[y], step_back), -y) for y in before)
                costs[year] = cost + self._alone(i, year)
            ways.append(way)
        cost, year = min((cost + self._end(year), -year) for year, cost in costs.items())
        chosen = [-year]
        for way in reversed(ways):
            chosen.append(-way[chosen[-1]])
        return _Choice(cost, chosen[::-1])

    def _years_of(self, i: int) -> Sequence[int]:
        year = self._years[i]
        return self._candidates if year is None else [year]

    def _begin(self, year: int, step_back: float) -> float:
        cost = self._alone(0, year)
        if self._latest is not None:
            cost += _step(self.instant(self._stretches[0].first, year) - self._latest, step_back)
        return cost

    def _alone(self, i: int, year: int) -> float:
        """What it costs that a stretch is of a year, whatever the others are."""
        stretch, cost = self._stretches[i], 0.0
        if stretch.has_leap_day and not isleap(year):
            cost += _NO_SUCH_DAY
        if self._years[i] is None and (late := self.instant(stretch.latest, year) - self.limit) > 0:
            cost += _FUTURE + late / _DAY
        return cost

    def _end(self, year: int) -> float:
        return _SILENT_END * min(max(self.silence(year) / _DAY, 0.0), _LONGEST_END)

    def silence(self, year: int) -> float:
        """Return the seconds from the last stretch, in that year, to the last writing."""
        return self._written - self.instant(self._stretches[-1].latest, year)

    def instant(self, day: Day, year: int) -> int:
        """Return the second since 1970 of a line in a year; for 29 February in another than a leap year, 1 March."""
        start = midnight(year, day.month, day.day)
        if start is None:
            start = midnight(year, 3, 1) or 0
        return self._local.instant(start + day.second, None)


def _step(seconds: float, step_back: float) -> float:
    """What it costs that so many seconds lie between two lines."""
    if seconds >= 0:
        return seconds / _DAY
    return min(-seconds / _DAY * _STEP_BACK_PER_DAY, step_back)
