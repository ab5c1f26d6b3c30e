"""The README lists all flags and stays short."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("command", ["mailtrace-index", "mailtrace-search"])
def test_every_flag_stands_in_the_readme(command):
    done = subprocess.run([Path(sys.executable).parent / command, "--help"], capture_output=True, text=True, check=True)
    flags = set(re.findall(r"^  (-{1,2}[a-zA-Z][a-z-]*)", done.stdout, re.MULTILINE))
    assert flags - {"--help", "--version"} <= set(re.findall(r"`?(-{1,2}[a-zA-Z][a-z-]*)", README))


def test_it_stays_short():
    assert README.count("\n") < 200
