"""What has been compared, for the table at the end of a run."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import pytest

_PROPERTY = "score"


class Score(NamedTuple):
    """How much of one corpus is exact."""

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
    """Keep a score with a test's report, which another process may have made."""
    record_property(_PROPERTY, [*score[:3], dict(score.by_field)])


def noted(reports: Iterable[pytest.TestReport]) -> list[Score]:
    """The scores in reports, those of one name as one."""
    found: dict[str, Score] = {}
    for report in reports:
        for name, value in report.user_properties:
            if name == _PROPERTY:
                assert isinstance(value, list)
                score = Score(*value)
                found[score.name] = found[score.name] | score if score.name in found else score
    return [found[name] for name in sorted(found)]
