"""The two commands as an admin runs them: as processes, in a folder of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(os.environ.get("MAILTRACE_TEST_COMMANDS") or Path(sys.executable).parent)


class Commands:
    """Runs the installed commands with a store for this test alone."""

    bin = BIN

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = f"sqlite:{folder}/store/mailtrace.db"
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")},
            "TZ": "UTC",
            "MAILTRACE_STORE": self.store,
            "XDG_CONFIG_HOME": str(folder),
        }

    def run(
        self, name: str, *arguments: object, given: bytes = b"", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BIN / name, *map(str, arguments)],
            cwd=self.folder,
            env={**self.environment, **environment},
            input=given.decode("utf-8", "surrogateescape"),
            errors="surrogateescape",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def index(self, *arguments: object, **options) -> subprocess.CompletedProcess[str]:
        return self.run("mailtrace-index", *arguments, **options)

    def search(self, *arguments: object, **options) -> subprocess.CompletedProcess[str]:
        return self.run("mailtrace-search", *arguments, **options)

    def without_privileges(self, name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run as a user to whom file modes apply: root without its capabilities."""
        if os.geteuid():
            return self.run(name, *arguments)
        return self.run("/usr/bin/setpriv", "--inh-caps=-all", "--bounding-set=-all", BIN / name, *arguments)


@pytest.fixture
def commands(tmp_path):
    return Commands(tmp_path)


class IndexedOnce:
    """Indexes a log once in a test run; each later test gets a copy of the store."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[object, tuple[Path, subprocess.CompletedProcess[str]]] = {}

    def __call__(self, commands: Commands, *arguments: object, given: bytes = b"") -> subprocess.CompletedProcess[str]:
        """Do as `commands.index`, in a folder without a store; return how the first run ended."""
        files = sorted((path.name, path.read_bytes()) for path in commands.folder.iterdir() if path.is_file())
        wanted = tuple(map(str, arguments)), given, tuple(files)
        if known := self._known.get(wanted):
            _copy(known[0], commands.folder / "store")
            return known[1]
        done = commands.index(*arguments, given=given)
        kept = self._folder / str(len(self._known))
        _copy(commands.folder / "store", kept)
        self._known[wanted] = kept, done
        return done


def _copy(folder: Path, target: Path) -> None:
    """Copy a folder with owners and modes."""
    subprocess.run(["cp", "-a", "-T", folder, target], check=True)


@pytest.fixture(scope="session")
def index_once(tmp_path_factory):
    """Return a function that indexes for tests that search only."""
    return IndexedOnce(tmp_path_factory.mktemp("indexed"))
