"""The recipient results of a transaction."""

import pytest

from mailtrace.message.document import document
from mailtrace.message.transaction import SECOND, Transaction
from mailtrace.mta.facts import (
    Client,
    Envelope,
    Expired,
    Fact,
    Held,
    MessageId,
    Origin,
    Refusal,
    Released,
    Removed,
    Result,
    Sender,
)

CLIENT = Client("a [192.0.2.1]")
ACTIVE = Envelope("ann@x", 1, 2)
DEFERRED = Result("bob@y", None, "mx[192.0.2.3]:25", "deferred (busy)", "deferred", "4.2.0", 1.0)
SENT = Result("bob@y", None, "mx[192.0.2.3]:25", "sent (ok)", "sent", "2.0.0", 2.0)
LOST = Removed("removed", is_unsure=True)


def results(*facts: Fact, mta: str = "postfix") -> list[dict]:
    """Return the recipient results of a transaction with one fact a second."""
    transaction = Transaction("mx1", "44CB19C84BB", mta)
    for second, fact in enumerate(facts):
        transaction.add(second * SECOND, fact)
    made = document(transaction)
    assert made is not None
    return made["to"]


def last(*facts: Fact, mta: str = "postfix") -> list[tuple]:
    """Return recipient, original recipient and outcome of each newest result."""
    return [
        (result["recipient"], result["orig_to"], result["outcome"])
        for result in results(*facts, mta=mta)
        if result["last"]
    ]


def outcomes(*facts: Fact) -> list[tuple]:
    """Return recipient and outcome of every result."""
    return [(result["recipient"], result["outcome"]) for result in results(*facts)]


def test_equal_attempts_are_one_result_with_the_time_delay_and_dsn_of_the_last():
    (result,) = results(DEFERRED, DEFERRED._replace(delay=61.0), DEFERRED._replace(delay=122.0, dsn="4.2.2"))
    assert (3, 122.0, "4.2.2") == (result["attempts"], result["delay"], result["dsn"])
    assert ("1970-01-01T00:00:00+00:00", "1970-01-01T00:00:02+00:00") == (result["date"], result["last_date"])


def test_attempts_with_another_status_or_relay_are_separate_results():
    found = results(DEFERRED, DEFERRED._replace(relay="mx2[192.0.2.4]:25"), DEFERRED, SENT)
    assert [(1, False), (1, False), (1, False), (1, True)] == [(result["attempts"], result["last"]) for result in found]


def test_an_attempt_logged_twice_within_a_second_counts_once():
    transaction = Transaction("mx1", "44CB19C84BB", "postfix")
    for delay in (1.0, 1.5):
        transaction.add(SECOND, DEFERRED._replace(delay=delay))
    made = document(transaction)
    assert made is not None
    assert [1] == [result["attempts"] for result in made["to"]]


@pytest.mark.parametrize(
    ("relay", "host", "ip"),
    [
        ("mx.bar.com[192.0.2.25]:25", "mx.bar.com", "192.0.2.25"),
        ("mx.bar.com. [192.0.2.25]", "mx.bar.com", "192.0.2.25"),
        ("six.example[2001:db8::1]:25", "six.example", "2001:db8::1"),
        ("[IPv6:2001:db8::1a] [IPv6:2001:db8::1a]", "2001:db8::1a", "2001:db8::1a"),
        ("[192.0.2.27]", "192.0.2.27", "192.0.2.27"),
        ("192.0.2.27[192.0.2.27]:2525", "192.0.2.27", "192.0.2.27"),
        ("box1[private/dovecot-lmtp]", "box1", None),
        ("local", "local", None),
        (None, None, None),
    ],
)
def test_a_relay_has_a_name_and_an_address(relay, host, ip):
    (result,) = results(SENT._replace(relay=relay))
    assert (host, ip) == (result["relay_host"], result["relay_ip"])


def test_recipients_still_waiting_at_the_removal_were_deleted():
    assert [("bob@y", "deferred"), ("bob@y", "deleted")] == outcomes(CLIENT, ACTIVE, DEFERRED, LOST)
    assert [("bob@y", "sent")] == outcomes(CLIENT, ACTIVE, SENT, LOST)
    assert [("bob@y", "deferred")] == outcomes(CLIENT, ACTIVE, DEFERRED, Removed("removed"))

    other = Refusal("rejected", "rejected (no)", "eve@y")
    gone = CLIENT, other, ACTIVE, DEFERRED, Removed("removed")
    assert [("eve@y", "rejected"), ("bob@y", "deferred")] == outcomes(*gone)


def test_what_is_requeued_waits_from_its_last_result_on():
    later = DEFERRED._replace(status="deferred (timed out)", delay=9.0)
    found = results(CLIENT, ACTIVE, DEFERRED, Removed("requeued", "CC4AB9C84D6"), later)
    assert ["deferred", "deferred", "queued"] == [result["outcome"] for result in found]
    assert "1970-01-01T00:00:04+00:00" == found[-1]["date"]


def test_an_alias_whose_member_has_a_result_was_not_deleted():
    alias = DEFERRED._replace(recipient="list@y", relay="local")
    member = SENT._replace(orig_to="list@y")
    assert ("list@y", "deleted") not in outcomes(CLIENT, ACTIVE, alias, member, LOST)
    assert ("list@y", "deleted") in outcomes(CLIENT, ACTIVE, alias, member._replace(orig_to="other@y"), LOST)


def test_a_held_message_was_deleted_if_none_of_its_recipients_is_final():
    held = Held("placed on hold")
    assert ("bob@y", "deleted") == outcomes(CLIENT, ACTIVE, DEFERRED, held, LOST)[-1]
    other = SENT._replace(recipient="eve@y")
    assert ("bob@y", "held") == outcomes(CLIENT, ACTIVE, DEFERRED, other, held, LOST)[-1]


@pytest.mark.parametrize("outcome", ["rejected", "discarded"])
def test_a_refusal_of_the_whole_message_is_left_out_if_its_recipients_have_their_own(outcome):
    whole, named = Refusal(outcome, f"{outcome} (spam)"), SENT._replace(status=outcome, outcome=outcome)
    assert [("bob@y", outcome)] == outcomes(CLIENT, MessageId("m@x"), ACTIVE, whole, named)
    assert [(None, outcome), ("bob@y", "sent")] == outcomes(CLIENT, MessageId("m@x"), ACTIVE, whole, SENT)


def test_a_bounce_of_the_whole_message_is_left_out_if_a_recipient_bounced():
    returned, bounced = Refusal("bounced", "returned"), SENT._replace(status="bounced (no)", outcome="bounced")
    assert [("bob@y", "bounced")] == outcomes(CLIENT, ACTIVE, returned, bounced)
    assert [(None, "bounced"), ("bob@y", "sent")] == outcomes(CLIENT, ACTIVE, returned, SENT)


def test_a_bounce_of_a_recipient_is_left_out_if_it_has_a_result():
    returned = Refusal("bounced", "returned", "bob@y")
    assert [("bob@y", "sent")] == outcomes(CLIENT, ACTIVE, SENT, returned)
    assert [("bob@y", "deferred"), ("bob@y", "bounced")] == outcomes(CLIENT, ACTIVE, DEFERRED, returned)


def test_the_hold_of_the_whole_message_is_left_out_once_its_recipients_are_delivered():
    held, released = Refusal("held", "held (spam)"), Released("released from hold")
    assert [(None, "held")] == outcomes(CLIENT, MessageId("m@x"), held)
    assert [(None, "held"), (None, "queued")] == outcomes(CLIENT, MessageId("m@x"), held, released)
    assert [("bob@y", "sent")] == outcomes(CLIENT, MessageId("m@x"), held, released, SENT)
    assert [("bob@y", "sent")] == outcomes(CLIENT, ACTIVE, Held("placed on hold"), released, SENT)


def test_the_hold_of_a_recipient_is_left_out_if_it_was_delivered_under_another_name():
    held, released = Refusal("held", "held (spam)", "list@y"), Released("released from hold")
    assert [("bob@y", "sent")] == outcomes(CLIENT, MessageId("m@x"), held, released, ACTIVE, SENT)
    assert [("list@y", "held"), ("bob@y", "sent")] == outcomes(CLIENT, MessageId("m@x"), held, ACTIVE, SENT)


def test_a_result_that_queues_a_recipient_is_no_release_from_hold():
    held = Refusal("held", "held (spam)", "list@y")
    queued = SENT._replace(recipient="eve@y", relay=None, status="queued", outcome="queued")
    assert [("list@y", "held"), ("eve@y", "queued"), ("bob@y", "sent")] == outcomes(CLIENT, ACTIVE, held, queued, SENT)


def test_a_refusal_of_the_whole_message_is_shown_once():
    refused = Refusal("rejected", "rejected (a)")
    assert [(None, "rejected")] == outcomes(CLIENT, refused, Refusal("rejected", "rejected (b)"))
    assert [(None, "rejected"), (None, "held")] == outcomes(CLIENT, refused, Refusal("held", "held (b)"))
    twice = Refusal("rejected", "rejected (a)", "bob@y"), Refusal("rejected", "rejected (b)", "bob@y")
    assert [("bob@y", "rejected")] * 2 == outcomes(CLIENT, *twice)


def test_only_waiting_recipients_not_on_hold_expire():
    expired, held = Expired("expired, returned to sender"), Held("placed on hold")
    other = SENT._replace(recipient="eve@y")
    assert [("eve@y", None, "sent"), ("bob@y", None, "expired")] == last(CLIENT, ACTIVE, DEFERRED, other, expired)
    assert [("bob@y", None, "held")] == last(CLIENT, ACTIVE, DEFERRED, held, expired)


@pytest.mark.parametrize(
    ("recipient", "ctladdr", "sender", "orig_to"),
    [
        ("bob@y", "list@y", "ann@x", "list@y"),
        ("bob@y", "ann@x", "ann@x", None),
        ("bob@y", "ANN@X", "ann@x", None),
        ("bob@y", "ann", "ann@x", None),
        ("bob@y", "ann@x", "ann", None),
        ("bob@y", "ann@z", "ann@x", "ann@z"),
        ("bob@y", "ann...q@x", "ann.of.the.house@x", "ann...q@x"),
        ("bob@y", "ann...e@x", "ann.of.the.house@x", None),
        ("bob@y", "bob...e@x", "ann.of.the.house@x", "bob...e@x"),
        ("bob@y", "ann...b@x", "ann.o.b@x", "ann...b@x"),
        ("bob@y", "list@y", None, None),
        ("|/bin/false", "list@y", None, "list@y"),
        ("\\bob", "list@y", None, "list@y"),
        ('"|/bin/false"', "list@y", None, "list@y"),
        ("/var/mail/list", "list@y", None, "list@y"),
        (":include:/etc/list", "list@y", None, "list@y"),
    ],
)
def test_sendmails_controlling_address_is_orig_to_unless_it_is_the_sender(recipient, ctladdr, sender, orig_to):
    begun = [] if sender is None else [Sender(sender, 5, 1, "m@x", "a [192.0.2.1]")]
    (result,) = results(*begun, SENT._replace(recipient=recipient, orig_to=ctladdr), mta="sendmail")
    assert orig_to == result["orig_to"]


def test_postfixs_original_recipient_is_orig_to_even_if_it_is_the_sender():
    assert [("bob@y", "ann@x", "sent")] == last(CLIENT, ACTIVE, SENT._replace(orig_to="ann@x"))


@pytest.mark.parametrize(
    ("facts", "sender"),
    [
        ([Origin("A", "notice")], ""),
        ([Origin("A", "clone", "owner@x")], "owner@x"),
        ([Origin("A", "split")], None),
        ([Sender("ann@x", 5, 1, None, None), Origin("A", "notice")], "ann@x"),
        ([Sender("ann@x", 5, 1, None, None), Origin("A", "clone", "owner@x")], "ann@x"),
        ([Refusal("rejected", "no", "bob@y", "eve@x")], "eve@x"),
    ],
)
def test_a_from_line_is_a_better_source_of_sendmails_sender_than_the_origin(facts, sender):
    transaction = Transaction("mx1", "q5IA00Xx004242", "sendmail")
    for second, fact in enumerate([*facts, SENT]):
        transaction.add(second * SECOND, fact)
    made = document(transaction)
    assert made is not None
    assert sender == made["from"]
