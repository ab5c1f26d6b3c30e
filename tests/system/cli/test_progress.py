"""The progress line on a real terminal: what it shows, and that it is erased completely."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path

import pytest

from mailtrace.cli import index
from mailtrace.cli.progress import progress_of

BIN = Path(sys.executable).parent
LINE = b"Mar  6 08:00:00 mx postfix/qmgr[5]: 41BC39868A: removed\n"


def read_all(terminal: int) -> bytes:
    """What was written on a terminal, after all have closed it."""
    written = b""
    with suppress(OSError):
        while data := os.read(terminal, 65536):
            written += data
    os.close(terminal)
    return written


def screen(written: bytes) -> list[str]:
    """The rows that a terminal shows after this output."""
    rows, column = [""], 0
    for part in re.findall(r"\x1b\[K|\r|\n|[^\x1b\r\n]+", written.decode()):
        if part == "\x1b[K":
            rows[-1] = rows[-1][:column]
        elif part == "\r":
            column = 0
        elif part == "\n":
            rows.append("")
        else:
            rows[-1] = rows[-1][:column] + part + rows[-1][column + len(part) :]
            column += len(part)
    return rows


class Terminal:
    """A terminal that is this process's standard error."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, columns: int = 80) -> None:
        self._terminal, self._end = pty.openpty()
        fcntl.ioctl(self._end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self._file = os.fdopen(self._end, "w")
        monkeypatch.setattr(sys, "stderr", self._file)
        monkeypatch.setenv("TERM", "xterm")

    def written(self) -> bytes:
        self._file.close()
        return read_all(self._terminal)


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "mail.log"
    path.write_bytes(b"x" * 200)
    return str(path)


def test_it_shows_percent_speed_and_file(monkeypatch, log):
    terminal = Terminal(monkeypatch)
    with progress_of(quiet=False) as show:
        show(log, 90, 12345678)
        show(log, 180, 12345679)
    shown = terminal.written()
    assert re.fullmatch(r" 45 %  [\d,]+,\d{3} lines/s  mail\.log\x1b\[K\r\x1b\[K", shown.decode())
    assert [""] == screen(shown)


def test_it_is_overwritten_while_reading(monkeypatch, log):
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    terminal = Terminal(monkeypatch)
    with progress_of(quiet=False) as show:
        for seconds, position in ((1, 20), (1.05, 100), (2, 200), (3, 300)):
            clock[0] = seconds
            show(log, position, 1000)
    rows = terminal.written().decode().split("\x1b[K")
    assert [
        " 10 %  1,000 lines/s  mail.log",
        "\r100 %  500 lines/s  mail.log",
        "\r100 %  333 lines/s  mail.log",
    ] == rows[:3]


@pytest.mark.parametrize("path", ["-", "/dev/null", "/nowhere/moved.log"])
def test_a_pipe_has_no_percentage(monkeypatch, path):
    terminal = Terminal(monkeypatch)
    with progress_of(quiet=False) as show:
        show(path, 90, 10)
    shown = terminal.written().decode()
    assert "lines/s" in shown
    assert "%" not in shown


def test_it_fits_a_narrow_terminal_and_a_file_name_cannot_control_it(monkeypatch, tmp_path):
    log = tmp_path / f"mail\x1b[2J\n{'x' * 100}.log"
    log.write_bytes(b"x" * 200)
    terminal = Terminal(monkeypatch, columns=40)
    with progress_of(quiet=False) as show:
        show(str(log), 100, 10)
    text, *_ = terminal.written().decode().split("\x1b[K")
    assert 39 == len(text)
    assert "\\x1b[2J\\x0a" in text


def test_a_message_overwrites_it(monkeypatch, log):
    terminal = Terminal(monkeypatch)
    with progress_of(quiet=False) as show:
        show(log, 100, 10)
        index._notify("waits")
    assert ["mailtrace-index: waits", ""] == screen(terminal.written())


@pytest.mark.parametrize(("flags", "kind"), [(["-q"], "xterm"), ([], "dumb"), ([], "")])
def test_there_is_none_if_quiet_or_if_the_terminal_cannot_erase(commands, flags, kind):
    (commands.folder / "mail.log").write_bytes(LINE * 30_000)
    terminal, end = pty.openpty()
    run = subprocess.Popen(
        [BIN / "mailtrace-index", *flags, "-y", "2024", commands.folder / "mail.log"],
        env={**commands.environment, "TERM": kind},
        stderr=end,
    )
    os.close(end)
    shown = read_all(terminal)
    assert 0 == run.wait(timeout=60)
    assert b"\x1b" not in shown
    assert b"lines/s" not in shown
    assert bool(flags) == (shown == b"")
