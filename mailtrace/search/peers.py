"""Clients and next hops as people paste them from logs.

MTAs log one peer in several ways: Postfix a client as `name[ip]` or `name[ip]:port`, sendmail as `name. [IPv6:ip]`,
Exim as `name (helo) [ip]:port`. Documents have `name [ip]` of a client, and of a next hop nearly what was logged.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from mailtrace.search.patterns import Pattern, ip_key, normal_ip

_logged = re.compile(
    r"(?P<name>[^\[\]()]*)(?P<helo>\([^()]*\) ?)?\[(?P<ip>[^\[\]]+)\](?:(?P<port>:-?\d+)| \(may be forged\))?", re.ASCII
).fullmatch
_ip_and_port = re.compile(r"\A([0-9.]+)(:[0-9]+)\Z")
_glued = re.compile(r"(?<=[^\s*\[])\[")
_FORGED: Final = " (may be forged)"
"""What sendmail adds to a client whose name does not have its address."""
_UNKNOWN: Final = "unknown"


class Peer(NamedTuple):
    """A peer as logged, in lower case."""

    name: str
    """Empty if only the address was logged."""
    ip: str
    """The address, or `unknown`."""
    port: str
    """With its colon; empty if there is none."""

    @property
    def ips(self) -> tuple[str, ...]:
        """The spellings of the address beside a name."""
        return (self.ip, f"ipv6:{self.ip}") if ":" in self.ip else (self.ip,)


def peer_in(argument: str) -> Peer | None:
    """Return the peer of an argument that is one as logged; None for a name, an address alone, or a pattern."""
    found = _logged(_ip_and_port.sub(r"[\1]\2", argument.strip().lower()))
    if found is None:
        return None
    ip = normal_ip(found["ip"])
    if not ip_key(ip) and ip != _UNKNOWN:
        return None
    name = _without_dot(found["name"].strip())
    return Peer(name or (_UNKNOWN if found["helo"] else ""), ip, found["port"] or "")


def _without_dot(name: str) -> str:
    """Return a name without its final dot; three of them are the end of a name that sendmail has cut."""
    return name if name.endswith("...") else name.removesuffix(".")


def clients_of(argument: str) -> tuple[Pattern, ...]:
    """Return the patterns of a client, one of which must match: a name, an IP address, a network, or what was logged.

    Raises:
        UsageError: the argument looks like a network, but is not a valid one.
    """
    return _patterns(argument, _clients)


def relays_of(argument: str) -> tuple[Pattern, ...]:
    """Return the patterns of a next hop likewise. If the argument has no port, any port matches.

    Raises:
        UsageError: the argument looks like a network, but is not a valid one.
    """
    return _patterns(argument, _relays)


def _patterns(argument: str, texts_of: Callable[[Peer], Iterable[str]]) -> tuple[Pattern, ...]:
    pattern, peer = Pattern.of_peer(argument), peer_in(argument)
    if pattern.kind == "network":
        return (pattern,)
    if pattern.kind == "glob":
        texts = [pattern.text, _glued.sub(" [", pattern.text)]
    elif peer is None:
        texts = [pattern.text, _without_dot(pattern.text)]
    else:
        texts = [*([pattern.text] if peer.name else []), *texts_of(peer)]
    return tuple(Pattern("glob" if "*" in text or "?" in text else "exact", text) for text in dict.fromkeys(texts))


def _clients(peer: Peer) -> list[str]:
    if not peer.name:
        return [peer.ip]
    # No pattern with a wildcard, because stores find exact values by an index.
    return [f"{peer.name} [{ip}]{end}" for ip in peer.ips for end in ("", _FORGED)]


def _relays(peer: Peer) -> list[str]:
    if not peer.name:
        return [f"*[{ip}]{peer.port}" for ip in peer.ips] if peer.port else [peer.ip]
    ends = (peer.port,) if peer.port else ("", ":*")
    return [f"{peer.name}{blank}[{ip}]{end}" for ip in peer.ips for blank in ("", " ") for end in ends]
