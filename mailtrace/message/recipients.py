"""The recipient results of a transaction: the elements of `to`, derived from the facts.

Postfix and sendmail log one result for each recipient of each attempt, but log expiry, deletion and hold of the whole
message without its recipients. These apply to the recipients that were waiting at that time.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, NamedTuple, TypeAlias

from mailtrace.message.dates import iso_time
from mailtrace.message.order import TimedFact
from mailtrace.mta.facts import Addressee, Cancelled, Expired, Held, Refusal, Released, Removed, Result
from mailtrace.mta.queue_ids import SENDMAIL_ID

RecipientResult: TypeAlias = dict[str, Any]
"""An element of a document's `to`. `fields.RECIPIENT_RESULT` lists the fields."""
Who: TypeAlias = tuple[str | None, str | None]
"""A recipient and the address before it was rewritten."""

_OF_WHOLE_MESSAGE: Final = frozenset({Refusal, Expired, Held, Released, Removed, Cancelled})
_REMOVED_WITHOUT_RESULT: Final = frozenset({"deleted", "requeued"})
"""The ways a message can leave the queue while recipients are still waiting."""
_SENT_AND_BOUNCED: Final = frozenset({"sent", "bounced"})
_HANDED_ON: Final = frozenset({"sent", "queued"})
_WAITING: Final = frozenset({"deferred", "queued", "held"})
_FAILED: Final = frozenset({"bounced", "unknown"})
"""The outcomes after which a bounce of the whole message adds nothing."""
_bracketed = re.compile(r"\[(?:IPv6:)?([0-9A-Fa-f.:]+)\](?::\d+)?$").search
REQUEUED: Final = "queued under "
"""How the status of a requeued recipient begins; the new queue ID follows."""

_queue_id_after_keyword = re.compile(
    rf"(?:\b(?:queued|forwarded) as |\A{REQUEUED}|\bOK id=|\[InternalId=)[<\[\"']?"
    r"([0-9A-Za-z][0-9A-Za-z-]*)(?![\w@/+=-]|[.:]\w)"
).finditer
"""The replies in which servers name the queue ID of a message they took. Exim's queue IDs have hyphens."""
_ACCEPTED: Final = " Message accepted for delivery"
"""Sendmail's reply; the queue ID comes before it."""
_is_sendmail_id = re.compile(SENDMAIL_ID).fullmatch
_LONGEST_ID: Final = 40


class _Attempt(NamedTuple):
    """One result of one recipient, before equal ones are merged."""

    time: int
    recipient: str | None
    orig_to: str | None
    relay: str | None
    status: str
    outcome: str
    dsn: str | None = None
    delay: float | None = None

    @property
    def who(self) -> Who:
        """The recipient and the address before it was rewritten."""
        return self.recipient, self.orig_to


_Values: TypeAlias = tuple[int, str | None, str | None, str | None, str, str, str | None, float | None]
"""The members of an `_Attempt`, which need not be one: plain tuples are faster to make."""


@dataclass
class _History:
    """The attempts of a transaction so far, and the last outcome of each recipient."""

    sender: str | None
    mta: str
    attempts: list[_Attempt] = field(default_factory=list)
    outcomes: dict[Who, str] = field(default_factory=dict)
    is_plain: bool = True
    """Whether all attempts come from a `Result`."""
    released: tuple[int, Released] | None = None
    """The last release from hold, with its time."""
    requeued: tuple[int, Removed] | None = None
    """The last requeue, with its time."""
    addressed: dict[str, int] = field(default_factory=dict)
    """Recipients of the envelope without a result so far, with the time of the line that names them (Exim)."""
    is_removed: bool = False

    def add(self, time: int, fact: Any) -> None:
        """Add a result, or apply a fact about the whole message."""
        kind = type(fact)
        if kind is Result:
            self._append(attempt_of(time, fact, self.sender, self.mta))
        elif kind is Refusal:
            self._refuse(time, fact)
        elif kind is Expired:
            self._change_waiting(time, fact.status, "expired", waiting=("deferred", "queued"))
        elif kind is Removed:
            self._remove(time, fact)
        elif kind is Held:
            self._change_waiting(time, fact.status, "held", waiting=("deferred", "queued"))
            if self.released is not None and self.released[0] == time:
                # With equal times, a release more often follows the hold than precedes it.
                self.add(*self.released)
        elif kind is Released:
            self.released = time, fact
            self._change_waiting(time, fact.status, "queued", waiting=("held",))
        else:
            self._add_of_exim(time, fact)

    def _add_of_exim(self, time: int, fact: Any) -> None:
        kind = type(fact)
        if kind is Addressee:
            self._address(time, fact.recipient)
        elif kind is Cancelled:
            self._change_waiting(time, fact.status, "bounced")

    def _refuse(self, time: int, fact: Refusal) -> None:
        """Add a refusal of one recipient, or of all that are known (Exim), or of the message."""
        if fact.recipient is None and self.addressed:
            self._change_waiting(time, fact.status, fact.outcome)
        elif fact.recipient is not None or self.outcomes.get((None, None)) != fact.outcome:
            self.is_plain = False
            self._append(_Attempt(time, fact.recipient, None, None, fact.status, fact.outcome))

    def finish(self) -> None:
        """Apply a requeue, last of all: a delivery in progress at that time logs its result later."""
        self._finish_addressed()
        if self.requeued is not None:
            time, removed = self.requeued
            time = max([time, *(attempt.time for attempt in self.attempts)])
            waiting = _WAITING if removed.to else _WAITING - {"queued"}
            self._change_waiting(time, requeued_as(removed), "queued", waiting=waiting)

    def _finish_addressed(self) -> None:
        """Add a result for each recipient of the envelope without one, in the order of time.

        Exim delivers once to a local user who is named twice, and logs that under the first address.
        """
        if not self.addressed:
            return
        status, outcome = ("no result logged", "unknown") if self.is_removed else ("queued (no result yet)", "queued")
        local = {_local_address(attempt.recipient, attempt.orig_to): attempt for attempt in self.attempts}
        for recipient, time in list(self.addressed.items()):
            same = local.get(recipient.lower())
            missing = _Attempt(time, recipient, None, None, status, outcome)
            self._append(missing if same is None else same._replace(recipient=recipient, orig_to=None))
        self.attempts.sort(key=attrgetter("time"))

    def _append(self, attempt: _Attempt) -> None:
        self.attempts.append(attempt)
        self.outcomes[attempt.who] = attempt.outcome
        if self.addressed:
            self.addressed.pop(attempt.recipient or "", None)
            if self.addressed.pop(attempt.orig_to or "", None) is not None:
                self.outcomes.pop((attempt.orig_to, None), None)

    def _address(self, time: int, recipient: str) -> None:
        """Add a recipient of the envelope, unless it has a result, perhaps under other names."""
        if all(recipient not in who for who in self.outcomes):
            self.addressed[recipient] = time
            self.outcomes[recipient, None] = "queued"

    def _change_waiting(self, time: int, status: str, outcome: str, *, waiting: Iterable[str] = _WAITING) -> None:
        """Add an attempt for each recipient that is waiting; one without a recipient if none is known."""
        found = [who for who, last in self.outcomes.items() if last in waiting]
        if not self.outcomes and outcome in ("deleted", "held", "bounced"):
            found = [(None, None)]
        for who in found:
            self.is_plain = False
            self._append(_Attempt(time, *who, None, status, outcome))

    def _remove(self, time: int, removed: Removed) -> None:
        self.is_removed = True
        if removed.how == "requeued":
            self.requeued = time, removed
        elif removed.how == "deleted":
            self._change_waiting(time, "deleted by the operator", "deleted")
        elif removed.is_unsure:
            self._delete_unfinished(time)

    def _delete_unfinished(self, time: int) -> None:
        """Mark recipients without a final result as deleted: qmgr(8) removes a message only when all are final."""
        final = [attempt for attempt in self.attempts if attempt.outcome not in _WAITING]
        done = {attempt.orig_to for attempt in final}
        for who, outcome in list(self.outcomes.items()):
            if outcome in _WAITING and who[0] not in done and not (outcome == "held" and final):
                self.is_plain = False
                self._append(_Attempt(time, *who, None, "deleted by the operator", "deleted"))


def _local_address(recipient: str | None, orig_to: str | None) -> str | None:
    """Return the address of a local user who is logged without a domain, in lower case: in that of the alias."""
    if recipient is None or orig_to is None or "@" in recipient:
        return None
    return f"{recipient}@{orig_to.rpartition('@')[2]}".lower()


def requeued_as(removed: Removed) -> str:
    """Return the status of a recipient that waits under the queue ID of a requeue."""
    return "requeued" if removed.to is None else REQUEUED + removed.to


def attempt_of(time: int, result: Result, sender: str | None, mta: str) -> _Attempt:
    """Return the attempt of a result."""
    if result.orig_to is not None and mta == "sendmail":
        result = result._replace(orig_to=_orig_to(result.recipient, result.orig_to, sender))
    return _Attempt(time, *result)


def _orig_to(recipient: str, controlling: str, sender: str | None) -> str | None:
    """Return sendmail's `ctladdr=` if it is the rewritten address, None if it is the sender."""
    if sender is None:
        return controlling if recipient[:1] in ('"', "|", "/", "\\", ":") else None
    return None if _same_address(controlling, sender) else controlling


def _same_address(one: str, other: str) -> bool:
    """Return whether two addresses can be the same: ignore case, and let a bare local name match any domain."""
    one, other = one.lower(), other.lower()
    if len(other) > len(one) and "..." in one:
        # Sendmail logs only both ends of a long address (`shortenstring` in util.c).
        head, _, tail = one.partition("...")
        return other.startswith(head) and other.endswith(tail)
    if "@" in one and "@" in other:
        return one == other
    return one.split("@", 1)[0] == other.split("@", 1)[0]


def recipient_results(facts: Sequence[TimedFact], sender: str | None, mta: str) -> list[RecipientResult]:
    """Return the elements of `to`, in the order of `date`.

    Facts come in the order of `order.in_order`, with times in microseconds since 1970; dates are ISO 8601. `sender` is
    the envelope sender, `mta` is `postfix` or `sendmail`.
    """
    if _are_plain(facts):
        if mta == "postfix":
            # Fast path for nearly all transactions; the tuples are those of `attempt_of`.
            return result_list([(time, *fact) for time, fact in facts if type(fact) is Result])
        if mta == "exim" and not _unanswered(facts):
            return result_list([(time, *fact) for time, fact in facts if type(fact) is Result])
        if mta == "sendmail":
            return result_list([attempt_of(time, fact, sender, mta) for time, fact in facts if type(fact) is Result])
    history = _History(sender, mta)
    for time, fact in facts:
        history.add(time, fact)
    history.finish()
    return result_list(history.attempts if history.is_plain else list(_without_superseded(history.attempts)))


def _unanswered(facts: Iterable[TimedFact]) -> bool:
    """Return whether a recipient of the envelope has no result (Exim)."""
    known: set[str | None] = set()
    addressed = set()
    for _, fact in facts:
        if type(fact) is Addressee:
            addressed.add(fact.recipient)
        elif type(fact) is Result:
            known.update((fact.recipient, fact.orig_to))
    return not addressed <= known


def result_of_all(time: int, status: str, outcome: str) -> RecipientResult:
    """Return the recipient result of a message whose recipients are unknown; the time is in microseconds."""
    return result_list([(time, None, None, None, status, outcome, None, None)])[0]


def _are_plain(facts: Iterable[TimedFact]) -> bool:
    """Return whether no fact applies to the whole message, so that every recipient result comes from a `Result`."""
    for _, fact in facts:
        if type(fact) in _OF_WHOLE_MESSAGE and not (
            isinstance(fact, Removed) and fact.how not in _REMOVED_WITHOUT_RESULT and not fact.is_unsure
        ):
            return False
    return True


def _without_superseded(attempts: list[_Attempt]) -> Iterator[_Attempt]:
    """Leave out attempts for which another line has more detail.

    These are a refusal, bounce or hold of the whole message if its recipients have their own; a bounce of a recipient
    that has a result; and hold and release of a recipient that was then delivered under another name.
    """
    delivered = {attempt.who for attempt in attempts if attempt.delay is not None or attempt.dsn is not None}
    named = {attempt.outcome for attempt in attempts if attempt.delay is not None} & {"rejected", "discarded"}
    if any(attempt.recipient is not None and attempt.outcome in _FAILED for attempt in attempts):
        named.add("bounced")
    done = {one.recipient for one in attempts if one.delay is not None and one.outcome not in _WAITING}
    released = any(one.outcome == "queued" and one.relay is None and one.delay is None for one in attempts)
    for attempt in attempts:
        outcome, is_result = attempt.outcome, attempt.relay is not None or attempt.delay is not None
        if attempt.who == (None, None) and (outcome in named or (outcome == "held" and delivered)):
            continue
        if outcome == "bounced" and not is_result and attempt.recipient in done:
            continue
        if released and delivered and attempt.who not in delivered and outcome in ("held", "queued"):
            continue
        yield attempt


def result_list(attempts: Collection[_Values]) -> list[RecipientResult]:
    """Return the elements of `to` from attempts in their order: time, and the members of a `Result` each.

    Merges successive attempts for a recipient with the same relay and status into one recipient result.
    """
    found: list[RecipientResult] = []
    newest: dict[Who, RecipientResult] = {}
    mixed: set[Who] = set()
    known_time, date = -1, ""
    known_status, next_id = "", None
    for time, recipient, orig_to, relay, status, outcome, dsn, delay in attempts:
        if time != known_time:
            known_time, date = time, iso_time(time)
        who = (recipient, orig_to)
        result = newest.get(who)
        if result is not None:
            if result["relay"] == relay and result["status"] == status:
                # Attempts are sorted by time, so this one is the latest.
                result["attempts"] += date != result["last_date"]
                result.update(last_date=date, dsn=dsn, delay=delay)
                continue
            result["last"] = False
            both_local = result["relay"] == relay == "local"
            if both_local and {result["outcome"], outcome} == _SENT_AND_BOUNCED and orig_to != recipient:
                mixed.add(who)
        if status is not known_status:
            known_status, next_id = status, queued_as(status)
        host, ip = _relay_parts(relay)
        newest[who] = result = {
            "recipient": recipient,
            "orig_to": orig_to,
            "relay": relay,
            "relay_host": host,
            "relay_ip": ip,
            "status": status,
            "outcome": outcome,
            "dsn": dsn,
            "delay": delay,
            "date": date,
            "last_date": date,
            "attempts": 1,
            "last": True,
            "queued_as": next_id if outcome in _HANDED_ON else None,
        }
        found.append(result)
    return result_list([_as_alias_member(values, mixed) for values in attempts]) if mixed else found


def _as_alias_member(values: _Values, mixed: set[Who]) -> _Values:
    """Set `orig_to` of a delivery through an alias some of whose members bounced, to keep them apart.

    Local(8) logs programs, files and forwarded mail of an alias under the alias itself. In a mix of sent and bounced,
    those sent are shown as rewritten from the alias, as its other members are.
    """
    time, recipient, orig_to, relay, status, outcome, dsn, delay = values
    if relay == "local" and outcome == "sent" and (recipient, orig_to) in mixed:
        orig_to = recipient
    return time, recipient, orig_to, relay, status, outcome, dsn, delay


@lru_cache(maxsize=4096)
def _relay_parts(relay: str | None) -> tuple[str | None, str | None]:
    """Return name and IP address in `mx.bar.com[192.0.2.25]:25`, `[192.0.2.25] [192.0.2.25]` or `local`."""
    if relay is None:
        return None, None
    found = _bracketed(relay)
    ip = found[1] if found else None
    name = relay[: relay.index("[", 1)] if "[" in relay[1:] else relay
    name = name.strip().rstrip(".").strip("[]")
    return name.removeprefix("IPv6:") or ip, ip


def queued_as(status: str) -> str | None:
    """Return the queue ID of the message at the next hop, if its reply has one: the last one.

    A content filter repeats the reply of the server behind it: `250 2.0.0 from MTA(...): 250 Ok: queued as X`.
    """
    _, found, after = status.rpartition(" queued as ")
    if found and after[-1:] == ")" and after[:-1].isalnum() and after.isascii():
        # Fast path for nearly all replies: no other queue ID can follow.
        return after[:-1]
    named: list[tuple[int, str]] = []
    if "d as " in status or "d=" in status or status.startswith(REQUEUED):
        named = [(match.start(), match[1]) for match in _queue_id_after_keyword(status)]
    if (at := status.rfind(_ACCEPTED)) > 0:
        word = status[:at].rpartition(" ")[2].lstrip("(<").rstrip(">")
        if len(word) <= _LONGEST_ID and _is_sendmail_id(word):
            named.append((at, word))
    return max(named)[1] if named else None
