"""Logs of real servers give the same documents wherever they are cut, and in whatever order the pieces are read."""

import gzip
import json
import os
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from helpers.random_logs.trial import found_of, trial

CORPORA = Path(__file__).parent.parent / "corpora"
TRUTHS = {path.parent.name: json.loads(gzip.decompress(path.read_bytes())) for path in CORPORA.glob("*/truth.json.gz")}
# The year of a piece behind New Year is not that of the whole.
LOGS = [(name, host) for name in sorted(TRUTHS) if name != "rotation" for host in TRUTHS[name]["log_files"]]
ROUNDS = max(2, int(os.environ.get("MAILTRACE_TEST_EXAMPLES", "0")) // 10)
BEGINNINGS = (": client=", ": from=<")
ANNOUNCING = (": AUTH=", "NOQUEUE: client=", "NOQUEUE: hold: ", "NOQUEUE: milter-hold: ")
"""Lines without a queue ID about the next message of the process."""


def log_of(corpus, host):
    texts = [(CORPORA / corpus / name).read_bytes() for name in TRUTHS[corpus]["log_files"][host]]
    whole = b"".join(gzip.decompress(text) if text[:2] == b"\x1f\x8b" else text for text in texts)
    return whole.splitlines()


def process_of(line):
    """Return host, program and process ID of a line."""
    return line.partition("]: ")[0].rpartition(" ")[2]


def announced(lines):
    """Return where the log must not be cut: between a line without a queue ID and the line that it belongs to."""
    forbidden, waiting = set(), {}
    has_entries = lines[0][:1].isdigit()
    for at, line in enumerate(lines):
        text = line.decode(errors="replace")
        if has_entries and not text[:1].isdigit():
            # The further lines of an entry of Exim's rejectlog have neither a stamp nor a message ID.
            forbidden.add(at)
        process = process_of(text)
        if any(shape in text for shape in ANNOUNCING):
            waiting.setdefault(process, at)
        elif process in waiting and any(shape in text for shape in BEGINNINGS):
            forbidden.update(range(waiting[process] + 1, at + 1))
            if "sendmail" not in process and "sm-" not in process:
                # A login of sendmail's holds for the whole session, which has a process of its own.
                del waiting[process]
    return forbidden


def pieces_of(lines, random):
    """Return a log in pieces, in random order, some of them twice and some overlapping."""
    allowed = sorted(set(range(1, len(lines))) - announced(lines))
    cuts = [0, *sorted(random.sample(allowed, min(len(allowed), random.randint(1, 12)))), len(lines)]
    pieces = [lines[begin:end] for begin, end in pairwise(cuts)]
    pieces += random.sample(pieces, random.randint(0, 2))
    random.shuffle(pieces)
    return [piece for piece in pieces if piece]


@pytest.mark.parametrize(("corpus", "host"), LOGS)
def test_a_real_log_is_one_however_it_is_cut(corpus, host):
    lines = log_of(corpus, host)
    whole = found_of(lines)
    for seed in range(ROUNDS):
        with trial() as parts:
            for number, piece in enumerate(pieces_of(lines, Random(seed))):
                parts.index(parts.write(f"mail.log.{number}", piece))
            assert parts.found() == whole, seed


@pytest.mark.parametrize(("corpus", "host"), LOGS)
def test_a_real_log_that_grows_is_what_it_is_at_once(corpus, host):
    lines = log_of(corpus, host)
    with trial() as growing:
        for end in [*sorted(Random(corpus).sample(range(1, len(lines)), 9)), len(lines)]:
            growing.index(growing.write("mail.log", lines[:end]))
        assert growing.found() == found_of(lines)


def test_refusals_of_one_second_in_two_runs():
    line = "Jun 18 10:00:00 mx sm-mta[4242]: q5IA00Xx004242: Milter: to=<{}@example.org>, reject=550 5.7.1 no"
    lines = [line.format(name) for name in ("zoe", "kim", "abe")]
    lines.append(
        "Jun 18 10:00:01 mx sm-mta[4242]: q5IA00Xx004242: from=<ann@example.com>, size=0, class=0, nrcpts=0, "
        "proto=SMTP, daemon=MTA, relay=a.example.com [192.0.2.4]"
    )
    for cut in range(1, len(lines)):
        with trial() as growing:
            growing.index(growing.write("mail.log", lines[:cut]))
            growing.index(growing.write("mail.log", lines))
            assert growing.found() == found_of(lines)
