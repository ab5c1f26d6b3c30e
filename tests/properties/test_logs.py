"""Properties of any log: transactions do not mix, the order of reading does not matter, every line is counted."""

import json
import os
from collections import Counter
from itertools import pairwise

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from helpers.random_logs.damage import mangled
from helpers.random_logs.lines import BEGIN, logs
from helpers.random_logs.trial import found_of, trial
from helpers.random_logs.units import units

EXAMPLES = os.environ.get("MAILTRACE_TEST_EXAMPLES")
"""The number of random logs per test: few and always the same by default, thousands of new ones on request."""
many = settings(max_examples=int(EXAMPLES or 80), deadline=None, derandomize=EXAMPLES is None)


def texts(written):
    return [line.text for line in written]


def keyed(found, unit):
    """Return the documents of the queue IDs of a unit."""
    documents = map(json.loads, found.splitlines())
    return [doc for doc in documents if doc["host"] == unit.host and doc["transaction"] in unit.queue_ids]


def keeps_sessions(lines, at):
    """Return whether a cut separates no line without a queue ID from its message."""
    said = [tag_of(line) for line in lines[:at] if ": AUTH=" in line or "NOQUEUE: hold: " in line]
    return not any(tag_of(line) in said for line in lines[at:] if ": from=<" in line or ": client=" in line)


def tag_of(line):
    """Return host, program and process ID."""
    begin = max(line.find(" sm-mta["), line.find(" postfix/smtpd["))
    return line[begin : line.index("]: ")] if begin >= 0 else line


def found_in_runs(pieces, order):
    """Return the documents after the pieces of a log were indexed one by one."""
    with trial() as parts:
        for number in order:
            parts.index(parts.write(f"mail.log.{number}", pieces[number]))
        return parts.found()


def settled(found):
    """Return documents with the results of the same time in alphabetical order, as no line says which came first."""
    documents = [json.loads(line) for line in found.splitlines()]
    for document in documents:
        document["to"].sort(key=lambda entry: (entry["date"], entry["recipient"] or "", entry["orig_to"] or ""))
    return documents


@many
@given(logs(units))
def test_interleaved_transactions_are_what_each_is_alone(log):
    made, written = log
    alone = [found_of(line.text for line in written if line.unit == number) for number in range(len(made))]
    assert Counter(b"".join(alone).splitlines()) == Counter(found_of(texts(written)).splitlines())


@many
@given(st.data(), logs(units))
def test_damaged_lines_change_no_transaction_but_their_own(data, log):
    made, written = log
    lines, touched = data.draw(mangled(written))
    before, after = found_of(texts(written)), found_of(lines)
    for number, unit in enumerate(made):
        if number not in touched:
            assert keyed(before, unit) == keyed(after, unit)


@many
@given(st.data(), logs(units))
def test_lines_that_are_doubled_change_nothing(data, log):
    _, written = log
    doubled = [line.text for line in written for _ in range(data.draw(st.integers(1, 2)))]
    assert found_of(texts(written)) == found_of(doubled)


@many
@given(st.data(), logs(units))
def test_a_log_in_two_files_is_one_log_whichever_is_read_first(data, log):
    lines = texts(log[1])
    at = data.draw(st.integers(0, len(lines)))
    assume(keeps_sessions(lines, at))
    whole, pieces = found_of(lines), [lines[:at], lines[at:]]
    for order in ((0, 1), (1, 0)):
        assert found_in_runs(pieces, order) == whole


@many
@given(st.data(), logs(units))
def test_a_log_in_many_files_is_one_log_in_whatever_order_they_are_read(data, log):
    lines = texts(log[1])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(lines)), min_size=2, max_size=4)))
    assume(all(keeps_sessions(lines, cut) for cut in cuts))
    pieces = [lines[begin:end] for begin, end in pairwise([0, *cuts, len(lines)])]
    order = data.draw(st.permutations(range(len(pieces))))
    assert settled(found_in_runs(pieces, order)) == settled(found_of(lines))


@many
@given(st.data(), logs(units))
def test_a_log_in_two_files_is_one_log_in_one_run(data, log):
    lines = texts(log[1])
    at = data.draw(st.integers(0, len(lines)))
    with trial() as parts:
        older, newer = parts.write("mail.log.1", lines[:at]), parts.write("mail.log", lines[at:])
        # Files that begin in the same second are told apart by the times at which they were written.
        os.utime(older, (BEGIN, BEGIN))
        parts.index(newer, older)
        assert parts.found() == found_of(lines)


@many
@given(logs(units))
def test_a_log_that_is_read_twice_is_found_once(log):
    with trial() as one:
        file = one.write("mail.log", texts(log[1]))
        one.index(file)
        before = one.found()
        assert one.index(file).counts == (0, 0, 0, 0)
        assert one.index(file, options=["--from-start"]).counts[0] == len(log[1])
        assert one.found() == before


@many
@given(st.data(), logs(units))
def test_every_line_is_counted_once(data, log):
    lines, _ = data.draw(mangled(log[1]))
    lines += data.draw(st.lists(st.binary(max_size=60).map(lambda line: line.replace(b"\n", b"")), max_size=4))
    with trial() as one:
        read, *kinds = one.index(one.write("mail.log", lines)).counts
        assert read == len(lines) == sum(kinds)
