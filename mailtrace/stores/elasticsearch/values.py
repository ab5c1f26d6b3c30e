"""What a document is stored as: its public members, and the values by which it is found that the server cannot derive.

The server folds and copies the public members (`mapping.py`). It does so as `search.query.matches` does if they are
ASCII and their IP addresses are written in the usual way. Other documents are stored with their members as searches
compare them, and the document itself beside them.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

import orjson

from mailtrace.message.document import Document
from mailtrace.message.fields import DOCUMENT, RECIPIENT_RESULT
from mailtrace.search.comparisons import client_names, host_names, relay_names
from mailtrace.search.groups import delay_of, domain_of, folded
from mailtrace.search.patterns import ip_key, normal_ip
from mailtrace.search.query import links_of
from mailtrace.search.reasons import reason_in

_MEMBERS: Final = tuple(field.name for field in DOCUMENT)
_RESULT_MEMBERS: Final = tuple(field.name for field in RECIPIENT_RESULT)
_FOLDED: Final = ("from", "client", "orig_client", "login", "msgid")
_RESULT_FOLDED: Final = ("recipient", "orig_to", "relay", "relay_host", "status")
"""The members that are compared regardless of case."""
_IPS: Final = ("client_ip", "relay_ip")


def members_of(document: Document, date: int) -> dict[str, Any]:
    """Return the members that searches compare and show; `date` is in microseconds since 1970."""
    return _members(document, document, date)


def are_compared_so(document: Document, source: bytes) -> bool:
    """Return whether the server compares public members as `matches` does, given the JSON that contains them."""
    return source.isascii() and all(
        map(_is_usual_ip, [document["client_ip"], *(one["relay_ip"] for one in document["to"])])
    )


def compared_members_of(document: Document, date: int) -> dict[str, Any]:
    """Return the members of a document that the server would compare in another way, as searches compare them."""
    to = [_compared(result, _RESULT_FOLDED) for result in document["to"]]
    return _members(document, {**_compared(document, _FOLDED), "to": to}, date)


def _members(document: Document, shown: Document, date: int) -> dict[str, Any]:
    members = _without_null(shown)
    to = zip(document["to"], shown["to"], strict=True)
    members["to"] = [_result(document, result, its_members) for result, its_members in to]
    members["search"] = _values(document, shown, date)
    return members


def restored(kept: dict[str, Any]) -> Document:
    """Return the document from its stored members: without private ones, and with those that were left out."""
    found: Document = {name: kept.get(name) for name in _MEMBERS}
    found["to"] = [_restored_result(result) for result in kept["to"]]
    return found


def _without_null(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _result(document: Document, result: dict[str, Any], shown: dict[str, Any]) -> dict[str, Any]:
    """Return what is stored of a recipient result, without what `_restored_result` restores."""
    members = _without_null(shown)
    if members["attempts"] == 1:
        del members["attempts"]
    if members["last_date"] == members["date"]:
        del members["last_date"]
    members["reason"] = reason_in(document, result)
    domain = domain_of(result["recipient"])
    if domain is not None:
        members["domain"] = domain
    if values := _result_values(result, shown, domain):
        members["search"] = values
    return members


def _restored_result(kept: dict[str, Any]) -> dict[str, Any]:
    result = {name: kept.get(name) for name in _RESULT_MEMBERS}
    if result["attempts"] is None:
        result["attempts"] = 1
    if result["last_date"] is None:
        result["last_date"] = result["date"]
    return result


def _values(document: Document, shown: Document, date: int) -> dict[str, Any]:
    """Return the values by which a document is found and grouped, without those that its public members give."""
    values: dict[str, Any] = {"date": date}
    if (domain := domain_of(document["from"])) is not None:
        values["from_domain"] = domain
    values |= _of_clients(document["client"], document["orig_client"], shown["client"], shown["client_ip"])
    host, dot, _ = document["host"].partition(".")
    if dot:
        values["hosts"] = host
    return values


def _result_values(result: dict[str, Any], shown: dict[str, Any], domain: str | None) -> dict[str, Any]:
    """Return the same of a recipient result; `domain` is that of its recipient."""
    values: dict[str, Any] = {}
    if (original := domain_of(result["orig_to"])) not in (None, domain):
        values["domains"] = original
    if shown["relay"] is not None:
        names = result["relay"], result["relay_host"], result["relay_ip"]
        values |= _of_relays(*names, shown["relay"], shown["relay_host"], shown["relay_ip"])
    return values


@lru_cache(maxsize=4096)
def _of_clients(
    client: str | None, orig_client: str | None, shown: str | None, shown_ip: str | None
) -> dict[str, list[str]]:
    return _others("client", client_names(client) | client_names(orig_client), (shown, shown_ip), shown_ip)


@lru_cache(maxsize=4096)
def _of_relays(
    relay: str | None, host: str | None, ip: str | None, shown: str | None, shown_host: str | None, shown_ip: str | None
) -> dict[str, list[str]]:
    names = frozenset().union(*map(relay_names, filter(None, (relay, host, ip))))
    return _others("relay", names, (shown, shown_host, shown_ip), shown_ip)


def _others(name: str, names: frozenset[str], copied: Iterable[str | None], ip: str | None) -> dict[str, list[str]]:
    """Return the names that no public member gives, and the keys of IP addresses if they are not that of `ip`."""
    found: dict[str, list[str]] = {}
    if others := sorted(names - {value.lower() for value in copied if value is not None}):
        found[f"{name}s"] = others
    keys = {key for each in names if (key := ip_key(each))}
    if keys != ({ip_key(ip)} if ip else set()):
        found[f"{name}_ips"] = sorted(keys)
    return found


@lru_cache(maxsize=4096)
def _is_usual_ip(ip: str | None) -> bool:
    """Return whether the server takes an IP address for what `ip_key` does, and its spelling is the usual one.

    An IPv4 address in one of IPv6 is the same for the server as the IPv4 address.
    """
    return ip is None or (bool(ip_key(ip)) and normal_ip(ip) == ip and not ip.startswith("::ffff:"))


def _compared(values: dict[str, Any], folded: Iterable[str]) -> dict[str, Any]:
    made = dict(values)
    for name in folded:
        value = made[name]
        if value is not None and not value.isascii():
            made[name] = value.lower()
    for name in _IPS:
        if not _is_usual_ip(made.get(name)):
            made[name] = None
    return made


def with_all_values(document: Document, date: int) -> dict[str, Any]:
    """Return a document with all values by which it is found and grouped, for a mapping that derives none.

    `date` is in microseconds since 1970.
    """
    to = [{**result, "search": _all_result_values(document, result)} for result in document["to"]]
    return {**document, "to": to, "search": _all_values(document, date)}


def merged_results(document: Document) -> list[dict[str, Any]]:
    """Return the values by which recipient results are found, once for all that differ only in their addresses."""
    found: dict[bytes, dict[str, Any]] = {}
    for result in document["to"]:
        values = _all_result_values(document, result)
        search = {name: values[name] for name in ("relays", "relay_ips", "status")}
        kept = {"outcome": result["outcome"], "last": result["last"], "search": search}
        merged = found.setdefault(orjson.dumps(kept), kept)
        for name in ("addresses", "domains"):
            merged["search"].setdefault(name, {}).update(dict.fromkeys(values[name]))
    for merged in found.values():
        merged["search"].update({name: list(merged["search"][name]) for name in ("addresses", "domains")})
    return list(found.values())


def _all_values(document: Document, date: int) -> dict[str, Any]:
    sender, client = document["from"], document["client"]
    clients, client_ips = _clients(client, document["orig_client"])
    return {
        "date": date,
        "from": folded(sender),
        "from_domain": domain_of(sender),
        "msgid": folded(document["msgid"]),
        "links": sorted(links_of(document)),
        "client": folded(client),
        "login": folded(document["login"]),
        "clients": clients,
        "client_ips": client_ips,
        "hosts": list(host_names(document["host"].lower())),
    }


def _all_result_values(document: Document, result: dict[str, Any]) -> dict[str, Any]:
    found = [address for address in (result["recipient"], result["orig_to"]) if address is not None]
    relays, relay_ips = _relays(result["relay"], result["relay_host"], result["relay_ip"])
    return {
        "relays": relays,
        "relay_ips": relay_ips,
        "relay": folded(result["relay_host"]),
        "addresses": [address.lower() for address in found],
        "domains": [domain for domain in map(domain_of, found) if domain is not None],
        "recipient": folded(result["recipient"]),
        "domain": domain_of(result["recipient"]),
        "status": folded(result["status"]),
        "reason": reason_in(document, result),
        "delay": delay_of(result),
    }


@lru_cache(maxsize=4096)
def _clients(client: str | None, orig_client: str | None) -> tuple[list[str], list[str]]:
    names = client_names(client) | client_names(orig_client)
    return sorted(names), _ip_keys(names)


@lru_cache(maxsize=4096)
def _relays(relay: str | None, host: str | None, ip: str | None) -> tuple[list[str], list[str]]:
    names = frozenset().union(*map(relay_names, filter(None, (relay, host, ip))))
    return sorted(names), _ip_keys(names)


def _ip_keys(names: Iterable[str]) -> list[str]:
    return sorted({key for name in names if (key := ip_key(name))})
