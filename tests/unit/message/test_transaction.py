"""Which facts make one transaction, whatever the order of reading."""

from itertools import permutations
from random import Random

import pytest

from mailtrace.message.document import document
from mailtrace.message.lines import packed, unpacked
from mailtrace.message.order import KIND_ORDER, TimedFact, in_order
from mailtrace.message.part import lines_to_keep
from mailtrace.message.replay import transaction_of
from mailtrace.message.transaction import SECOND, Transaction, joined, segments
from mailtrace.mta.facts import (
    BEGINNINGS,
    FACTS,
    Client,
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
from mailtrace.mta.queue_ids import NOQUEUE

SHORT = "E92FB9C021B"
LONG = "4jYzr36nM8z1V3tx"


def part(*facts: tuple[int, Fact], queue_id: str = SHORT, mta: str = "postfix") -> Transaction:
    """Return a transaction with these facts; times are in seconds."""
    made = Transaction("mx1", queue_id, mta)
    for seconds, fact in facts:
        made.add(seconds * SECOND, fact)
    return made


def sent(to: str) -> Result:
    return Result(to, None, "mx.example.net[192.0.2.3]:25", "sent (250 ok)", "sent", "2.0.0", 1.0)


FIRST: list[tuple[int, Fact]] = [
    (100, Client("a [192.0.2.1]")),
    (100, MessageId("one@x")),
    (101, Envelope("one@x", 1, 1)),
    (102, sent("r1@x")),
    (103, Removed("removed")),
]
SECOND_USE: list[tuple[int, Fact]] = [
    (118, Client("b [192.0.2.2]")),
    (118, MessageId("two@x")),
    (119, Envelope("two@x", 1, 1)),
    (120, sent("r2@x")),
    (121, Removed("removed")),
]


@pytest.mark.parametrize("cut", range(1, len(FIRST + SECOND_USE)))
@pytest.mark.parametrize("swapped", [False, True])
def test_a_reused_short_id_is_two_transactions_wherever_the_log_is_cut(cut, swapped):
    """Both halves of a log make the same documents in either order."""
    whole = FIRST + SECOND_USE
    halves = [part(*whole[:cut]), part(*whole[cut:])]
    found = segments(reversed(halves) if swapped else halves)
    assert [document(part(*FIRST)), document(part(*SECOND_USE))] == [document(each) for each in found]
    assert [part(*FIRST).id, part(*SECOND_USE).id] == [each.id for each in found]


def test_the_same_lines_read_twice_are_one_transaction():
    found = segments([part(*FIRST), part(*FIRST)])
    assert [document(part(*FIRST))] == [document(each) for each in found]


def test_lines_within_a_second_make_one_transaction_in_any_order():
    """Removal and delivery can be logged before client and sender."""
    lines: list[tuple[int, Fact]] = [
        (105, Removed("removed")),
        (105, sent("r@x")),
        (104, Client("a [192.0.2.1]")),
        (105, Envelope("s@x", 1, 1)),
    ]
    for order in permutations(lines):
        streamed = part(order[0])
        for seconds, fact in order[1:]:
            assert streamed.continues(seconds * SECOND, fact)
            streamed.add(seconds * SECOND, fact)
        assert [document(part(*lines))] == [document(each) for each in segments([streamed])]


def test_a_notice_under_a_reused_id_is_a_transaction_of_its_own():
    """Notices have no beginning: no client, no uid."""
    end: list[tuple[int, Fact]] = [(131, sent("one@x")), (131, Removed("removed"))]
    notice: list[tuple[int, Fact]] = [(130, MessageId("n@mx1")), (130, Envelope("", 1, 1)), *end]
    found = segments([part(*FIRST, *notice)])
    assert [document(part(*FIRST)), document(part(*notice))] == [document(each) for each in found]


def test_the_line_with_the_origin_of_a_notice_may_come_after_its_end():
    notice: list[tuple[int, Fact]] = [(130, MessageId("n@mx1")), (130, Envelope("", 1, 1)), (131, Removed("removed"))]
    (found,) = segments([part(*notice), part((132, Origin("E347540", "notice")))])
    made = document(found)
    assert made is not None
    assert "E347540" == made["origin"]
    assert "" == made["from"]


def test_an_id_with_a_time_is_one_transaction_whatever_is_missing():
    (found,) = segments([part(*FIRST[3:], queue_id=LONG), part(*FIRST[:2], queue_id=LONG)])
    assert part(*FIRST, queue_id=LONG).id == found.id == part(FIRST[4], queue_id=LONG).id


def test_a_beginning_long_after_lines_without_one_is_another_message():
    found = segments([part((50, sent("old@x"))), part(*FIRST)])
    assert [50 * SECOND, 100 * SECOND] == [each.start for each in found]


def test_joining_sorts_facts_and_removes_duplicates():
    whole = joined([part(*FIRST[2:]), part(*FIRST[:3])])
    assert part(*FIRST).facts == whole.facts


def test_lines_give_the_transaction_again():
    whole = part((1, Sender("a@b", 3, 1, None, "h [192.0.2.1]")), (2, sent('"ü"@x')))
    lines = unpacked(whole.host, packed(lines_to_keep(whole)))
    again = transaction_of(whole.host, whole.queue_id, whole.mta, lines)
    assert (whole.facts, whole.id) == (again.facts, again.id)


def test_sendmail_is_finished_when_every_recipient_has_a_final_result():
    begun = (1, Sender("a@b", 10, 2, "m@x", "h [192.0.2.1]"))
    half = part(begun, (2, sent("r1@x")), queue_id="pBFERI8l019936", mta="sendmail")
    assert not half.is_finished
    half.add(3 * SECOND, sent("r2@x"))
    assert half.is_finished


def result(recipient: str, status: str, delay: float | None, orig_to: str | None = None) -> Result:
    return Result(recipient, orig_to, "mx[192.0.2.3]:25", status, status.split()[0], None, delay)


ONE_SECOND: list[Fact] = [
    Client("a [192.0.2.1]"),
    Client("a [192.0.2.1]", "bob"),
    MessageId("one@x"),
    MessageId(None),
    Envelope("one@x", 1, 3),
    result("r1@x", "deferred (busy)", 0.2),
    result("r1@x", "sent (ok)", 0.4),
    result("r2@x", "deferred (busy)", None),
    result("r2@x", "deferred (busy)", None, "r@x"),
    result("r3@x", "bounced (no)", 0.4),
    Refusal("rejected", "rejected (a)", "r4@x"),
    Refusal("rejected", "rejected (a)"),
    Held("placed on hold"),
    Released("released from hold"),
    Expired("expired, returned to sender"),
    Removed("removed"),
]


def test_every_kind_of_fact_has_a_rank():
    assert sorted(map(str, FACTS)) == sorted(map(str, KIND_ORDER))


def test_the_order_within_a_second_does_not_depend_on_the_order_of_reading():
    random = Random(1)
    wanted = document(part(*((7, fact) for fact in ONE_SECOND)))
    ordered = in_order([(7, fact) for fact in ONE_SECOND])
    for _ in range(200):
        read = [(7, fact) for fact in ONE_SECOND] + [(7, fact) for fact in random.sample(ONE_SECOND, 3)]
        random.shuffle(read)
        cut = random.randint(1, len(read) - 1)
        assert document(part(*read)) == document(joined([part(*read[:cut]), part(*read[cut:])])) == wanted
        assert in_order(read) == ordered
    assert in_order(ordered) is ordered


@pytest.mark.parametrize(
    ("facts", "outcome"),
    [
        pytest.param([result("r@x", "deferred (a)", 1.0), result("r@x", "sent (a)", 1.0)], "sent", id="deferred, sent"),
        pytest.param([result("r@x", "sent (a)", 1.0), result("r@x", "deferred (a)", 1.4)], "deferred", id="by delay"),
        pytest.param([Held("h"), Released("r"), result("r@x", "sent (a)", 1.0)], "sent", id="released and sent"),
        pytest.param([Held("h"), Released("r")], "queued", id="held and released"),
        pytest.param([result("r@x", "deferred (a)", 1.0), Held("h")], "held", id="deferred, held"),
        pytest.param(
            [result("r@x", "deferred (a)", 1.0), Held("h"), Released("r")], "queued", id="deferred, held, released"
        ),
        pytest.param([result("r@x", "deferred (a)", 1.0), Expired("e"), Removed("removed")], "expired", id="expired"),
        pytest.param([result("r@x", "deferred (a)", 1.0), Removed("deleted")], "deleted", id="deleted"),
    ],
)
def test_facts_of_one_second_have_the_right_outcome(facts, outcome):
    for order in permutations(facts):
        made = document(part((6, Client("a [192.0.2.1]")), *((7, fact) for fact in order)))
        assert made is not None
        assert [outcome] == [result["outcome"] for result in made["to"] if result["last"]]


@pytest.mark.parametrize("swapped", [False, True])
def test_a_short_id_reused_within_the_second_of_its_end_is_two_transactions(swapped):
    """A short ID repeats the microseconds of its creation, so both began whole seconds apart."""
    first: list[TimedFact] = [
        (100, Client("a [192.0.2.1]")),
        (100, MessageId("one@x")),
        (100, Envelope("one@x", 1, 2)),
        (101, result("r1@x", "sent (ok)", 1.5)),
        (103, result("r2@x", "sent (ok)", 2.9)),
        (103, Removed("removed")),
    ]
    second: list[TimedFact] = [
        (103, Client("b [192.0.2.2]")),
        (103, MessageId("two@x")),
        (103, Envelope("two@x", 1, 1)),
        (103, result("r3@x", "sent (ok)", 0.1)),
        (104, Removed("removed")),
    ]
    lines = first + second
    for cut in range(1, len(lines)):
        halves = [part(*lines[:cut]), part(*lines[cut:])]
        found = segments(reversed(halves) if swapped else halves)
        assert [document(part(*first)), document(part(*second))] == [document(each) for each in found]


HOUR = 3600 * SECOND
DAY = 24 * HOUR
BEGUN = (100 * SECOND, Client("a [192.0.2.1]"))
DONE = (103 * SECOND, Removed("removed"))
ID, NEXT_ID = MessageId("one@x"), MessageId("two@x")


def read(*facts: TimedFact, queue_id: str = SHORT, mta: str = "postfix") -> Transaction:
    """A transaction with these facts, their times in microseconds."""
    made = Transaction("mx1", queue_id, mta)
    for time, fact in facts:
        made.add(time, fact)
    return made


@pytest.mark.parametrize(
    ("known", "last", "fact"),
    [
        pytest.param([(DONE[0], sent("r1@x"))], DONE[0] + 5 * SECOND, BEGUN[1], id="a late beginning"),
        pytest.param([DONE], DONE[0], BEGUN[1], id="a beginning, of what is gone"),
        pytest.param([BEGUN, DONE], DONE[0] + SECOND, sent("r1@x"), id="a late result"),
        pytest.param([BEGUN, DONE], DONE[0] + SECOND, ID, id="a late message ID"),
        pytest.param([BEGUN, (BEGUN[0], ID), DONE], DONE[0] + SECOND, ID, id="the same message ID"),
        pytest.param([BEGUN, (BEGUN[0], ID), DONE], DONE[0], NEXT_ID, id="another message ID"),
        pytest.param([BEGUN, DONE], DONE[0] + 5 * SECOND, Login("ann"), id="a before-queue filter's client"),
        pytest.param([DONE], DONE[0] + HOUR, Origin("E347540", "notice"), id="whose notice it is"),
        pytest.param([BEGUN, DONE], DONE[0] + SECOND, Removed("removed"), id="removed again"),
        pytest.param(
            [BEGUN, (DONE[0], Removed("requeued"))], DONE[0] + HOUR, Removed("requeued", LONG), id="where it went on"
        ),
    ],
)
def test_a_line_is_the_same_messages_until_the_last_moment_at_which_it_can_be(known, last, fact):
    assert read(*known).continues(last, fact)
    assert not read(*known).continues(last + 1, fact)


def test_a_line_well_before_the_beginning_is_the_former_messages():
    assert read(BEGUN).continues(BEGUN[0] - 5 * SECOND, ID)
    assert not read(BEGUN).continues(BEGUN[0] - 5 * SECOND - 1, ID)


def test_only_the_same_beginning_is_the_same_messages():
    assert read(BEGUN).continues(*BEGUN)
    assert not read(BEGUN).continues(BEGUN[0] + 1, BEGUN[1])
    assert not read(BEGUN).continues(BEGUN[0], Client("b [192.0.2.2]"))
    assert not read(BEGUN).continues(BEGUN[0], Origin("E347540", "notice"))
    assert read((BEGUN[0], ID)).continues(BEGUN[0] + 9 * HOUR, Origin("E347540", "notice"))


def test_what_is_whole_and_was_done_within_a_day_is_settled():
    for last, settled in ((BEGUN[0] + DAY, True), (BEGUN[0] + DAY + 1, False)):
        assert settled == read(BEGUN, (last, Removed("removed"))).is_settled
    assert not read(BEGUN, (DONE[0], ID)).is_settled
    assert not read(DONE, BEGUN).is_settled
    assert not read((BEGUN[0], ID), DONE).is_settled
    assert read(BEGUN, queue_id=LONG).is_settled
    assert read(BEGUN, queue_id=NOQUEUE).is_settled


def test_sendmails_final_results_do_not_settle_a_queue_id_without_a_time():
    begun = (BEGUN[0], Sender("a@b", 10, 1, "m@x", "h [192.0.2.1]"))
    made = read(begun, (DONE[0], sent("r1@x")), queue_id="QAA12345", mta="sendmail")
    assert made.is_certain
    assert not made.is_settled


@pytest.mark.parametrize(
    ("facts", "queue_id", "lacks"),
    [
        ([DONE], SHORT, True),
        ([BEGUN], SHORT, False),
        ([DONE, (DONE[0], Origin("E347540", "notice"))], SHORT, False),
        ([DONE], LONG, False),
        ([DONE], NOQUEUE, False),
    ],
)
def test_what_has_no_beginning_may_have_it_in_another_log_unless_it_never_has_one(facts, queue_id, lacks):
    assert lacks == read(*facts, queue_id=queue_id).may_lack_beginning


def test_a_refusal_without_a_queue_id_keeps_its_line():
    refusal = Transaction("mx1", NOQUEUE, "postfix", line="7 NOQUEUE: reject")
    refusal.add(BEGUN[0], Refusal("rejected", "rejected (no)", "r1@x"))
    (found,) = segments([refusal])
    assert (refusal.id, refusal.line) == (found.id, found.line)


@pytest.mark.parametrize(
    ("fact", "is_former"),
    [
        pytest.param(result("r@x", "sent (ok)", None), True, id="a result without a delay"),
        pytest.param(result("r@x", "sent (ok)", 1.6), True, id="a delay that is nearer to the former beginning"),
        pytest.param(result("r@x", "sent (ok)", 1.5), False, id="no nearer to the former beginning"),
        pytest.param(Expired("expired"), True, id="expired"),
        pytest.param(Removed("removed"), True, id="removed"),
        pytest.param(MessageId("two@x"), False, id="a message ID"),
    ],
)
def test_what_ends_a_message_in_the_second_in_which_the_next_begins_is_the_formers(fact, is_former):
    begun, again = (100, Client("a [192.0.2.1]")), (103, Client("b [192.0.2.2]"))
    first, second = segments([part(begun, again, (103, fact), (103, Removed("removed")))])
    assert is_former == (fact in [each for _, each in first.facts])
    assert is_former != (fact in [each for _, each in second.facts])


def test_what_a_message_says_in_the_second_in_which_it_begins_is_its_own_where_the_former_has_ended():
    first: list[tuple[int, Fact]] = [(100, Client("a [192.0.2.1]")), (103, Removed("removed"))]
    second: list[tuple[int, Fact]] = [
        (110, Client("b [192.0.2.2]")),
        (110, result("r@x", "sent (ok)", None)),
        (111, Removed("removed")),
    ]
    found = segments([part(*first, *second)])
    assert [part(*first).facts, part(*second).facts] == [each.facts for each in found]


@pytest.mark.parametrize("fact", [BEGUN[1], Submitted("ann"), Sender("a@b", 10, 1, "m@x", "h [192.0.2.1]")])
def test_a_message_begins_with_its_client_its_submitter_or_its_collected_sender(fact):
    assert type(fact) in BEGINNINGS


@pytest.mark.parametrize("fact", [ID, DONE[1], sent("r1@x"), Envelope("one@x", 1, 1), Origin("E347540", "notice")])
def test_nothing_else_is_a_beginning(fact):
    assert type(fact) not in BEGINNINGS
