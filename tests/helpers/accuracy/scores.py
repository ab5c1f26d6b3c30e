"""Collect what was compared, for the table at the end of a test run."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import pytest

_PROPERTY = "score"


class Score(NamedTuple):
    """The size of a corpus, how many of its parts are wrong, and which fields."""

    name: str
    size: int
    wrong: int
    by_field: dict[str, int]

    @classmethod
    def of(cls, name, size, faults):
        return cls(name, size, len({fault.where for fault in faults}), Counter(fault.field for fault in faults))

    @property
    def exact(self):
        return max(self.size - self.wrong, 0)

    def __or__(self, other):
        both = Counter(self.by_field) + Counter(other.by_field)
        return Score(self.name, self.size + other.size, self.wrong + other.wrong, both)


def note(record_property, score):
    """Store a score in the report of a test, which may run in another process."""
    record_property(_PROPERTY, [*score[:3], dict(score.by_field)])


def noted(reports: Iterable[pytest.TestReport]) -> list[Score]:
    """Return the scores in reports; scores with the same name are added."""
    found: dict[str, Score] = {}
    for report in reports:
        for name, value in report.user_properties:
            if name == _PROPERTY:
                assert isinstance(value, list)
                score = Score(*value)
                found[score.name] = found[score.name] | score if score.name in found else score
    return [found[name] for name in sorted(found)]
