"""The order of facts of one time."""

from itertools import permutations

import pytest

from mailtrace.message.order import TimedFact, in_order
from mailtrace.message.transaction import SECOND
from mailtrace.mta.facts import Client, Envelope, Refusal, Result

RESULT = Result("bob@y", "list@y", "mx[192.0.2.3]:25", "sent (ok)", "sent", "2.0.0", 1.0)


def at_once(*facts) -> list[TimedFact]:
    return [(SECOND, fact) for fact in facts]


@pytest.mark.parametrize(
    "ordered",
    [
        pytest.param([RESULT._replace(delay=delay) for delay in (None, 0.5, 1.0, 2.0)], id="delay"),
        pytest.param(
            [RESULT._replace(outcome=one, recipient=f"{at}@y") for one, at in (("queued", 4), ("deferred", 2))]
            + [
                RESULT._replace(outcome=one, recipient=f"{at}@y") for one, at in (("held", 3), ("sent", 0), ("sent", 1))
            ],
            id="outcome",
        ),
        pytest.param([RESULT._replace(recipient=f"{name}@y") for name in "abcd"], id="recipient"),
        pytest.param([RESULT._replace(orig_to=name) for name in ("", "a@y", "b@y", "c@y")], id="orig_to"),
        pytest.param([RESULT._replace(relay=name) for name in ("", "a", "b", "c")], id="relay"),
        pytest.param([RESULT._replace(status=name) for name in ("", "a", "b", "c")], id="status"),
        pytest.param([RESULT._replace(outcome=name) for name in ("bounced", "expired", "sent", "unknown")], id="done"),
        pytest.param([RESULT._replace(dsn=f"2.0.{number}") for number in range(4)], id="dsn"),
        pytest.param([RESULT._replace(orig_to=""), RESULT._replace(orig_to=None)], id="no orig_to"),
        pytest.param([RESULT._replace(relay=""), RESULT._replace(relay=None)], id="no relay"),
        pytest.param([RESULT._replace(dsn=""), RESULT._replace(dsn=None)], id="no dsn"),
        pytest.param([RESULT._replace(delay=0.0), RESULT._replace(delay=None)], id="no delay"),
        pytest.param([Client(f"h{number}") for number in range(4)], id="client"),
        pytest.param([Client("h", login) for login in (None, "", "a", "b")], id="login"),
        pytest.param([Envelope("a@x", size, 1) for size in (None, 0, 1, 2)], id="size"),
        pytest.param([Refusal("rejected", "x" * length) for length in (4, 3, 2, 1)], id="words of a refusal"),
        pytest.param([Refusal("rejected", "x", f"{name}@y") for name in "abcd"], id="recipient of a refusal"),
    ],
)
def test_facts_that_differ_in_one_member_have_one_order(ordered):
    for read in permutations(at_once(*ordered)):
        assert at_once(*ordered) == in_order([*read, read[0]])


def test_the_longest_delay_is_the_last_whatever_its_outcome():
    ordered = at_once(RESULT._replace(delay=1.0), RESULT._replace(outcome="deferred", delay=1.5))
    assert ordered == in_order(ordered[::-1])


def test_facts_in_order_are_not_copied_and_what_is_doubled_is_left_out():
    ordered = at_once(Client("h"), RESULT, RESULT._replace(delay=2.0))
    assert in_order(ordered) is ordered
    assert ordered == in_order(at_once(Client("h"), RESULT, RESULT, RESULT._replace(delay=2.0)))
