"""Which index holds the transactions of a day."""

from datetime import date, timedelta

import pytest

from mailtrace.stores.base import INDEX_PERIODS as PERIODS
from mailtrace.stores.elasticsearch.periods import DaySpan, Periods, day_span_of, name_of, periods_of

START = (date(2011, 12, 15) - date(1970, 1, 1)).days


@pytest.mark.parametrize(("period", "name"), [("day", "2011.12.15"), ("week", "2011.w50"), ("month", "2011.12")])
def test_an_index_is_named_after_its_days(period, name):
    assert name_of(START, period) == name


@pytest.mark.parametrize("period", PERIODS)
def test_the_days_of_an_index_are_known_from_its_name(period):
    for day in range(START - 800, START + 800):
        span = day_span_of(name_of(day, period))
        assert span is not None
        assert (span.first <= day <= span.last, span.period) == (True, period)
        assert {name_of(other, period) for other in range(span.first, span.last + 1)} == {name_of(day, period)}
        assert name_of(span.first - 1, period) != name_of(day, period) != name_of(span.last + 1, period)


@pytest.mark.parametrize("name", ["notes", "2011.13", "2011.02.30", "2011.w54", "2011", "2011.12.15.1", "2011.00", ""])
def test_a_foreign_name_has_no_days(name):
    assert day_span_of(name) is None


@pytest.mark.parametrize("first", PERIODS)
@pytest.mark.parametrize("second", PERIODS)
@pytest.mark.parametrize("third", PERIODS)
def test_days_with_an_index_stay_in_it_whatever_is_chosen_later(first, second, third):
    """Only some days have an index; each change of the period finds the earlier indices."""
    periods, stored = Periods(first), {}
    for period, days in ((first, range(0, 60, 2)), (second, range(30, 120, 2)), (third, range(-30, 200, 3))):
        if period != periods.current:
            periods = periods.changed(period, {name for names in stored.values() for name in names})
        for day in (START + each for each in days):
            stored.setdefault(day, set()).add(name_of(day, periods.of(day)))
        assert periods_of(periods.to_json()) == periods
    assert {len(names) for names in stored.values()} == {1}


def test_a_change_applies_to_days_without_an_index():
    names = [name_of(START + day, "day") for day in range(3)]
    changed = Periods().changed("month", [*names, "of-somebody"])
    assert changed == Periods("month", (DaySpan(START, START + 2, "day"),))
    assert [changed.of(START + day) for day in (-1, 0, 2, 3)] == ["month", "day", "day", "month"]


def test_a_new_store_has_daily_indices():
    assert periods_of({}) == Periods("day")
    assert date(1970, 1, 1) + timedelta(days=START) == date(2011, 12, 15)
