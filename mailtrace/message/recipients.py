"""The entries of a document's `to`: what became of each recipient, from the facts of the transaction.

Postfix and sendmail log a result for each recipient of each attempt, but expiry, deletion and hold of the whole message
in lines without recipients: those are given here to the recipients that were waiting at that time.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

from mailtrace.message.dates import iso_time
from mailtrace.message.order import TimedFact
from mailtrace.mta.facts import Expired, Held, Refusal, Released, Removed, Result
from mailtrace.mta.queue_ids import SENDMAIL_ID

Who: TypeAlias = tuple[str | None, str | None]
"""A recipient and what it was rewritten from."""

_OF_THE_WHOLE: Final = frozenset({Refusal, Expired, Held, Released, Removed})
_ENDINGS: Final = frozenset({"deleted", "requeued"})
"""The ways out of the queue of which no result tells."""
_DONE: Final = frozenset({"sent", "bounced"})
_HANDED_ON: Final = frozenset({"sent", "queued"})
_WAITING: Final = frozenset({"deferred", "queued", "held"})
_FAILED: Final = frozenset({"bounced", "unknown"})
"""The outcomes for which a message is returned, so that its return says nothing new."""
_bracketed = re.compile(r"\[(?:IPv6:)?([0-9A-Fa-f.:]+)\](?::\d+)?$").search
REQUEUED: Final = "queued under "
"""How the status begins of what waits under another queue ID, which follows."""

_named_behind = re.compile(
    rf"(?:\b(?:queued|forwarded) as |\A{REQUEUED}|\bOK id=|\[InternalId=)[<\[\"']?"
    r"([0-9A-Za-z][0-9A-Za-z-]*)(?![\w@/+=-]|[.:]\w)"
).finditer
"""How servers name the queue ID under which they took a message: a whole word. Exim's have hyphens."""
_ACCEPTED: Final = " Message accepted for delivery"
"""How sendmail does: the queue ID stands before it."""
_is_sendmail_id = re.compile(SENDMAIL_ID).fullmatch
_LONGEST_ID: Final = 40


class _ResultRow(NamedTuple):
    """One result of one recipient."""

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
        """Whose result it is."""
        return self.recipient, self.orig_to


_Values: TypeAlias = tuple[int, str | None, str | None, str | None, str, str, str | None, float | None]
"""The members of a row."""


@dataclass
class _Course:
    """The rows of a transaction so far, and how each recipient stands."""

    sender: str | None
    mta: str
    rows: list[_ResultRow] = field(default_factory=list)
    standing: dict[Who, str] = field(default_factory=dict)
    is_plain: bool = True
    """Whether there is nothing but results of single recipients."""
    released: tuple[int, Released] | None = None
    """The last release from hold."""
    requeued: tuple[int, Removed] | None = None
    """The last line that tells of another queue ID."""

    def add(self, row: _ResultRow) -> None:
        self.rows.append(row)
        self.standing[row.who] = row.outcome

    def give_waiting(self, time: int, status: str, outcome: str, *, waiting: Iterable[str] = _WAITING) -> None:
        """Give every recipient that stands so an entry; one without a recipient where none is known."""
        found = [who for who, outcome in self.standing.items() if outcome in waiting]
        if not self.standing and outcome in ("deleted", "held"):
            found = [(None, None)]
        for who in found:
            self.is_plain = False
            self.add(_ResultRow(time, *who, None, status, outcome))

    def give_lost(self, time: int) -> None:
        """Give an entry to those who wait for ever: qmgr(8) removes no message before its last recipient is done."""
        final = [row for row in self.rows if row.outcome not in _WAITING]
        done = {row.orig_to for row in final}
        for who, outcome in list(self.standing.items()):
            if outcome in _WAITING and who[0] not in done and not (outcome == "held" and final):
                self.is_plain = False
                self.add(_ResultRow(time, *who, None, "deleted by the operator", "deleted"))

    def take(self, time: int, fact: Any) -> None:
        """Take in a result, or what a line says of the whole message."""
        kind = type(fact)
        if kind is Result:
            self.add(_row(time, fact, self.sender, self.mta))
        elif kind is Refusal:
            if fact.recipient is not None or self.standing.get((None, None)) != fact.outcome:
                self.is_plain = False
                self.add(_ResultRow(time, fact.recipient, None, None, fact.status, fact.outcome))
        elif kind is Expired:
            self.give_waiting(time, fact.status, "expired", waiting=("deferred", "queued"))
        elif kind is Removed:
            self.remove(time, fact)
        elif kind is Held:
            self.give_waiting(time, fact.status, "held", waiting=("deferred", "queued"))
            if self.released is not None and self.released[0] == time:
                # What is held and released within one time is more often released in the end.
                self.take(*self.released)
        elif kind is Released:
            self.released = time, fact
            self.give_waiting(time, fact.status, "queued", waiting=("held",))

    def remove(self, time: int, removed: Removed) -> None:
        """Take in how the message left the queue."""
        if removed.how == "requeued":
            self.requeued = time, removed
        elif removed.how == "deleted":
            self.give_waiting(time, "deleted by the operator", "deleted")
        elif removed.is_unsure:
            self.give_lost(time)

    def requeue(self) -> None:
        """Let what waits wait under the other queue ID: a delivery under way then has its result later."""
        if self.requeued is not None:
            time, removed = self.requeued
            time = max([time, *(row.time for row in self.rows)])
            waiting = _WAITING if removed.to else _WAITING - {"queued"}
            self.give_waiting(time, requeued_as(removed), "queued", waiting=waiting)


def requeued_as(removed: Removed) -> str:
    """Return the status of what waits under another queue ID."""
    return "requeued" if removed.to is None else REQUEUED + removed.to


def _row(time: int, result: Result, sender: str | None, mta: str) -> _ResultRow:
    if result.orig_to is not None and mta == "sendmail":
        result = result._replace(orig_to=_orig_to(result.recipient, result.orig_to, sender))
    return _ResultRow(time, *result)


def _orig_to(recipient: str, controlling: str, sender: str | None) -> str | None:
    """The address that was rewritten: sendmail's `ctladdr`, where it is not the sender."""
    if sender is None:
        return controlling if recipient[:1] in ('"', "|", "/", "\\", ":") else None
    return None if _same_address(controlling, sender) else controlling


def _same_address(one: str, other: str) -> bool:
    """Whether two spellings are one address: case aside, and a bare local name is any domain's."""
    one, other = one.lower(), other.lower()
    if len(other) > len(one) and "..." in one:
        # Of a long one sendmail logs both ends (`shortenstring` in util.c).
        head, _, tail = one.partition("...")
        return other.startswith(head) and other.endswith(tail)
    if "@" in one and "@" in other:
        return one == other
    return one.split("@", 1)[0] == other.split("@", 1)[0]


def entries(facts: Sequence[TimedFact], sender: str | None, mta: str) -> list[dict[str, Any]]:
    """Return the entries of `to`, in the order of their dates, from the facts in the order of theirs.

    Times are microseconds since 1970, and ISO 8601 in what is returned.
    """
    if _are_plain(facts):
        if mta == "postfix":
            # As `_row` makes them; this is the way of nearly all transactions.
            return _condensed([(time, *fact) for time, fact in facts if type(fact) is Result])
        return _condensed([_row(time, fact, sender, mta) for time, fact in facts if type(fact) is Result])
    course = _Course(sender, mta)
    for time, fact in facts:
        course.take(time, fact)
    course.requeue()
    return _condensed(course.rows if course.is_plain else list(_settled(course.rows)))


def entry_of_all(time: int, status: str, outcome: str) -> dict[str, Any]:
    """Return the entry of a message of which no recipient is known."""
    return _condensed([(time, None, None, None, status, outcome, None, None)])[0]


def _are_plain(facts: Iterable[TimedFact]) -> bool:
    """Whether all that became of recipients is told by results of each."""
    for _, fact in facts:
        if type(fact) in _OF_THE_WHOLE and not (
            isinstance(fact, Removed) and fact.how not in _ENDINGS and not fact.is_unsure
        ):
            return False
    return True


def _settled(rows: list[_ResultRow]) -> Iterator[_ResultRow]:
    """Leave out what later lines say better.

    A refusal, return or hold of the whole message, where its recipients are named after all; a return for a recipient
    that has a result; and the hold of a recipient that was delivered under another name, once released.
    """
    delivered = {row.who for row in rows if row.delay is not None or row.dsn is not None}
    named = {row.outcome for row in rows if row.delay is not None} & {"rejected", "discarded"}
    if any(row.recipient is not None and row.outcome in _FAILED for row in rows):
        named.add("bounced")
    done = {row.recipient for row in rows if row.delay is not None and row.outcome not in _WAITING}
    released = any(row.outcome == "queued" and row.relay is None and row.delay is None for row in rows)
    for row in rows:
        if row.who == (None, None) and (row.outcome in named or (row.outcome == "held" and delivered)):
            continue
        if row.outcome == "bounced" and row.relay is None and row.delay is None and row.recipient in done:
            continue
        if released and delivered and row.who not in delivered and row.outcome in ("held", "queued"):
            continue
        yield row


def _condensed(rows: Collection[_Values]) -> list[dict[str, Any]]:
    """One entry for results of a recipient that follow each other with the same relay and status."""
    found: list[dict[str, Any]] = []
    newest: dict[Who, dict[str, Any]] = {}
    mixed: set[Who] = set()
    for time, recipient, orig_to, relay, status, outcome, dsn, delay in rows:
        who, date = (recipient, orig_to), iso_time(time)
        entry = newest.get(who)
        if entry is not None:
            if entry["relay"] == relay and entry["status"] == status:
                # Rows come in the order of their times: an equal one is the last.
                entry["attempts"] += date != entry["last_date"]
                entry.update(last_date=date, dsn=dsn, delay=delay)
                continue
            entry["last"] = False
            if entry["relay"] == relay == "local" and {entry["outcome"], outcome} == _DONE and orig_to != recipient:
                mixed.add(who)
        host, ip = _relay_parts(relay)
        newest[who] = entry = {
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
            "queued_as": queued_as(status) if outcome in _HANDED_ON else None,
        }
        found.append(entry)
    return _condensed([_apart(row, mixed) for row in rows]) if mixed else found


def _apart(row: _Values, mixed: set[Who]) -> _Values:
    """Notify an alias's members apart: local(8) logs programs, files and what it forwards under the alias itself.

    Where some bounced and others were delivered, these are told as rewritten from the alias, as other members are.
    """
    time, recipient, orig_to, relay, status, outcome, dsn, delay = row
    if relay == "local" and outcome == "sent" and (recipient, orig_to) in mixed:
        orig_to = recipient
    return time, recipient, orig_to, relay, status, outcome, dsn, delay


@lru_cache(maxsize=4096)
def _relay_parts(relay: str | None) -> tuple[str | None, str | None]:
    """The next hop's name and address, of `mx.bar.com[192.0.2.25]:25`, `[192.0.2.25] [192.0.2.25]` or `local`."""
    if relay is None:
        return None, None
    found = _bracketed(relay)
    ip = found[1] if found else None
    name = relay[: relay.index("[", 1)] if "[" in relay[1:] else relay
    name = name.strip().rstrip(".").strip("[]")
    return name.removeprefix("IPv6:") or ip, ip


def queued_as(status: str) -> str | None:
    """Return the queue ID under which the next hop took the message, where its words tell: the last one named.

    A content filter repeats the words of the server behind it: `250 2.0.0 from MTA(...): 250 Ok: queued as X`.
    """
    _, found, after = status.rpartition(" queued as ")
    if found and after[-1:] == ")" and after[:-1].isalnum() and after.isascii():
        # So nearly all say it: nothing can follow that names another.
        return after[:-1]
    named: list[tuple[int, str]] = []
    if "d as " in status or "d=" in status or status.startswith(REQUEUED):
        named = [(match.start(), match[1]) for match in _named_behind(status)]
    if (at := status.rfind(_ACCEPTED)) > 0:
        word = status[:at].rpartition(" ")[2].lstrip("(<").rstrip(">")
        if len(word) <= _LONGEST_ID and _is_sendmail_id(word):
            named.append((at, word))
    return max(named)[1] if named else None
