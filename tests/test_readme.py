"""The README's examples do what it says, and its tables name the flags there are."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def examples() -> list[tuple[str, str]]:
    """Commands of the console blocks, with what they print."""
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    return [
        (command, output)
        for block in blocks
        for command, output in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
    ]


def test_the_examples_print_what_the_readme_shows(tmp_path):
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "TZ": "UTC"}
    environment["MAILTRACE_STORE"] = f"sqlite:{tmp_path}/mailtrace.db"
    assert len(examples()) >= 6
    for command, output in examples():
        done = subprocess.run(
            ["bash", "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert (0, output) == (done.returncode, done.stdout), (command, done.stderr)


@pytest.mark.parametrize("command", ["mailtrace-index", "mailtrace-search"])
def test_every_flag_stands_in_the_readme(command):
    done = subprocess.run([Path(sys.executable).parent / command, "--help"], capture_output=True, text=True, check=True)
    flags = set(re.findall(r"^  (-{1,2}[a-zA-Z][a-z-]*)", done.stdout, re.MULTILINE))
    assert flags - {"--help", "--version"} <= set(re.findall(r"`?(-{1,2}[a-zA-Z][a-z-]*)", README))


def test_it_stays_short():
    assert README.count("\n") < 200
