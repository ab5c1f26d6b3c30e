"""A lock file for each store, so that overlapping runs do not compete.

The kernel holds the lock (flock(2)) and releases it when the process ends; the file is empty. The store itself stays
correct with two indexers, because its writes are conditional.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from mailtrace.errors import MailtraceError
from mailtrace.indexing.holder import holder_of


class BusyError(MailtraceError):
    """Another indexer is running on this store."""

    process: int | None = None
    """Its number, if the system tells."""


def _folder() -> Path:
    """Return the runtime folder: /run for root, else that of the user."""
    if os.geteuid() == 0 and Path("/run").is_dir():
        return Path("/run")
    return Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())


@contextmanager
def locked(store: str, *, wait: bool) -> Iterator[None]:
    """Hold the lock of a store, given by its URL or path, while the block runs.

    Raises:
        BusyError: another process holds the lock and `wait` is false.
    """
    name = blake2b(store.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
    path = _folder() / f"mailtrace-{os.geteuid()}-{name}.lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        # The lock is optional: without a writable folder the run goes on.
        yield
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            busy = BusyError(
                f"another mailtrace-index is running on {store}: skipping this run (use --wait to wait for it)"
            )
            busy.process = holder_of(handle)
            raise busy from None
        yield
    finally:
        os.close(handle)
