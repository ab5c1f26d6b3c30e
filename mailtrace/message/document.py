"""The document of a transaction: the public contract, derived from its facts.

`document` is a pure function of the facts, so that reading lines twice, in another order or in another run gives the
same document. Times in it are ISO 8601 in UTC.
"""

import re
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, TypeAlias

from mailtrace.message.dates import iso_time
from mailtrace.message.order import TimedFact
from mailtrace.message.recipients import entries, entry_of_all, requeued_as
from mailtrace.message.transaction import FINAL, Transaction, joined
from mailtrace.mta.facts import (
    Aborted,
    Client,
    Cloned,
    Envelope,
    Expired,
    Fact,
    Login,
    MessageId,
    Origin,
    Refusal,
    Removed,
    Result,
    Sender,
    Submitted,
)

Document: TypeAlias = dict[str, Any]
"""A transaction as `--format json` prints it, with times in UTC."""

_Facts: TypeAlias = dict[type[Fact], list[Any]]
"""Facts by their kind, each kind's in the order of their times."""

MAX_LENGTH: Final = 8191
"""Longer values are cut: Elasticsearch refuses keywords of more than 32,766 bytes, which is four for each of these."""

_CUT: Final = ("recipient", "orig_to", "relay", "relay_host", "status", "queued_as")

_address = re.compile(r"\[(?:IPv6:)?([0-9A-Fa-f.:]+)\]").search


def _places(fact: Any, /, **members: str) -> tuple[tuple[str, int], ...]:
    """Where a kind of fact has the members of a document: by the name of its own member."""
    return tuple((member.rstrip("_"), fact._fields.index(name)) for member, name in members.items())


_TOLD: Final[dict[type[Fact], tuple[tuple[str, int], ...]]] = {
    Client: _places(Client, client="client", login="login", origin="origin", orig_client="orig_client"),
    Envelope: _places(Envelope, from_="sender", size="size", nrcpt="nrcpt", instance="instance"),
    MessageId: _places(MessageId, msgid="msgid", instance="instance"),
    Sender: _places(Sender, from_="sender", client="client", msgid="msgid", size="size", nrcpt="nrcpt"),
    Login: _places(Login, login="login", orig_client="orig_client"),
    Submitted: _places(Submitted, submitter="sender", origin="origin"),
    Origin: _places(Origin, origin="origin", kind="kind", owner="sender"),
    Refusal: _places(Refusal, client="client", claimed="sender", login="login"),
}
"""What each kind of fact tells, and where in it; the kind that is to be trusted most stands first."""


def document(transaction: Transaction) -> Document | None:
    """Return the document of a transaction, or None for what never became mail and had nothing refused."""
    timed, facts = _in_course(transaction)
    known = _known(facts)
    told, client, nrcpt = known.get, known.get("client"), known.get("nrcpt")
    sender = _sender(known, transaction.mta)
    to = entries(timed, sender, transaction.mta)
    if not to or (to[0]["outcome"] == "rejected" and len(timed) > 1):
        if not to and not _is_mail(facts):
            return None
        to = _with_queued(to, timed, facts)
    _cut_entries(to)
    return {
        "transaction": transaction.queue_id,
        "host": transaction.host,
        "mta": transaction.mta,
        "instance": told("instance"),
        "date": iso_time(timed[0][0]),
        "from": _cut(sender),
        "client": _cut(client),
        "client_ip": ip_in(client),
        "orig_client": _cut(told("orig_client")),
        "login": _cut(told("login")),
        "msgid": _cut(told("msgid")),
        "size": told("size"),
        "nrcpt": nrcpt,
        "to": to,
        "removed": Removed in facts or _all_final(to, nrcpt, transaction.mta),
        "origin": _cut(told("origin")),
    }


def _in_course(transaction: Transaction) -> tuple[list[TimedFact], _Facts]:
    """The facts in order, and those that are no results by their kind."""
    timed = joined([transaction]).facts
    facts: _Facts = {}
    for _, fact in timed:
        kind = type(fact)
        if kind is not Result:
            facts.setdefault(kind, []).append(fact)
    return timed, facts


def _known(facts: _Facts) -> dict[str, Any]:
    """The first known value of each member, of the kind of fact that is to be trusted most with it."""
    known: dict[str, Any] = {}
    for kind, members in _TOLD.items():
        for fact in facts.get(kind, ()):
            for member, at in members:
                if fact[at] is not None and member not in known:
                    known[member] = fact[at]
    return known


@lru_cache(maxsize=4096)
def ip_in(name: str | None) -> str | None:
    """Return the IP address in brackets that a client or relay name holds, without sendmail's `IPv6:`."""
    found = _address(name) if name else None
    return found[1] if found else None


def _sender(known: dict[str, Any], mta: str) -> str | None:
    """The envelope sender: the queue manager's is complete, pickup's is as the program gave it, a refusal's a claim."""
    if "from" not in known and mta == "sendmail" and "kind" in known:
        # Notices, clones and split envelopes have no from= line; a notice's sender is the null one.
        return "" if known["kind"] == "notice" else known.get("owner")
    return known.get("from", known.get("submitter", known.get("claimed", known.get("owner"))))


def _is_mail(facts: _Facts) -> bool:
    """Whether a message is known to have come in, although nothing is known of its recipients."""
    if Aborted in facts or any(fact.how == "canceled" for fact in facts.get(Removed, ())):
        return False
    if Envelope in facts or MessageId in facts or Submitted in facts:
        return True
    return any(fact.nrcpt != 0 and (fact.size or fact.msgid is not None) for fact in facts.get(Sender, ()))


def _with_queued(to: list[dict[str, Any]], timed: list[TimedFact], facts: _Facts) -> list[dict[str, Any]]:
    """The entries, and one for a message that is in the queue without a result, whatever recipients were refused."""
    if any(entry["outcome"] != "rejected" or entry["recipient"] is None for entry in to):
        return to
    if not _is_mail(facts) or Expired in facts or Cloned in facts or any(type(fact) is Result for _, fact in timed):
        return to
    if Removed not in facts:
        since, status = _queued_since(timed), "queued (no result yet)"
    else:
        since, last = next((time, fact) for time, fact in reversed(timed) if isinstance(fact, Removed))
        if last.how != "requeued":
            return to
        status = requeued_as(last)
    added = [] if since is None else [entry_of_all(since, status, "queued")]
    return sorted(to + added, key=itemgetter("date"))


def _queued_since(timed: list[TimedFact]) -> int | None:
    """When the message was first known to be in the queue: active (Postfix), or collected for recipients (sendmail)."""
    for time, fact in timed:
        if type(fact) is Envelope or (type(fact) is Sender and fact.nrcpt):
            return time
    return None


def _all_final(to: list[dict[str, Any]], nrcpt: int | None, mta: str) -> bool:
    """Sendmail never says that a message has left its queue: it has when every recipient has a final result."""
    if mta != "sendmail" or not nrcpt:
        return False
    last = [entry["outcome"] for entry in to if entry["last"] and entry["recipient"] is not None]
    last = [outcome for outcome in last if outcome != "rejected"] or last
    return len(last) >= nrcpt and all(outcome in FINAL for outcome in last)


def _cut_entries(to: list[dict[str, Any]]) -> None:
    for entry in to:
        # Nearly none is so long all together.
        length = len(entry["status"]) + len(entry["relay"] or "")
        if length + len(entry["recipient"] or "") + len(entry["orig_to"] or "") > MAX_LENGTH:
            entry.update({name: _cut(entry[name]) for name in _CUT})


def _cut(value: str | None) -> str | None:
    return value if value is None or len(value) <= MAX_LENGTH else value[: MAX_LENGTH - 3] + "..."
