"""What the commands make of logs that a test has made up, in a store of its own."""

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from helpers.commands import index, search
from helpers.random_logs.lines import YEAR

_MEMORY = Path("/dev/shm")
_FOLDER = _MEMORY if _MEMORY.is_dir() else Path(gettempdir())
"""Hundreds of small stores: where no disk has to be waited for."""


class Trial:
    """A store, and a folder for the logs that go into it."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.store = f"sqlite:{folder}/store.db"

    def write(self, name, lines):
        """Write a log of texts, or of bytes."""
        path = self.folder / name
        path.write_bytes(b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines))
        return path

    def index(self, *files, options=()):
        """Index files in one run; the status is that of success."""
        indexed = index(self.store, files, "-y", YEAR, *options)
        assert indexed.status in (0, 4), indexed.summary
        return indexed

    def found(self):
        """Every document, a line of JSON each, the newest first."""
        return search(self.store)


@contextmanager
def trial():
    with TemporaryDirectory(prefix="mailtrace-", dir=_FOLDER) as folder:
        yield Trial(folder)


def found_of(lines):
    """Return what is found after these lines have been indexed as one log."""
    with trial() as one:
        one.index(one.write("mail.log", lines))
        return one.found()
