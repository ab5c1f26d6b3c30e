"""Completion in real shells: a person types, presses TAB, and gets flags and their values."""

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from helpers.requirements import lacking
from helpers.terminal import Terminal

COMPLETIONS = Path(__file__).parents[3] / "completions"

LINES = [
    ("mailtrace-search --form", "--format"),
    ("mailtrace-search --no-p", "--no-pager"),
    ("mailtrace-search --by ho", None),
    ("mailtrace-search --by hou", "--by hour"),
    ("mailtrace-search --format ta", "--format table"),
    ("mailtrace-search --format=js", "--format=json"),
    ("mailtrace-search -s bou", "-s bounced"),
    ("mailtrace-search -t x --ever defe", "--ever deferred"),
    ("mailtrace-search --columns date,recip", "date,recipient"),
    ("mailtrace-search --ca-certs cert", "cert.pem"),
    ("mailtrace-index --foll", "--follow"),
    ("mailtrace-index --index-period mo", "month"),
    ("mailtrace-index mail", "mail.log"),
]
"""What is typed, and what stands there after TAB; None: several are possible."""


@pytest.fixture
def folder(tmp_path):
    for name in ("mail.log", "cert.pem"):
        (tmp_path / name).touch()
    return tmp_path


def shell(name: str) -> str:
    if (path := shutil.which(name)) is None:
        lacking(f"{name} is not on this machine")
    return str(path)


def completed(command: list[str], ready: str, folder: Path, typed: str, wanted: str) -> str:
    """Type a line in an interactive shell, press TAB, and return what it shows until that has the wanted text."""
    terminal = Terminal(command, {"HOME": str(folder), "PATH": "/usr/bin:/bin"}, size=(40, 200), folder=folder)
    try:
        terminal.press(f"{ready}; echo REA''DY\n".encode())
        terminal.until("READY\r\n")
        terminal.written = b""
        terminal.press(f"{typed}\t".encode())
        with suppress(AssertionError):
            terminal.until(wanted, seconds=5)
        return terminal.written.decode(errors="replace")
    finally:
        terminal.process.kill()
        terminal.close()


@pytest.mark.parametrize("typed, wanted", [line for line in LINES if line[1]])
def test_bash(folder, typed, wanted):
    command = [shell("bash"), "--norc", "--noprofile", "-i"]
    scripts = " ".join(str(path) for path in sorted((COMPLETIONS / "bash").iterdir()))
    assert wanted in completed(command, f"for each in {scripts}; do source $each; done", folder, typed, wanted)


@pytest.mark.parametrize("typed, wanted", [line for line in LINES if line[1]])
def test_zsh(folder, typed, wanted):
    ready = f"fpath=({COMPLETIONS}/zsh $fpath); autoload -Uz compinit; compinit -u -D"
    assert wanted in completed([shell("zsh"), "-f", "-i"], ready, folder, typed, wanted)


@pytest.mark.parametrize("typed, wanted", LINES)
def test_fish(folder, typed, wanted):
    scripts = "; ".join(f"source {path}" for path in sorted((COMPLETIONS / "fish").iterdir()))
    done = subprocess.run(
        [shell("fish"), "--no-config", "-c", f"{scripts}; complete -C '{typed}'"],
        cwd=folder,
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = [line.split("\t")[0] for line in done.stdout.splitlines()]
    if wanted is None:
        assert ["host", "hour"] == found
    else:
        assert [wanted.split()[-1]] == found


@pytest.mark.parametrize("path", sorted(COMPLETIONS.rglob("mailtrace-*")) + sorted(COMPLETIONS.rglob("_mail*")))
def test_shells_find_no_error(path):
    name = path.parent.name
    done = subprocess.run([shell(name), "-n", path], capture_output=True, text=True, check=False)
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)
