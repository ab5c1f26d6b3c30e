"""How often the indexer opens a log, and what a damaged one does to the others."""

import gzip
import sys
from collections import Counter

import pytest

from helpers.commands import documents, index
from helpers.instants import NOW, stamp

_opened: Counter[str] = Counter()


def _count(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        _opened[arguments[0]] += 1


sys.addaudithook(_count)


def line(queue_id, instant):
    return (
        f"{stamp(instant)} mx postfix/smtp[5]: {queue_id}: to=<a@example.net>, relay=none, status=sent (ok)\n".encode()
    )


def opens(paths, *options):
    """How often each log is opened by a run."""
    store = f"sqlite:{paths[0].parent}/s.db"
    _opened.clear()
    done = index(store, paths, *options)
    assert not done.status, done.summary
    return [_opened[str(path)] for path in paths]


@pytest.mark.parametrize("packed", [bytes, gzip.compress])
def test_a_log_is_opened_for_its_head_and_for_its_lines(tmp_path, monkeypatch, packed):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    log = tmp_path / "mail.log"
    log.write_bytes(packed(line("40BC39868A", NOW)))
    assert opens([log]) == [2]
    log.write_bytes(packed(line("40BC39868A", NOW) + line("40BC39868B", NOW + 5)))
    assert opens([log]) == [2]


def test_a_log_is_surveyed_once_more_to_order_logs_by_a_given_year(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    log, older = tmp_path / "mail.log", tmp_path / "mail.log.1"
    log.write_bytes(line("40BC39868A", NOW))
    older.write_bytes(line("40BC39868C", NOW - 86400))
    assert opens([older, log], "-y", "2026") == [3, 3]


def test_a_log_that_is_damaged_from_its_start_does_not_keep_the_others_from_being_read(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    log, damaged = tmp_path / "mail.log", tmp_path / "mail.log.1.gz"
    log.write_bytes(line("40BC39868A", NOW))
    damaged.write_bytes(b"\x1f\x8b" + b"damaged" * 9)
    done = index(f"sqlite:{tmp_path}/s.db", [damaged, log])
    assert done.status == 2
    assert f"{damaged} is damaged or truncated" in done.summary
    assert len(documents(f"sqlite:{tmp_path}/s.db")) == 1
