"""What each part of a search is compared with, and when a value is what was asked for.

This one table is what `query.matches` goes by. A store may look for values in a way of its own (an index, a column, a
server's query): a new flag is a member of `Query`, a criterion here, and one clause in each store.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from operator import eq
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from mailtrace.search.patterns import Pattern, normal_ip

if TYPE_CHECKING:  # keeps `--help` quick
    from mailtrace.message.document import Document

Result: TypeAlias = dict[str, Any]
"""A recipient result: an element of a document's `to`."""


class Comparison(NamedTuple):
    """How a value is compared."""

    spellings: Callable[[str], Collection[str]]
    """The spellings by which a value can be asked for."""
    is_met: Callable[[Any, str], bool]
    """Whether one spelling is what was asked for."""


def _as_logged(value: str) -> Collection[str]:
    return (value,)


@lru_cache(maxsize=4096)
def client_names(client: str | None) -> frozenset[str]:
    """Return the spellings by which a client can be asked for: whole, by name, by address; in lower case."""
    if client is None:
        return frozenset()
    client = client.lower()
    name, _, rest = client.partition("[")
    found = {client, normal_ip(name.strip())}
    for text in rest.split("[")[:2]:
        found.add(normal_ip(text.partition("]")[0]))
    return frozenset(found - {""})


@lru_cache(maxsize=4096)
def relay_names(relay: str) -> frozenset[str]:
    """Return the spellings by which a next hop's name, address or whole can be asked for; in lower case."""
    return frozenset((relay.lower(), normal_ip(relay))) - {""}


def host_names(host: str) -> Collection[str]:
    """Return the spellings by which a host can be asked for: its name, and the first part of that."""
    return host, host.partition(".")[0]


PATTERN: Final = Comparison(_as_logged, Pattern.matches)
"""An address, a message ID or a login."""
CLIENT: Final = Comparison(client_names, Pattern.matches)
RELAY: Final = Comparison(relay_names, Pattern.matches)
HOST: Final = Comparison(host_names, Pattern.matches)
EXACT: Final = Comparison(_as_logged, eq)
PART: Final = Comparison(_as_logged, lambda part, value: part in value.lower())
"""A part of the MTA's words, asked for in lower case."""


class Criterion(NamedTuple):
    """One part of a search."""

    name: str
    """The member of `Query` that holds what is asked for."""
    comparison: Comparison
    members: tuple[str, ...] = ()
    """The members of the document that it is compared with: one of them must be what is asked for."""
    result_members: tuple[str, ...] = ()
    """The members of a recipient result that it is compared with."""
    only_last: bool = False
    """Whether it asks what became of a recipient in the end: of results with `last`."""

    @property
    def is_of_results(self) -> bool:
        """Whether it asks of recipients: all such criteria of a search must hold of the same recipient result."""
        return not self.members

    @property
    def columns(self) -> tuple[str, ...]:
        """All members that it is compared with, a recipient result's as `to.NAME`."""
        return (*self.members, *(f"to.{name}" for name in self.result_members))

    def is_met_by(self, asked: Collection[Any], value: str | None) -> bool:
        """Return whether a value is one of those asked for; null never is."""
        if value is None:
            return False
        spellings, is_met = self.comparison
        return any(is_met(one, spelling) for spelling in spellings(value) for one in asked)

    def is_met_in(self, asked: Collection[Any], document: Document) -> bool:
        """Return whether a document, or one of its recipient results, has a value that is asked for."""
        return any(self.is_met_by(asked, document[name]) for name in self.members) or (
            bool(self.result_members) and any(self.is_met_in_result(asked, result) for result in document["to"])
        )

    def is_met_in_result(self, asked: Collection[Any], result: Result) -> bool:
        """Return whether a recipient result has a value that is asked for."""
        if self.only_last and not result["last"]:
            return False
        return any(self.is_met_by(asked, result[name]) for name in self.result_members)


SENDERS: Final = Criterion("senders", PATTERN, ("from",))
MSGIDS: Final = Criterion("msgids", PATTERN, ("msgid",))
QUEUE_IDS: Final = Criterion("queue_ids", EXACT, ("transaction",))
LINKS: Final = Criterion("links", EXACT, ("origin",), ("queued_as",))
CLIENTS: Final = Criterion("clients", CLIENT, ("client", "orig_client"))
LOGINS: Final = Criterion("logins", PATTERN, ("login",))
HOSTS: Final = Criterion("hosts", HOST, ("host",))
MTAS: Final = Criterion("mtas", EXACT, ("mta",))
RECIPIENTS: Final = Criterion("recipients", PATTERN, (), ("recipient", "orig_to"))
RELAYS: Final = Criterion("relays", RELAY, (), ("relay", "relay_host", "relay_ip"))
STATUSES: Final = Criterion("statuses", PART, (), ("status",))
OUTCOMES: Final = Criterion("outcomes", EXACT, (), ("outcome",), only_last=True)
EVER: Final = Criterion("ever", EXACT, (), ("outcome",))

CRITERIA: Final[Sequence[Criterion]] = (
    *(SENDERS, MSGIDS, QUEUE_IDS, LINKS, CLIENTS, LOGINS, HOSTS, MTAS),
    *(RECIPIENTS, RELAYS, STATUSES, OUTCOMES, EVER),
)
"""Every part of a search beside dates and words."""
OF_RESULTS: Final = tuple(criterion for criterion in CRITERIA if criterion.is_of_results)
OF_DOCUMENTS: Final = tuple(criterion for criterion in CRITERIA if not criterion.is_of_results)
