"""Journeys as text and JSON."""

from datetime import timedelta, timezone

import orjson
import pytest

from helpers.journeys import (
    AT,
    MSGID,
    OTHER,
    SHORT,
    list_mail,
    loop,
    mailbox,
    postfix,
    queued,
    spread,
    through_both,
    to,
)
from mailtrace.indexing.merge import write
from mailtrace.message.transaction import SECOND
from mailtrace.output.journeys import journey_json, journey_text
from mailtrace.search.patterns import Pattern
from mailtrace.search.query import Query
from mailtrace.stores.sqlite.store import SqliteStore
from mailtrace.tracing.journey import journeys

CET = timezone(timedelta(hours=1))
MX1 = "mx1.bar.com[192.0.2.25]:25"


@pytest.fixture
def traced(tmp_path):
    """The journeys of the documents that match, among all these transactions."""
    store = SqliteStore(str(tmp_path / "mailtrace.db"))
    store.prepare()

    def traced(transactions, query=None):
        write(store, transactions)
        store.commit([])
        return list(journeys(store, query or Query()))

    yield traced
    store.close()


def test_the_tree(traced):
    (journey,) = traced(through_both(), Query(queue_ids=(SHORT,)))
    assert journey_text(journey, CET) == (
        "msgid:  20111215142718.GD23530@foo.com\n"
        "from:   bob@foo.com\n"
        "date:   2011-12-15 16:27:19\n"
        "hops:   5 on 2 hosts in 7 s: 2 sent, 1 bounced\n"
        "smtp pBFERI8l019936, 2011-12-15 16:27:19, from bob.desktop [10.10.10.10]\n"
        "├─ sent: alice@bar.com, carol@bar.com -> mx1.bar.com after 1 s\n"
        "│  mx1 5298B228B8B, 2011-12-15 16:27:20, +1 s  <-- found\n"
        "│  └─ sent: alice@bar.com, carol@bar.com -> 127.0.0.1 after 2 s\n"
        "│     mx1 16F49228B8B, 2011-12-15 16:27:22, +2 s\n"
        "│     ├─ sent: alice@bar.com -> local after 3 s: sent (delivered to mailbox)\n"
        "│     ├─ bounced: carol@elsewhere.org (for carol@bar.com) -> mx1.bar.com after 3 s: bounced (550 no)\n"
        "│     └─ notice:\n"
        "│        mx1 ABCDE1, 2011-12-15 16:27:23, +1 s\n"
        "│        └─ sent: bob@foo.com -> smtp.foo.com after 1 s\n"
        "│           smtp pBFERM1x019999, 2011-12-15 16:27:25, +2 s\n"
        "│           └─ sent: bob@foo.com -> local after 1 s: Sent\n"
        "└─ sent: dave@baz.com -> mx.baz.com after 1 s: Sent (Ok: queued as 77AA01)\n"
        "   accepted as 77AA01 at mx.baz.com: not in these logs\n"
    )


def test_unknown_next_hops_are_shown_as_such(traced):
    transactions = [
        postfix("smtp", OTHER, queued("alice@bar.com", "mail.bar.com[192.0.2.25]:25", SHORT), origin="GONE01"),
        *(postfix(host, SHORT, at=AT - 3 * SECOND, client="smtp.foo.com [192.0.2.1]") for host in ("mx1", "mx2")),
    ]
    ways = {journey.root.document["host"]: journey_text(journey, CET).splitlines() for journey in traced(transactions)}
    assert ways["smtp"][4:] == [
        "came from GONE01: not in these logs",
        "smtp 16F49228B8B, 2011-12-15 16:27:19, from bob.desktop [10.10.10.10]  <-- found",
        "└─ sent: alice@bar.com -> mail.bar.com after 1 s: sent (250 2.0.0 Ok: queued as 5298B228B8B)",
        "   accepted as 5298B228B8B at mail.bar.com: the logs do not say which",
        "     ? mx1 5298B228B8B, 2011-12-15 16:27:16",
        "     ? mx2 5298B228B8B, 2011-12-15 16:27:16",
    ]
    assert ways["mx1"][-1] == ways["mx2"][-1] == "└─ no result in these logs"


def test_two_possible_previous_hops_are_both_named(traced):
    transactions = [
        postfix("smtp", "77AA02", queued("alice@bar.com", MX1, SHORT), client="a [192.0.2.7]"),
        postfix("smtp", OTHER, queued("alice@bar.com", MX1, SHORT), client="a [192.0.2.7]"),
        postfix("mx1", SHORT, mailbox(), at=AT + SECOND, client="smtp.foo.com [192.0.2.1]"),
    ]
    found = traced(transactions)
    assert len(found) == 3
    (text,) = (journey_text(each, CET) for each in found if each.root.document["host"] == "mx1")
    assert text.splitlines()[4:7] == [
        "came from: the logs do not say which",
        "  ? smtp 16F49228B8B, 2011-12-15 16:27:19",
        "  ? smtp 77AA02, 2011-12-15 16:27:19",
    ]
    (text, _) = (journey_text(each, CET) for each in found if each.root.document["host"] == "smtp")
    assert text.splitlines()[-2:] == [
        "   accepted as 5298B228B8B at mx1.bar.com: the logs do not say whether this is it",
        "     ? mx1 5298B228B8B, 2011-12-15 16:27:20",
    ]


def test_a_next_hop_that_began_earlier_shows_that_clocks_differ(traced):
    transactions = [
        postfix("smtp", OTHER, queued("alice@bar.com", MX1, SHORT)),
        postfix("mx1", SHORT, mailbox(), at=AT - 4 * SECOND, client="smtp.foo.com [192.0.2.1]"),
    ]
    (journey,) = traced(transactions)
    assert "mx1 5298B228B8B, 2011-12-15 16:27:15, -4 s (the clocks differ)" in journey_text(journey, CET)


def test_a_tie_by_message_id_is_shown(traced):
    (journey,) = traced(list_mail(1))
    assert "mx1 BB0000, 2011-12-15 16:27:21, +2 s, matched by message ID" in journey_text(journey, CET)


def test_no_control_character_reaches_a_terminal(traced):
    hostile = "\x1b[2J\r\n\x07\x9b\u202eevil\u2028"
    result = queued(f"{hostile}@bar.com", f"{hostile}[192.0.2.1]:25", "AB12", orig_to=f"o{hostile}@bar.com")
    bounce = to("x@bar.com", hostile, f"bounced ({hostile})", outcome="bounced")
    found = traced([postfix("mx1", SHORT, result, bounce, msgid=hostile, client=hostile, origin=hostile)])
    text = journey_text(found[0], CET)
    assert not set("\x1b\r\x07\x9b\u202e\u2028") & set(text)
    assert text.count("\n") == 9
    assert not set("\x1b\r\x07\x9b\u202e\u2028") & set(journey_json(found[0], CET).decode())


def test_a_message_to_very_many_fits_on_a_few_screens(traced):
    query = Query(recipients=(Pattern.of("user1234@bar.com"),))
    (journey,) = traced(spread(1500), query)
    text = journey_text(journey, CET)
    assert text.count("\n") < 100
    assert "user1234@bar.com -> mx2.bar.com" in text
    assert "└─ and 1480 more: 1480 sent (--format json shows all)\n" in text
    assert "too large to show in full" in text


def test_many_recipients_of_one_result_are_counted(traced):
    (journey,) = traced([postfix("mx1", SHORT, *(mailbox(f"user{i:04}@bar.com") for i in range(10_000)))])
    assert "user0009@bar.com, and 9990 more -> local" in journey_text(journey, CET)


def test_a_loop_of_any_length_can_be_shown(traced):
    (journey,) = traced(loop(100), Query(queue_ids=("AAAAA0",)))
    assert ": the rest is omitted\n" in journey_text(journey, CET)
    assert orjson.loads(journey_json(journey, CET))["complete"] is False


def test_json_nests_the_contract(traced):
    (journey,) = traced(through_both(), Query(queue_ids=("ABCDE1",)))
    told = orjson.loads(journey_json(journey, CET))
    root = told.pop("root")
    assert told == {
        "msgid": MSGID, "from": "bob@foo.com", "date": "2011-12-15T16:27:19+01:00", "seconds": 7.0, "hops": 5,
        "hosts": ["mx1", "smtp"], "results": {"sent": 2, "bounced": 1}, "complete": True, "candidates": [],
    }  # fmt: skip
    assert (root["transaction"], root["tie"], root["wait"], root["found"]) == ("pBFERI8l019936", None, None, False)
    assert "to" not in root
    alice, dave = root["branches"]
    assert [entry["recipient"] for entry in alice["recipients"]] == ["alice@bar.com", "carol@bar.com"]
    assert alice["recipients"][0]["last_date"] == "2011-12-15T16:27:20+01:00"
    assert (alice["queued_as"], alice["unknown"]) == (SHORT, False)
    assert (dave["queued_as"], dave["unknown"], dave["next"]) == ("77AA01", True, [])
    (second,) = alice["next"]
    assert (second["transaction"], second["tie"], second["wait"]) == (SHORT, "queued_as", 1.0)
    (notice,) = second["branches"][0]["next"][0]["made"]
    assert (notice["transaction"], notice["tie"], notice["notice"], notice["found"]) == ("ABCDE1", "origin", True, True)
