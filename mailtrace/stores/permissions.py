"""Who may read or write an embedded store, and how this user can become one of them."""

import os
import stat
from contextlib import suppress
from pathlib import Path
from shlex import quote

from mailtrace.errors import StoreError


def check_readable(store: Path) -> None:
    """Check that this user may read a store, if there is one.

    Raises:
        StoreError: the user may not; the message says who may, and how to become one of them.
    """
    if (closed := _first_closed(store)) is not None:
        raise StoreError(f"{store} cannot be read by this user: {_how_to_read(closed)}")


def check_writable(store: Path) -> None:
    """Check that this user may write a store that exists.

    Raises:
        StoreError: the user may not; the message says who may.
    """
    check_readable(store)
    for path in (store, store.parent):
        if path.exists() and not os.access(path, os.W_OK) and not _is_read_only(path):
            owner = _owner(path)
            raise StoreError(
                f"{store} cannot be written by this user: {path} belongs to {owner}: run this as {owner}"
                f" (runuser -u {owner} -- mailtrace-index ...), or choose another store with --store"
            )


def _is_read_only(path: Path) -> bool:
    """Whether its file system is: then no user may write, and SQLite's message is better."""
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _first_closed(store: Path) -> Path | None:
    """The first folder on the way to a store that this user may not enter, or the store; None if all can be read."""
    for path in (*reversed(store.absolute().parents), store):
        try:
            found = path.stat()
        except OSError:  # it does not exist, or the way to it is closed: then that was returned
            return None
        if not os.access(path, os.X_OK if stat.S_ISDIR(found.st_mode) else os.R_OK):
            return path
    return None


def _how_to_read(closed: Path) -> str:
    found = closed.stat()
    needed = stat.S_IXGRP if stat.S_ISDIR(found.st_mode) else stat.S_IRGRP
    group, user = _group(found.st_gid), _user(os.geteuid())
    if found.st_gid == 0:
        # Nobody should become a member of the group root to read mail logs.
        return f"{closed} is for root only: index as a user of its own (docs/deployment.md), or choose another store"
    if not found.st_mode & needed:
        return (
            f"only {_owner(closed)} may open {closed}: as root, run chmod g+{'rx' if closed.is_dir() else 'r'}"
            f" {quote(str(closed))} and usermod -aG {group} {user}"
        )
    if _is_member(user, found.st_gid):
        return f"log in again, because {user} has become a member of the group {group} since this login"
    return f"members of the group {group} may: as root, run usermod -aG {group} {user}, then log in again"


def _is_member(user: str, gid: int) -> bool:
    """Whether a user is a member of a group by now, even if this process is not."""
    with suppress(KeyError, OSError):
        import pwd  # noqa: PLC0415 # imported only for an error

        return gid in os.getgrouplist(user, pwd.getpwnam(user).pw_gid)
    return False


def _owner(path: Path) -> str:
    return _user(path.stat().st_uid)


def _user(uid: int) -> str:
    import pwd  # noqa: PLC0415 # as above

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    import grp  # noqa: PLC0415 # as above

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
