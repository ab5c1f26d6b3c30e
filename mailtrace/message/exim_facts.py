"""What Exim's facts need before recipient results are derived from them: delays, fewer deferrals, and an order."""

from typing import Final

from mailtrace.message.order import TimedFact
from mailtrace.mta.facts import Addressee, Held, Refusal, Result, Sender
from mailtrace.mta.queue_ids import exim_time
from mailtrace.mta.rules import new_tuple

_NO_ATTEMPTS: Final = tuple(f"defer ({number})" for number in range(-56, -51))
"""How the status of a deferral begins that was no attempt: the time to retry has not come, or the domain is held."""
_EARLY: Final = (Refusal, Held)
_SECOND: Final = 1_000_000


def attempts_with_delays(facts: list[TimedFact], queue_id: str) -> list[TimedFact]:
    """Return the facts with the delay of each result, which Exim logs only with `+queue_time`.

    A deferral without an attempt says nothing new of a recipient whose deferral is known, and is left out. A refusal or
    a hold by an access control list is logged before the recipients are; here they come first.
    """
    arrived = exim_time(queue_id)
    deferred = _first_deferrals(facts)
    found: list[TimedFact] = []
    for time, fact in facts:
        if type(fact) is Result:
            recipient, orig_to, relay, status, outcome, dsn, delay = fact
            if status.startswith(_NO_ATTEMPTS) and deferred.get((recipient, orig_to), time) < time:
                continue
            if delay is None and arrived is not None:
                delay = max(0.0, time / _SECOND - arrived)
                found.append((time, new_tuple(Result, (recipient, orig_to, relay, status, outcome, dsn, delay))))
                continue
        found.append((time, fact))
    arrivals = [time for time, fact in facts if type(fact) is Sender]
    last = max(arrivals, default=facts[-1][0])
    if any(type(fact) in _EARLY and time < last for time, fact in facts):
        found.sort(key=lambda timed: type(timed[1]) is not Addressee or timed[0] > last)
    return found


def _first_deferrals(facts: list[TimedFact]) -> dict[tuple[str, str | None], int]:
    """Return the time after which a deferral without an attempt is left out, by recipient.

    That is just before the second of the first attempt that was deferred, as many logs have whole seconds; without one,
    the time of the first deferral without an attempt.
    """
    tried: dict[tuple[str, str | None], int] = {}
    untried: dict[tuple[str, str | None], int] = {}
    for time, fact in facts:
        if type(fact) is Result and fact.outcome == "deferred":
            if fact.status.startswith(_NO_ATTEMPTS):
                untried.setdefault((fact.recipient, fact.orig_to), time)
            else:
                tried.setdefault((fact.recipient, fact.orig_to), time // _SECOND * _SECOND - 1)
    return {who: min(time, tried.get(who, time)) for who, time in untried.items()}
