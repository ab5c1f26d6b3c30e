"""Every line gets its year if lines or the modification time tell it."""

import gzip
import json
import os
import random
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from helpers.instants import DAY, NOW, UTC, dated, long_id, piped, sendmail_id, stamp, when
from mailtrace.logs.survey import Survey
from mailtrace.logs.years import KnownStart, choose_years
from mailtrace.syslog.frame import Frames
from mailtrace.syslog.year import NO_PLAN, YearChange, YearPlan

EXAMPLES = os.environ.get("MAILTRACE_TEST_EXAMPLES")
many = settings(max_examples=int(EXAMPLES or 100), deadline=None, derandomize=EXAMPLES is None)


def postfix(instant, number, delay):
    return f"postfix/smtp[7]: {long_id(instant - delay)}: to=<r{number}@example.net>, relay=none, status=deferred (x)"


def sendmail(instant, number, delay):
    return f"sm-mta[7]: {sendmail_id(instant - delay % 3)}: from=<r{number}@example.net>, size=7, nrcpts=1"


def own_message_id(instant, number, _):
    time = datetime.fromtimestamp(instant, UTC)
    queue_id = f"4C8A2C0{number % 4096:03X}"
    return f"postfix/cleanup[7]: {queue_id}: message-id=<{time:%Y%m%d%H%M%S}.{queue_id}@r{number}.example.net>"


SILENT = "4C8A2C0A1F: to="


def silent(_, number, __):
    return f"postfix/smtp[7]: {SILENT}<r{number}@example.net>, relay=none, status=deferred (x)"


KINDS = (postfix, sendmail, own_message_id)


def lines_of(draw, has_ids, longest):
    """Return a log of one to forty months in the order of time: pairs of time and line."""
    months, chance = draw(st.integers(1, 40)), random.Random(draw(st.integers(0, 2**32)))
    end = NOW - chance.randrange(3600, 2000 * DAY)
    instant, number, log = end - months * 30 * DAY, 0, []
    kind = draw(st.sampled_from(KINDS))
    while instant < end:
        tells = has_ids and (number % 3 == 0 or chance.random() < 0.3)
        words = (kind if tells else silent)(instant, number, chance.randrange(3 * DAY))
        log.append((instant, f"{stamp(instant)} mx {words}"))
        number += 1
        instant += chance.choice((0, 1, 300, 7200, DAY, 3 * DAY, 10 * DAY, longest))
    return log


@st.composite
def logs(draw, *, has_ids, longest=45 * DAY):
    return lines_of(draw, has_ids, longest)


def pieces_of(data, log, most=8):
    """Return a log cut into files."""
    cuts = sorted(data.draw(st.lists(st.integers(1, len(log)), max_size=most - 1, unique=True)))
    return [log[begin:end] for begin, end in pairwise([0, *cuts, len(log)]) if begin < end]


def written(folder, pieces, names, late=3600):
    paths = []
    for piece, name in zip(pieces, names, strict=True):
        path = Path(folder) / name
        text = "".join(line + "\n" for _, line in piece).encode()
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
        os.utime(path, (piece[-1][0] + late,) * 2)
        paths.append(str(path))
    return paths


def names_of(data, number):
    """Return file names whose order says nothing about the age of the files."""
    order = data.draw(st.permutations(range(number)))
    return [f"{n:02}.log{data.draw(st.sampled_from(['', '.gz']))}" for n in order]


def dates_found(found):
    return {line: when(instant) for line, instant in found.items()}


def true_dates(log):
    return {line: when(instant) for instant, line in log}


def year_of(log):
    return datetime.fromtimestamp(log[0][0], UTC).year


@many
@given(st.data(), logs(has_ids=False), st.booleans())
def test_the_files_times_tell_the_years(data, log, given_year):
    pieces = pieces_of(data, log)
    with TemporaryDirectory() as folder:
        paths = written(folder, pieces, names_of(data, len(pieces)))
        found = dated(sorted(paths), year_of(log) if given_year else None)
    assert dates_found(found) == true_dates(log)


@many
@given(st.data(), logs(has_ids=True), st.booleans(), st.integers(0, 900 * DAY))
def test_queue_ids_and_message_ids_tell_the_years_whatever_the_files_times_are(data, log, given_year, late):
    pieces = pieces_of(data, log, most=3)
    assume(tells(pieces[0]))
    with TemporaryDirectory() as folder:
        paths = written(folder, pieces, names_of(data, len(pieces)), late)
        found = dated(sorted(paths), year_of(log) if given_year else None)
    for piece in filter(tells, pieces):
        assert dates_found({line: found[line] for _, line in piece}) == true_dates(piece)


@many
@given(logs(has_ids=False), st.integers(0, 900 * DAY))
def test_the_first_year_and_the_order_tell_the_others(log, late):
    """The modification time is that of a copy, made long after."""
    with TemporaryDirectory() as folder:
        found = dated(written(folder, [log], ["mail.log"], late), year_of(log))
    assert dates_found(found) == true_dates(log)


def tells(piece):
    return any(SILENT not in line for _, line in piece)


@many
@given(st.data(), logs(has_ids=True))
def test_files_that_are_joined_in_any_order_are_of_their_years_where_each_line_tells_it(data, log):
    """Several logs in one stream, as in `zcat *.gz | mailtrace-index -`."""
    telling = [entry for entry in log if tells([entry])]
    assume(telling)
    pieces = data.draw(st.permutations(pieces_of(data, telling, most=14)))
    # No line shows that a day of one year is followed by the same of another.
    assume(all(before[-1][1][:6] != after[0][1][:6] for before, after in pairwise(pieces)))
    joined = [line + "\n" for piece in pieces for _, line in piece]
    with pytest.MonkeyPatch.context() as monkey:
        found = piped(monkey, joined)
    assert dates_found(found) == true_dates(telling)


@many
@given(st.data(), logs(has_ids=False, longest=DAY))
def test_files_that_are_joined_in_any_order_are_never_of_the_future(data, log):
    pieces = data.draw(st.permutations(pieces_of(data, log, most=14)))
    joined = [line + "\n" for piece in pieces for _, line in piece]
    with pytest.MonkeyPatch.context() as monkey:
        assert max(piped(monkey, joined).values()) <= NOW + DAY


@many
@given(st.data(), logs(has_ids=False, longest=DAY))
def test_a_run_that_ends_early_leaves_its_plan_to_the_next(data, log):
    """A log without order, of which the second run reads only the rest."""
    pieces = data.draw(st.permutations(pieces_of(data, log)))
    lines = [line for piece in pieces for _, line in piece]
    at = data.draw(st.integers(1, len(lines)))
    whole, frames, rest = planned_frames(lines), planned_frames(lines), lines[at:]
    times = [whole.record(line).time for line in lines]
    assert times[:at] == [frames.record(line).time for line in lines[:at]]
    state = json.loads(json.dumps(frames.state()))
    later = planned_frames(rest, state)
    assert times[at:] == [later.record(line).time for line in rest]


def planned_frames(lines, state=None):
    """Return frames with the years of a survey, which continues from a state."""
    plan = state and state["plan"]
    survey = Survey(UTC, YearPlan([YearChange(*change) for change in plan[0]], plan[1]) if plan else NO_PLAN)
    survey.add(lines)
    frames = Frames.resume(UTC, state) if state else Frames(UTC, 2000)
    if years := choose_years(survey.end(), UTC, NOW, KnownStart(state and state["latest"])):
        frames.follow(years.plan)
    return frames
