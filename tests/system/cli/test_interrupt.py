"""Ctrl-C at any moment ends a command without a traceback, also while it still starts."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mailtrace.cli.config import load_toml

ENDS = {"index": {0, 130}, "search": {0, 1, 2, 130}}
CODE = """
import importlib, sys
real = importlib.import_module
importlib.import_module = lambda module: (print(flush=True), real(module))[1]
from {module} import {name}
sys.exit({name}())
"""


def scripts() -> dict[str, str]:
    with (Path(__file__).parents[3] / "pyproject.toml").open("rb") as file:
        found: dict[str, str] = load_toml(file)["project"]["scripts"]
    return found


@pytest.mark.parametrize("command", ["index", "search"])
def test_what_starts_a_command_imports_nothing_slow(command):
    """Until it is imported, Ctrl-C shows a traceback."""
    module = scripts()[f"mailtrace-{command}"].partition(":")[0]
    code = (
        "import os, re, signal, importlib, sys; before = {*sys.modules}; import MODULE; print(*{*sys.modules} - before)"
    )
    code = code.replace("MODULE", module)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"mailtrace", "mailtrace.cli", module} == set(done.stdout.split())


@pytest.mark.parametrize("command", ["index", "search"])
@pytest.mark.parametrize("milliseconds", [0, 5, 15, 30, 60, 100, 150, 200, 300, 500])
def test_ctrl_c_shows_no_traceback(commands, command, milliseconds):
    """The moments are counted from the first slow import; before it come a few lines that take no time."""
    (commands.folder / "mail.log").write_text("")
    module, name = scripts()[f"mailtrace-{command}"].split(":")
    flags = ["-q", "--follow", "mail.log"] if command == "index" else ["-r", "1"]
    run = subprocess.Popen(
        [sys.executable, "-c", CODE.format(module=module, name=name), *flags],
        cwd=commands.folder,
        env=commands.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert run.stdout is not None
    run.stdout.readline()
    time.sleep(milliseconds / 1000)
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=10)
    assert b"Traceback" not in said
    assert b"KeyboardInterrupt" not in said
    assert run.returncode in ENDS[command]
