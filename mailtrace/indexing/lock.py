"""A lock file for each store, so that overlapping runs do not compete.

The kernel holds the lock (flock(2)) and releases it when the process ends, however it ends. The file of an embedded
store lies beside the store, so that all users and all spellings of its path share it. It is not the store itself:
SQLite loses its own locks when a process closes a second handle of that file. Any other store can have indexers on many
machines, which a file cannot exclude and which harm nothing, because writes are conditional; there the lock only keeps
the runs of one machine from piling up.
"""

import fcntl
import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from mailtrace.errors import MailtraceError, StoreError
from mailtrace.indexing.holder import holder_of
from mailtrace.stores import machine_folder, make_folder
from mailtrace.stores.base import Store

_BEAT_SECONDS: Final = 10
_ALIVE_SECONDS: Final = 120
"""A follower that has not reported for so long does not do its work."""
_MOST_BYTES: Final = 1 << 20


class BusyError(MailtraceError):
    """Another indexer is running on this store."""

    process: int | None = None
    """Its number, if the system tells."""
    is_followed = False
    """Whether it follows all logs of this run, and has read them to their ends a moment ago."""


class Lock:
    """A lock that this process holds; its file says what the process does. `handle` is None without a lock file."""

    def __init__(self, handle: int | None) -> None:
        self._handle = handle
        self._next = 0.0

    def follow(self, paths: Sequence[str]) -> None:
        """Note which logs this process follows."""
        if self._handle is not None:
            text = json.dumps({"process": os.getpid(), "follows": [os.path.realpath(path) for path in paths]})
            with suppress(OSError):  # a full disk
                os.pwrite(self._handle, text.encode(), 0)

    def beat(self) -> None:
        """Report that the logs are being read, in the modification time of the file."""
        if self._handle is not None and time.monotonic() >= self._next:
            self._next = time.monotonic() + _BEAT_SECONDS
            with suppress(OSError):
                os.utime(self._handle)


@contextmanager
def locked(
    store: Store, *, wait: bool, paths: Sequence[str] = (), now: Callable[[], float] = time.time
) -> Iterator[Lock]:
    """Hold the lock of a store while the block runs; `paths` are the logs that this run is to read.

    Raises:
        BusyError: another process holds the lock and `wait` is false.
        StoreError: the file beside an embedded store cannot be opened.
    """
    handle = _open_remote(store.name) if store.is_remote else _open_beside(Path(store.name))
    try:
        if handle is not None and not _acquire(handle, wait=wait):
            busy = BusyError(
                f"another mailtrace-index is running on {store.name}: skipping this run (use --wait to wait for it)"
            )
            busy.is_followed = _is_followed(handle, paths, now())
            busy.process = holder_of(handle)
            raise busy
        yield Lock(handle)
    finally:
        if handle is not None:
            os.close(handle)


def lock_path(store: Path) -> Path:
    """Return the lock file of an embedded store: beside the file that its path leads to."""
    real = Path(os.path.realpath(store))
    return real.with_name(f"{real.name}.lock")


def _open_beside(store: Path) -> int | None:
    path = lock_path(store)
    if store.is_dir():
        return None  # the store says what is wrong
    try:
        make_folder(path.parent)
        return _open(path, path.with_name(path.name.removesuffix(".lock")))
    except OSError as error:
        if os.path.lexists(path):
            raise StoreError(
                f"{path} cannot be opened ({error.strerror}): give it the owner and the group of the store"
            ) from error
        raise StoreError(f"{store} cannot be written ({error.strerror}): choose another file with --store") from error


def _open_remote(store: str) -> int | None:
    """Open the lock file of this machine or of this user; None if neither folder can be written."""
    folder = machine_folder()
    name = blake2b(store.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
    with suppress(OSError):
        folder.mkdir(0o700, parents=True, exist_ok=True)
        return _open(folder / f"elasticsearch-{name}.lock", folder)
    return None


def _open(path: Path, like: Path) -> int:
    """Open a lock file, for those who may write the store `like`, or the folder of a store that does not exist yet."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    with suppress(OSError):
        _share(handle, like if like.exists() else path.parent)
    return handle


def _share(handle: int, like: Path) -> None:
    """Give the lock file the owner and group of a file or folder. Who only reads a store cannot hold its lock."""
    found, wanted = os.fstat(handle), like.stat()
    if found.st_uid != os.geteuid() or found.st_nlink != 1 or not stat.S_ISREG(found.st_mode):
        return
    mode = 0o600 | (0o060 if wanted.st_mode & stat.S_IWGRP else 0)
    if stat.S_IMODE(found.st_mode) != mode:
        os.fchmod(handle, mode)
    if (found.st_uid, found.st_gid) != (wanted.st_uid, wanted.st_gid):
        os.fchown(handle, -1 if os.geteuid() else wanted.st_uid, wanted.st_gid)


def _acquire(handle: int, *, wait: bool) -> bool:
    """Return whether this process holds the lock now."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    with suppress(OSError):
        os.ftruncate(handle, 0)  # what an earlier process followed
    return True


def _is_followed(handle: int, paths: Sequence[str], now: float) -> bool:
    if now - os.fstat(handle).st_mtime > _ALIVE_SECONDS:
        return False
    try:
        told: Any = json.loads(os.pread(handle, _MOST_BYTES, 0))
        follows = set(told["follows"])
    except (ValueError, TypeError, KeyError):
        return False
    return bool(paths) and {os.path.realpath(path) for path in paths} <= follows
