"""How a server is reached that does not let everyone in."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from mailtrace.errors import UsageError

Ask: TypeAlias = Callable[[str], str]
"""Asks a person, who sees this text, for a password."""


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
