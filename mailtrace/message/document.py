"""The document of a transaction: the public form of what its log lines say.

The document is a pure function of the set of facts. Lines that are read twice, in another order or in another run give
the same document.
"""

import re
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, TypeAlias

from mailtrace.message.dates import iso_time
from mailtrace.message.exim_facts import attempts_with_delays
from mailtrace.message.fields import DOCUMENT, RECIPIENT_RESULT, is_cut
from mailtrace.message.order import TimedFact
from mailtrace.message.recipients import RecipientResult, recipient_results, requeued_as, result_of_all
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
"""A transaction as `--format json` prints it, but with times in UTC. `fields.DOCUMENT` lists the fields."""

_FactsByKind: TypeAlias = dict[type[Fact], list[Any]]
"""All facts but results: of each kind a list in the order of time."""

MAX_LENGTH: Final = 8191
"""Longest value in characters: Elasticsearch accepts keywords of 32,766 bytes, and a character has up to 4."""

_CUT_IN_DOCUMENT: Final = tuple(field.name for field in DOCUMENT if is_cut(field))
_CUT_IN_RESULT: Final = tuple(field.name for field in RECIPIENT_RESULT if is_cut(field))

_address = re.compile(r"\[(?:IPv6:)?([0-9A-Fa-f.:]+)\]").search


def _indexes(kind: Any, /, **fields: str) -> tuple[tuple[str, int], ...]:
    """Return pairs of a document's field and the index of its value in a fact, from the name of the fact's field."""
    return tuple((field.rstrip("_"), kind._fields.index(name)) for field, name in fields.items())


_FIELDS_OF: Final[dict[type[Fact], tuple[tuple[str, int], ...]]] = {
    Client: _indexes(Client, client="client", login="login", origin="origin", orig_client="orig_client"),
    Envelope: _indexes(Envelope, from_="sender", size="size", nrcpt="nrcpt", instance="instance"),
    MessageId: _indexes(MessageId, msgid="msgid", instance="instance"),
    Sender: _indexes(Sender, from_="sender", client="client", msgid="msgid", size="size", nrcpt="nrcpt"),
    Login: _indexes(Login, login="login", orig_client="orig_client"),
    Submitted: _indexes(Submitted, submitter="sender", origin="origin"),
    Origin: _indexes(Origin, origin="origin", kind="kind", owner="sender"),
    Refusal: _indexes(Refusal, client="client", claimed="sender", login="login"),
}
"""The fields that each kind of fact has. The most reliable kind comes first: its values win."""


def document(transaction: Transaction) -> Document | None:
    """Return the document of a transaction; None if no message came in and nothing was refused."""
    timed, facts = _ordered_and_by_kind(transaction)
    values = _first_values(facts)
    get, client, nrcpt = values.get, values.get("client"), values.get("nrcpt")
    sender = _sender(values, transaction.mta)
    attempts = attempts_with_delays(timed, transaction.queue_id) if transaction.mta == "exim" else timed
    to = recipient_results(attempts, sender, transaction.mta)
    if not to or (to[0]["outcome"] == "rejected" and len(timed) > 1):
        if not to and not _is_mail(facts):
            return None
        to = _with_queued(to, timed, facts)
    _cut_results(to)
    found = {
        "transaction": transaction.queue_id,
        "host": transaction.host,
        "mta": transaction.mta,
        "instance": get("instance"),
        "date": iso_time(timed[0][0]),
        "from": sender,
        "client": client,
        "client_ip": ip_in(client),
        "orig_client": get("orig_client"),
        "login": get("login"),
        "msgid": get("msgid"),
        "size": get("size"),
        "nrcpt": nrcpt,
        "to": to,
        "removed": Removed in facts or all_final(to, nrcpt, transaction.mta),
        "origin": get("origin"),
    }
    _cut(found, _CUT_IN_DOCUMENT)
    return found


def _ordered_and_by_kind(transaction: Transaction) -> tuple[list[TimedFact], _FactsByKind]:
    """Return all facts in order, and all but the results by kind."""
    timed = joined([transaction]).facts
    facts: _FactsByKind = {}
    for _, fact in timed:
        kind = type(fact)
        if kind is not Result:
            facts.setdefault(kind, []).append(fact)
    return timed, facts


def _first_values(facts: _FactsByKind) -> dict[str, Any]:
    """Return the first value of each field that has one, from the most reliable kind of fact."""
    values: dict[str, Any] = {}
    for kind, fields in _FIELDS_OF.items():
        for fact in facts.get(kind, ()):
            for field, index in fields:
                if fact[index] is not None and field not in values:
                    values[field] = fact[index]
    return values


@lru_cache(maxsize=4096)
def ip_in(name: str | None) -> str | None:
    """Return the IP address in brackets in the name of a client or relay, without sendmail's `IPv6:` prefix."""
    found = _address(name) if name else None
    return found[1] if found else None


def _sender(values: dict[str, Any], mta: str) -> str | None:
    """Return the envelope sender from the best source.

    The queue manager logs the complete address, and pickup(8) the address as the local program gave it. A refusal has
    what the client claimed; of a local message, which only cleanup(8) can refuse, the address that it completed.
    """
    if "from" not in values and mta == "sendmail" and "kind" in values:
        # Sendmail logs no from= line for notices, clones and split envelopes. A notice has the null sender.
        return "" if values["kind"] == "notice" else values.get("owner")
    return values.get("from", values.get("claimed", values.get("submitter", values.get("owner"))))


def _is_mail(facts: _FactsByKind) -> bool:
    """Return whether a message came in, for a transaction without results."""
    if Aborted in facts or any(fact.how == "canceled" for fact in facts.get(Removed, ())):
        return False
    if Envelope in facts or MessageId in facts or Submitted in facts:
        return True
    return any(fact.nrcpt != 0 and (fact.size or fact.msgid is not None) for fact in facts.get(Sender, ()))


def _with_queued(to: list[RecipientResult], timed: list[TimedFact], facts: _FactsByKind) -> list[RecipientResult]:
    """Add a result `queued` for a message in the queue that has none yet but refused recipients."""
    if any(result["outcome"] != "rejected" or result["recipient"] is None for result in to):
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
    added = [] if since is None else [result_of_all(since, status, "queued")]
    return sorted(to + added, key=itemgetter("date"))


def _queued_since(timed: list[TimedFact]) -> int | None:
    """Return when the message is first seen in the queue: active (Postfix), or received with recipients (others)."""
    for time, fact in timed:
        if type(fact) is Envelope or (type(fact) is Sender and fact.nrcpt != 0):
            return time
    return None


def all_final(to: list[RecipientResult], nrcpt: int | None, mta: str) -> bool:
    """Return whether sendmail has removed the message: it logs no removal, so all recipients must be final."""
    if mta != "sendmail" or not nrcpt:
        return False
    last = [result["outcome"] for result in to if result["last"] and result["recipient"] is not None]
    if "rejected" in last:
        last = [outcome for outcome in last if outcome != "rejected"] or last
    return len(last) >= nrcpt and FINAL.issuperset(last)


def _cut_results(to: list[RecipientResult]) -> None:
    for result in to:
        # One sum rules out nearly all results: `relay_host` and `queued_as` are parts of `relay` and `status`.
        length = len(result["status"]) + len(result["relay"] or "")
        if length + len(result["recipient"] or "") + len(result["orig_to"] or "") > MAX_LENGTH:
            _cut(result, _CUT_IN_RESULT)


def _cut(values: dict[str, Any], names: tuple[str, ...]) -> None:
    """Cut the values of these fields to `MAX_LENGTH`."""
    for name in names:
        value = values[name]
        if value is not None and len(value) > MAX_LENGTH:
            values[name] = value[: MAX_LENGTH - 3] + "..."
