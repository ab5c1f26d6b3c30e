"""The order of a transaction's facts: by time, and within one time by what they say.

Many logs tell whole seconds, so most facts of a transaction have the time of another one. Which line was read first is
no help: other runs cut the log elsewhere. So the order is a function of the facts alone, and close to that of the log:
a message comes in, is queued, delivered and removed, and of two results the one with the longer delay is the later.
"""

from typing import Any, Final, TypeAlias

from mailtrace.mta.facts import (
    Aborted,
    Client,
    Cloned,
    Envelope,
    Expired,
    Fact,
    Held,
    Login,
    MessageId,
    Origin,
    Refusal,
    Released,
    Removed,
    Result,
    Sender,
    Submitted,
)

TimedFact: TypeAlias = tuple[int, Fact]
"""A fact and the time of its line, in microseconds since 1970 UTC."""

COURSE: Final[tuple[type[Fact], ...]] = (
    Client,
    Submitted,
    Sender,
    Login,
    Origin,
    Refusal,
    MessageId,
    Released,
    Envelope,
    Result,
    Held,
    Expired,
    Aborted,
    Cloned,
    Removed,
)
"""Every kind of fact, in the order in which lines of one time tell them: a hold ends nothing but what it finds waiting,
and what expires or leaves the queue has had its results."""

_RANK: Final = {kind: i for i, kind in enumerate(COURSE)}
_BITS: Final = len(COURSE).bit_length()
_EARLY: Final = {"queued": 0, "deferred": 1, "held": 1}
_FINAL: Final = 2

_Outline: TypeAlias = tuple[int, float, int, str]
"""Time and kind; of results, also delay, whether they end anything, and recipient."""


def in_order(facts: list[TimedFact]) -> list[TimedFact]:
    """Return the facts in their order, each once: the same list where it is so already, as most are."""
    places = [time << _BITS | _RANK[type(fact)] for time, fact in facts]
    if places == sorted(places) and len(set(places)) == len(places):
        return facts
    alike: dict[_Outline, list[TimedFact]] = {}
    for timed in facts:
        alike.setdefault(_outline(*timed), []).append(timed)
    found = [timed for outline in sorted(alike) for timed in _told_apart(alike[outline])]
    return facts if found == facts else found


def _outline(time: int, fact: Fact) -> _Outline:
    """The first members of a fact's place, which tell nearly all facts of one transaction apart."""
    place = time << _BITS | _RANK[type(fact)]
    if isinstance(fact, Result):
        return place, fact.delay or 0.0, _EARLY.get(fact.outcome, _FINAL), fact.recipient
    return place, 0.0, 0, ""


def _told_apart(facts: list[TimedFact]) -> list[TimedFact]:
    """Facts of one outline in their order, each once."""
    return facts if len(facts) == 1 else sorted(set(facts), key=_place)


def _place(timed: TimedFact) -> tuple[Any, ...]:
    time, fact = timed
    kind = type(fact)
    place = time << _BITS | _RANK[kind]
    if kind is Result:
        return place, *_result_place(fact)
    return place, *(_refusal_place(fact) if kind is Refusal else _members(fact))


def _result_place(result: Any) -> tuple[Any, ...]:
    """Later results of a message have longer delays; of equal ones, a recipient waits before it is done."""
    recipient, orig_to, relay, status, outcome, dsn, delay = result
    early = _EARLY.get(outcome, _FINAL)
    absent = orig_to is None, relay is None, dsn is None, delay is None
    return delay or 0.0, early, recipient, orig_to or "", relay or "", status, outcome, dsn or "", absent


def _refusal_place(refusal: Any) -> tuple[Any, ...]:
    """Of several refusals of a message the first is told: the one with the most to say."""
    return -len(refusal.status), *_members(refusal)


def _members(fact: Fact) -> tuple[tuple[bool, Any], ...]:
    """What tells two facts of a kind apart, so that it can be compared: None before everything else."""
    return tuple((member is not None, member) for member in fact)
