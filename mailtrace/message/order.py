"""The order of the facts of a transaction: by time, then by kind and content.

Many logs have whole seconds, so several facts often have the same time. The order in which lines were read cannot
decide, because another run may read them in other pieces. So the order depends on the facts alone, and follows the life
of a message: it comes in, is queued, delivered and removed. Of two results, the one with the longer delay is later.
"""

from typing import Any, Final, TypeAlias

from mailtrace.mta.facts import (
    Aborted,
    Addressee,
    Cancelled,
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

KIND_ORDER: Final[tuple[type[Fact], ...]] = (
    Client,
    Submitted,
    Sender,
    Login,
    Origin,
    Addressee,
    Refusal,
    MessageId,
    Released,
    Envelope,
    Result,
    Held,
    Expired,
    Cancelled,
    Aborted,
    Cloned,
    Removed,
)
"""Every kind of fact, in the order of facts with equal times. A hold comes after results, because it applies only to
recipients still waiting; expiry and removal come last, because every result precedes them."""

_RANK: Final = {kind: i for i, kind in enumerate(KIND_ORDER)}
_BITS: Final = len(KIND_ORDER).bit_length()
_EARLY: Final = {"queued": 0, "deferred": 1, "held": 1}
_FINAL: Final = 2

Outline: TypeAlias = tuple[int, float, int, str]
"""Time and kind; of a result also its delay, whether its outcome is final, and its recipient."""


def in_order(facts: list[TimedFact]) -> list[TimedFact]:
    """Return the facts sorted and without duplicates: the same list if it is so already, as most are."""
    ranks = [time << _BITS | _RANK[type(fact)] for time, fact in facts]
    if ranks == sorted(ranks) and len(set(ranks)) == len(ranks):
        return facts
    similar: dict[Outline, list[TimedFact]] = {}
    for timed in facts:
        similar.setdefault(outline(*timed), []).append(timed)
    found = [timed for outline in sorted(similar) for timed in _sorted_and_unique(similar[outline])]
    return facts if found == facts else found


def outline(time: int, fact: Fact) -> Outline:
    """Return the first members of a fact's sort key, which distinguish nearly all facts of one transaction."""
    rank = time << _BITS | _RANK[type(fact)]
    if isinstance(fact, Result):
        return rank, fact.delay or 0.0, _EARLY.get(fact.outcome, _FINAL), fact.recipient
    return rank, 0.0, 0, ""


def _sorted_and_unique(facts: list[TimedFact]) -> list[TimedFact]:
    return facts if len(facts) == 1 else sorted(set(facts), key=_sort_key)


def _sort_key(timed: TimedFact) -> tuple[Any, ...]:
    time, fact = timed
    kind = type(fact)
    rank = time << _BITS | _RANK[kind]
    if kind is Result:
        return rank, *_result_key(fact)
    return rank, *(_refusal_key(fact) if kind is Refusal else _comparable(fact))


def _result_key(result: Any) -> tuple[Any, ...]:
    """Sort by delay, which grows with each attempt; with equal delays, waiting outcomes before final ones."""
    recipient, orig_to, relay, status, outcome, dsn, delay = result
    early = _EARLY.get(outcome, _FINAL)
    absent = orig_to is None, relay is None, dsn is None, delay is None
    return delay or 0.0, early, recipient, orig_to or "", relay or "", status, outcome, dsn or "", absent


def _refusal_key(refusal: Any) -> tuple[Any, ...]:
    """Sort by length of the status, longest first: the document shows the first of several refusals."""
    return -len(refusal.status), *_comparable(refusal)


def _comparable(fact: Fact) -> tuple[tuple[bool, Any], ...]:
    """Return the members of a fact in a form that can be compared: None sorts before every value."""
    return tuple((member is not None, member) for member in fact)
