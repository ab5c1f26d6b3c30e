"""Versions and other facts are the same in all files that contain them."""

import re
from datetime import date
from pathlib import Path

import pytest
import yaml

from mailtrace import __version__
from mailtrace.cli.config import load_toml

ROOT = Path(__file__).parents[3]
WORKFLOWS = ROOT / ".github" / "workflows"

of_a_checkout = pytest.mark.skipif(not WORKFLOWS.exists(), reason="the source archive has no workflows")


def project() -> dict:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return load_toml(file)


def versions() -> list[str]:
    """Return the Python versions of the classifiers."""
    found = [
        re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", each)
        for each in project()["project"]["classifiers"]
    ]
    return [each[1] for each in found if each]


def test_the_oldest_python_is_the_same_everywhere():
    oldest = versions()[0]
    settings = project()
    assert f">={oldest}" == settings["project"]["requires-python"]
    assert oldest == settings["tool"]["mypy"]["python_version"]
    assert f"py{oldest.replace('.', '')}" == settings["tool"]["ruff"]["target-version"]


@of_a_checkout
def test_every_python_that_is_promised_is_tested():
    matrix = yaml.safe_load((WORKFLOWS / "ci.yml").read_text())["jobs"]["tests"]["strategy"]["matrix"]
    assert set(versions()) == {*matrix["python"], *(each["python"] for each in matrix["include"])}


@of_a_checkout
def test_the_last_job_waits_for_all_others():
    jobs = yaml.safe_load((WORKFLOWS / "ci.yml").read_text())["jobs"]
    assert set(jobs) - {"passed"} == set(jobs["passed"]["needs"])


@of_a_checkout
def test_actions_are_pinned_to_commits():
    used = [
        line.partition("uses:")[2].strip()
        for path in sorted(WORKFLOWS.iterdir())
        for line in path.read_text().splitlines()
        if "uses:" in line
    ]
    assert len(used) > 8
    assert [] == [each for each in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[\d.]+|\./\.github/.*", each)]


def test_the_changelog_has_this_release_and_room_for_the_next():
    first, *releases = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert "Unreleased" == first
    parts = [each.split(" - ") for each in releases]
    assert __version__ == parts[0][0]
    days = [date.fromisoformat(day) for _, day in parts]
    assert days == sorted(days, reverse=True)
