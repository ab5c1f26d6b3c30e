"""Addresses and clients as Postfix logs them.

Since Postfix 3.5 an address is logged in its external form (postconf(5), info_log_address_format): a local part that
needs quoting is quoted, with backslashes before quotes and backslashes, and may contain anything, even text that looks
like a field of the log. Earlier versions, and the internal form, leave the quotes out.
"""

from typing import Final

ADDRESS: Final = r'(?:[^<>"]*|"[^"\\]*(?:\\.[^"\\]*)*"@[^<>"]*)'
"""A pattern for the text between `<` and `>`: without quotes and brackets, or with a quoted local part."""

BARE: Final = r'(?:[^\s<>",]*|"[^"\\]*(?:\\.[^"\\]*)*"@[^\s<>",]*)'
"""A pattern for an address without angle brackets, which some patched servers and log shippers leave out."""

FIELD: Final = rf"(?:<{ADDRESS}>|(?!<){BARE})"
"""A pattern for an address as a field's value."""


def address_of(field: str | None) -> str | None:
    """Return the address in a field's value, which may have angle brackets; None if there is no field."""
    return field[1:-1] if field and field[0] == "<" and field[-1] == ">" else field


def client_of(logged: str) -> str | None:
    """Return `name [ip]` for Postfix's `name[ip]` or `name[ip]:port` (smtpd_client_port_logging); None for no text.

    postscreen(8) logs no name: that becomes `unknown`, the word that smtpd(8) uses.
    """
    name, bracket, ip = logged.partition("[")
    if not bracket:
        return logged or None
    return f"{name or 'unknown'} [{ip.partition(']')[0]}]"
