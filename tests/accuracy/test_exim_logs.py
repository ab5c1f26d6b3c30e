"""Exim's own files, and the same lines in syslog as Exim cuts, stamps and doubles them."""

import gzip
import json
import re
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from helpers.accuracy.corpus import CORPORA, YEAR
from helpers.commands import documents, index

CORPUS = CORPORA / "exim-selectors"
ZONE = "America/St_Johns"
own = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(\.\d{3})( [+-]\d{4})( \[(\d+)\]) (.*)", re.DOTALL).fullmatch
LONGEST = 870


def text_of(name):
    return gzip.decompress((CORPUS / name).read_bytes()).decode("utf-8", "surrogateescape")


def entries(name):
    """The entries of a file: the line with the stamp, and the lines that follow it."""
    found = []
    for line in text_of(name).splitlines():
        if own(line):
            found.append([line])
        else:
            found[-1].append(line)
    return found


MAIN = [entry[0] for entry in entries("mail.mainlog.gz")]
REFUSED = {entry[0]: entry for entry in entries("mail.rejectlog.gz")}


def pieces(lines):
    """The texts that Exim passes to syslog for one entry (log.c)."""
    made, left = [], "\n".join(lines)
    while left:
        piece = left.partition("\n")[0][:LONGEST]
        left = left[len(piece) :]
        made.append((piece, left.startswith("\n")))
        left = left.removeprefix("\n")
    if len(made) == 1:
        return [made[0][0]]
    total = len(made)
    return [f"[{n}{chr(92) if ends else '/'}{total}] {piece}" for n, (piece, ends) in enumerate(made, 1)]


def instant(stamp, milli, zone):
    hours, minutes = int(zone[2:4]), int(zone[4:6])
    offset = timedelta(hours=hours, minutes=minutes) * (1 if zone[1] == "+" else -1)
    local = datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
    return local - offset + timedelta(milliseconds=int(milli[1:]))


def traditional(at, pid, text):
    local = at.astimezone(ZoneInfo(ZONE))
    return f"{local:%b} {local.day:2} {local:%H:%M:%S} mail exim[{pid}]: {text}"


def iso(at, pid, text):
    return f"{at.isoformat(timespec='microseconds')} mail exim[{pid}]: {text}"


def rfc5424(at, pid, text):
    return f"<22>1 {at.isoformat(timespec='microseconds')} mail exim {pid} - - {text}"


def journal(at, pid, text):
    micros = round(at.timestamp() * 1_000_000)
    fields = {"_HOSTNAME": "mail", "SYSLOG_IDENTIFIER": "exim", "_PID": pid, "MESSAGE": text}
    return json.dumps({"__REALTIME_TIMESTAMP": str(micros), **fields})


def in_syslog(frame, *, stamped, doubled):
    """The lines of the main log as syslog has them, with the copies for the reject log."""
    made, last = [], datetime.min.replace(tzinfo=timezone.utc)
    for line in MAIN:
        stamp, milli, zone, pid, digits, text = own(line).groups()
        before = stamp + milli + zone + pid + " " if stamped else ""
        copies = [[before + text]]
        if doubled and line in REFUSED:
            copies.append([before + text, *REFUSED[line][1:]])
        at = instant(stamp, milli, zone)
        for piece in [piece for copy in copies for piece in pieces(copy)]:
            at = last = max(at, last + timedelta(microseconds=1))
            made.append(frame(at, digits, piece))
    return made


def documents_of(tmp_path, lines, *options):
    log, store = tmp_path / "log", f"sqlite:{tmp_path}/store.db"
    log.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="surrogateescape")
    indexed = index(store, [log], "--tz", ZONE, "--host", "mail", "-y", YEAR, *options)
    assert indexed.status == 0, indexed.summary
    assert indexed.counts[3] == 0, indexed.summary
    return documents(store)


def outline(found):
    """Documents without fractions of seconds, and so without the order of what happened within a second."""
    made = []
    for document in found:
        to = []
        for each in document["to"]:
            delay = None if each["delay"] is None else int(each["delay"])
            dates = {name: each[name][:19] for name in ("date", "last_date")}
            to.append(json.dumps({**each, **dates, "delay": delay, "attempts": 0}, sort_keys=True))
        made.append(json.dumps({**document, "date": document["date"][:19], "to": sorted(to)}, sort_keys=True))
    return sorted(made)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The documents of main log and reject log together."""
    lines = [line for entry in MAIN for line in REFUSED.get(entry, [entry])]
    return documents_of(tmp_path_factory.mktemp("files"), lines)


@pytest.mark.parametrize("frame", [traditional, iso, rfc5424, journal])
def test_syslog_comes_to_the_documents_of_the_files(frame, files, tmp_path):
    assert outline(documents_of(tmp_path, in_syslog(frame, stamped=True, doubled=True))) == outline(files)


@pytest.mark.parametrize("frame", [iso, rfc5424, journal])
def test_syslog_without_stamps_comes_to_the_documents_of_the_files(frame, files, tmp_path):
    assert outline(documents_of(tmp_path, in_syslog(frame, stamped=False, doubled=True))) == outline(files)


def test_syslog_without_copies_comes_to_the_documents_of_the_main_log(tmp_path_factory):
    main = documents_of(tmp_path_factory.mktemp("main"), MAIN)
    lines = in_syslog(iso, stamped=True, doubled=False)
    assert outline(documents_of(tmp_path_factory.mktemp("syslog"), lines)) == outline(main)


def test_a_log_that_is_read_in_runs_is_read_as_in_one(tmp_path):
    lines = in_syslog(iso, stamped=False, doubled=True)
    whole = documents_of(tmp_path, lines)
    log, store = tmp_path / "growing", f"sqlite:{tmp_path}/runs.db"
    cuts = [at for at, line in enumerate(lines) if "]: [" in line or "rejected" in line][::25]
    for begin, end in zip([0, *cuts], [*cuts, len(lines)], strict=True):
        with log.open("a", encoding="utf-8", errors="surrogateescape") as out:
            out.writelines(f"{line}\n" for line in lines[begin:end])
        index(store, [log], "--tz", ZONE)
    assert documents(store) == whole


def default_selectors():
    """The lines of the main log as they are without any log selector but `smtp_confirmation`."""
    found = []
    for line in text_of("mail.mainlog.gz").splitlines():
        stamp, _, _, _, _, text = own(line).groups()
        text = re.sub(r"( I=\[[^\]]*\]:\d+)|( (QT|DT|RT|M8S|L|Ci)[=.]\S+)", "", text)
        found.append(f"{stamp} {text}")
    return found


def test_rotated_files_are_read_as_one(tmp_path):
    lines = default_selectors()
    whole = documents_of(tmp_path, lines)
    third = len(lines) // 3
    # Lines of processes that have the old file open stand at its end.
    parts = [lines[:third] + lines[third + 5 : third + 8], lines[third : third + 5] + lines[third + 8 : 2 * third]]
    parts.append(lines[2 * third :])
    store = f"sqlite:{tmp_path}/rotated.db"
    for day in range(3):
        for age in range(day, 0, -1):
            text = "".join(f"{line}\n" for line in parts[day - age]).encode("utf-8", "surrogateescape")
            (tmp_path / f"mainlog.{age}.gz").write_bytes(gzip.compress(text)) if age > 1 else (
                tmp_path / f"mainlog.{age}"
            ).write_bytes(text)
        text = "".join(f"{line}\n" for line in parts[day]).encode("utf-8", "surrogateescape")
        (tmp_path / "mainlog").write_bytes(text)
        index(store, [tmp_path / "mainlog"], "--tz", ZONE, "--host", "mail")
    assert documents(store) == whole


def test_the_reject_log_and_the_main_log_tell_of_one_refusal(tmp_path):
    main, rejected = tmp_path / "mainlog", tmp_path / "rejectlog"
    for log in (main, rejected):
        name = f"mail.{log.name}.gz"
        log.write_text(text_of(name), encoding="utf-8", errors="surrogateescape")
    found = []
    for order in ([main, rejected], [rejected, main], [main, rejected, CORPUS / "mail.paniclog.gz"]):
        store = f"sqlite:{tmp_path}/{len(found)}.db"
        for log in order:
            index(store, [log], "--tz", ZONE, "--host", "mail")
        found.append(documents(store))
    assert found[0] == found[1] == found[2]
    alone = f"sqlite:{tmp_path}/alone.db"
    index(alone, [rejected], "--tz", ZONE, "--host", "mail")
    after_data = [document for document in documents(alone) if document["transaction"] != "NOQUEUE"]
    assert any(each["recipient"] for document in after_data for each in document["to"])
    assert {each["outcome"] for document in documents(alone) for each in document["to"]} == {"rejected", "discarded"}


def test_files_without_a_host_have_the_given_one_or_this_machines(tmp_path, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "Own.example")
    line = "2026-11-28 19:29:25 1xXO6v-0007Yn-0t <= ann@example.org U=ann P=local S=445\n"
    end = "2026-11-28 19:29:26 1xXO6v-0007Yn-0t Completed\n"
    for host, options in (("own.example", []), ("mx.example", ["--host", "MX.example"])):
        log, store = tmp_path / host, f"sqlite:{tmp_path}/{host}.db"
        log.write_text(line)
        index(store, [log], *options)
        log.write_text(line + end)
        other = index(store, [log], "--host", "another.example")
        assert (other.status, f"indexed with --host {host}, now with another.example" in other.summary) == (2, True)
        index(store, [log])
        assert [(found["host"], found["removed"]) for found in documents(store)] == [(host, True)]
