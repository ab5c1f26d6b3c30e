"""What has been compared so far, for the table at the end of a run."""

from collections import Counter
from typing import NamedTuple

import pytest


class Score(NamedTuple):
    """How much of one corpus is exact."""

    name: str
    size: int
    wrong: int
    by_field: Counter[str]

    @classmethod
    def of(cls, name, size, faults):
        return cls(name, size, len({fault.where for fault in faults}), Counter(fault.field for fault in faults))

    @property
    def exact(self):
        return max(self.size - self.wrong, 0)


_SCORES = pytest.StashKey[list[Score]]()


def scores_of(config):
    return config.stash.setdefault(_SCORES, [])
