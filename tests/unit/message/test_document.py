"""The document of a transaction and its recipient results."""

from itertools import permutations
from typing import Any

import pytest

from mailtrace.message.document import MAX_LENGTH, document
from mailtrace.message.fields import DOCUMENT, RECIPIENT_RESULT, is_cut
from mailtrace.message.recipients import queued_as
from mailtrace.message.transaction import SECOND, Transaction
from mailtrace.mta import postfix, sendmail
from mailtrace.mta.facts import (
    Aborted,
    Client,
    Cloned,
    Envelope,
    Event,
    Expired,
    Fact,
    Held,
    Login,
    MessageId,
    Origin,
    Refusal,
    Removed,
    Result,
    Sender,
    Submitted,
)

QUEUE_ID = "44CB19C84BB"
OTHER = "CC4AB9C84D6"
CLIENT = Client("a [192.0.2.1]")
ACTIVE = Envelope("ann@x", 1, 2)
DEFERRED = Result("bob@y", None, "none", "deferred (timed out)", "deferred", "4.4.1", 1.0)
QUEUED = ("queued (no result yet)", "queued")


def with_facts(*facts: Fact, mta: str = "postfix") -> Transaction:
    """Return a transaction with one fact a second."""
    transaction = Transaction("mx1", QUEUE_ID, mta)
    for second, fact in enumerate(facts):
        transaction.add(second * SECOND, fact)
    return transaction


def results(transaction):
    """Return recipient, status and outcome of each recipient result."""
    found = document(transaction)
    return None if found is None else [(one["recipient"], one["status"], one["outcome"]) for one in found["to"]]


@pytest.mark.parametrize("action", ["reject: header Subject: spam from local", "hold: header Subject: x from local"])
def test_the_sender_that_cleanup_has_completed(action):
    """pickup(8) logs the address as the local program gave it, before cleanup(8) adds the domain."""
    end = ": no" if action.startswith("reject") else ""
    refused = f"{QUEUE_ID}: {action}; from=<www-data@mx1.example> to=<a@y.test>{end}"
    found = read(postfix, "postfix/cleanup", f"{QUEUE_ID}: uid=33 from=<www-data>", refused)
    assert "www-data@mx1.example" == document(found[QUEUE_ID])["from"]


def read(mta, program, *texts):
    """Return the transactions of lines, one line a second, by queue ID."""
    found: dict[str, Transaction] = {}
    for second, text in enumerate(texts):
        parsed = mta.parse(program, text)
        for event in parsed if isinstance(parsed, list) else [parsed]:
            assert isinstance(event, Event), text
            kept = found.setdefault(event.queue_id, Transaction("mx1", event.queue_id, mta.__name__.rpartition(".")[2]))
            kept.add(second * SECOND, event.fact)
    return found


@pytest.mark.parametrize(
    ("facts", "mta"),
    [
        ([CLIENT, MessageId("m@x"), ACTIVE], "postfix"),
        ([ACTIVE], "postfix"),
        ([MessageId("m@x"), ACTIVE, Origin("4A9448F3B4", "notice")], "postfix"),
        ([Sender("ann@x", 5, 1, "m@x", "a [192.0.2.1]")], "sendmail"),
        ([Sender("ann@x", 5, 3, None, "ann@localhost")], "sendmail"),
    ],
)
def test_a_message_in_the_queue_without_a_result_is_queued(facts, mta):
    assert results(with_facts(*facts, mta=mta)) == [(None, *QUEUED)]


def test_a_message_refused_for_one_recipient_is_queued_for_the_others():
    refused = Refusal("rejected", "rejected (554 no)", "eve@y", "ann@x", "a [192.0.2.1]")
    rejected = ("eve@y", "rejected (554 no)", "rejected")
    assert results(with_facts(CLIENT, refused, MessageId("m@x"), ACTIVE)) == [rejected, (None, *QUEUED)]
    begun = Sender("ann@x", 5, 1, "m@x", "a [192.0.2.1]")
    assert results(with_facts(refused, begun, mta="sendmail")) == [rejected, (None, *QUEUED)]
    assert results(with_facts(begun, refused, mta="sendmail")) == [(None, *QUEUED), rejected]


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param([CLIENT, MessageId("m@x")], id="not active yet"),
        pytest.param([CLIENT, ACTIVE, Removed("removed")], id="gone, its results are in another log"),
        pytest.param([CLIENT, ACTIVE, Expired("expired, returned to sender"), Removed("removed")], id="expired"),
        pytest.param([CLIENT, ACTIVE, DEFERRED], id="has a result"),
        pytest.param([DEFERRED], id="nothing but a result"),
        pytest.param([CLIENT, ACTIVE, Removed("deleted")], id="deleted"),
        pytest.param([CLIENT, ACTIVE, Held("placed on hold")], id="held"),
        pytest.param([CLIENT, MessageId("m@x"), Refusal("rejected", "rejected (spam)")], id="refused as a whole"),
        pytest.param([CLIENT, MessageId("m@x"), Refusal("rejected", "rejected (x)", "b@y")], id="by cleanup"),
        pytest.param([Sender("a@x", 5, 1, "m@x", "a"), Refusal("rejected", "rejected (Milter: data)")], id="by milter"),
        pytest.param([Sender("a@x", 5, 1, "m@x", "a"), Refusal("discarded", "discarded")], id="discarded"),
        pytest.param([Sender("a@x", 5, 1, "m@x", "a"), Cloned("6AONmMgD012076")], id="went on as a list's clone"),
        pytest.param([Sender("a@x", 5, 1, "m@x", "a"), Refusal("discarded", "discarded", "b@y")], id="discarded for b"),
    ],
)
def test_a_message_not_waiting_for_its_first_result_is_not_queued(facts):
    mta = "sendmail" if isinstance(facts[0], Sender) else "postfix"
    assert "queued" not in {outcome for _, _, outcome in results(with_facts(*facts, mta=mta))}


@pytest.mark.parametrize(
    "facts",
    [
        [Sender("a@x", 0, 0, None, "a")],
        [Sender("a@x", 0, 1, None, "a")],
        [Sender("a@x", 5, 1, "m@x", "a"), Aborted("lost input channel")],
    ],
)
def test_a_session_without_a_message_has_no_document(facts):
    assert results(with_facts(*facts, mta="sendmail")) is None


def test_the_first_result_replaces_queued():
    transaction = with_facts(CLIENT, ACTIVE)
    transaction.add(9 * SECOND, DEFERRED)
    assert results(transaction) == [("bob@y", "deferred (timed out)", "deferred")]


REQUEUED = (
    f"{QUEUE_ID}: client=h.example.org[198.51.100.7]",
    f"{QUEUE_ID}: from=<ann@x>, size=1, nrcpt=2 (queue active)",
    f"{QUEUE_ID}: to=<bob@y>, relay=none, delay=1, delays=0/0/1/0, dsn=4.4.1, status=deferred (timed out)",
    f"{QUEUE_ID}: to=<eve@y>, relay=mx[192.0.2.3]:25, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 ok)",
    f"{QUEUE_ID}: requeued",
    f"{OTHER}: uid=100 from=<ann@x> orig_id={QUEUE_ID}",
)


def test_a_requeued_message_waits_under_its_new_queue_id():
    found = read(postfix, "postfix/any", *REQUEUED)
    old, new = document(found[QUEUE_ID]), document(found[OTHER])
    assert old is not None
    assert new is not None
    assert new["origin"] == QUEUE_ID
    assert old["removed"] is True
    last = {result["recipient"]: result for result in old["to"] if result["last"]}
    assert ("queued under CC4AB9C84D6", "queued") == (last["bob@y"]["status"], last["bob@y"]["outcome"])
    assert (OTHER, 1) == (last["bob@y"]["queued_as"], last["bob@y"]["attempts"])
    assert "sent (250 ok)" == last["eve@y"]["status"]


@pytest.mark.parametrize("missing", range(len(REQUEUED)))
def test_a_requeued_message_is_not_deferred_whichever_line_is_missing(missing):
    lines = [line for at, line in enumerate(REQUEUED) if at != missing]
    last = [result for result in document(read(postfix, "postfix/any", *lines)[QUEUE_ID])["to"] if result["last"]]
    assert "deferred" not in {result["outcome"] for result in last}


def test_a_delivery_in_progress_during_a_requeue_leaves_nothing_deferred():
    facts: list[Fact] = [
        CLIENT,
        ACTIVE,
        DEFERRED,
        Removed("requeued"),
        DEFERRED._replace(delay=9.0),
        Removed("requeued", OTHER),
    ]
    assert results(with_facts(*facts))[-1] == ("bob@y", f"queued under {OTHER}", "queued")
    assert results(with_facts(*facts[:-1]))[-1] == ("bob@y", "requeued", "queued")


def test_a_held_message_and_one_without_a_result_can_be_requeued():
    whole = (None, f"queued under {OTHER}", "queued")
    assert results(with_facts(CLIENT, ACTIVE, Removed("requeued", OTHER))) == [whole]
    held = Refusal("held", "held (spam)")
    assert results(with_facts(CLIENT, MessageId("m@x"), held, Removed("requeued", OTHER)))[-1] == whole
    refused = Refusal("rejected", "rejected (554 no)", "eve@y")
    assert results(with_facts(CLIENT, refused, ACTIVE, Removed("requeued", OTHER)))[-1] == whole


def test_a_queue_id_known_only_from_its_requeue_has_no_document():
    assert results(with_facts(Removed("requeued", OTHER))) is None


ALIAS = (
    f'{QUEUE_ID}: to=<list@x>, relay=local, delay=1, delays=0/0/1/0, dsn=5.3.0, status=bounced (Command died: "false")',
    f"{QUEUE_ID}: to=<gone@x>, orig_to=<list@x>, relay=local, delay=1, delays=0/0/1/0, dsn=5.1.1, status=bounced (no)",
    f"{QUEUE_ID}: to=<list@x>, relay=local, delay=2, delays=0/0/1/0, dsn=2.0.0, status=sent (forwarded as {OTHER})",
)


def test_bounced_and_forwarded_members_of_an_alias_are_both_shown():
    for lines in permutations(ALIAS):
        found = document(read(postfix, "postfix/local", *lines)[QUEUE_ID])
        last = sorted((result["recipient"], result["outcome"]) for result in found["to"] if result["last"])
        assert last == [("gone@x", "bounced"), ("list@x", "bounced"), ("list@x", "sent")]


def test_a_recipient_that_bounced_elsewhere_or_was_deferred_has_one_result():
    sent = DEFERRED._replace(status="sent (ok)", outcome="sent", relay="local")
    for first in (DEFERRED, DEFERRED._replace(status="bounced (no)", outcome="bounced", relay="mx[192.0.2.3]:25")):
        found = document(with_facts(first, sent._replace(relay=first.relay)))
        assert [result["orig_to"] for result in found["to"]] == [None, None]
        assert [result["last"] for result in found["to"]] == [False, True]


def test_a_recipient_with_results_of_local_and_of_another_server_is_one():
    sent = DEFERRED._replace(status="sent (ok)", outcome="sent")
    bounced = DEFERRED._replace(status="bounced (no)", outcome="bounced", delay=2.0)
    for one, other in (("local", "mx[192.0.2.9]:25"), ("mx[192.0.2.9]:25", "local")):
        for first, second in permutations((sent._replace(relay=one), bounced._replace(relay=other))):
            found = document(with_facts(CLIENT, ACTIVE, first, second))
            assert [(result["orig_to"], result["last"]) for result in found["to"]] == [(None, False), (None, True)]


def test_members_of_a_sendmail_alias_are_kept_apart():
    head = "q5IA00Xx004242: "
    found = read(
        sendmail,
        "sm-mta",
        head + "from=<ann@x>, size=5, class=0, nrcpts=1, msgid=<m@x>, relay=a [192.0.2.4]",
        head + "to=\\\\dave, ctladdr=<dave@x> (8/0), delay=00:00:01, mailer=local, pri=1, dsn=2.0.0, stat=Sent",
        head + 'to="|/bin/false", ctladdr=<dave@x> (8/0), delay=00:00:01, mailer=prog, pri=1, dsn=5.0.0, stat=unknown '
        "mailer error 1",
    )
    last = [result for result in document(found["q5IA00Xx004242"])["to"] if result["last"]]
    assert [("sent", "dave@x"), ("bounced", "dave@x")] == [(result["outcome"], result["orig_to"]) for result in last]


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        ("sent (250 2.0.0 Ok: queued as 5298B228B8B)", "5298B228B8B"),
        ("sent (250 2.0.0 Ok: queued as 4jYzr36nM8z1V3tx)", "4jYzr36nM8z1V3tx"),
        ("Sent (Ok: queued as 5298B228B8B.)", "5298B228B8B"),
        ("Sent (ok queued as 5298B228B8B, thanks)", "5298B228B8B"),
        ("Sent (ok queued as <5298B228B8B>)", "5298B228B8B"),
        ("Sent (ok queued as 5298B228B8B", "5298B228B8B"),
        ("Sent (ok queued as 1700000000.12345)", None),
        ("Sent (ok queued as ab12@mx.example.net)", None),
        ("Sent (ok queued as ab_12)", None),
        ("Sent (Mail queued for delivery)", None),
        ("sent (250 Ok: queued as A1B2C3D4E5 by filter: 250 Ok: queued as 5298B228B8B)", "5298B228B8B"),
        ("sent (forwarded as 4jcJ6y5vD5z1XmQQ)", "4jcJ6y5vD5z1XmQQ"),
        ("sent (250 OK id=1qXyz1-000abc-1D)", "1qXyz1-000abc-1D"),
        ("sent (250 OK id=1qXyz1-00000000abc-1DEF)", "1qXyz1-00000000abc-1DEF"),
        ("sent (250 2.6.0 Ok, id=12345-01, from MTA: 250 Ok: queued as 5298B228B8B)", "5298B228B8B"),
        ("sent (250 2.6.0 <m@x> [InternalId=7153339838233, Hostname=h.x] Queued mail for delivery)", "7153339838233"),
        ("sent (250 2.6.0 <m@x> [InternalId=51CCBDF0398, Hostname=h.x] Queued mail for delivery)", "51CCBDF0398"),
        ("sent (250 2.6.0 <m@x> [InternalId=51_0398, Hostname=h.x] Queued mail for delivery)", None),
        ("Sent (2.0.0 pBFERI8l019936 Message accepted for delivery)", "pBFERI8l019936"),
        ("Sent (QAA12345 Message accepted for delivery)", "QAA12345"),
        ("sent (250 2.0.0 Message accepted for delivery)", None),
        ("sent (250 Message accepted for delivery)", None),
        ("sent (250 Ok, Message accepted for delivery)", None),
        ("sent (250 ab.pBFERI8l019936 Message accepted for delivery)", None),
        ("sent (250 2.0.0 OK  1732460839 abc123-20020a170906.123 - gsmtp)", None),
        ("sent (250 ok: Message 12345 accepted)", None),
        ("sent (250 ok 1234567890 qp 1234)", None),
        ("sent (delivered to mailbox)", None),
    ],
)
def test_the_queue_id_at_the_next_hop_is_a_whole_word(status, wanted):
    assert queued_as(status) == wanted


def test_a_message_that_was_canceled_before_it_came_in_is_no_mail():
    assert document(with_facts(CLIENT, MessageId("m@x"), ACTIVE, Removed("canceled"))) is None
    assert document(with_facts(Sender("ann@x", 5, 1, "m@x", "a"), Removed("canceled"), mta="sendmail")) is None
    assert document(with_facts(CLIENT, MessageId("m@x"), ACTIVE, Removed("removed"))) is not None


@pytest.mark.parametrize(
    ("begun", "is_mail"),
    [
        (Sender("ann@x", 5, 0, "m@x", "a"), False),
        (Sender("ann@x", 0, 1, None, "a"), False),
        (Sender("ann@x", None, 1, None, "a"), False),
        (Sender("ann@x", 0, 1, "m@x", "a"), True),
        (Sender("ann@x", 5, 1, None, "a"), True),
        (Sender("ann@x", 5, None, None, "a"), True),
        (Submitted("ann@x"), True),
        (MessageId("m@x"), True),
        (CLIENT, False),
    ],
)
def test_what_has_a_size_or_a_message_id_is_mail(begun, is_mail):
    mta = "sendmail" if isinstance(begun, Sender) else "postfix"
    assert is_mail == (document(with_facts(begun, mta=mta)) is not None)


SENT = DEFERRED._replace(status="Sent", outcome="sent")


@pytest.mark.parametrize(
    ("nrcpt", "results", "removed"),
    [
        (1, [SENT], True),
        (2, [SENT], False),
        (1, [DEFERRED], False),
        (1, [DEFERRED, SENT], True),
        (2, [DEFERRED, SENT._replace(recipient="eve@y")], False),
        (2, [SENT, SENT._replace(recipient="eve@y", outcome="bounced")], True),
        (1, [SENT, SENT._replace(recipient="eve@y")], True),
        (1, [SENT, Refusal("rejected", "no", "eve@y")], True),
        (2, [SENT, Refusal("rejected", "no", "eve@y")], False),
        (1, [Refusal("rejected", "no", "eve@y")], True),
        (0, [SENT], False),
        (None, [SENT], False),
    ],
)
def test_sendmail_has_removed_what_has_a_final_result_for_each_recipient(nrcpt, results, removed):
    found = document(with_facts(Sender("ann@x", 5, nrcpt, "m@x", "a"), *results, mta="sendmail"))
    assert removed == found["removed"]


def test_postfix_has_removed_what_it_says():
    assert document(with_facts(CLIENT, Envelope("ann@x", 1, 1), SENT))["removed"] is False
    assert document(with_facts(CLIENT, Envelope("ann@x", 1, 1), SENT, Removed("removed")))["removed"] is True


def test_long_values_are_cut_and_end_in_dots():
    whole, cut = "x" * MAX_LENGTH, "x" * (MAX_LENGTH - 3) + "..."
    for value, kept in ((whole, whole), (whole + "x", cut)):
        client = Client(value, login=value, origin=value, orig_client=value)
        result = Result(value, value, value, value, "sent", "2.0.0", 1.0)
        found = document(with_facts(client, MessageId(value), Envelope(value, 1, 1), result))
        assert {kept} == {found[field.name] for field in DOCUMENT if is_cut(field)}
        (result,) = found["to"]
        assert {kept} == {result[field.name] for field in RECIPIENT_RESULT if is_cut(field)} - {result["queued_as"]}


def test_a_long_queue_id_of_the_next_hop_is_cut():
    (result,) = document(with_facts(SENT._replace(status=f"sent (250 Ok: queued as {'x' * 9000})")))["to"]
    assert MAX_LENGTH == len(result["queued_as"])


@pytest.mark.parametrize("member", ["recipient", "orig_to", "relay", "status"])
def test_one_long_value_of_a_result_is_cut(member):
    long: dict[str, Any] = {member: "x" * 9000}
    (result,) = document(with_facts(SENT._replace(**long)))["to"]
    assert MAX_LENGTH == len(result[member])


def test_each_field_has_the_first_value_of_the_most_reliable_kind_of_fact():
    queue = Envelope("", 7, 3, "postfix-out")
    found = document(
        with_facts(MessageId("m@x", "postfix-in"), CLIENT, MessageId("n@x"), queue, Envelope("eve@x", 8, 4))
    )
    assert ("", 7, 3, "postfix-out") == (found["from"], found["size"], found["nrcpt"], found["instance"])
    assert ("m@x", "a [192.0.2.1]", "192.0.2.1") == (found["msgid"], found["client"], found["client_ip"])
    local = document(with_facts(Submitted("ann"), MessageId("m@x")))
    assert ("ann", None, None) == (local["from"], local["client"], local["client_ip"])
    both = document(with_facts(Login("eve", "c [192.0.2.9]"), Client("b [192.0.2.2]", "bob"), ACTIVE))
    assert ("bob", "c [192.0.2.9]") == (both["login"], both["orig_client"])
    assert "eve" == document(with_facts(Login("eve"), ACTIVE))["login"]
    refused = document(with_facts(Refusal("rejected", "rejected (no)", "bob@y", "eve@x", "d [192.0.2.4]", "eve")))
    assert ("eve@x", "d [192.0.2.4]", "eve") == (refused["from"], refused["client"], refused["login"])


def test_a_requeued_message_is_queued_from_when_it_was_requeued():
    (result,) = document(with_facts(CLIENT, ACTIVE, Removed("requeued", OTHER)))["to"]
    assert "1970-01-01T00:00:02+00:00" == result["date"]
    (result,) = document(with_facts(CLIENT, ACTIVE))["to"]
    assert "1970-01-01T00:00:01+00:00" == result["date"]
