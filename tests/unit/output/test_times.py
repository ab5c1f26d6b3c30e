"""Durations as people read them."""

import pytest

from mailtrace.output.times import duration


@pytest.mark.parametrize(
    "seconds, shown",
    [
        (0, "0 s"),
        (0.05, "0.05 s"),
        (0.061, "0.06 s"),
        (59.4, "59.4 s"),
        (59.9, "59.9 s"),
        (59.999, "1 min"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (250, "4 min 10 s"),
        (3600, "1 h"),
        (7325, "2 h 2 min"),
        (90_061, "1 d 1 h"),
        (183_600, "2 d 3 h"),
        (-3725, "-1 h 2 min"),
        (-2, "-2 s"),
    ],
)
def test_a_duration_is_shown_in_its_two_largest_units(seconds, shown):
    assert duration(seconds) == shown
