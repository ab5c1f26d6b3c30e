"""Print a table of exact results at the end of every test run."""

import time
from collections import Counter

import pytest

from helpers.accuracy.scores import Score, note, noted

FAULTS_SHOWN = 40
FIELDS_SHOWN = 6


@pytest.fixture
def scored(record_property):
    """Record what was compared for the table; return the first faults as text, which must be empty."""

    def score(name, size, faults):
        note(record_property, Score.of(name, size, faults))
        return list(map(str, faults[:FAULTS_SHOWN]))

    return score


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def pytest_terminal_summary(terminalreporter):
    reports = [each for some in terminalreporter.stats.values() for each in some if isinstance(each, pytest.TestReport)]
    if not (scores := noted(each for each in reports if each.when == "call")):
        return
    terminalreporter.section("accuracy")
    terminalreporter.line(f"{'corpus':36} {'transactions':>12} {'exact':>6}  wrong by field")
    for score in scores:
        wrong = ", ".join(f"{name} {number}" for name, number in Counter(score.by_field).most_common(FIELDS_SHOWN))
        terminalreporter.line(f"{score.name:36} {score.size:12} {score.exact:6}  {wrong or '-'}")
