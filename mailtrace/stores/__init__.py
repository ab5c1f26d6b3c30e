"""Stores of transactions: one folder for each, with the protocol of `base.py`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mailtrace.errors import UsageError
from mailtrace.stores.access import Access, expanded, without_password
from mailtrace.stores.permissions import check_readable

if TYPE_CHECKING:  # `--help` does not need these imports
    from mailtrace.stores.base import Notify, Store

SYSTEM_FOLDER: Final = "/var/lib/mailtrace"
"""The folder of the store that all users of a machine share."""
_FILE: Final = "mailtrace.db"


def open_store(
    name: str | None,
    *,
    access: Access | None = None,
    retention_days: int | None = None,
    index_period: str | None = None,
    notify: Notify = lambda _: None,
) -> Store:
    """Return the store named `sqlite:PATH`, `http(s)://HOST:PORT` or `elasticsearch`; by default the embedded store.

    Several URLs, separated by commas, are those of nodes of one cluster.
    No file or connection is opened yet. The other arguments are for Elasticsearch: credentials, retention in days and
    the period of one index (both are applied by `prepare`), and a function that shows a line to the admin.

    Raises:
        UsageError: the name is not that of a store, or credentials are missing.
        StoreError: the system store exists but this user cannot read it.
    """
    if not name:
        return _sqlite(default_path(), notify)
    if name == "elasticsearch":
        name = "http://localhost:9200"
    if name.startswith(("http://", "https://")):
        # Imported on demand, because it is slow.
        from mailtrace.stores.elasticsearch.store import ElasticsearchStore  # noqa: PLC0415

        return ElasticsearchStore(
            name, access=access, retention_days=retention_days, index_period=index_period, notify=notify
        )
    scheme, colon, path = name.partition(":")
    if scheme == "sqlite" and colon and path:
        return _sqlite(expanded(path.removeprefix("//") if path.startswith("///") else path), notify)
    raise UsageError(
        f"--store {without_password(name)}: unknown kind of store; use sqlite:PATH, http://HOST:9200 or elasticsearch"
    )


def _sqlite(path: str, notify: Notify) -> Store:
    from mailtrace.stores.sqlite.store import SqliteStore  # noqa: PLC0415 # not needed by searches of Elasticsearch

    return SqliteStore(path, notify=notify)


def make_folder(folder: Path) -> None:
    """Create a folder, and those above it that are missing, so that its group can read in it whatever the umask."""
    for each in (*reversed(folder.parents), folder):
        if not each.exists():
            each.mkdir()
            each.chmod(0o2750)


def default_path() -> str:
    """Return the path of the embedded store: in the system folder if that exists or can be created, else of the user.

    Both commands and all users follow this rule, so that a search reads the store that the indexer writes. The user's
    store is in `$XDG_DATA_HOME/mailtrace`.

    Raises:
        StoreError: the system store exists but this user cannot read it.
    """
    system = Path(SYSTEM_FOLDER, _FILE)
    check_readable(system)
    folder = system.parent
    if folder.exists() or os.access(folder.parent, os.W_OK):
        return str(system)
    return str(_user_folder() / _FILE)


def machine_folder() -> Path:
    """Return the folder for what the indexers of this machine share: the system folder, if this user can write it."""
    return Path(SYSTEM_FOLDER) if os.access(SYSTEM_FOLDER, os.W_OK) else _user_folder()


def _user_folder() -> Path:
    home = os.environ.get("XDG_DATA_HOME", "")
    if not home.startswith("/"):  # the XDG Base Directory Specification says to ignore a relative path
        home = "~/.local/share"
    return Path(home).expanduser() / "mailtrace"
