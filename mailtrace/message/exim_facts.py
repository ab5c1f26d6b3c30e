"""What Exim's facts need before recipient results are derived from them: the delays, and fewer deferrals."""

from typing import Final

from mailtrace.message.order import TimedFact
from mailtrace.mta.facts import Result
from mailtrace.mta.queue_ids import exim_time
from mailtrace.mta.rules import new_tuple

_NO_ATTEMPTS: Final = tuple(f"defer ({number})" for number in range(-56, -51))
"""How the status of a deferral begins that was no attempt: the time to retry has not come, or the domain is held."""
_MICROSECONDS: Final = 1_000_000


def attempts_with_delays(facts: list[TimedFact], queue_id: str) -> list[TimedFact]:
    """Return the facts with the delay of each result, which Exim logs only with `+queue_time`.

    A deferral without an attempt says nothing new of a recipient whose deferral is known, and is left out.
    """
    second = exim_time(queue_id)
    found: list[TimedFact] = []
    known = set()
    for time, fact in facts:
        if type(fact) is Result:
            recipient, orig_to, relay, status, outcome, dsn, delay = fact
            if outcome == "deferred":
                if (recipient, orig_to) in known and status.startswith(_NO_ATTEMPTS):
                    continue
                known.add((recipient, orig_to))
            if delay is None and second is not None:
                delay = max(0.0, time / _MICROSECONDS - second)
                found.append((time, new_tuple(Result, (recipient, orig_to, relay, status, outcome, dsn, delay))))
                continue
        found.append((time, fact))
    return found
