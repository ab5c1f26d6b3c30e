"""The short way through ordinary messages gives what the general way gives, on any log: it is faster, nothing else."""

from random import Random
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.random_logs.damage import mangled
from helpers.random_logs.lines import logs
from helpers.random_logs.trial import trial
from helpers.random_logs.units import units
from mailtrace.mta.rules import NOTHING_ORDINARY
from properties.test_cuts import LOGS, log_of
from properties.test_logs import many, texts


def indexed(lines):
    """Return all documents, and the counts of lines by kind and reason."""
    with trial() as one:
        report = one.index(one.write("mail.log", lines))
        return one.found(), report.summary.partition("transactions:")[0]


def generally(lines):
    """Return the same without the short way."""
    with patch("mailtrace.indexing.short_way.ordinary_of", lambda _program: NOTHING_ORDINARY):
        return indexed(lines)


def disturbed(lines, random):
    """Return a log with lines doubled, dropped and moved, so that few messages are whole."""
    found = list(lines)
    for _ in range(max(1, len(found) // 20)):
        at = random.randrange(len(found))
        found.insert(random.randrange(len(found)), found[at])
        found.insert(max(0, at - random.randrange(6)), found.pop(at))
        del found[random.randrange(len(found))]
    return found


@pytest.mark.parametrize(("corpus", "host"), LOGS)
def test_a_real_log_gives_the_same_either_way(corpus, host):
    lines = log_of(corpus, host)
    assert indexed(lines) == generally(lines)
    for seed in range(2):
        odd = disturbed(lines, Random(seed))
        assert indexed(odd) == generally(odd), seed


@many
@given(logs(units))
def test_a_random_log_gives_the_same_either_way(log):
    lines = texts(log[1])
    assert indexed(lines) == generally(lines)


@many
@given(st.data(), logs(units))
def test_a_damaged_log_gives_the_same_either_way(data, log):
    lines, _ = data.draw(mangled(log[1]))
    assert indexed(lines) == generally(lines)
