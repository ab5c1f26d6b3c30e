r"""Addresses, relays and clients as sendmail writes them into its log.

An address is logged as it was given: in angle brackets from SMTP, bare from a command line, an alias or a list. What is
in quotes may hold commas and whatever else looks like the log's own fields. Since 8.10 each backslash is logged twice
and 8-bit characters as `\303` (`str2prt` in util.c).
"""

import re
from functools import lru_cache
from typing import Final

QUOTED: Final = r'"[^"\\]*(?:(?:\\{4}|\\{1,3}(?!\\).)[^"\\]*)*"'
"""A pattern of a quoted string. Four backslashes are one that is escaped; with fewer, the next character is escaped."""

_BRACKETED: Final = rf'<[^"<>]*(?:{QUOTED}[^"<>]*)*>'

_COMMENT: Final = r"\((?:[^()\\]|\\.)*\)"

ADDRESS: Final = rf'[^",<(]*(?:(?:{QUOTED}|{_BRACKETED}|{_COMMENT})[^",<(]*)*'
"""A pattern of one address of a list: it ends before the first comma outside of quotes, brackets and comments."""

_address = re.compile(ADDRESS, re.DOTALL).match
_bracketed = re.compile(_BRACKETED, re.DOTALL).match
_refused = re.compile(rf'({_BRACKETED}|(?:[^\s"<>]|{QUOTED})+?)\.\.\. ?', re.DOTALL).match
_unbalanced = re.compile(r"([^.].{0,1000}?)\.\.\. (?=Unbalanced ')", re.DOTALL).match
"""An address that is none (parseaddr.c): it stands as it was given."""
_NO_MAILBOX: Final = frozenset('/|:"')
"""With what files, programs and lists begin; quoted names, in which there may be anything."""
NO_RECIPIENT: Final = frozenset({"", "...", "[more]", "NO-TO-LIST"})
"""What stands in a list of recipients without being one."""


def bare(address: str) -> str:
    """Return an address without its angle brackets, and without the name before them or the comment behind.

    The closing bracket of one that the log has cut (`from=%.200s` in headers.c) is missing.
    """
    if address[-1:] == ")" and address[:1] not in _NO_MAILBOX and (at := address.find(" (")) > 0:
        address = address[:at]
    if address[:1] == "<":
        return address[1:-1] if address[-1:] == ">" else address[1:]
    if address[-1:] == ">" and (at := address.rfind("<")) > 0:
        return address[at + 1 : -1]
    return address


def recipients(text: str, at: int) -> tuple[list[str], int] | None:
    """Return the addresses of a list from there on, and where it ends: before `, `, the start of the next field.

    None where a quote or an angle bracket is never closed: sendmail breaks long lists at any comma (deliver.c, "a comma
    in an address will break this").
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
    """Return those that are addresses, bare: a cut list has dots for what is missing, a split one says `[more]`."""
    return [bare(address) for address in addresses if address not in NO_RECIPIENT]


def address_end(text: str, at: int) -> int:
    """Return where the address ends that begins there, or -1 where a quote or an angle bracket is never closed.

    An address in angle brackets ends with them, any other before the next comma.
    """
    if text[at : at + 1] == "<":
        match = _bracketed(text, at)
        return match.end() if match else -1
    match = _address(text, at)
    end = match.end() if match else at
    return end if text[end : end + 1] in ("", ",") else -1


def refused_address(text: str) -> tuple[str, str] | None:
    """Return the bare address and the words of `address... words`, or None where the text has not that form."""
    if match := _refused(text):
        return bare(match[1]), text[match.end() :]
    match = _unbalanced(text)
    return (match[1].strip("<>"), text[match.end() :]) if match else None


@lru_cache(maxsize=4096)
def without_dot(relay: str) -> str:
    """Return a relay or client, `name [ip]`, without the final dot of its name; None of three dots of a cut name."""
    at = relay.find(". [")
    if at > 0:
        return relay[:at] + relay[at + 1 :]
    if relay[-1:] == "." and relay[-3:] != "...":
        return relay[:-1]
    return relay
