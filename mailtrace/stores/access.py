"""Credentials and certificates for a server."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from shlex import quote
from typing import Final, TypeAlias

from mailtrace.errors import UsageError

Ask: TypeAlias = Callable[[str], str]
"""Shows a prompt and returns the password that the user types."""

# A password that was not escaped may contain anything: it ends at the last `@`. A port is none.
_PASSWORD: Final = re.compile(r"^([^/]*//[^/?#:\[]*):(?!\d+(?:[/?#]|$)).*@", re.DOTALL)


def without_password(url: str) -> str:
    """Return the URL of a store with its password as `***`."""
    return _PASSWORD.sub(r"\1:***@", url)


def expanded(path: str) -> str:
    """Return a path with the home folder for `~` or `~user` at its start, which a shell leaves in files and after `:`.

    Raises:
        UsageError: there is no such user.
    """
    found = os.path.expanduser(path)  # noqa: PTH111 # Path.expanduser normalises, and raises a RuntimeError
    if found.startswith("~"):
        raise UsageError(
            f"{path}: no home folder: write the whole path, or {quote(f'./{path}')} for a file of this name"
        )
    return found


@dataclass(frozen=True)
class Access:
    """Credentials and certificates for a server. Secrets are left out of `repr`."""

    ca_certs: str | None = None
    """A file with the certificates of trusted CAs; by default those of the system."""
    client_cert: str | None = None
    """A file with the client's certificate."""
    client_key: str | None = None
    """A file with the client's key, if it is not in the file of the certificate."""
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    ask: Ask | None = field(default=None, repr=False, compare=False)
    """Asks for a missing password; None if there is no terminal."""

    def basic(self, server: str, user: str | None = None, password: str | None = None) -> tuple[str, str] | None:
        """Return user and password for a server; None without a user.

        `user` and `password` are those in the URL of the server, and take precedence.

        Raises:
            UsageError: the user or the password is missing, or there are both a user and an API key.
        """
        user = user or self.user
        if user is None:
            if self.password is not None:
                raise UsageError("a password is set but no user: set MAILTRACE_USER too")
            return None
        if self.api_key is not None:
            raise UsageError(f"both an API key and a user ({user}) are set: remove one of them")
        if password is None:
            password = self.password
        if password is None:
            if self.ask is None:
                raise UsageError(
                    f"no password for {user}: set MAILTRACE_PASSWORD, or set MAILTRACE_PASSWORD_FILE to a file that"
                    " contains it"
                )
            password = self.ask(f"password of {user} at {server}: ")
        return user, password
