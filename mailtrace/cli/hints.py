"""Hints below "nothing found": how to search for a part of a value, and which dates the store covers."""

import re
from argparse import Namespace
from collections.abc import Iterator
from datetime import tzinfo
from itertools import filterfalse, islice
from shlex import quote
from typing import Any, Final

from mailtrace.cli.search_flags import query_of, stripped
from mailtrace.errors import UsageError
from mailtrace.output.times import local_time
from mailtrace.search.comparisons import host_names
from mailtrace.search.groups import Grouping
from mailtrace.search.patterns import ip_key, normal_ip
from mailtrace.search.peers import peer_in
from mailtrace.search.query import Query, microseconds
from mailtrace.stores.base import Store

_MOST: Final = 4
"""Hints to show."""
_ADDRESSES: Final = (("-f", "senders"), ("-t", "recipients"))
_NAMES: Final = (("-m", "msgids"), ("-c", "clients"), ("--login", "logins"), ("--relay", "relays"))
_FIELDS: Final = (
    ("-f", "senders", "sender"),
    ("-t", "recipients", "recipient"),
    ("-m", "msgids", "message ID"),
    ("-q", "queue_ids", "queue ID"),
    ("-c", "clients", "client"),
    ("--login", "logins", "login"),
    ("-h", "hosts", "host"),
    ("--relay", "relays", "next hop"),
)
"""Flags whose values can be mistaken for those of another one: flag, argument, and what the value is."""
_OF_VALUES: Final = (*(name for _, name, _ in _FIELDS), "words", "statuses")
"""The arguments whose values can be explained."""
_has_pattern = re.compile(r"[@*?/<>]").search
_split = re.compile("[,;]").split
_is_domain_pattern = re.compile(r"@.*[*?]", re.DOTALL).match
_address_in = re.compile(r"[^\s<>()\"',;:=]+@[^\s<>()\"',;:]+").search
_has_wildcard = re.compile(r"[*?]").search
_WAITS: Final = ("deferred", "held")
"""Outcomes that another one usually follows."""


def hints_of(arguments: Namespace, query: Query, store: Store, zone: tzinfo, now: float) -> list[str]:
    """Return what the user may have meant, most likely first; empty if nothing is known."""
    alone = _Alone(arguments, store, zone, now)
    unfound = Namespace(**{name: alone.unfound(name) for name in _OF_VALUES})
    hints = [
        *_of_surroundings(unfound, alone),
        *_of_other_flags(unfound, alone),
        *_of_other_queue_ids(unfound, store),
        *_of_addresses(unfound),
        *_of_words(unfound),
        *_of_exact_values(unfound),
        *_of_hosts(unfound, store, zone),
        *_of_outcomes(arguments),
        *_of_dates(arguments, query, store, zone, now),
    ]
    return list(islice(dict.fromkeys(hints), _MOST))


class _Alone:
    """Values alone, each without the other flags: one that is found is not the reason why all together are not."""

    def __init__(self, arguments: Namespace, store: Store, zone: tzinfo, now: float) -> None:
        self._given, self._store, self._zone, self._now = vars(arguments), store, zone, now
        nothing: dict[str, Any] = {name: [] for name, value in self._given.items() if isinstance(value, list)}
        nothing |= dict.fromkeys(("since", "until", "last", "queued", "min_delay", "sort"))
        self._others = {**self._given, **nothing, "limit": 1}

    def unfound(self, name: str) -> list[str]:
        """Return the values of an argument that find nothing in the store."""
        return [stripped(value) for value in self._given[name] if not self.finds(name, value)]

    def finds(self, name: str, value: str) -> bool:
        """Return whether a value finds something as this argument."""
        try:
            query = query_of(Namespace(**{**self._others, name: [value]}), self._zone, self._now)
        except UsageError:
            return False
        return next(iter(self._store.search(query)), None) is not None


def _of_surroundings(unfound: Namespace, alone: _Alone) -> Iterator[str]:
    """Hints for values with something around them that finds nothing."""
    for name in _OF_VALUES:
        for value in vars(unfound)[name]:
            for inner in filter(None, dict.fromkeys(_inside(value))):
                if inner != value and alone.finds(name, inner):
                    yield f"{value} was matched whole: write {quote(stripped(inner))}"


def _inside(value: str) -> Iterator[str]:
    """Yield what may be the value in a text: `id=VALUE`, Exim's `A=plain:VALUE`, `Bob <VALUE>`, `mailto:VALUE`."""
    rest = value.partition("=")[2]
    yield from (rest, rest.partition(":")[2])
    if found := _address_in(value):
        yield found[0].rstrip(".")


def _of_other_flags(unfound: Namespace, alone: _Alone) -> Iterator[str]:
    """Hints for values that another flag finds; patterns are not tried, because they can take long."""
    flags = {name: flag for flag, name, _ in _FIELDS}
    for name in (*flags, "words"):
        for value in filterfalse(_has_wildcard, vars(unfound)[name]):
            for flag, other, what in _FIELDS:
                if other != name and alone.finds(other, value):
                    given = f"{flags[name]} {value}" if name in flags else value
                    yield f"{given}: the store has this as a {what}: write {flag} {quote(value)}"


def _of_other_queue_ids(unfound: Namespace, store: Store) -> Iterator[str]:
    """Hints for queue IDs of another server, or of a message that is not in the store."""
    for value in (*unfound.queue_ids, *unfound.words):
        if (linked := next(iter(store.search(Query(links=(value,), limit=1))), None)) is not None:
            queue_id = linked["transaction"]
            yield f"{value} is linked to {queue_id}, but not in the store: write -q {quote(queue_id)}"


def _of_addresses(unfound: Namespace) -> Iterator[str]:
    values = vars(unfound)
    for flag, name in (*_ADDRESSES, *_NAMES):
        for value in values[name]:
            yield from _of_value(flag, value, is_address=(flag, name) in _ADDRESSES)


def _of_words(unfound: Namespace) -> Iterator[str]:
    """Hints for words; one with a digit and no dot is rather an ID."""
    for value in unfound.words:
        if (
            len(_split(value.strip(",;"))) > 1
            or _is_domain_pattern(value)
            or "." in value
            or not any(map(str.isdigit, value))
        ):
            yield from _of_value("", value, is_address=True)


def _of_value(flag: str, value: str, *, is_address: bool) -> Iterator[str]:
    """Hints for a value of a flag, or for a word if `flag` is empty."""
    parts = [part.strip() for part in _split(value) if part.strip()]
    if len(parts) > 1:
        several = " ".join(f"{flag or '-t'} {quote(stripped(part))}" for part in parts)
        yield f"{value} is one value: for several, write {several}"
    elif is_address and _is_domain_pattern(value):
        yield f"{value} was matched whole: write {quote(f'*{value}')} for every address in these domains"
    elif value.startswith((".", "@.")):
        pattern = quote(f"*{value.removeprefix('@')}")
        yield f"{value} was matched whole: write {pattern} for all names that end with it"
    elif value.endswith("@") and len(value) > 1:
        yield f"{value} was matched whole: write {quote(f'{value}*')} for this name in every domain"
    elif peer := peer_in(value):
        if peer.name and ip_key(peer.ip):
            yield f"{value} was matched whole: write {peer.ip} for this address, whatever its name"
    elif not _has_pattern(value) and not ip_key(normal_ip(value)):
        domain = f"{quote(f'@{value}')} for the domain, or " if "." in value and is_address else ""
        yield f"{value} was matched whole: write {domain}{quote(f'*{value}*')} to match part of it"


def _of_exact_values(unfound: Namespace) -> Iterator[str]:
    for value in unfound.queue_ids:
        if _has_wildcard(value):
            yield f"-q {value}: queue IDs match exactly, not by pattern: write the whole queue ID"
        elif value.islower():
            yield f"-q {value}: queue IDs match exactly: upper and lower case differ"
    for value in unfound.statuses:
        if _has_wildcard(value):
            yield f"--status {value}: this is plain text, not a pattern: write only a part of the status"


def _of_hosts(unfound: Namespace, store: Store, zone: tzinfo) -> Iterator[str]:
    """The names of hosts in the store, if one that was given is longer, shorter or a part of one."""
    if not unfound.hosts:
        return
    known = [group.value for group in store.group(Query(), Grouping("host", zone)) if group.value]
    for given in map(str.lower, unfound.hosts):
        short = given.partition(".")[0]
        near = [host for host in known if short in host_names(host) or (short and short in host)]
        if near:
            yield f"-h {given}: the logs have {', '.join(near[:_MOST])}: write -h {quote(near[0])}"


def _of_outcomes(arguments: Namespace) -> Iterator[str]:
    for outcome in map(str.lower, arguments.outcomes):
        if outcome == "queued":
            yield "-s queued is what no delivery was tried for: write --queued for all that is in the queue"
        if outcome in _WAITS and not arguments.ever:
            yield f"-s {outcome} is what finally became of a recipient: write --ever {outcome} for any attempt"


def _begin(arguments: Namespace) -> str:
    """Return what sets the begin of the dates; that of an overview has a default."""
    if arguments.since is not None:
        return f"-d {arguments.since}"
    if arguments.last is not None or arguments.until is None:
        return f"--last {arguments.last or '1d'}"
    return f"the day that ends with -D {arguments.until}"


def _of_dates(arguments: Namespace, query: Query, store: Store, zone: tzinfo, now: float) -> Iterator[str]:
    """Whether the store has anything from the dates that were asked for."""
    begin = _begin(arguments)
    if query.since is not None and query.since > round(now * 1_000_000):
        yield f"{begin} is in the future"
    newest = next(iter(store.search(Query(limit=1))), None)
    if newest is None:
        yield "the store has no transactions yet"
        return
    if query.since is not None and microseconds(newest["date"]) < query.since:
        yield f"the newest transaction in the store is of {local_time(newest['date'], zone)}, before {begin}"
    if arguments.until is not None and query.until is not None:
        oldest = next(iter(store.search(Query(limit=1, oldest_first=True))), newest)
        if microseconds(oldest["date"]) > query.until:
            date = local_time(oldest["date"], zone)
            yield f"the oldest transaction in the store is of {date}, after -D {arguments.until}"
