r"""Addresses, relays and clients as sendmail logs them.

An address is logged as it was given: in angle brackets from SMTP, bare from a command line, an alias or a list. Quotes
may contain commas, and text that looks like a field of the log. Since 8.10 each backslash is logged twice and 8-bit
characters as `\303` (`str2prt` in util.c).
"""

import re
from functools import lru_cache
from typing import Final

QUOTED: Final = r'"[^"\\]*(?:(?:\\{4}|\\{1,3}(?!\\).)[^"\\]*)*"'
"""A pattern for a quoted string. Four backslashes are an escaped one; fewer escape the next character."""

_BRACKETED: Final = rf'<[^"<>]*(?:{QUOTED}[^"<>]*)*>'

_COMMENT: Final = r"\((?:[^()\\]|\\.)*\)"

ADDRESS: Final = rf'[^",<(]*(?:(?:{QUOTED}|{_BRACKETED}|{_COMMENT})[^",<(]*)*'
"""A pattern for one address of a list: it ends before the first comma outside of quotes, brackets and comments."""

_address = re.compile(ADDRESS, re.DOTALL).match
_bracketed = re.compile(_BRACKETED, re.DOTALL).match
_refused = re.compile(rf'({_BRACKETED}|(?:[^\s"<>]|{QUOTED})+?)\.\.\. ?', re.DOTALL).match
_unbalanced = re.compile(r"([^.].{0,1000}?)\.\.\. (?=Unbalanced ')", re.DOTALL).match
"""Matches an invalid address, logged as it was given (parseaddr.c)."""
_NO_MAILBOX: Final = frozenset('/|:"')
"""How files, programs, lists and quoted names begin."""
NO_RECIPIENT: Final = frozenset({"", "...", "[more]", "NO-TO-LIST"})
"""Elements of a list of recipients that are not recipients."""


def bare(address: str) -> str:
    """Return an address without its angle brackets, the name before them, and the comment after it.

    The closing bracket is missing if sendmail has cut the address (`from=%.200s` in headers.c).
    """
    if address[-1:] == ")" and address[:1] not in _NO_MAILBOX and (at := address.find(" (")) > 0:
        address = address[:at]
    if address[:1] == "<":
        return address[1:-1] if address[-1:] == ">" else address[1:]
    if address[-1:] == ">" and (at := address.rfind("<")) > 0:
        return address[at + 1 : -1]
    return address


def recipients(text: str, at: int) -> tuple[list[str], int] | None:
    """Return the addresses of the list at an index, and the index of its end, which is the `, ` before the next field.

    Return None if a quote or an angle bracket is never closed: sendmail splits long lists at any comma (deliver.c, "a
    comma in an address will break this").
    """
    found: list[str] = []
    while True:
        match = _address(text, at)
        end = match.end() if match else at
        found.append(text[at:end])
        if text[end : end + 1] not in ("", ","):
            return None
        if text[end + 1 : end + 2] in ("", " "):
            return named(found), end
        at = end + 1


def named(addresses: list[str]) -> list[str]:
    """Return those that are addresses, bare: a cut list ends with `...`, a split one with `[more]`."""
    return [bare(address) for address in addresses if address not in NO_RECIPIENT]


def address_end(text: str, at: int) -> int:
    """Return the index of the end of the address that begins at `at`; -1 if a quote or angle bracket is never closed.

    An address in angle brackets ends with them, any other before the next comma.
    """
    if text[at : at + 1] == "<":
        match = _bracketed(text, at)
        return match.end() if match else -1
    match = _address(text, at)
    end = match.end() if match else at
    return end if text[end : end + 1] in ("", ",") else -1


def refused_address(text: str) -> tuple[str, str] | None:
    """Return the bare address and the reason of `address... reason`, or None if the text does not have that form."""
    if match := _refused(text):
        return bare(match[1]), text[match.end() :]
    match = _unbalanced(text)
    return (match[1].strip("<>"), text[match.end() :]) if match else None


@lru_cache(maxsize=4096)
def without_dot(relay: str) -> str:
    """Return a relay or client, `name [ip]`, without the final dot of its name; the three dots of a cut name stay."""
    at = relay.find(". [")
    if at > 0:
        return relay[:at] + relay[at + 1 :]
    if relay[-1:] == "." and relay[-3:] != "...":
        return relay[:-1]
    return relay
