"""Patterns of search values: exact, by domain, with `*` and `?`, or by network. All ignore case."""

import re
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple

from mailtrace.errors import UsageError

_OCTETS: Final = {str(octet): f"{octet:02x}" for octet in range(256)}
_is_network = re.compile(r"(?:[0-9.]+|[0-9a-f]*:[0-9a-f.:]*)/[0-9.]*\Z").match


class Pattern(NamedTuple):
    """A pattern that a value is compared with."""

    kind: str
    """exact, domain, glob or network."""
    text: str
    """In lower case; a domain without `@`, a network in the spelling of the `ipaddress` module."""

    @classmethod
    def of(cls, argument: str) -> "Pattern":
        """Return the pattern of an address: `@bar.com` matches a domain, `<>` and empty text match the null sender."""
        text = _unbracketed(argument)
        if text.startswith("@") and len(text) > 1 and not _is_glob(text):
            return cls("domain", text[1:])
        return cls("glob" if _is_glob(text) else "exact", text)

    @classmethod
    def of_text(cls, argument: str) -> "Pattern":
        """Return the pattern of a message ID, a login or a host: `@bar.com` matches any value that ends with it."""
        text = _unbracketed(argument)
        if text.startswith("@") and len(text) > 1:
            return cls("glob", f"*{text}")
        return cls("glob" if _is_glob(text) else "exact", text)

    @classmethod
    def of_peer(cls, argument: str) -> "Pattern":
        """Return the pattern of a client or relay: a name, an IP address, or a network that contains the address.

        Raises:
            UsageError: the argument looks like a network, but is not a valid one.
        """
        text = argument.strip().lower()
        if _is_network(text):
            try:
                return cls("network", str(ip_network(text, strict=False)))
            except ValueError as error:
                raise UsageError(f"{argument}: not a network; write it as 192.0.2.0/24 or 2001:db8::/32") from error
        if _is_glob(text):
            return cls("glob", text)
        address = normal_ip(text.strip("[]"))
        return cls("exact", address if ip_key(address) else text)

    def matches(self, value: str | None) -> bool:
        """Return whether a document's value matches; null never does."""
        if value is None:
            return False
        value = value.lower()
        if self.kind == "exact":
            return value == self.text
        if self.kind == "domain":
            return value.rpartition("@")[2] == self.text and "@" in value
        if self.kind == "network":
            first, last = network_keys(self.text)
            return first <= ip_key(value) <= last
        return _glob_matches(self.text, value)


def _unbracketed(argument: str) -> str:
    text = argument.strip().lower()
    return text[1:-1] if text.startswith("<") and text.endswith(">") else text


def _is_glob(text: str) -> bool:
    return "*" in text or "?" in text


def normal_ip(text: str) -> str:
    """Return an IP address as `ipaddress` spells it, without sendmail's `IPv6:`; other text in lower case."""
    text = text.lower()
    # An IPv4 address has only one spelling.
    return _normal_ipv6(text) if ":" in text else text


@lru_cache(maxsize=4096)
def _normal_ipv6(text: str) -> str:
    try:
        return str(ip_address(text.removeprefix("ipv6:")))
    except ValueError:
        return text


def ip_key(text: str) -> str:
    """Return a key that sorts IP addresses by number, IPv4 first; empty if the text is not an IP address."""
    # Fast path: most values are names, which neither begin with a digit nor contain a colon.
    return _ip_key(text) if text[:1].isdigit() or ":" in text else ""


@lru_cache(maxsize=4096)
def _ip_key(text: str) -> str:
    if ":" not in text:
        # Most clients are not in the cache, and ipaddress takes ten times as long for each.
        octets = text.split(".")
        try:
            return f"4{''.join([_OCTETS[octet] for octet in octets]):0>32}" if len(octets) == 4 else ""
        except KeyError:
            return ""
    try:
        return f"6{int(ip_address(text)):032x}"
    except ValueError:
        return ""


@lru_cache(maxsize=64)
def network_keys(network: str) -> tuple[str, str]:
    """Return the keys (`ip_key`) of a network's first and last address."""
    found = ip_network(network)
    return ip_key(str(found[0])), ip_key(str(found[-1]))


@lru_cache(maxsize=64)
def _pieces(glob: str) -> tuple[re.Pattern[str], ...]:
    return tuple(
        re.compile("".join("." if char == "?" else re.escape(char) for char in piece), re.DOTALL)
        for piece in glob.split("*")
    )


def _glob_matches(glob: str, value: str) -> bool:
    """Whether a value matches. Each piece between stars is matched at its first occurrence, so nothing backtracks."""
    first, *middle = _pieces(glob)
    if not middle:
        return first.fullmatch(value) is not None
    *middle, final = middle
    if not (found := first.match(value)):
        return False
    end = found.end()
    for piece in middle:
        if not (found := piece.search(value, end)):
            return False
        end = found.end()
    tail = len(value) - (len(glob) - glob.rindex("*") - 1)
    return tail >= end and final.match(value, tail) is not None
