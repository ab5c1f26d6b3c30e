"""One indexer at a time for a store: a courtesy between runs that overlap.

The lock is the kernel's and ends with its process; the file holds nothing. That two indexers cannot spoil a store rests
on the store's own conditions, not on this.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from mailtrace.errors import MailtraceError


class BusyError(MailtraceError):
    """Another indexer is at work on this store."""


def _folder() -> Path:
    """The runtime folder: of the machine for root, else of the user."""
    if os.geteuid() == 0 and Path("/run").is_dir():
        return Path("/run")
    return Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())


@contextmanager
def locked(store: str, *, wait: bool) -> Iterator[None]:
    """Hold the lock of a store while the block runs.

    Raises:
        BusyError: another process holds it, and it is not to be waited for.
    """
    name = blake2b(store.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
    path = _folder() / f"mailtrace-{os.geteuid()}-{name}.lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        # Without a folder to write in there is no courtesy, and nothing else is missing.
        yield
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise BusyError(
                f"another mailtrace-index is at work on {store}: this run leaves it be (--wait waits for it)"
            ) from None
        yield
    finally:
        os.close(handle)
