"""Lines that are read in slices by other processes give what they give in one piece."""

import gzip
import os
from datetime import datetime, timedelta
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import settings as examples

from helpers.accuracy.corpus import CORPORA, Corpus
from helpers.random_logs.lines import logs
from helpers.random_logs.trial import trial
from helpers.random_logs.units import units
from helpers.reliability.rotated_log import generated
from mailtrace.indexing.indexer import Indexer, Limits
from mailtrace.indexing.workers import Workers
from mailtrace.logs import file
from mailtrace.logs.rotation import Calendar
from mailtrace.search.query import Query
from mailtrace.stores.sqlite.store import SqliteStore
from mailtrace.syslog.timezones import zone_of

SMALL = 4_000
"""Bytes of a slice: some ten lines."""
SPLIT = Limits(save_bytes=60_000, held=50, write_bytes=20_000)


@pytest.fixture(scope="module")
def workers():
    workers = Workers(2, SqliteStore("").encoding)
    yield workers
    workers.close()


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch):
    monkeypatch.setattr(file, "_BLOCK", SMALL)


@pytest.fixture
def sent(monkeypatch):
    """The slices that workers read."""
    found, read = [], Workers.read

    def noted(self, some):
        found.append(some)
        return read(self, some)

    monkeypatch.setattr(Workers, "read", noted)
    return found


def indexed(path, log, workers, zone="UTC", year=2026, limits=SPLIT):
    """Return the documents of a log, and its counts without those of writes, in a new store."""
    store = SqliteStore(str(path))
    try:
        indexer = Indexer(store, Calendar(zone_of(zone), zone, year), limits=limits, workers=workers)
        report = indexer.index([str(log)])
        counts = report.lines, report.used, report.ignored, report.unrecognised, report.created, report.notes
        return list(store.search(Query(limit=None))), counts
    finally:
        store.close()


def same(folder, log, workers, **given):
    """Index a log in one piece and in slices, and return its documents if both are the same."""
    one = indexed(folder / "one.db", log, None, **given)
    assert one == indexed(folder / "slices.db", log, workers, **given)
    return one[0]


def text_of(path):
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


@pytest.mark.parametrize("name", sorted(path.name for path in CORPORA.iterdir() if path.is_dir()))
def test_logs_of_real_servers(tmp_path, workers, monkeypatch, sent, name):
    monkeypatch.setattr(file, "_BLOCK", 20_000)
    log = tmp_path / "mail.log"
    log.write_bytes(b"".join(text_of(path) for paths, _ in Corpus.read(name).logs() for path in paths))
    assert same(tmp_path, log, workers)
    assert sent or name.startswith("exim") or name == "postfix-maillog-file"


@pytest.mark.parametrize("limits", [SPLIT, Limits()])
@pytest.mark.parametrize("mta", ["postfix", "sendmail", "mixed"])
def test_generated_logs(tmp_path, workers, sent, mta, limits):
    log = tmp_path / "mail.log"
    log.write_bytes(b"".join(generated(800, seed=5, mta=mta)))
    assert same(tmp_path, log, workers, limits=limits)
    assert len(sent) > 50


@examples(max_examples=60, deadline=None, derandomize=True)
@given(logs(units))
def test_random_transactions(workers, log):
    with trial() as one, pytest.MonkeyPatch.context() as patch:
        patch.setattr(file, "_BLOCK", 300)
        path = one.write("mail.log", [line.text for line in log[1]])
        assert indexed(one.folder / "one.db", path, None) == indexed(one.folder / "slices.db", path, workers)


def message(stamp, queue_id, rcpt="bob@bar.com"):
    return (
        f"{stamp} mx postfix/smtpd[1]: {queue_id}: client=a.example[192.0.2.1]\n"
        f"{stamp} mx postfix/cleanup[2]: {queue_id}: message-id=<{queue_id}@foo.com>\n"
        f"{stamp} mx postfix/qmgr[3]: {queue_id}: from=<al@foo.com>, size=1, nrcpt=1 (queue active)\n"
        f"{stamp} mx postfix/smtp[4]: {queue_id}: to=<{rcpt}>, relay=b[192.0.2.2]:25, delay=1, delays=0/0/0/1,"
        " dsn=2.0.0, status=sent (250 ok)\n"
        f"{stamp} mx postfix/qmgr[3]: {queue_id}: removed\n"
    )


def stamps(first, step, number):
    """Return so many RFC 3164 stamps, beginning with one in ISO 8601."""
    time = datetime.fromisoformat(first)
    return [f"{at:%b} {at.day:2} {at:%H:%M:%S}" for at in (time + timedelta(**step) * n for n in range(number))]


def write(path, stamped):
    path.write_text("".join(message(stamp, f"4{number:09X}") for number, stamp in enumerate(stamped)))
    return path


def test_years_of_lines_that_begin_in_the_middle_of_a_day(tmp_path, workers, sent):
    log = write(tmp_path / "mail.log", stamps("2023-06-01 00:00:00", {"hours": 7}, 3_000))
    found = same(tmp_path, log, workers, year=2023)
    assert ("2025-10-22", "2023-06-01") == (found[0]["date"][:10], found[-1]["date"][:10])
    assert sent


def test_the_hour_that_is_repeated_when_summer_time_ends(tmp_path, workers, sent):
    first = stamps("2026-10-20 00:00:00", {"minutes": 4}, 1845)
    second = stamps("2026-10-25 02:00:00", {"minutes": 4}, 405)
    assert "Oct 25 02:56:00" == first[-1]
    log = write(tmp_path / "mail.log", [*first, *second])
    dates = [one["date"] for one in reversed(same(tmp_path, log, workers, zone="Europe/Berlin"))]
    assert sorted(set(dates)) == dates
    assert sent


def test_days_that_begin_with_a_stamp_of_another_form(tmp_path, workers, sent):
    """The first lines of the days do not show then how many there are; the log goes back to an earlier year."""
    log, written = tmp_path / "mail.log", ""
    for first in map(datetime.fromisoformat, ("2025-03-01", "2023-06-01")):
        for number in range(200):
            time, queue_id = first + timedelta(hours=4 * number), f"4{first.month}{number:08X}"
            stamp = f"{time:%b} {time.day:2} {time:%H:%M:%S}"
            written += f"{time:%b} {time.day:2} {time:%Y %H:%M:%S} mx ntpd[7]: synchronised\n" if time.hour == 0 else ""
            written += message(stamp, queue_id).replace(f"<{queue_id}@", f"<{time:%Y%m%d%H%M%S}.{queue_id}@")
    log.write_text(written)
    found = same(tmp_path, log, workers, year=2025)
    assert {"2025", "2023"} == {one["date"][:4] for one in found}
    assert sent


def test_lines_that_are_too_long(tmp_path, workers, sent):
    log = write(tmp_path / "mail.log", stamps("2026-11-20 00:00:00", {"seconds": 2}, 200))
    text = log.read_text().splitlines(keepends=True)
    long = "Nov 20 00:00:01 mx postfix/qmgr[3]: " + "x" * (file.MAX_LINE + 10) + "\n"
    log.write_text("".join([*text[:300], long, *text[300:500], long, *text[500:]]))
    same(tmp_path, log, workers)
    assert sent


def test_a_queue_id_that_is_used_in_several_slices(tmp_path, workers, sent):
    """Its messages overlap, and some end in another slice than they begin."""
    one = "".join(message(f"Nov 20 00:00:{second:02}", "4AAAAAAAAA", f"u{second}@bar.com") for second in range(60))
    lines = one.splitlines(keepends=True)
    log = tmp_path / "mail.log"
    for shift in (1, 2, 3):
        log.write_text("".join(lines[shift:] + lines[:shift] + lines))
        same(tmp_path, log, workers)
        for store in tmp_path.glob("*.db*"):
            store.unlink()
    assert sent


def test_logins_and_holds_of_earlier_slices(tmp_path, workers, sent):
    hold = (
        "{0} mx postfix/smtpd[{1}]: NOQUEUE: hold: RCPT from a.example[192.0.2.1]: <a.example[192.0.2.1]>: Client host"
        " held; from=<al@foo.com> to=<bob@bar.com> proto=ESMTP helo=<a>\n"
    )
    said = []
    for number, stamp in enumerate(stamps("2026-11-20 00:00:00", {"seconds": 1}, 400)):
        accepted = message(stamp, f"4{number:09X}").replace("smtpd[1]", f"smtpd[{number % 5}]")
        said += [hold.format(stamp, number % 7), accepted]
    log = tmp_path / "mail.log"
    log.write_text("".join(said))
    found = same(tmp_path, log, workers)
    assert any(entry["outcome"] == "held" for one in found for entry in one["to"])
    assert sent


def test_a_stream_is_read_here(tmp_path, workers, sent):
    log = write(tmp_path / "mail.log", stamps("2026-11-20 00:00:00", {"seconds": 2}, 100))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    Thread(target=pipe.write_bytes, args=[log.read_bytes()], daemon=True).start()
    assert 100 == len(indexed(tmp_path / "pipe.db", pipe, workers)[0])
    assert not sent
