"""Who comes to a server, and whom it is trusted by: certificates, an API key, a user and a password.

Secrets come from the environment, from a file that its owner alone may read, or from a prompt; never from the command
line, which every user of the machine can see. None is part of a message.
"""

import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from mailtrace.errors import UsageError

Ask: TypeAlias = Callable[[str], str]
"""Asks a person, who sees this text, for a password."""

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_LONGEST: Final = 10_000
"""Bytes of a file that may hold a secret."""


@dataclass(frozen=True)
class Access:
    """How a server is reached that does not let everyone in. Nothing in it is ever shown."""

    ca_certs: str | None = None
    """A file of the CAs' certificates that are trusted; without it, those that the system trusts."""
    client_cert: str | None = None
    client_key: str | None = None
    """The key of the client's certificate, where that file does not hold it."""
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    ask: Ask | None = field(default=None, repr=False, compare=False)
    """How a missing password is asked for; None where nobody is there to answer."""

    def basic(self, server: str, user: str | None = None, password: str | None = None) -> tuple[str, str] | None:
        """Return user and password for a server, those first that its URL holds; None without a user.

        Raises:
            UsageError: something is missing, or there is one thing too many.
        """
        user = user or self.user
        if user is None:
            if self.password is not None:
                raise UsageError("there is a password and no user: set MAILTRACE_USER as well")
            return None
        if self.api_key is not None:
            raise UsageError(f"there is an API key, and a user ({user}) as well: leave one of them out")
        if password is None:
            password = self.password
        if password is None:
            if self.ask is None:
                raise UsageError(
                    f"the password of {user} is missing: set MAILTRACE_PASSWORD, or name a file that holds it in"
                    " MAILTRACE_PASSWORD_FILE"
                )
            password = self.ask(f"password of {user} at {server}: ")
        return user, password


def access_of(
    environment: Mapping[str, str],
    *,
    ca_certs: str | None = None,
    client_cert: str | None = None,
    client_key: str | None = None,
    ask: Ask | None = None,
) -> Access:
    """Return the access that flags and the environment tell.

    Raises:
        UsageError: they contradict each other, or a file with a secret cannot be read, or by too many.
    """
    if client_key and not client_cert:
        raise UsageError("--client-key needs --client-cert as well")
    return Access(
        ca_certs=ca_certs,
        client_cert=client_cert,
        client_key=client_key,
        user=environment.get("MAILTRACE_USER") or None,
        password=_secret(environment, "MAILTRACE_PASSWORD"),
        api_key=_secret(environment, "MAILTRACE_API_KEY"),
        ask=ask,
    )


def has_password(store: str) -> bool:
    """Return whether a store's URL holds a password."""
    return re.match(r"https?://[^/?#]*:[^/?#]*@", store) is not None


def _secret(environment: Mapping[str, str], name: str) -> str | None:
    """A secret from a variable, or from the file that a second variable names."""
    value, path = environment.get(name), environment.get(f"{name}_FILE")
    if value and path:
        raise UsageError(f"{name} and {name}_FILE are both set: leave one of them out")
    return secret_in(path) if path else value or None


def secret_in(path: str) -> str:
    """Return the one line of a file that its owner alone may read.

    Raises:
        UsageError: it cannot be read, or others may read it, or it holds something else than a line.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 # the file that is asked about is the one that is read
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_LONGEST)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    if mode & _OTHERS:
        raise UsageError(f"{path} holds a secret and may be read by others: chmod 600 {path}")
    try:
        text = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        text = ""
    if not text.isprintable() or not text:
        raise UsageError(f"{path} should hold one line, the secret, and nothing else")
    return text
