"""Searches on a real terminal: the newest 100, the pager, colours."""

import shutil
import signal
import time

import pytest

from helpers.mail_log import many, to_a_list
from helpers.requirements import lacking
from helpers.terminal import Shown, Terminal

NUMBER = 130
MORE = "these are the newest 100, 30 more match: -r 130 shows all, and so does a pipe (| cat)"


@pytest.fixture
def indexed(commands, index_once):
    (commands.folder / "mail.log").write_text(many(NUMBER))
    assert 0 == index_once(commands, "mail.log").returncode
    return commands


def terminal(commands, *flags: str, size: tuple[int, int] = (24, 80), **environment: str) -> Terminal:
    command = [commands.bin / "mailtrace-search", *flags]
    return Terminal(command, {**commands.environment, **environment}, size=size, folder=commands.folder)


def shown(commands, *flags: str, size: tuple[int, int] = (24, 80), **environment: str) -> Shown:
    return terminal(commands, *flags, size=size, **{"PAGER": "cat", **environment}).close()


@pytest.mark.parametrize("flags", [[], ["--format", "json"], ["--format", "csv"], ["--format", "table"], ["--trace"]])
def test_without_a_limit_the_newest_100_are_shown(indexed, flags):
    done = shown(indexed, *flags)
    assert 0 == done.status
    assert f"{MORE}\n" == done.text[done.text.rindex("these are") :]
    assert "from129@" in done.text
    assert "from30@" in done.text
    assert "from29@" not in done.text


def test_the_oldest_100_are_called_so(indexed):
    done = shown(indexed, "--oldest-first")
    assert "these are the oldest 100, 30 more match" in done.text
    assert "from130@" not in done.text


@pytest.mark.parametrize("flags, number", [(["-r", "120"], 120), (["-r", "500"], 130), (["-f", "from1@*"], 1)])
def test_with_a_limit_or_fewer_results_there_is_no_such_line(indexed, flags, number):
    done = shown(indexed, *flags)
    assert number == done.text.count("transaction: ")
    assert "more match" not in done.text


def test_a_pipe_has_everything(indexed):
    done = indexed.search()
    assert (NUMBER, "") == (done.stdout.count("transaction: "), done.stderr)


def test_more_than_a_screen_goes_through_the_pager(indexed):
    done = shown(indexed, PAGER="sed 's/^transaction:/PAGED/'")
    assert 100 == done.text.count("PAGED ")
    assert done.text.endswith(f"{MORE}\n")


@pytest.mark.parametrize(
    "flags, environment",
    [
        (["--no-pager"], {}),
        (["-r", "1"], {}),
        ([], {"TERM": "dumb"}),
        ([], {"PAGER": ""}),
        ([], {"PAGER": "cat"}),
        (["--count"], {}),
    ],
)
def test_there_is_no_pager_where_none_is_wanted_or_needed(indexed, flags, environment):
    done = shown(indexed, *flags, **{"PAGER": "sed s/^/PAGED/", **environment})
    assert 0 == done.status
    assert "PAGED" not in done.text


def test_less_is_used_as_git_does(indexed):
    if shutil.which("less") is None:
        lacking("less is not on this machine")
    less = shown(indexed, PAGER="env | grep -e ^LESS= -e ^LV=; cat >/dev/null")
    assert "LESS=FRX" in less.text
    assert "LESS=M" in shown(indexed, PAGER="env | grep ^LESS=; cat >/dev/null", LESS="M").text
    indexed.environment.pop("PAGER", None)
    running = terminal(indexed)
    running.until("from129@example.net")
    assert b"from30@" not in running.written
    running.press(b"G")
    running.until("from30@")
    running.press(b"q")
    done = running.close()
    assert 0 == done.status
    assert done.text.endswith(f"{MORE}\n")
    assert "\x1b[1;32msent\x1b[0m" in done.raw


def test_ctrl_c_does_not_leave_less_behind(indexed):
    if shutil.which("less") is None:
        lacking("less is not on this machine")
    indexed.environment.pop("PAGER", None)
    running = terminal(indexed)
    running.until("from129@example.net")
    running.press(b"\x03")
    time.sleep(0.5)
    assert running.process.poll() is None, "the pager decides when it ends"
    limit = time.monotonic() + 20
    while running.process.poll() is None and time.monotonic() < limit:
        running.press(b"q")  # the terminal discards what is typed before Ctrl-C takes effect
        time.sleep(0.5)
    assert running.close().status in (0, 130)


def test_a_pager_that_ends_early_is_no_error(indexed):
    done = shown(indexed, PAGER="head -n 1")
    assert 0 == done.status
    assert "Traceback" not in done.text
    assert "transaction: " in done.text


def test_a_missing_pager_is_said_and_nothing_is_lost(indexed):
    done = shown(indexed, PAGER="no-such-pager -x")
    assert "PAGER: no-such-pager -x: no such command: showing everything at once" in done.text
    assert 100 == done.text.count("transaction: ")


def test_nothing_found_needs_no_pager(indexed):
    done = shown(indexed, "-f", "nobody@foo.com", PAGER="sed s/^/PAGED/")
    assert 1 == done.status
    assert "PAGED" not in done.text


def test_a_journey_has_colours(indexed):
    (indexed.folder / "list.log").write_text(to_a_list(strangers=2))
    assert 0 == indexed.index("list.log").returncode
    done = shown(indexed, "--trace", "-t", "cat@example.org")
    assert "\x1b[1;31mbounced\x1b[0m: cat@example.org -> " in done.raw
    assert "\x1b[1m<-- found\x1b[0m" in done.raw
    assert "\x1b[33maccepted by mx.example.org: not in these logs\x1b[0m" in done.raw
    assert "\x1b" not in shown(indexed, "--trace", "-t", "cat@example.org", "--color", "never").raw


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_a_table_fits_the_terminal(indexed, columns):
    done = shown(indexed, "--format", "table", "-r", "3", size=(24, columns))
    lines = done.text.splitlines()
    assert 4 == len(lines)
    assert max(map(len, lines)) <= columns
    assert (columns >= 60) == ("\x1b[1;32msent\x1b[0m" in done.raw)


def test_a_terminal_that_is_hung_up_ends_the_search(indexed):
    running = terminal(indexed, PAGER="sleep 60")
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(timeout=20) == -signal.SIGTERM
    running.press(b"\x03")
