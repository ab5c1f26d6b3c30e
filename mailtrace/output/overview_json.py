"""An overview as one JSON object."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import orjson

from mailtrace.output.escape import safe_json
from mailtrace.search.overview import Overview, Queue
from mailtrace.search.tally import AGES, DELAYS, SECOND, Span, Totals

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


def overview_json(overview: Overview) -> bytes:
    """Return an overview as a line of JSON, with its times in its zone and their UTC offset."""
    span = overview.span
    shown = {
        "since": time_of(span.since, span),
        "until": time_of(span.until, span),
        "now": _totals(overview.now),
        "before": overview.before and _totals(overview.before),
        "periods": [{**period._asdict(), "outcomes": _sorted(period.outcomes)} for period in overview.periods],
        "top": {by: [each._asdict() for each in ranked] for by, ranked in overview.top.items()},
        "reasons": {outcome: [each._asdict() for each in found] for outcome, found in overview.reasons.items()},
        "hops": [hop._asdict() for hop in overview.hops],
        "delays": _classes(DELAYS, overview.delays),
        "queue": _queue(overview.queue, span),
        "unlike": [change._asdict() for change in overview.unlike],
    }
    return safe_json(orjson.dumps(shown)) + b"\n"


def time_of(date: int, span: Span) -> str:
    """Return a date in microseconds since 1970 in the zone of a span, in ISO 8601 with the UTC offset."""
    return (_EPOCH + timedelta(microseconds=date)).astimezone(span.zone).isoformat()


def _totals(totals: Totals) -> dict[str, Any]:
    names = ("received", "refused", "bytes_in", "bytes_out")
    return {**{name: getattr(totals, name) for name in names}, "outcomes": _sorted(totals.outcomes)}


def _sorted(numbers: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(numbers.items()))


def _classes(limits: Iterable[int], numbers: Iterable[int]) -> list[dict[str, Any]]:
    """Return classes with their upper limit in seconds; the last one has none."""
    seconds = [*(limit // SECOND for limit in limits), None]
    return [{"below": below, "number": number} for below, number in zip(seconds, numbers, strict=True)]


def _queue(queue: Queue, span: Span) -> dict[str, Any]:
    return {
        "since": time_of(queue.since, span),
        "number": queue.number,
        "outcomes": _sorted(queue.outcomes),
        "ages": _classes(AGES, queue.ages),
        "oldest": None if queue.oldest is None else time_of(queue.oldest, span),
        "domains": [{**each._asdict(), "oldest": time_of(each.oldest, span)} for each in queue.domains],
    }
