"""Read the sample lines of a grammar: each stands below the rule that takes it and what it says.

A sample file holds pairs of lines, among blank lines and `##` remarks:

    # RULE-NAME: [{"queue_id": "9566447DCA", "fact": "Removed", "how": "removed"}]
    postfix/qmgr 9566447DCA: removed

The JSON is the list of events, each with its queue ID, the name of its fact and those members that are not None; or
{"ignored": "reason"}; or {"login": ..., "client": ...} for `Authenticated`; or {"announced": {the fact}}; or
{"accepted": queue ID}; or null for an unrecognised line.
RULE-NAME is `-` where no rule takes the line. Below it is the program, one space, and the text.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mailtrace.mta.facts import Accepted, Announced, Authenticated, Event, Fact, Ignored, Parsed

SAMPLES = Path(__file__).parents[1] / "samples" / "events"


class Sample(NamedTuple):
    where: str
    """The file's name and the line's number."""
    rule: str | None
    program: str
    text: str
    expected: Any


def samples(pattern: str) -> list[Sample]:
    """Return the samples of every file in tests/samples/events whose name matches, in their order."""
    return [sample for path in sorted(SAMPLES.glob(pattern)) for sample in _read(path)]


def described(parsed: Parsed) -> Any:
    """Return what a grammar made of a line in the form in which the samples say it."""
    if parsed is None:
        return None
    if isinstance(parsed, Ignored):
        return {"ignored": parsed.reason}
    if isinstance(parsed, Authenticated):
        return parsed._asdict()
    if isinstance(parsed, Announced):
        return {"announced": _fact(parsed.fact)}
    if isinstance(parsed, Accepted):
        return {"accepted": parsed.queue_id}
    return [_event(event) for event in (parsed if isinstance(parsed, list) else [parsed])]


def _event(event: Event) -> dict[str, Any]:
    return {"queue_id": event.queue_id, **_fact(event.fact)}


def _fact(fact: Fact) -> dict[str, Any]:
    members = {name: value for name, value in fact._asdict().items() if value is not None}
    return {"fact": type(fact).__name__, **members}


def _read(path: Path) -> Iterator[Sample]:
    head: str | None = None
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        where = f"{path.name}:{number}"
        if line.startswith("##") or (not line.strip() and head is None):
            continue
        if line.startswith("# "):
            assert head is None, f"{where}: two heads without a line between them"
            head = line[2:]
            continue
        assert head is not None, f"{where}: a line without its rule and result"
        rule, _, expected = head.partition(": ")
        program, _, text = line.partition(" ")
        yield Sample(where, None if rule == "-" else rule, program, text, json.loads(expected))
        head = None
    assert head is None, f"{path.name}: ends with a head without its line"
