"""Which file a path named: log rotation may rename, truncate or replace it while a run is reading.

A run must read the log that it planned to read: if it read a newer one instead, no later run would look for this one.
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
    """Its first bytes on disk, which change if the file is truncated and rewritten."""

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
    """Yield the paths of a file: the known one, then its present names in the same folder."""
    yield path
    if identity is None:
        return
    with suppress(OSError):
        for other in Path(path).parent.iterdir():
            with suppress(OSError):
                if other.lstat().st_ino == identity.inode:
                    yield str(other)
