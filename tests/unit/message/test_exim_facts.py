"""Documents of Exim: the recipients of the envelope, and deferrals that were no attempts."""

from mailtrace.message.document import document
from mailtrace.message.transaction import SECOND, Transaction
from mailtrace.mta.exim import parse
from mailtrace.mta.facts import Event, Ignored
from mailtrace.mta.queue_ids import time_of

QUEUE_ID = "1xXO6v-0007Yn-0t"
ARRIVED = time_of(QUEUE_ID, "exim") or 0
BOTH = "<= ann@example.org U=ann P=local S=7 for bob@example.net crew@example.org"
ARRIVAL = "<= ann@example.org U=ann P=local S=7"
DEFERRED = "== bob@example.net R=r T=t defer (111): Connection refused"
WAITING = "== bob@example.net R=r T=t defer (-54): retry time not reached for any host for 'example.net'"
SENT = '=> bob@example.net R=r T=t H=mx.example.net [192.0.2.81] C="250 OK id=1xXO6w-0007Zz-1A"'


def document_of(*lines, apart=SECOND):
    """The document of lines that follow each other; the first one at the message ID's own time."""
    transaction = Transaction("mail", QUEUE_ID, "exim")
    for number, line in enumerate(lines):
        parsed = parse("exim", f"{QUEUE_ID} {line}")
        assert parsed is not None
        if not isinstance(parsed, Ignored):
            assert isinstance(parsed, (Event, list))
            for event in parsed if isinstance(parsed, list) else [parsed]:
                transaction.add(ARRIVED * SECOND + number * apart, event.fact)
    return document(transaction)


def outcomes(*lines, apart=SECOND):
    found = document_of(*lines, apart=apart)
    return [(each["recipient"], each["orig_to"], each["outcome"]) for each in found["to"] if each["last"]]


def test_a_message_without_results_is_queued_for_its_recipients():
    assert outcomes(ARRIVAL) == [(None, None, "queued")]
    assert outcomes(BOTH) == [("bob@example.net", None, "queued"), ("crew@example.org", None, "queued")]


def test_an_alias_answers_for_the_recipient_that_it_replaced():
    mia = "=> mia <crew@example.org> R=localuser T=local_delivery"
    sent = [("bob@example.net", None, "sent"), ("mia", "crew@example.org", "sent")]
    assert sorted(outcomes(BOTH, mia, SENT, "Completed")) == sent
    assert sorted(outcomes(SENT, mia, BOTH, "Completed")) == sent


def test_a_recipient_that_was_never_tried():
    crew = "=> crew <crew@example.org> R=localuser T=local_delivery"
    assert ("bob@example.net", None, "queued") in outcomes(BOTH, crew)
    assert ("bob@example.net", None, "unknown") in outcomes(BOTH, crew, "Completed")


def test_a_local_user_who_is_named_twice_gets_one_copy():
    line = "<= ann@example.org U=ann P=local S=7 for crew@example.org mia@example.org"
    found = outcomes(line, "=> mia <crew@example.org> R=localuser T=local_delivery", "Completed")
    assert sorted(found, key=repr) == [("mia", "crew@example.org", "sent"), ("mia@example.org", None, "sent")]


def test_the_operator_decides_on_every_waiting_recipient():
    for line, outcome in [
        ("removed by root", "deleted"),
        ("cancelled by root", "bounced"),
        ("cancelled by timeout_frozen_after", "expired"),
        ("frozen by root", "held"),
    ]:
        named = [("bob@example.net", None, outcome), ("crew@example.org", None, outcome)]
        assert outcomes(BOTH, line) == named
        assert ("bob@example.net", None, outcome) in outcomes(BOTH, DEFERRED, line)
    assert outcomes(ARRIVAL, "removed by root", "Completed") == [(None, None, "deleted")]
    assert outcomes(ARRIVAL, "cancelled by root", "Completed") == [(None, None, "bounced")]
    assert ("bob@example.net", None, "sent") in outcomes(BOTH, SENT, "removed by root")


def test_a_deferral_without_an_attempt_adds_nothing_to_one_that_is_known():
    found = document_of(ARRIVAL, DEFERRED, WAITING, WAITING, DEFERRED)
    (result,) = found["to"]
    assert (result["status"], result["attempts"]) == ("defer (111): Connection refused", 2)
    (only,) = document_of(ARRIVAL, WAITING, WAITING)["to"]
    assert (only["status"], only["attempts"]) == (WAITING.partition("T=t ")[2], 1)
    (same,) = document_of(ARRIVAL, WAITING, DEFERRED, apart=0)["to"]
    assert same["status"] == "defer (111): Connection refused"


def test_the_delay_is_logged_or_the_time_since_the_message_id():
    assert [each["delay"] for each in document_of(ARRIVAL, DEFERRED, SENT + " QT=1m5s")["to"]] == [1.0, 65.0]


def test_the_reject_log_names_the_recipients_of_a_refused_message():
    refused = "H=ws [198.51.100.7] F=<ann@example.org> rejected after DATA: no"
    found = document_of(refused, "Envelope-to: <bob@example.net> <eve@example.net>", "I Message-ID: <m@example.org>")
    assert [(each["recipient"], each["outcome"]) for each in found["to"]] == [
        ("bob@example.net", "rejected"),
        ("eve@example.net", "rejected"),
    ]
    assert (found["from"], found["msgid"], found["removed"]) == ("ann@example.org", "m@example.org", False)
    assert outcomes(refused) == [(None, None, "rejected")]


def test_what_an_access_control_list_discards_is_discarded_for_all():
    line = "=> blackhole (DATA ACL discarded recipients)"
    assert outcomes(BOTH, line, "Completed") == [
        ("bob@example.net", None, "discarded"),
        ("crew@example.org", None, "discarded"),
    ]
    assert outcomes(ARRIVAL, line, "Completed") == [(None, None, "discarded")]


def test_lines_that_say_nothing_of_a_message_make_no_document():
    assert Transaction("mail", QUEUE_ID, "exim").facts == []
    assert isinstance(parse("exim", f"{QUEUE_ID} DKIM: d=example.org [verification succeeded]"), Ignored)


def test_the_queue_id_at_the_next_hop():
    assert document_of(ARRIVAL, SENT)["to"][0]["queued_as"] == "1xXO6w-0007Zz-1A"
    new = SENT.replace("1xXO6w-0007Zz-1A", "1xXO6w-000000007q8-3tCF").replace("250 OK", "250- 5 byte chunk\\\\n250 OK")
    assert document_of(ARRIVAL, new)["to"][0]["queued_as"] == "1xXO6w-000000007q8-3tCF"
