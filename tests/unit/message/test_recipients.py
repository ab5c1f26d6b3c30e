"""What became of each recipient, from what the lines of a transaction say."""

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


def entries(*facts: Fact, mta: str = "postfix") -> list[dict]:
    """The entries of a transaction with a fact in each second."""
    transaction = Transaction("mx1", "44CB19C84BB", mta)
    for second, fact in enumerate(facts):
        transaction.add(second * SECOND, fact)
    made = document(transaction)
    assert made is not None
    return made["to"]


def last(*facts: Fact, mta: str = "postfix") -> list[tuple]:
    """Recipient, what it was rewritten from, and outcome of each newest entry."""
    return [
        (entry["recipient"], entry["orig_to"], entry["outcome"]) for entry in entries(*facts, mta=mta) if entry["last"]
    ]


def outcomes(*facts: Fact) -> list[tuple]:
    """Recipient and outcome of every entry."""
    return [(entry["recipient"], entry["outcome"]) for entry in entries(*facts)]


def test_attempts_that_end_alike_are_one_entry_with_the_last_ones_time_delay_and_code():
    (entry,) = entries(DEFERRED, DEFERRED._replace(delay=61.0), DEFERRED._replace(delay=122.0, dsn="4.2.2"))
    assert (3, 122.0, "4.2.2") == (entry["attempts"], entry["delay"], entry["dsn"])
    assert ("1970-01-01T00:00:00+00:00", "1970-01-01T00:00:02+00:00") == (entry["date"], entry["last_date"])


def test_attempts_that_end_otherwise_or_elsewhere_are_entries_of_their_own():
    found = entries(DEFERRED, DEFERRED._replace(relay="mx2[192.0.2.4]:25"), DEFERRED, SENT)
    assert [(1, False), (1, False), (1, False), (1, True)] == [(entry["attempts"], entry["last"]) for entry in found]


def test_one_attempt_that_is_told_twice_within_a_second_is_one():
    transaction = Transaction("mx1", "44CB19C84BB", "postfix")
    for delay in (1.0, 1.5):
        transaction.add(SECOND, DEFERRED._replace(delay=delay))
    made = document(transaction)
    assert made is not None
    assert [1] == [entry["attempts"] for entry in made["to"]]


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
    (entry,) = entries(SENT._replace(relay=relay))
    assert (host, ip) == (entry["relay_host"], entry["relay_ip"])


def test_who_waits_when_the_message_is_removed_was_deleted():
    assert [("bob@y", "deferred"), ("bob@y", "deleted")] == outcomes(CLIENT, ACTIVE, DEFERRED, LOST)
    assert [("bob@y", "sent")] == outcomes(CLIENT, ACTIVE, SENT, LOST)
    assert [("bob@y", "deferred")] == outcomes(CLIENT, ACTIVE, DEFERRED, Removed("removed"))

    other = Refusal("rejected", "rejected (no)", "eve@y")
    gone = CLIENT, other, ACTIVE, DEFERRED, Removed("removed")
    assert [("eve@y", "rejected"), ("bob@y", "deferred")] == outcomes(*gone)


def test_what_is_requeued_waits_from_its_last_result_on():
    later = DEFERRED._replace(status="deferred (timed out)", delay=9.0)
    found = entries(CLIENT, ACTIVE, DEFERRED, Removed("requeued", "CC4AB9C84D6"), later)
    assert ["deferred", "deferred", "queued"] == [entry["outcome"] for entry in found]
    assert "1970-01-01T00:00:04+00:00" == found[-1]["date"]


def test_an_alias_whose_member_has_a_result_was_not_deleted():
    alias = DEFERRED._replace(recipient="list@y", relay="local")
    member = SENT._replace(orig_to="list@y")
    assert ("list@y", "deleted") not in outcomes(CLIENT, ACTIVE, alias, member, LOST)
    assert ("list@y", "deleted") in outcomes(CLIENT, ACTIVE, alias, member._replace(orig_to="other@y"), LOST)


def test_a_held_message_was_deleted_where_none_of_its_recipients_is_done():
    held = Held("placed on hold")
    assert ("bob@y", "deleted") == outcomes(CLIENT, ACTIVE, DEFERRED, held, LOST)[-1]
    other = SENT._replace(recipient="eve@y")
    assert ("bob@y", "held") == outcomes(CLIENT, ACTIVE, DEFERRED, other, held, LOST)[-1]


@pytest.mark.parametrize("outcome", ["rejected", "discarded"])
def test_a_refusal_of_the_whole_message_is_left_out_where_its_recipients_are_named(outcome):
    whole, named = Refusal(outcome, f"{outcome} (spam)"), SENT._replace(status=outcome, outcome=outcome)
    assert [("bob@y", outcome)] == outcomes(CLIENT, MessageId("m@x"), ACTIVE, whole, named)
    assert [(None, outcome), ("bob@y", "sent")] == outcomes(CLIENT, MessageId("m@x"), ACTIVE, whole, SENT)


def test_the_return_of_a_message_is_left_out_where_a_recipient_bounced():
    returned, bounced = Refusal("bounced", "returned"), SENT._replace(status="bounced (no)", outcome="bounced")
    assert [("bob@y", "bounced")] == outcomes(CLIENT, ACTIVE, returned, bounced)
    assert [(None, "bounced"), ("bob@y", "sent")] == outcomes(CLIENT, ACTIVE, returned, SENT)


def test_the_return_of_a_recipient_is_left_out_where_it_has_a_result():
    returned = Refusal("bounced", "returned", "bob@y")
    assert [("bob@y", "sent")] == outcomes(CLIENT, ACTIVE, SENT, returned)
    assert [("bob@y", "deferred"), ("bob@y", "bounced")] == outcomes(CLIENT, ACTIVE, DEFERRED, returned)


def test_the_hold_of_the_whole_message_is_left_out_once_its_recipients_are_delivered():
    held, released = Refusal("held", "held (spam)"), Released("released from hold")
    assert [(None, "held")] == outcomes(CLIENT, MessageId("m@x"), held)
    assert [(None, "held"), (None, "queued")] == outcomes(CLIENT, MessageId("m@x"), held, released)
    assert [("bob@y", "sent")] == outcomes(CLIENT, MessageId("m@x"), held, released, SENT)
    assert [("bob@y", "sent")] == outcomes(CLIENT, ACTIVE, Held("placed on hold"), released, SENT)


def test_the_hold_of_a_recipient_is_left_out_where_it_was_delivered_under_another_name():
    held, released = Refusal("held", "held (spam)", "list@y"), Released("released from hold")
    assert [("bob@y", "sent")] == outcomes(CLIENT, MessageId("m@x"), held, released, ACTIVE, SENT)
    assert [("list@y", "held"), ("bob@y", "sent")] == outcomes(CLIENT, MessageId("m@x"), held, ACTIVE, SENT)


def test_a_result_that_queues_a_recipient_is_no_release_from_hold():
    held = Refusal("held", "held (spam)", "list@y")
    queued = SENT._replace(recipient="eve@y", relay=None, status="queued", outcome="queued")
    assert [("list@y", "held"), ("eve@y", "queued"), ("bob@y", "sent")] == outcomes(CLIENT, ACTIVE, held, queued, SENT)


def test_a_refusal_of_the_whole_message_is_told_once():
    refused = Refusal("rejected", "rejected (a)")
    assert [(None, "rejected")] == outcomes(CLIENT, refused, Refusal("rejected", "rejected (b)"))
    assert [(None, "rejected"), (None, "held")] == outcomes(CLIENT, refused, Refusal("held", "held (b)"))
    twice = Refusal("rejected", "rejected (a)", "bob@y"), Refusal("rejected", "rejected (b)", "bob@y")
    assert [("bob@y", "rejected")] * 2 == outcomes(CLIENT, *twice)


def test_what_expires_is_what_waits_and_is_not_on_hold():
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
def test_sendmails_controlling_address_is_what_was_rewritten_unless_it_is_the_sender(
    recipient, ctladdr, sender, orig_to
):
    begun = [] if sender is None else [Sender(sender, 5, 1, "m@x", "a [192.0.2.1]")]
    (entry,) = entries(*begun, SENT._replace(recipient=recipient, orig_to=ctladdr), mta="sendmail")
    assert orig_to == entry["orig_to"]


def test_postfixs_original_recipient_is_what_was_rewritten_even_if_it_is_the_sender():
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
def test_a_from_line_tells_sendmails_sender_better_than_what_a_message_was_made_of(facts, sender):
    transaction = Transaction("mx1", "q5IA00Xx004242", "sendmail")
    for second, fact in enumerate([*facts, SENT]):
        transaction.add(second * SECOND, fact)
    made = document(transaction)
    assert made is not None
    assert sender == made["from"]
