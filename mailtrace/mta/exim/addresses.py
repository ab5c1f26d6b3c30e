r"""Addresses, clients and next hops as Exim logs them.

A delivery's address stands before the address of the envelope in angle brackets, which is left out if both are the
same: `mailbox1 <team@host>`. Exim logs the first without its quotes, so that a quoted local part may look like anything
that may follow; in the second it keeps them.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

QUOTED: Final = r'"[^"\\]*(?:\\.[^"\\]*)*"'
"""A pattern for a quoted string."""
ADDRESS: Final = rf'[^\s"<>]*(?:{QUOTED}[^\s"<>]*)*'
"""A pattern for an address in angle brackets."""
IN_LIST: Final = rf'[^\s"]*(?:{QUOTED}[^\s"]*)*'
"""A pattern for an address among blanks."""

_FIELD: Final = r"(?= (?:[FPQRT]|SRS)=| routing | defer \(| ?:|\Z)"
_PARENTS: Final = r"(?: \([^()@]*@[^()]*\))?"
_plain = re.compile(rf'([^\s"|/<]\S*){_PARENTS}(?: <({ADDRESS})>)?{_FIELD}').match
_rewritten = re.compile(rf"{_PARENTS} <({ADDRESS})>{_FIELD}").search
_alone = re.compile(rf"({IN_LIST}){_PARENTS}").match
_quoted_top = re.compile(rf"{_PARENTS} <({QUOTED}@[^\s<>]*)>").finditer
_escaped = re.compile(r"\\(.)").sub
_MAX_TOPS: Final = 20


def certificate(following: str) -> str:
    """Return a pattern for the name of a certificate before one of the following fields.

    Old versions do not escape quotes in it.
    """
    return rf' DN="(?:\\.|(?!"(?:{following})|\\).){{0,2000}}"'


CONNECTION: Final = r"(?::\d+)?(?: I=\[[^\]\s]*\](?::\d+)?)?(?: TFO\*?)?(?: U=.*?)?(?: Ci=\w+)?"
"""What may follow the address of a client: ports, our own address, the user whom the client's host named."""
_verified = re.compile(r"([^\s()\[\]]+) ").match


class Who(NamedTuple):
    """The recipient of a delivery."""

    recipient: str
    orig_to: str | None
    end: int
    """The index of the fields after it."""


def who_at(rest: str) -> Who | None:
    """Return the recipient with which a text begins; None if there is none."""
    if ' <"' in rest and (who := _with_quoted_top(rest)):
        return who
    if found := _plain(rest):
        address, top = found.groups()
        if top is None:
            return Who(address, None, found.end())
        return envelope_or_alias(address, top, found.end())
    if found := _rewritten(rest):
        return envelope_or_alias(rest[: found.start()], found[1], found.end())
    found = _alone(rest)
    return Who(found[1], None, found.end()) if found and found[1] else None


def _with_quoted_top(rest: str) -> Who | None:
    """Return the recipient if the text before a quoted address is that address without its quotes."""
    for _, found in zip(range(_MAX_TOPS), _quoted_top(rest), strict=False):
        if rest[: found.start()].casefold() == unquoted(found[1]).casefold():
            return Who(found[1], None, found.end())
    return None


def unquoted(address: str) -> str:
    """Return an address without the quotes and backslashes of its local part."""
    if address[:1] != '"':
        return address
    local, _, domain = address.rpartition("@")
    return f"{_escaped(_unescape, local[1:-1])}@{domain}"


def _unescape(found: re.Match[str]) -> str:
    return found[1]


@lru_cache(maxsize=4096)
def _is_same(address: str, top: str) -> bool:
    """Return whether an address is that of the envelope but for case, quotes, a suffix, or a local one's domain."""
    local, at, domain = address.rpartition("@")
    if not at:
        local, domain = address, ""
    top_local, _, top_domain = unquoted(top).casefold().rpartition("@")
    if domain and domain.casefold() != top_domain:
        return False
    local = unquoted(local + "@").removesuffix("@").casefold()
    return top_local == local or bool(local and top_local.startswith(local + "+"))


def envelope_or_alias(address: str, top: str, end: int) -> Who:
    """Return the recipient: the address of the envelope where the other one is only another spelling of it."""
    if top.startswith(address) and top[len(address) : len(address) + 1] in ("@", ""):
        # Fast path for local users.
        return Who(top, None, end)
    if _is_same(address, top) or address in (":blackhole:", "discarded"):
        return Who(top, None, end)
    return Who(address, None if top == address else top, end)


@lru_cache(maxsize=4096)
def client_of(logged: str) -> str:
    """Return `name [ip]` of a client as logged: `name (helo) [ip]`, up to the last bracket.

    A name in brackets is only what the client calls itself.
    """
    ip = logged[logged.rfind("[") :]
    found = _verified(logged)
    return f"{found[1] if found else 'unknown'} {ip}"
