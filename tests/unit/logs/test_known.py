"""A follower beside many rotated files: it opens them when they change, and not at every new line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mailtrace.errors import LogError
from mailtrace.indexing.indexer import Indexer
from mailtrace.logs.rotation import Calendar
from mailtrace.stores import open_store
from mailtrace.syslog.timezones import zone_of

OPENED = """
import sys
from pathlib import Path
opened = []
sys.addaudithook(lambda event, arguments: event == "open" and opened.append(str(arguments[0])))
sys.path.insert(0, {tests!r})
from unit.logs.test_known import follower, write
folder = Path({folder!r})
indexer, log = follower(folder), folder / "mail.log"
for at in range(3):
    write(log, 8000 + at)
    opened.clear()
    indexer.read_new([str(log)])
print(sum("mail.log." in path for path in opened), sum(path.endswith("mail.log") for path in opened))
print(indexer.report.lines)
"""


def write(log: Path, number: int) -> None:
    """Append a line."""
    with log.open("a") as file:
        file.write(
            f"Nov {1 + number // 1000:2} 08:00:{number % 60:02} mx postfix/smtp[5]: {number + 0x40BC39868:X}:"
            " to=<r@example.net>, relay=none, delay=1, status=deferred (no route)\n"
        )


def follower(folder: Path, year: int | None = 2019) -> Indexer:
    """Return the indexer of a follower that has read a log and its rotated files."""
    names = [folder / f"mail.log.{number}" for number in range(5, 0, -1)] + [folder / "mail.log"]
    for at, name in enumerate(names):
        write(name, 1000 * at)
        os.utime(name, (1.57e9 + at,) * 2)
    indexer = Indexer(open_store(f"sqlite:{folder}/s.db"), Calendar(zone_of("UTC"), "UTC", year))
    indexer.begin()
    indexer.read_new([str(name) for name in names])
    indexer.read_new([str(folder / "mail.log")])
    return indexer


def test_a_new_line_in_a_log_opens_no_rotated_file(tmp_path):
    code = OPENED.format(folder=str(tmp_path), tests=str(Path(__file__).parents[2]))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (rotated, own), (lines,) = (map(int, line.split()) for line in done.stdout.splitlines())
    assert (0, 6 + 3) == (rotated, lines)
    assert 0 < own <= 3


@pytest.mark.parametrize("year", [2019, None])
def test_lines_that_come_late_into_a_rotated_file_are_read(tmp_path, year):
    """Daemons write to a renamed log until they are told to open the new one."""
    indexer, log = follower(tmp_path, year), tmp_path / "mail.log"
    for at in range(3):
        write(tmp_path / "mail.log.1", 4001 + at)
        write(log, 8000 + at)
        indexer.read_new([str(log)])
        assert 6 + 2 * (at + 1) == indexer.report.lines


def test_a_rotation_between_two_lines_is_read(tmp_path):
    indexer, log = follower(tmp_path), tmp_path / "mail.log"
    for at in range(3):
        write(log, 6000 + 2 * at)
        log.rename(tmp_path / f"mail.log-2019111{at}")
        write(log, 6001 + 2 * at)
        indexer.read_new([str(log)])
        assert 6 + 2 * (at + 1) == indexer.report.lines


def test_a_log_that_begins_again_under_the_same_files_is_read(tmp_path):
    indexer, log = follower(tmp_path), tmp_path / "mail.log"
    write(log, 6000)
    indexer.read_new([str(log)])
    log.write_text("")
    write(log, 7000)
    indexer.read_new([str(log)])
    assert 8 == indexer.report.lines


def test_a_rotated_file_that_cannot_be_read_is_said_again(tmp_path):
    """It is not known, whatever else was read."""
    indexer, log = follower(tmp_path), tmp_path / "mail.log"
    (tmp_path / "mail.log.0.gz").write_bytes(b"\x1f\x8b\x08 this is not gzip")
    for at in range(3):
        write(log, 8000 + at)
        with pytest.raises(LogError, match="damaged or truncated"):
            indexer.read_new([str(log)])


@pytest.mark.parametrize("from_start", [False, True])
def test_a_log_that_grows_slowly_has_one_checkpoint(tmp_path, from_start):
    """Its first 4 KiB identify it, and grow with it."""
    log, store = tmp_path / "mail.log", open_store(f"sqlite:{tmp_path}/s.db")
    calendar = Calendar(zone_of("UTC"), "UTC", 2019)
    following = Indexer(store, calendar)
    following.begin()
    for number in range(30):
        write(log, number)
        following.read_new([str(log)])
        Indexer(store, calendar, from_start=from_start).index([str(log)])
    found = store.checkpoints()
    assert [log.stat().st_size] == [checkpoint.offset for checkpoint in found]
    log.rename(tmp_path / "mail.log.1")
    write(log, 8000)
    following.read_new([str(log)])
    assert 31 == following.report.lines
    assert 2 == len(store.checkpoints())
    store.close()


def test_a_checkpoint_of_an_earlier_version_is_continued(tmp_path):
    """It is named by the digest of its mark alone."""
    log, store = tmp_path / "mail.log", open_store(f"sqlite:{tmp_path}/s.db")
    calendar = Calendar(zone_of("UTC"), "UTC", 2019)
    write(log, 1)
    Indexer(store, calendar).index([str(log)])
    (saved,) = store.checkpoints()
    del saved.state["begins"]
    store.commit([saved])
    for number in (2, 3):
        write(log, number)
        assert 1 == Indexer(store, calendar).index([str(log)]).lines
    assert [saved.log] == [checkpoint.log for checkpoint in store.checkpoints()]
    store.close()


def test_logs_that_begin_with_the_same_lines_are_read_once_each(tmp_path):
    """Neither keeps the other from continuing."""
    one, other = tmp_path / "one.log", tmp_path / "other.log"
    indexer = Indexer(open_store(f"sqlite:{tmp_path}/s.db"), Calendar(zone_of("UTC"), "UTC", 2019))
    indexer.begin()
    for log in (one, other):
        write(log, 1)
        indexer.read_new([str(log)])
    for number in (2, 3, 4, 5, 6):
        for step, log in enumerate((one, other)):
            write(log, 10 * number + step)
            indexer.read_new([str(log)])
    before = indexer.report.lines
    assert before <= 1 + 2 + 2 * 5
    for log in (one, other):
        write(log, 80)
        indexer.read_new([str(log)])
    assert before + 2 == indexer.report.lines
