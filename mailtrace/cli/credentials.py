"""Where certificates, an API key, a user and a password are told.

Secrets come from the environment, from a file that its owner alone may read, or from a prompt; never from the command
line, which every user of the machine can see. None is part of a message.
"""

import os
import re
import stat
from collections.abc import Mapping
from typing import Final

from mailtrace.errors import UsageError
from mailtrace.stores.access import Access, Ask

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_LONGEST: Final = 10_000
"""Bytes of a file that may hold a secret."""


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
