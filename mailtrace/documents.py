"""The document of a transaction: the public contract, derived from its facts.

`document` is a pure function of the facts, so that reading lines twice, in another order or in another run gives the
same document. Times in it are ISO 8601 in UTC.
"""

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, Final, TypeAlias

from mailtrace.entries import entries
from mailtrace.mta.events import (
    Aborted,
    Client,
    Envelope,
    Expired,
    Fact,
    Login,
    MessageId,
    Origin,
    Refusal,
    Removed,
    Sender,
    Submitted,
)
from mailtrace.transactions import FINAL, TimedFact, Transaction

Document: TypeAlias = dict[str, Any]
"""A transaction as `--format json` prints it, with times in UTC."""

_Facts: TypeAlias = dict[type[Fact], list[Any]]
"""Facts by their kind, each kind's in the order of their times."""

MAX_LENGTH: Final = 8191
"""Longer values are cut: Elasticsearch refuses keywords of more than 32,766 bytes, which is four for each of these."""

_ENDS: Final = frozenset({Expired, Removed})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_address = re.compile(r"\[(?:IPv6:)?([0-9A-Fa-f.:]+)\]").search


@lru_cache(maxsize=4096)
def iso_time(microseconds: int) -> str:
    """Return microseconds since 1970 as ISO 8601 in UTC, with a fraction only where there is one."""
    return (_EPOCH + timedelta(microseconds=microseconds)).isoformat()


def document(transaction: Transaction) -> Document | None:
    """Return the document of a transaction, or None for what never became mail and had nothing refused."""
    timed = sorted(dict.fromkeys(transaction.facts), key=_in_course)
    facts: _Facts = {}
    for _, fact in timed:
        facts.setdefault(type(fact), []).append(fact)
    sender = _sender(facts, transaction.mta)
    to = entries(timed, sender, transaction.mta)
    if not to and not _is_mail(facts):
        return None
    client = _first(facts, "client", Client, Sender, Refusal)
    nrcpt = _first(facts, "nrcpt", Envelope, Sender)
    return {
        "transaction": transaction.queue_id,
        "host": transaction.host,
        "mta": transaction.mta,
        "instance": _first(facts, "instance", Envelope, MessageId),
        "date": iso_time(timed[0][0]),
        "from": _cut(sender),
        "client": _cut(client),
        "client_ip": ip_in(client),
        "orig_client": _cut(_first(facts, "orig_client", Client)),
        "login": _cut(_first(facts, "login", Client, Login)),
        "msgid": _cut(_first(facts, "msgid", MessageId, Sender)),
        "size": _first(facts, "size", Envelope, Sender),
        "nrcpt": nrcpt,
        "to": [_published(entry) for entry in to],
        "removed": Removed in facts or _all_final(to, nrcpt, transaction.mta),
        "origin": _cut(_first(facts, "origin", Client, Submitted, Origin)),
    }


def _in_course(timed: TimedFact) -> tuple[int, bool]:
    """By time; where several lines have the same, what ends a message stands behind the results it ends."""
    return timed[0], type(timed[1]) in _ENDS


def ip_in(name: str | None) -> str | None:
    """Return the IP address in brackets that a client or relay name holds, without sendmail's `IPv6:`."""
    found = _address(name) if name else None
    return found[1] if found else None


def _first(facts: _Facts, member: str, *kinds: type[Fact]) -> Any:
    """The member's first known value in facts of these kinds, the kind that is to be trusted most first."""
    for kind in kinds:
        for fact in facts.get(kind, ()):
            if (value := getattr(fact, member)) is not None:
                return value
    return None


def _sender(facts: _Facts, mta: str) -> str | None:
    """The envelope sender: the queue manager's is complete, pickup's is as the program gave it, a refusal's a claim."""
    known: str | None = _first(facts, "sender", Envelope, Sender)
    if known is None and mta == "sendmail" and Origin in facts:
        # Notices, clones and split envelopes have no from= line; a notice's sender is the null one.
        return "" if _first(facts, "kind", Origin) == "notice" else _first(facts, "sender", Origin)
    return known if known is not None else _first(facts, "sender", Submitted, Refusal)


def _is_mail(facts: _Facts) -> bool:
    """Whether a message is known to have come in, although nothing is known of its recipients."""
    if Aborted in facts or any(fact.how == "canceled" for fact in facts.get(Removed, ())):
        return False
    if Envelope in facts or MessageId in facts or Submitted in facts:
        return True
    return any(fact.nrcpt != 0 and (fact.size or fact.msgid is not None) for fact in facts.get(Sender, ()))


def _all_final(to: list[dict[str, Any]], nrcpt: int | None, mta: str) -> bool:
    """Sendmail never says that a message has left its queue: it has when every recipient has a final result."""
    if mta != "sendmail" or not nrcpt:
        return False
    last = [entry["outcome"] for entry in to if entry["last"] and entry["recipient"] is not None]
    last = [outcome for outcome in last if outcome != "rejected"] or last
    return len(last) >= nrcpt and all(outcome in FINAL for outcome in last)


def _published(entry: dict[str, Any]) -> dict[str, Any]:
    for member in ("recipient", "orig_to", "relay", "relay_host", "status", "queued_as"):
        entry[member] = _cut(entry[member])
    entry["date"], entry["last_date"] = iso_time(entry["date"]), iso_time(entry["last_date"])
    return entry


def _cut(value: str | None) -> str | None:
    return value if value is None or len(value) <= MAX_LENGTH else value[: MAX_LENGTH - 3] + "..."
