"""The table of search criteria: which fields each part of a query is compared with, and how.

`query.matches` uses only this table. A store may find the values in its own way (an index, a column, a server's query).
To add a flag, add a member to `Query`, a criterion here, and one clause to each store.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from operator import eq
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mailtrace.search.patterns import Pattern, normal_ip

if TYPE_CHECKING:  # keeps `--help` quick
    from mailtrace.message.document import Document
    from mailtrace.message.recipients import RecipientResult


class Comparison(NamedTuple):
    """How a value of a field is compared with a wanted one."""

    spellings: Callable[[str], Collection[str]]
    """Returns the spellings under which a value can be found."""
    matches: Callable[[Any, str], bool]
    """Returns whether a spelling matches the wanted pattern or text."""


def _as_logged(value: str) -> Collection[str]:
    return (value,)


@lru_cache(maxsize=4096)
def client_names(client: str | None) -> frozenset[str]:
    """Return the spellings under which a client is found: as logged, its name, its addresses; all in lower case."""
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
    """Return the spellings under which a next hop is found: as logged, and a normalised IP address; in lower case."""
    return frozenset((relay.lower(), normal_ip(relay))) - {""}


def host_names(host: str) -> Collection[str]:
    """Return the spellings under which a host is found: its name, and the part before the first dot."""
    return host, host.partition(".")[0]


PATTERN: Final = Comparison(_as_logged, Pattern.matches)
"""An address, a message ID or a login."""
CLIENT: Final = Comparison(client_names, Pattern.matches)
RELAY: Final = Comparison(relay_names, Pattern.matches)
HOST: Final = Comparison(host_names, Pattern.matches)
EXACT: Final = Comparison(_as_logged, eq)
PART: Final = Comparison(_as_logged, lambda part, value: part in value.lower())
"""Text in the MTA's status; the wanted text is in lower case."""


class Criterion(NamedTuple):
    """One part of a query: a member of `Query`, and the fields that it is compared with."""

    name: str
    """The member of `Query` that holds the wanted values."""
    comparison: Comparison
    members: tuple[str, ...] = ()
    """Fields of the document, one of which must match."""
    result_members: tuple[str, ...] = ()
    """Fields of a recipient result, one of which must match."""
    only_last: bool = False
    """Whether it is compared only with a recipient's final result: one with `last`."""

    @property
    def is_of_results(self) -> bool:
        """Whether it is about recipients: one recipient result must match all such criteria of a query."""
        return not self.members

    @property
    def columns(self) -> tuple[str, ...]:
        """All fields that it is compared with; those of a recipient result as `to.NAME`."""
        return (*self.members, *(f"to.{name}" for name in self.result_members))

    def is_met_by(self, wanted: Collection[Any], value: str | None) -> bool:
        """Return whether a field's value matches one of the wanted values; null matches none."""
        if value is None:
            return False
        spellings, matches = self.comparison
        return any(matches(one, spelling) for spelling in spellings(value) for one in wanted)

    def is_met_in(self, wanted: Collection[Any], document: Document) -> bool:
        """Return whether a field of a document, or of one of its recipient results, matches a wanted value."""
        return any(self.is_met_by(wanted, document[name]) for name in self.members) or (
            bool(self.result_members) and any(self.is_met_in_result(wanted, result) for result in document["to"])
        )

    def is_met_in_result(self, wanted: Collection[Any], result: RecipientResult) -> bool:
        """Return whether a field of a recipient result matches a wanted value."""
        if self.only_last and not result["last"]:
            return False
        return any(self.is_met_by(wanted, result[name]) for name in self.result_members)


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
"""Every criterion except dates and words."""
OF_RESULTS: Final = tuple(criterion for criterion in CRITERIA if criterion.is_of_results)
OF_DOCUMENTS: Final = tuple(criterion for criterion in CRITERIA if not criterion.is_of_results)
