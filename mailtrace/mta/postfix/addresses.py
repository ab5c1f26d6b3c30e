"""Addresses and clients as Postfix writes them into its log.

Since Postfix 3.5 an address is logged in its external form (postconf(5), info_log_address_format): a local part that
needs it stands in quotes, with backslashes before quotes and backslashes, and may hold anything, also what looks like
the log's own fields. Earlier versions, and the internal form, leave the quotes out.
"""

from typing import Final

ADDRESS: Final = r'(?:[^<>"]*|"[^"\\]*(?:\\.[^"\\]*)*"@[^<>"]*)'
"""A pattern of what stands between `<` and `>`: without quotes and brackets, or with a quoted local part."""


BARE: Final = r'(?:[^\s<>",]*|"[^"\\]*(?:\\.[^"\\]*)*"@[^\s<>",]*)'
"""A pattern of an address without angle brackets: some patched servers, and what passes logs on, leave them out."""

FIELD: Final = rf"(?:<{ADDRESS}>|(?!<){BARE})"
"""A pattern of an address as a field's value."""


def address_of(field: str | None) -> str | None:
    """Return the address in a field's value, with or without its angle brackets; None for no field."""
    return field[1:-1] if field and field[0] == "<" and field[-1] == ">" else field


def client_of(logged: str) -> str | None:
    """Return `name [ip]` of Postfix's `name[ip]` or `name[ip]:port` (smtpd_client_port_logging), or None for nothing.

    postscreen(8) logs no name: that is `unknown`, as smtpd(8) writes it.
    """
    name, bracket, ip = logged.partition("[")
    if not bracket:
        return logged or None
    return f"{name or 'unknown'} [{ip.partition(']')[0]}]"
