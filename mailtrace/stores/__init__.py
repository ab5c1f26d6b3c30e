"""Where transactions are kept: one folder a store, behind the protocol of `base.py`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mailtrace.errors import StoreError, UsageError
from mailtrace.stores.access import Access

if TYPE_CHECKING:  # for the sake of `--help`, which needs none
    from mailtrace.stores.base import Notify, Store

SYSTEM_FOLDER: Final = "/var/lib/mailtrace"
_FILE: Final = "mailtrace.db"


def open_store(
    name: str | None,
    *,
    access: Access | None = None,
    retention_days: int | None = None,
    index_period: str | None = None,
    tell: Notify = lambda _: None,
) -> Store:
    """Return the store of a URL: `sqlite:PATH`, `http(s)://HOST:PORT` or `elasticsearch`; without one the embedded one.

    Nothing is opened or asked yet. All else is for Elasticsearch: who comes, wishes about how long entries are kept and
    what one index holds, which are carried out by `prepare`, and who is told what an admin should know.

    Raises:
        UsageError: no store has such a name, or it is not told who comes.
        StoreError: the machine's store exists and may not be read.
    """
    if not name:
        return _sqlite(default_path())
    if name == "elasticsearch":
        name = "http://localhost:9200"
    if name.startswith(("http://", "https://")):
        # Only those who ask for it pay for this import.
        from mailtrace.stores.elasticsearch.store import ElasticsearchStore  # noqa: PLC0415

        return ElasticsearchStore(
            name, access=access, retention_days=retention_days, index_period=index_period, notify=tell
        )
    scheme, colon, path = name.partition(":")
    if scheme == "sqlite" and colon and path:
        return _sqlite(path.removeprefix("//") if path.startswith("///") else path)
    raise UsageError(f"--store {name}: not a store; write sqlite:PATH, http://HOST:9200 or elasticsearch")


def _sqlite(path: str) -> Store:
    from mailtrace.stores.sqlite.store import SqliteStore  # noqa: PLC0415 # searches of Elasticsearch do not pay for it

    return SqliteStore(path)


def default_path() -> str:
    """Return the embedded store's place: the machine's folder where it is or can be made, else the user's own.

    Both commands and all users go by the same rule, so that a search asks what was written.

    Raises:
        StoreError: the machine's store exists and may not be read by this user.
    """
    system = Path(SYSTEM_FOLDER, _FILE)
    try:
        readable = os.access(system, os.R_OK) if system.exists() else True
    except PermissionError:
        readable = False
    if not readable:
        raise StoreError(f"{system} may not be read by this user: ask for membership in its group, or name a --store")
    folder = system.parent
    if folder.exists() or os.access(folder.parent, os.W_OK):
        return str(system)
    home = os.environ.get("XDG_DATA_HOME", "")
    if not home.startswith("/"):  # a relative one is to be ignored (XDG Base Directory Specification)
        home = "~/.local/share"
    return str(Path(home).expanduser() / "mailtrace" / _FILE)
