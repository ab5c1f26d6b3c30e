"""Which file a name stood for: a rotation may rename, truncate or replace it while a run is reading.

A log that is planned to be read must be the one that is read: were it passed over for a newer one, no later run would
look for it.
"""

import io
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

_FIRST_BYTES: Final = 256


class Identity(NamedTuple):
    """A file, whatever its name."""

    device: int
    inode: int
    first: bytes
    """How it begins, as it stands on the disk: a file that was truncated and written anew begins otherwise."""

    def is_of(self, file: io.BufferedReader) -> bool:
        """Return whether this is the file, which may have grown."""
        now = identity_of(file)
        return now[:2] == self[:2] and now.first.startswith(self.first)


def identity_of(file: io.BufferedReader) -> Identity:
    """Return the identity of an open file."""
    found = os.fstat(file.fileno())
    first = os.pread(file.fileno(), _FIRST_BYTES, 0) if stat.S_ISREG(found.st_mode) else b""
    return Identity(found.st_dev, found.st_ino, first)


def names_of(path: str, identity: Identity | None) -> Iterator[str]:
    """Yield the names under which a file may be found: its own, then those in the same folder that it has now."""
    yield path
    if identity is None:
        return
    with suppress(OSError):
        for other in Path(path).parent.iterdir():
            with suppress(OSError):
                if other.lstat().st_ino == identity.inode:
                    yield str(other)
