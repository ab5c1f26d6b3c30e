"""mailtrace-index as a process: input, messages and exit statuses."""

import gzip
import os
import pty
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
SAMPLES = Path(__file__).parents[3] / "sample_logs"
LINE = (
    "Mar  6 08:00:0{n} mx postfix/smtp[5]: 4{n}BC39868A: to=<r{n}@example.net>, relay=mx.example.net[192.0.2.3]:25,"
    " delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)"
)


def line(n: int) -> bytes:
    return LINE.format(n=n).encode()


def complaint(done) -> str:
    """The one line of an error message."""
    assert "Traceback" not in done.stderr
    assert 1 == done.stderr.count("\n"), done.stderr
    return done.stderr


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["missing.log"], "missing.log: no such file"),
        (["."], "is a folder"),
        ([""], "'' is no name of a file: name a log file, or - for standard input"),
        (["-y", "11", "mail.log"], "is not a year"),
        (["-y", "soon", "mail.log"], "is not a year"),
        (["--tz", "Mars/Base", "mail.log"], "no such time zone"),
        (["--store", "mysql:x", "mail.log"], "unknown kind of store"),
        (["--store", "sqlite:/proc/nowhere/s.db", "mail.log"], "cannot be written"),
        (["--store", "sqlite:mail.log", "mail.log"], "mail.log is not a mailtrace store: choose another file with"),
        (["--store", "http://127.0.0.1:9", "mail.log"], "http://127.0.0.1:9"),
        ([], "for help: --help"),
        (["--no-such-flag", "mail.log"], "for help: --help"),
    ],
)
def test_invalid_input_is_an_error_of_one_line(commands, arguments, words):
    (commands.folder / "mail.log").write_bytes(line(1) + b"\n")
    done = commands.index(*arguments)
    assert 2 == done.returncode
    assert words in complaint(done)


@pytest.mark.parametrize("flags", [["--explain", "josé.log"], ["--check"], ["--show-config"]])
def test_what_the_terminal_cannot_encode_is_escaped(commands, flags):
    (commands.folder / "josé.log").write_text(line(1).decode().replace(" mx ", " josé ") + "\n")
    store = f"sqlite:{commands.folder}/josé.db"
    assert 0 == commands.index("-q", "--store", store, "josé.log").returncode
    done = commands.index("--store", store, *flags, PYTHONIOENCODING="ascii")
    assert (0, "") == (done.returncode, done.stderr)
    assert "jos\\xe9" in done.stdout


def test_an_unreadable_file_is_an_error(commands):
    log = commands.folder / "mail.log"
    log.write_bytes(line(1) + b"\n")
    log.chmod(0)
    done = commands.without_privileges("mailtrace-index", "mail.log")
    assert 2 == done.returncode
    assert "cannot be read by this user" in complaint(done)


def test_a_rotated_file_that_cannot_be_read_is_an_error_if_it_may_have_new_lines(commands):
    log, rotated, older = (commands.folder / name for name in ("mail.log", "mail.log.1", "mail.log.2"))
    older.write_bytes(line(0) + b"\n")
    older.chmod(0)
    os.utime(older, (1, 1))
    log.write_bytes(line(1) + b"\n")
    assert 0 == commands.without_privileges("mailtrace-index", "-q", "mail.log").returncode
    log.write_bytes(line(1) + b"\n" + line(2) + b"\n")
    log.rename(rotated)
    rotated.chmod(0)
    os.utime(rotated, (time.time() + 5,) * 2)
    log.write_bytes(line(3) + b"\n")
    done = commands.without_privileges("mailtrace-index", "mail.log")
    assert (2, 1) == (done.returncode, done.stderr.count("cannot be read by this user"))
    assert "mail.log.1 cannot be read by this user" in done.stderr
    assert "1 lines: 1 used" in done.stderr
    rotated.chmod(0o600)
    done = commands.index("mail.log")
    assert (0, "1 lines: 1 used") == (done.returncode, done.stderr.partition(",")[0])


def test_hostile_bytes_do_not_affect_the_lines_around_them(commands):
    """NUL bytes, invalid UTF-8, CRLF, a line of 10 MB and binary noise are counted; the neighbours are indexed."""
    noise = [
        b"\0" * 500 + line(2),
        b"\xff\xfe\xfa",
        line(3) + b"\r",
        b"x" * 10_000_000,
        bytes(range(256)).replace(b"\n", b""),
    ]
    (commands.folder / "mail.log").write_bytes(b"\n".join([line(1), *noise, line(4)]) + b"\n")
    done = commands.index("-y", 2024, "mail.log")
    assert (0, "") == (done.returncode, done.stdout)
    assert "7 lines: 4 used, 0 ignored, 3 unrecognised" in done.stderr
    found = commands.search().stdout
    assert [f"r{n}@example.net" in found for n in (1, 2, 3, 4)] == [True] * 4


def test_a_file_without_mail_lines_is_named(commands):
    (commands.folder / "binary.log").write_bytes(os.urandom(5000).replace(b"\n", b"") + b"\n")
    done = commands.index("binary.log")
    assert 4 == done.returncode
    assert "binary.log: no line of Postfix, sendmail or Exim" in done.stderr
    (commands.folder / "empty.log").write_bytes(b"")
    assert 0 == commands.index("empty.log").returncode


@pytest.mark.parametrize("packed", [bytes, gzip.compress])
def test_standard_input_is_read_whole_each_time(commands, packed):
    for created in (1, 0):
        done = commands.index("-y", 2024, "-", given=packed(line(1)))
        assert 0 == done.returncode
        assert "1 lines: 1 used, 0 ignored, 0 unrecognised" in done.stderr
        assert f"transactions: {created} new" in done.stderr


def test_quiet_is_quiet_when_all_went_well(commands):
    (commands.folder / "mail.log").write_bytes(line(1) + b"\n")
    done = commands.index("-q", "-y", 2024, "mail.log")
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def test_progress_is_shown_on_a_terminal_alone(commands):
    log = commands.folder / "mail.log"
    log.write_bytes(b"".join(line(n % 10) + b"\n" for n in range(30_000)))
    terminal, end = pty.openpty()
    run = subprocess.Popen(
        [BIN / "mailtrace-index", "-y", "2024", log],
        env={**commands.environment, "TERM": "xterm", "COLUMNS": "100"},
        stderr=end,
    )
    os.close(end)
    shown = b""
    with suppress(OSError):
        while data := os.read(terminal, 65536):
            shown += data
    os.close(terminal)
    assert 0 == run.wait(timeout=60)
    assert b"mail.log" in shown
    assert b"lines/s" in shown
    assert b"30000 lines: 30000 used" in shown
    assert "lines/s" not in commands.index("--from-start", log).stderr


def test_known_lines_are_not_read_again(commands):
    log = commands.folder / "mail.log"
    log.write_bytes(line(1) + b"\n")
    commands.index("-y", 2024, "mail.log")
    assert "nothing new to read" in commands.index("mail.log").stderr
    with log.open("ab") as more:
        more.write(line(2) + b"\n")
    assert "1 lines: 1 used" in commands.index("mail.log").stderr
    before = commands.search("--format", "json").stdout
    assert "2 lines: 2 used" in commands.index("--from-start", "mail.log").stderr
    assert before == commands.search("--format", "json").stdout
    assert 2 == before.count("\n")


def test_explain_shows_each_line_and_writes_nothing(commands):
    text = [
        line(1),
        b"Mar  6 08:00:02 mx dovecot: imap-login: Login",
        b"Mar  6 08:00:03 mx postfix/smtp[5]: 4FBC39868A: foo",
        b"",
    ]
    (commands.folder / "mail.log").write_bytes(b"\n".join(text) + b"\n")
    done = commands.index("--explain", "-y", 2024, "mail.log")
    assert 0 == done.returncode
    shown = done.stdout.splitlines()
    assert "41BC39868A: Result(recipient='r1@example.net'" in shown[1]
    assert "  ignored: another program" == shown[3]
    assert shown[5].startswith("  UNRECOGNISED: unknown postfix line")
    assert "4 lines: 1 used, 2 ignored, 1 unrecognised" == shown[-1]
    assert 2 == commands.search().returncode


def test_a_wrong_zone_is_reported_with_the_flag_that_fixes_it(commands):
    done = commands.index("-y", 2011, "--tz", "UTC", SAMPLES / "sendmail.log")
    assert (
        "the log's clock is UTC+01:00, so these dates are wrong: run again with --replace --tz Europe/Madrid\n"
        in done.stderr
    )


@pytest.mark.parametrize("recipients", ["", " for alice@bar.com carol@bar.com"])
def test_the_message_ids_of_exim_show_another_clock_too(commands, recipients):
    line = "2026-11-28 20:29:25 1xXO6v-000000004lu-1ABs <= bob@foo.com H=a.example [192.0.2.1] P=esmtp S=900"
    (commands.folder / "mainlog").write_text(f"{line}{recipients}\n")
    done = commands.index("-q", "--tz", "UTC", "mainlog")
    assert done.stderr.splitlines()[-1] == (
        "the log's clock is UTC+01:00, so these dates are wrong: run again with --replace --tz Europe/Madrid"
    )


def test_help_and_version(commands):
    done = commands.index("--help")
    assert 0 == done.returncode
    assert "exit status" in done.stdout
    assert 0 == commands.index("--version").returncode


def test_a_pipe_named_as_a_file_is_read_whole(commands):
    fifo = commands.folder / "fifo"
    os.mkfifo(fifo)
    writer = subprocess.Popen(["bash", "-c", 'printf "%s\\n" "$1" > "$2"', "-", line(1), fifo])
    assert "1 lines: 1 used" in commands.index("-y", 2024, fifo).stderr
    assert 0 == writer.wait(timeout=10)
    assert "1 lines: 1 used" in commands.index("-y", 2024, "/dev/stdin", given=line(2)).stderr
    assert 2 == commands.search("--format", "json").stdout.count("\n")


def test_a_wrong_name_does_not_prevent_reading_the_other_files(commands):
    (commands.folder / "mail.log").write_bytes(line(1) + b"\n")
    done = commands.index("-q", "-y", 2024, "missing.log", "mail.log")
    assert 2 == done.returncode
    assert "missing.log: no such file" in complaint(done)
    assert 1 == commands.search("--format", "json").stdout.count("\n")


def test_the_summary_counts_the_other_files_if_one_has_a_wrong_name(commands):
    done = commands.index("-y", 2011, "--tz", "UTC", "missing.log", SAMPLES / "sendmail.log")
    said = done.stderr.splitlines()
    assert 2 == done.returncode
    assert "25 lines: 23 used, 2 ignored, 0 unrecognised" == said[0]
    assert any(each.startswith("the log's clock is UTC+01:00") for each in said)
    assert said[-1].startswith("mailtrace-index: missing.log: no such file")


def test_a_wrong_name_does_not_prevent_expiry(commands):
    (commands.folder / "old.log").write_bytes(line(1) + b"\n")
    (commands.folder / "mail.log").write_bytes(line(2) + b"\n")
    assert 0 == commands.index("-q", "-y", 2024, "old.log").returncode
    later = (
        "import time; now = time.time; time.time = lambda: now() + 100 * 86400\n"
        "from mailtrace.cli import index; index.main()"
    )
    done = commands.run(sys.executable, "-c", later, "-q", "-y", 2024, "missing.log", "mail.log")
    assert "missing.log: no such file" in complaint(done)
    (left,) = commands.search("--format", "json").stdout.splitlines()
    assert "r2@example.net" in left


def test_a_changed_zone_of_the_machine_is_reported(commands):
    log = commands.folder / "mail.log"
    log.write_bytes(line(1) + b"\n")
    assert 0 == commands.index("-q", "-y", 2024, log, TZ="Europe/Madrid").returncode
    log.write_bytes(line(1) + b"\n" + line(2) + b"\n")
    done = commands.index(log)
    assert 2 == done.returncode
    assert "the machine's time zone (UTC+01:00), now with the machine's time zone (UTC+00:00)" in complaint(done)
    assert 0 == commands.index("-q", "--tz", "Europe/Madrid", log).returncode
