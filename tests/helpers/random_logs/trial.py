"""Run the commands on the random logs of a test, in a store of its own."""

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from helpers.commands import index, search
from helpers.random_logs.lines import YEAR

_MEMORY = Path("/dev/shm")
_FOLDER = _MEMORY if _MEMORY.is_dir() else Path(gettempdir())
"""A folder in memory, for hundreds of small stores."""


class Trial:
    """A store, and a folder for its logs."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.store = f"sqlite:{folder}/store.db"

    def write(self, name, lines):
        """Write a log from text or bytes."""
        path = self.folder / name
        path.write_bytes(b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines))
        return path

    def index(self, *files, options=()):
        """Index files in one run, which must succeed."""
        indexed = index(self.store, files, "-y", YEAR, *options)
        assert indexed.status in (0, 4), indexed.summary
        return indexed

    def found(self):
        """Return all documents as lines of JSON, newest first."""
        return search(self.store)


@contextmanager
def trial():
    with TemporaryDirectory(prefix="mailtrace-", dir=_FOLDER) as folder:
        yield Trial(folder)


def found_of(lines):
    """Return the documents of these lines, indexed as one log."""
    with trial() as one:
        one.index(one.write("mail.log", lines))
        return one.found()
