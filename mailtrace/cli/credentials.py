"""Credentials for a secured store: certificates, API key, user and password.

Secrets come from the environment, a file that only its owner may read, or a prompt. They never come from the command
line, which every user of the machine can see, and are never part of a message.
"""

import os
import stat
from collections.abc import Mapping
from shlex import quote
from typing import Final

from mailtrace.errors import UsageError
from mailtrace.stores.access import Access, Ask, expanded, without_password

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_MOST_BYTES: Final = 10_000
"""Bytes to read of a file with a secret."""


def access_of(
    environment: Mapping[str, str],
    *,
    ca_certs: str | None = None,
    client_cert: str | None = None,
    client_key: str | None = None,
    ask: Ask | None = None,
) -> Access:
    """Return the credentials from flags and the environment; `ask` prompts for a missing password.

    Raises:
        UsageError: they contradict each other, or a file with a secret cannot be read or is not private.
    """
    if client_key and not client_cert:
        raise UsageError("--client-key needs --client-cert as well")
    return Access(
        ca_certs=ca_certs and expanded(ca_certs),
        client_cert=client_cert and expanded(client_cert),
        client_key=client_key and expanded(client_key),
        user=environment.get("MAILTRACE_USER") or None,
        password=_secret(environment, "MAILTRACE_PASSWORD"),
        api_key=_secret(environment, "MAILTRACE_API_KEY"),
        ask=ask,
    )


def has_password(store: str) -> bool:
    """Return whether the URL of a store contains a password."""
    return without_password(store) != store


def _secret(environment: Mapping[str, str], name: str) -> str | None:
    """A secret from the variable `name`, or from the file named by the variable `name_FILE`."""
    value, path = environment.get(name), environment.get(f"{name}_FILE")
    if value and path:
        raise UsageError(f"{name} and {name}_FILE are both set: unset one of them")
    return secret_in(expanded(path)) if path else value or None


def secret_in(path: str) -> str:
    """Return the secret in a file: its only line.

    Raises:
        UsageError: the file cannot be read, others may read it, or it does not contain exactly one line.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 # the mode must be that of the file that is read
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_MOST_BYTES)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    if mode & _OTHERS:
        raise UsageError(f"{path} contains a secret, but other users may access it: run chmod 600 {quote(path)}")
    try:
        text = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        text = ""
    if not text.isprintable() or not text:
        raise UsageError(f"{path} must contain one line, the secret, and nothing else")
    return text
