"""The wheel and the source archive are complete, and the tests pass with the installed wheel."""

import os
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from helpers.requirements import lacking
from mailtrace import __version__

ROOT = Path(__file__).parents[3]


def run(*command: object, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if "No matching distribution found" in done.stdout or "Could not find a version" in done.stdout:
        lacking("no package index can be reached from here")
    assert 0 == done.returncode, done.stdout[-3000:]
    return done.stdout


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    """Return the source archive, and the wheel built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT)
    return next(folder.glob("*.tar.gz")), next(folder.glob("*.whl"))


@pytest.fixture(scope="session")
def installed(packages, tmp_path_factory):
    """Return a new virtual environment with only the wheel and its dependencies."""
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    pip = (sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "--disable-pip-version-check")
    run(*pip, "install", packages[1])
    return folder


def files(*patterns: str) -> set[str]:
    """Return files of the project, as paths relative to its root."""
    return {str(path.relative_to(ROOT)) for pattern in patterns for path in ROOT.glob(pattern) if path.is_file()}


def test_the_wheel_holds_the_package_and_what_admins_expect(packages):
    names = set(zipfile.ZipFile(packages[1]).namelist())
    data = {name.partition(".data/data/share/")[2] for name in names if ".data/data/share/" in name}
    rest = {name for name in names if ".data/" not in name and ".dist-info/" not in name}
    assert files("mailtrace/**/*.py") | {"mailtrace/py.typed", "mailtrace/message/lines.dict"} == rest
    assert {"man/man1/mailtrace-index.1", "man/man1/mailtrace-search.1", "man/man5/mailtrace.toml.5"} <= data
    given = {f"mailtrace/{path.removeprefix('contrib/')}" for path in files("contrib/**/*")}
    assert given | {f"doc/mailtrace/{Path(path).name}" for path in files("docs/*.md")} <= data
    assert {
        f"{shell}/{Path(path).name}"
        for name, shell in (
            ("bash", "bash-completion/completions"),
            ("zsh", "zsh/site-functions"),
            ("fish", "fish/vendor_completions.d"),
        )
        for path in files(f"completions/{name}/*")
    } <= data
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_source_archive_is_whole(packages):
    with tarfile.open(packages[0]) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    expected = files(
        "mailtrace/**/*.py",
        "docs/*",
        "man/*",
        "contrib/**/*",
        "completions/*/*",
        "tools/*.py",
        "tests/**/*.py",
        "sample_logs/*",
    )
    assert (
        expected
        | {"LICENSE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "SECURITY.md", "pyproject.toml"}
        <= names
    )
    assert not {name for name in names if "__pycache__" in name or name.startswith((".venv", "build/", "dist/"))}


def test_it_says_what_it_is(packages):
    with zipfile.ZipFile(packages[1]) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(archive.read(name))
    assert ("mailtrace-logs", __version__, "MIT", ">=3.10") == tuple(
        metadata[member] for member in ("Name", "Version", "License-Expression", "Requires-Python")
    )
    assert metadata.get_payload().startswith("# mailtrace\n")


@pytest.mark.parametrize("command", ["mailtrace-index", "mailtrace-search"])
def test_the_commands_say_their_version(installed, command):
    done = subprocess.run([installed / "bin" / command, "--version"], capture_output=True, text=True, check=True)
    assert f"{command} {__version__}\n" == done.stdout


def test_manual_pages_and_units_are_installed(installed):
    share = installed / "share"
    assert (share / "man" / "man1" / "mailtrace-search.1").exists()
    assert (share / "mailtrace" / "systemd" / "mailtrace.service").exists()


def test_the_installed_commands_pass_the_tests_of_the_commands(installed):
    """Tests of settings and the examples in the documentation pass with the commands of the wheel."""
    told = run(
        sys.executable,
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ROOT, "-c", ROOT / "pyproject.toml"),
        ROOT / "tests" / "system" / "cli" / "test_config.py",
        f"{ROOT / 'tests' / 'system' / 'test_docs.py'}::test_examples_print_what_is_shown",
        MAILTRACE_TEST_COMMANDS=str(installed / "bin"),
    )
    assert " passed" in told


def test_the_installed_package_needs_nothing_else(installed, tmp_path):
    """Every module can be imported with only the dependencies of the wheel."""
    code = (
        "import pkgutil, importlib, mailtrace\n"
        "for found in pkgutil.walk_packages(mailtrace.__path__, 'mailtrace.'): importlib.import_module(found.name)\n"
        "print(mailtrace.__file__)"
    )
    done = subprocess.run(
        [installed / "bin" / "python", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert str(installed) in done.stdout
