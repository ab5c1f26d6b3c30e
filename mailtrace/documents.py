"""The document of a transaction: the public contract, derived from its facts.

`document` is a pure function of the facts, so that reading lines twice, in another order or in another run gives the
same document. Times in it are ISO 8601 in UTC.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, Final, TypeAlias

from mailtrace.entries import entries
from mailtrace.mta.events import (
    Aborted,
    Client,
    Envelope,
    Fact,
    Login,
    MessageId,
    Origin,
    Refusal,
    Removed,
    Sender,
    Submitted,
)
from mailtrace.transactions import FINAL, Transaction

Document: TypeAlias = dict[str, Any]
"""A transaction as `--format json` prints it, with times in UTC."""

MAX_LENGTH: Final = 8191
"""Longer values are cut: Elasticsearch refuses keywords of more than 32,766 bytes, which is four for each of these."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_address = re.compile(r"\[(?:IPv6:)?([0-9A-Fa-f.:]+)\]").search


@lru_cache(maxsize=4096)
def iso_time(microseconds: int) -> str:
    """Return microseconds since 1970 as ISO 8601 in UTC, with a fraction only where there is one."""
    return (_EPOCH + timedelta(microseconds=microseconds)).isoformat()


def document(transaction: Transaction) -> Document | None:
    """Return the document of a transaction, or None for what never became mail and had nothing refused."""
    timed = sorted(dict.fromkeys(transaction.facts), key=lambda timed: timed[0])
    facts = [fact for _, fact in timed]
    sender = _sender(facts, transaction.mta)
    to = entries(timed, sender, transaction.mta)
    if not to and not _is_mail(facts):
        return None
    client = _first(facts, Client, "client") or _first(facts, Sender, "client") or _first(facts, Refusal, "client")
    nrcpt = _first(facts, Envelope, "nrcpt") or _first(facts, Sender, "nrcpt")
    found: Document = {
        "transaction": transaction.queue_id,
        "host": transaction.host,
        "mta": transaction.mta,
        "instance": _first(facts, Envelope, "instance") or _first(facts, MessageId, "instance"),
        "date": iso_time(timed[0][0]),
        "from": _cut(sender),
        "client": _cut(client),
        "client_ip": ip_in(client),
        "orig_client": _cut(_first(facts, Client, "orig_client")),
        "login": _cut(_first(facts, Client, "login") or _first(facts, Login, "login")),
        "msgid": _cut(_first(facts, MessageId, "msgid") or _first(facts, Sender, "msgid")),
        "size": _first(facts, Envelope, "size") or _first(facts, Sender, "size"),
        "nrcpt": nrcpt,
        "to": [_published(entry) for entry in to],
        "removed": any(type(fact) is Removed for fact in facts) or _all_final(to, nrcpt, transaction.mta),
        "origin": _cut(_origin(facts)),
    }
    return found


def ip_in(name: str | None) -> str | None:
    """Return the IP address in brackets that a client or relay name holds, without sendmail's `IPv6:`."""
    found = _address(name) if name else None
    return found[1] if found else None


def _values(facts: list[Fact], kind: type[Fact], member: str) -> Iterator[Any]:
    return (getattr(fact, member) for fact in facts if type(fact) is kind)


def _first(facts: list[Fact], kind: type[Fact], member: str) -> Any:
    """The member's first known value in facts of that kind: lines are in the order of their times."""
    return next((value for value in _values(facts, kind, member) if value is not None), None)


def _sender(facts: list[Fact], mta: str) -> str | None:
    """The envelope sender: the queue manager's is complete, pickup's is as the program gave it, a refusal's a claim."""
    for kind in (Envelope, Sender):
        if (sender := _first(facts, kind, "sender")) is not None:
            return str(sender)
    for origin in facts:
        if type(origin) is Origin and mta == "sendmail":
            return "" if origin.kind == "notice" else origin.sender
    claimed: str | None = _first(facts, Submitted, "sender")
    return claimed if claimed is not None else _first(facts, Refusal, "sender")


def _origin(facts: list[Fact]) -> str | None:
    found: str | None = (
        _first(facts, Client, "origin") or _first(facts, Submitted, "origin") or _first(facts, Origin, "origin")
    )
    return found


def _is_mail(facts: list[Fact]) -> bool:
    """Whether a message is known to have come in, although nothing is known of its recipients."""
    if any(type(fact) is Aborted or (type(fact) is Removed and fact.how == "canceled") for fact in facts):
        return False
    return any(
        type(fact) in (Envelope, MessageId, Submitted)
        or (type(fact) is Sender and fact.nrcpt != 0 and (bool(fact.size) or fact.msgid is not None))
        for fact in facts
    )


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
