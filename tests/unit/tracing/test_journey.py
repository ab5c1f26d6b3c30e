"""Journeys: which transactions belong to one, and which do not."""

import tracemalloc
from dataclasses import fields

import pytest

from helpers.journeys import (
    AT,
    LONG,
    MSGID,
    OTHER,
    SHORT,
    held_and_requeued,
    list_mail,
    loop,
    mailbox,
    notice,
    part,
    parted_in_sendmail,
    postfix,
    queued,
    sendmail,
    spread,
    through_both,
    to,
)
from mailtrace.indexing.merge import write
from mailtrace.message.transaction import SECOND, Transaction
from mailtrace.mta.facts import Client, MessageId, Origin, Refusal, Removed
from mailtrace.mta.queue_ids import NOQUEUE
from mailtrace.search.patterns import Pattern
from mailtrace.search.query import Query
from mailtrace.stores.sqlite.store import SqliteStore
from mailtrace.tracing.journey import journeys
from mailtrace.tracing.ties import same_host, same_message

MX1 = "mx1.bar.com[192.0.2.25]:25"
MX2 = "mx2.bar.com[192.0.2.26]:25"
FROM_SMTP = "smtp.foo.com [192.0.2.1]"


@pytest.fixture
def store(tmp_path):
    made = SqliteStore(str(tmp_path / "mailtrace.db"))
    made.prepare()
    yield made
    made.close()


@pytest.fixture
def put(store):
    def put(*transactions):
        write(store, transactions)
        store.commit([])

    return put


@pytest.fixture
def traced(store, put):
    """The journeys of the documents that match, among all these transactions."""

    def traced(transactions, query=None):
        put(*transactions)
        return list(journeys(store, query or Query()))

    return traced


def drawn(hop, depth=0):
    """A hop and the hops after it: a line for each hop, and for each end of recipients."""
    about = "notice " if hop.is_notice else ""
    tie = "" if hop.tie in (None, "queued_as") or hop.is_notice else f" by {hop.tie}"
    more = " again" if hop.is_repeated else " cut" if hop.is_cut else ""
    yield f"{'  ' * depth}{about}{hop.document['host']} {hop.document['transaction']}{tie}{more}"
    for branch in hop.branches:
        names = ", ".join(str(entry["recipient"]) for entry in branch.recipient_results)
        end = f"{'  ' * (depth + 1)}{names}: {branch.recipient_results[0]['outcome']}"
        if branch.candidates:
            yield f"{end}, one of {', '.join(document['host'] for document in branch.candidates)}?"
        elif not branch.hops:
            yield f"{end}, not known where" if branch.is_unknown else end
        for later in branch.hops:
            yield from drawn(later, depth + 1)
    for later in hop.made:
        yield from drawn(later, depth + 1)


def lines(journey):
    return list(drawn(journey.root))


def test_a_journey_through_both_mtas_and_a_filter_to_the_bounce(traced):
    (journey,) = traced(through_both())
    assert lines(journey) == [
        "smtp pBFERI8l019936",
        "  mx1 5298B228B8B",
        "    mx1 16F49228B8B",
        "      alice@bar.com: sent",
        "      carol@elsewhere.org: bounced",
        "      notice mx1 ABCDE1",
        "        smtp pBFERM1x019999",
        "          bob@foo.com: sent",
        "  dave@baz.com: sent, not known where",
    ]
    assert journey.is_complete
    assert (journey.hops, journey.hosts, journey.seconds) == (5, {"smtp", "mx1"}, 7.0)
    assert journey.results == {"sent": 2, "bounced": 1}
    (first,) = journey.root.branches[0].hops
    assert (first.wait, first.branches[0].hops[0].wait) == (1.0, 2.0)


@pytest.mark.parametrize("queue_id", ["pBFERI8l019936", SHORT, OTHER, "ABCDE1", "pBFERM1x019999"])
def test_a_search_for_any_hop_finds_the_whole_journey(traced, queue_id):
    (journey,) = traced(through_both(), Query(queue_ids=(queue_id,)))
    assert journey.hops == 5

    def found(hop):
        own = [hop.document["transaction"]] if hop.is_found else []
        return own + [
            name for later in [*(h for b in hop.branches for h in b.hops), *hop.made] for name in found(later)
        ]

    assert found(journey.root) == [queue_id]


def test_recipients_that_were_searched_for_come_first(traced):
    (journey,) = traced(through_both(), Query(recipients=(Pattern.of("carol@bar.com"),)))
    assert [entry["recipient"] for entry in journey.root.branches[0].recipient_results] == [
        "carol@bar.com",
        "alice@bar.com",
    ]
    assert [branch.is_found for branch in journey.root.branches] == [True, False]


def test_two_messages_are_two_journeys_in_the_order_of_the_search(traced):
    late = postfix("mx1", "ABCDEF0", mailbox(), at=AT + 60 * SECOND, msgid="2@foo.com")
    found = traced([*through_both(), late])
    assert [journey.root.document["transaction"] for journey in found] == ["ABCDEF0", "pBFERI8l019936"]


def test_the_limit_counts_matching_documents(store, put):
    put(*through_both(), postfix("mx1", "ABCDEF0", mailbox(), at=AT + 60 * SECOND, msgid="2@foo.com"))
    (journey,) = journeys(store, Query(limit=1))
    assert journey.root.document["transaction"] == "ABCDEF0"


def test_a_next_hop_without_a_log_is_unknown(traced):
    (journey,) = traced([postfix("mx1", OTHER, queued("alice@bar.com", "smtp.bar.com[192.0.2.9]:25", SHORT))])
    assert lines(journey) == ["mx1 16F49228B8B", "  alice@bar.com: sent, not known where"]


def test_a_reused_queue_id_is_not_the_next_hop(traced):
    """A short ID is also used by earlier and later messages, on the same host, from the same client."""
    found = traced(
        [
            postfix("smtp", OTHER, queued("alice@bar.com", MX1, SHORT)),
            postfix("mx1", SHORT, mailbox(), at=AT - 15 * SECOND, msgid="before@foo.com", client=FROM_SMTP),
            postfix("mx1", SHORT, mailbox(), at=AT + SECOND, client=FROM_SMTP),
            postfix("mx1", SHORT, mailbox(), at=AT + 20 * SECOND, msgid="after@foo.com", client=FROM_SMTP),
        ],
        Query(queue_ids=(OTHER,)),
    )
    assert [lines(journey) for journey in found] == [
        ["smtp 16F49228B8B", "  mx1 5298B228B8B", "    alice@bar.com: sent"]
    ]


def test_only_the_other_use_of_a_queue_id_is_in_the_logs(traced):
    (journey,) = traced(
        [
            postfix("smtp", OTHER, queued("alice@bar.com", MX1, SHORT)),
            postfix("mx1", SHORT, mailbox(), at=AT + 20 * SECOND, msgid="after@foo.com", client=FROM_SMTP),
        ],
        Query(queue_ids=(OTHER,)),
    )
    assert lines(journey) == ["smtp 16F49228B8B", "  alice@bar.com: sent, not known where"]


def test_the_same_message_under_the_same_queue_id_days_later_is_another(traced):
    (journey,) = traced(
        [
            postfix("smtp", OTHER, queued("alice@bar.com", MX1, SHORT)),
            postfix("mx1", SHORT, mailbox(), at=AT + 3 * 86400 * SECOND, client=FROM_SMTP),
        ],
        Query(queue_ids=(OTHER,)),
    )
    assert lines(journey)[1:] == ["  alice@bar.com: sent, not known where"]


def test_the_message_id_distinguishes_the_same_queue_id_on_two_hosts(traced):
    (journey,) = traced(
        [
            postfix("smtp", OTHER, queued("alice@bar.com", "mail.bar.com[192.0.2.25]:25", SHORT)),
            postfix("mx1", SHORT, mailbox(), at=AT + SECOND, msgid="other@foo.com"),
            postfix("mx2", SHORT, mailbox(), at=AT + SECOND),
        ],
        Query(queue_ids=(OTHER,)),
    )
    assert lines(journey) == ["smtp 16F49228B8B", "  mx2 5298B228B8B", "    alice@bar.com: sent"]


def test_the_route_distinguishes_the_same_queue_id_on_two_hosts(traced):
    (journey,) = traced(
        [
            postfix("smtp", OTHER, queued("alice@bar.com", MX2, SHORT), msgid=None),
            postfix("mx1", SHORT, mailbox(), at=AT + SECOND, msgid=None),
            postfix("mx2", SHORT, mailbox(), at=AT + SECOND, msgid=None),
        ],
        Query(queue_ids=(OTHER,)),
    )
    assert lines(journey) == ["smtp 16F49228B8B", "  mx2 5298B228B8B", "    alice@bar.com: sent"]


def test_of_two_equal_next_hops_neither_is_chosen(traced):
    transactions = [
        postfix("smtp", OTHER, queued("alice@bar.com", "mail.bar.com[192.0.2.25]:25", SHORT)),
        postfix("mx1", SHORT, mailbox(), at=AT + SECOND, client=FROM_SMTP),
        postfix("mx2", SHORT, mailbox(), at=AT + SECOND, client=FROM_SMTP),
    ]
    found = traced(transactions)
    assert sorted(map(lines, found)) == [
        ["mx1 5298B228B8B", "  alice@bar.com: sent"],
        ["mx2 5298B228B8B", "  alice@bar.com: sent"],
        ["smtp 16F49228B8B", "  alice@bar.com: sent, one of mx1, mx2?"],
    ]


def test_of_two_equal_previous_hops_neither_is_chosen(traced):
    transactions = [
        postfix("smtp", OTHER, queued("alice@bar.com", MX1, SHORT), client="a [192.0.2.7]"),
        postfix("smtp", "77AA02", queued("alice@bar.com", MX1, SHORT), client="a [192.0.2.7]"),
        postfix("mx1", SHORT, mailbox(), at=AT + SECOND, client=FROM_SMTP),
    ]
    (journey,) = traced(transactions, Query(queue_ids=(SHORT,)))
    assert lines(journey) == ["mx1 5298B228B8B", "  alice@bar.com: sent"]
    assert sorted(document["transaction"] for document in journey.candidates) == [OTHER, "77AA02"]


def test_messages_that_share_a_message_id_are_not_one(traced):
    """Spam and lists: the same ID through the same hosts at the same time, again and again."""
    transactions = []
    for i in range(30):
        at = AT + i * SECOND
        transactions += [
            postfix("smtp", f"AAAA{i:02X}", queued(f"user{i}@bar.com", MX1, f"BBBB{i:02X}"), at=at),
            postfix("mx1", f"BBBB{i:02X}", mailbox(f"user{i}@bar.com"), at=at + SECOND, client=FROM_SMTP),
        ]
    found = traced(transactions)
    assert len(found) == 30
    for journey in found:
        first, second, end = lines(journey)
        assert first[-2:] == second[-2:]
        assert end == f"    user{int(first[-2:], 16)}@bar.com: sent"


@pytest.mark.parametrize("msgid", [None, ""])
def test_messages_without_a_message_id_are_tied_by_queue_ids_alone(traced, msgid):
    transactions = [
        postfix("smtp", OTHER, queued("alice@bar.com", MX1, SHORT), msgid=msgid),
        postfix("mx1", SHORT, mailbox(), at=AT + SECOND, msgid=msgid, client=FROM_SMTP),
        postfix("smtp", "77AA02", to("dave@bar.com", MX1, "sent (250 Ok)"), msgid=msgid),
        postfix("mx1", "77AA03", mailbox("dave@bar.com"), at=AT + SECOND, msgid=msgid, client=FROM_SMTP),
    ]
    assert sorted(map(lines, traced(transactions))) == [
        ["mx1 77AA03", "  dave@bar.com: sent"],
        ["smtp 16F49228B8B", "  mx1 5298B228B8B", "    alice@bar.com: sent"],
        ["smtp 77AA02", "  dave@bar.com: sent, not known where"],
    ]


def test_a_notice_of_sendmail_is_found_from_the_receiving_host(traced):
    """sendmail logs no message ID for its notices, so that of the next hop does not say where it came from."""
    transactions = [
        sendmail("smtp", "pBFF3hXa021030", to("x@bar.com", "mx", "User unknown", outcome="bounced")),
        part("pBFF3hXa021030", "smtp", "pBFF3iXa021032", to("bob@foo.com", MX1, f"Sent (Ok: queued as {SHORT})"),
             kind="notice"),
        postfix("mx1", SHORT, mailbox("bob@foo.com"), at=AT + SECOND, msgid="20111215.pBFF3iXa021032@smtp"),
    ]  # fmt: skip
    (journey,) = traced(transactions, Query(queue_ids=(SHORT,)))
    assert lines(journey) == [
        "smtp pBFF3hXa021030",
        "  x@bar.com: bounced",
        "  notice smtp pBFF3iXa021032",
        "    mx1 5298B228B8B",
        "      bob@foo.com: sent",
    ]


def test_a_message_id_that_sendmail_truncated_matches_the_whole_one(traced):
    msgid = "x" * 150 + "@foo.com"
    transactions = [
        sendmail("smtp", "pBFERI8l019936", to("alice@bar.com", MX1, f"Sent (Ok: queued as {SHORT})"), msgid=msgid[:99]),
        postfix("mx1", SHORT, mailbox(), at=AT + SECOND, msgid=msgid),
    ]
    (journey,) = traced(transactions, Query(queue_ids=(SHORT,)))
    assert lines(journey) == ["smtp pBFERI8l019936", "  mx1 5298B228B8B", "    alice@bar.com: sent"]


@pytest.mark.parametrize("behind", [-4, 40, -1800])
def test_clocks_that_differ(traced, behind):
    transactions = [
        postfix("smtp", OTHER, queued("alice@bar.com", MX1, SHORT)),
        postfix("mx1", SHORT, mailbox(), at=AT + behind * SECOND, client=FROM_SMTP),
    ]
    (journey,) = traced(transactions)
    assert lines(journey) == ["smtp 16F49228B8B", "  mx1 5298B228B8B", "    alice@bar.com: sent"]
    assert journey.root.branches[0].hops[0].wait == behind


def test_queue_ids_that_are_never_reused_are_tied_in_spite_of_a_wrong_zone(traced):
    transactions = [
        postfix("smtp", OTHER, queued("alice@bar.com", MX1, LONG)),
        postfix("mx1", LONG, mailbox(), at=AT - 5 * 3600 * SECOND, client=FROM_SMTP),
    ]
    (journey,) = traced(transactions)
    assert journey.hops == 2


def test_a_held_and_requeued_message(traced):
    (journey,) = traced(held_and_requeued())
    assert lines(journey) == [
        "mx1 5298B228B8B",
        "  None: held",
        "  None: queued",
        "  mx1 16F49228B8B by origin",
        "    alice@bar.com: sent",
    ]


def test_a_message_never_continues_as_its_own_origin(traced):
    _, elsewhere = to("alice@bar.com", "mx1.elsewhere.org[203.0.113.9]:25", "sent (ok)")
    held = Transaction("mx1", SHORT, "postfix")
    held.add(AT, Client("bob.desktop [10.10.10.10]"))
    held.add(AT, MessageId(MSGID))
    held.add(AT, Refusal("held", "held (header)", "alice@bar.com", "bob@foo.com"))
    held.add(AT + SECOND, Removed("requeued", OTHER))
    again = Transaction("mx1", OTHER, "postfix")
    for fact in (Origin(SHORT, "requeue"), MessageId(MSGID), elsewhere):
        again.add(AT + SECOND, fact)
    (journey,) = traced([held, again])
    assert lines(journey)[-2:] == ["  mx1 16F49228B8B", "    alice@bar.com: sent, not known where"]


def test_a_requeued_message_whose_other_queue_id_is_known(traced):
    held, later = held_and_requeued()
    held.add(later.first, Removed("requeued", later.queue_id))
    (journey,) = traced([held, later])
    assert lines(journey) == [
        "mx1 5298B228B8B",
        "  None: held",
        "  None: queued",
        "  mx1 16F49228B8B",
        "    alice@bar.com: sent",
    ]
    assert journey.results == {"sent": 1}


def test_a_message_requeued_after_its_results(traced):
    first = to("alice@bar.com", MX2, "deferred (timed out)", outcome="deferred")
    transactions = [
        postfix("mx1", SHORT, first),
        postfix("mx1", OTHER, mailbox(), at=AT + 3600 * SECOND, client=None, origin=SHORT),
    ]
    (journey,) = traced(transactions)
    assert lines(journey) == [
        "mx1 5298B228B8B",
        "  alice@bar.com: deferred",
        "  mx1 16F49228B8B by origin",
        "    alice@bar.com: sent",
    ]


def test_clones_and_splits_of_sendmail(traced):
    (journey,) = traced(parted_in_sendmail())
    assert lines(journey) == [
        "smtp pBFERI8l019936",
        "  alice@bar.com: sent",
        "  smtp pBFERI8m019936 by origin",
        "    carol@baz.com: sent, not known where",
        "  smtp pBFERI8n019936 by origin",
        "    dave@baz.com: sent, not known where",
    ]


def test_an_origin_is_of_the_same_host_and_time(traced):
    """Another message had the queue ID of the notice's origin long before, and so had one on another host."""
    transactions = [
        postfix("mx1", SHORT, mailbox("old@bar.com"), at=AT - 9 * 86400 * SECOND, msgid="old@foo.com"),
        postfix("mx2", SHORT, mailbox("far@bar.com"), msgid="far@foo.com"),
        notice(SHORT, "mx1", "ABCDE1", mailbox("bob@foo.com"), at=AT),
    ]
    (journey,) = traced(transactions, Query(queue_ids=("ABCDE1",)))
    assert lines(journey) == ["mx1 ABCDE1", "  bob@foo.com: sent"]
    assert journey.root.document["origin"] == SHORT


def test_of_two_uses_of_an_origin_the_latest_earlier_one_is_meant(traced):
    bounce = to("x@bar.com", "none", "bounced (no)", outcome="bounced")
    transactions = [
        postfix("mx1", SHORT, bounce, at=AT - 600 * SECOND, msgid="old@foo.com"),
        postfix("mx1", SHORT, bounce),
        notice(SHORT, "mx1", "ABCDE1", mailbox("bob@foo.com"), at=AT + SECOND),
    ]
    (journey,) = traced(transactions, Query(queue_ids=("ABCDE1",)))
    assert journey.root.document["msgid"] == MSGID


def test_an_alias_that_forwards(traced):
    forwarded = to("dave@bar.com", "local", f"sent (forwarded as {SHORT})", orig_to="support@bar.com")
    transactions = [
        postfix("mx1", OTHER, forwarded, mailbox("eve@bar.com", orig_to="support@bar.com")),
        postfix("mx1", SHORT, queued("dave@home.org", "mx.home.org[192.0.2.77]:25", "ZZ"), client=None, at=AT + SECOND),
    ]
    (journey,) = traced(transactions)
    assert lines(journey) == [
        "mx1 16F49228B8B",
        "  mx1 5298B228B8B",
        "    dave@home.org: sent, not known where",
        "  eve@bar.com: sent",
    ]
    assert journey.root.branches[0].recipient_results[0]["orig_to"] == "support@bar.com"


def test_a_recipient_in_a_mailbox_and_forwarded_has_both(traced):
    both = mailbox("dave@bar.com"), to("dave@bar.com", "local", f"sent (forwarded as {SHORT})", after=2)
    transactions = [postfix("mx1", OTHER, *both), postfix("mx1", SHORT, mailbox(), client=None, at=AT + SECOND)]
    (journey,) = traced(transactions)
    assert lines(journey)[1:3] == ["  dave@bar.com: sent", "  mx1 5298B228B8B"]


def test_without_a_queue_id_the_message_id_ties_if_the_route_matches(traced):
    told = to("alice@bar.com", MX1, "sent (250 Ok)")
    transactions = [
        postfix("smtp", OTHER, told),
        postfix("mx1", SHORT, mailbox(), at=AT + SECOND, client=FROM_SMTP),
        postfix("mx3", "77AA01", mailbox(), at=AT + SECOND, client="elsewhere.org [192.0.2.200]"),
    ]
    (journey,) = traced(transactions, Query(queue_ids=(OTHER,)))
    assert lines(journey) == ["smtp 16F49228B8B", "  mx1 5298B228B8B by msgid", "    alice@bar.com: sent"]


@pytest.mark.parametrize(
    "other",
    [
        {"at": AT + 3600 * SECOND},
        {"client": "elsewhere.org [192.0.2.200]"},
        {"msgid": "other@foo.com"},
    ],
    ids=str,
)
def test_without_a_queue_id_everything_else_must_match(traced, other):
    stray = postfix("mx7", SHORT, mailbox(), **{"at": AT + SECOND, "client": FROM_SMTP} | other)
    transactions = [postfix("smtp", OTHER, to("alice@bar.com", "mail.bar.com[192.0.2.25]:25", "sent (250 Ok)")), stray]
    (journey,) = traced(transactions, Query(queue_ids=(OTHER,)))
    assert lines(journey)[1:] == ["  alice@bar.com: sent, not known where"]


def test_without_a_queue_id_the_recipient_must_match(traced):
    transactions = [
        postfix("smtp", OTHER, to("alice@bar.com", MX1, "sent (250 Ok)")),
        postfix("mx1", SHORT, mailbox("carol@bar.com"), at=AT + SECOND, client=FROM_SMTP),
    ]
    assert len(traced(transactions)) == 2


def test_without_a_queue_id_two_that_match_are_both_candidates(traced):
    transactions = [
        postfix("smtp", OTHER, to("alice@bar.com", MX1, "sent (250 Ok)")),
        postfix("mx1", SHORT, mailbox(), at=AT + SECOND, client=FROM_SMTP),
        postfix("mx1", "77AA01", mailbox(), at=AT + SECOND, client=FROM_SMTP),
    ]
    (journey,) = traced(transactions, Query(queue_ids=(OTHER,)))
    assert lines(journey)[1:] == ["  alice@bar.com: sent, one of mx1, mx1?"]


def test_a_filter_that_replies_without_a_queue_id(traced):
    handed = to("alice@bar.com", "127.0.0.1[127.0.0.1]:10024", "sent (250 2.0.0 from MTA: 250 2.0.0 Ok)")
    transactions = [
        postfix("mx1", OTHER, handed, client=FROM_SMTP),
        postfix("mx1", SHORT, mailbox(), at=AT + SECOND, client="localhost [127.0.0.1]"),
    ]
    (journey,) = traced(transactions)
    assert lines(journey) == ["mx1 16F49228B8B", "  mx1 5298B228B8B by msgid", "    alice@bar.com: sent"]


def test_a_program_may_send_a_message_on_several_times(traced):
    (journey,) = traced(list_mail(3))
    assert lines(journey) == [
        "mx1 5298B228B8B",
        *(
            line
            for i in reversed(range(3))
            for line in (f"  mx1 BB000{i} by msgid", f"    user{i}@baz.com: sent, not known where")
        ),
    ]


def test_two_equal_refusals_without_a_queue_id_are_both_shown(traced):
    refusals = []
    for process in ("1", "2"):
        refusals.append(Transaction("mx1", NOQUEUE, "postfix", line=f"smtpd[{process}]"))
        refusals[-1].add(AT, Refusal("rejected", "rejected (no)", "x@bar.com", "bob@foo.com", "a [192.0.2.3]"))
    found = traced(refusals)
    assert [lines(journey) for journey in found] == [["mx1 NOQUEUE", "  x@bar.com: rejected"]] * 2


def test_a_loop_ends(traced):
    (journey,) = traced(loop(12))
    assert journey.hops == 12
    assert lines(journey)[-1].strip() == "alice@bar.com: bounced"


@pytest.mark.parametrize("queue_id", ["AAAAA0", "AAAB03", "AAAAD0"])
def test_a_long_loop_is_shown_in_part_and_the_match_is_in_it(traced, queue_id):
    (journey,) = traced(loop(100), Query(queue_ids=(queue_id,)))
    assert any(line.strip().split(" ")[1:2] == [queue_id] for line in lines(journey))
    assert journey.is_complete == (not any("cut" in line for line in lines(journey)))
    assert journey.hops <= 100


def test_queue_ids_in_a_cycle_end(traced):
    """Forged replies can name the queue ID of a previous hop: no hop is visited twice."""
    transactions = [
        postfix("mx1", SHORT, queued("alice@bar.com", MX2, OTHER), client="mx2.bar.com [192.0.2.26]"),
        postfix("mx2", OTHER, queued("alice@bar.com", MX1, SHORT), client="mx1.bar.com [192.0.2.25]"),
    ]
    found = traced(transactions)
    assert len(found) == 1
    assert found[0].hops == 2


def test_a_message_that_names_itself_as_its_next_hop(traced):
    (journey,) = traced([postfix("mx1", SHORT, queued("alice@bar.com", "127.0.0.1[127.0.0.1]:25", SHORT))])
    assert lines(journey) == ["mx1 5298B228B8B", "  alice@bar.com: sent, not known where"]


def test_of_a_message_to_very_many_a_part_is_shown_and_the_match_is_in_it(store, put):
    put(*spread(7000))
    tracemalloc.start()
    (journey,) = journeys(store, Query(queue_ids=(f"{0xCC0000 + 6999:X}",)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert journey.root.document["transaction"] == SHORT
    assert journey.hops <= 1002
    assert not journey.is_complete
    assert f"  mx2 {0xCC0000 + 6999:X}" in lines(journey)
    assert peak < 100_000_000


def test_of_a_message_to_very_many_every_match_is_in_the_one_journey(store, put):
    put(*spread(2500))
    assert len(list(journeys(store, Query()))) == 1


def test_a_message_id_of_very_many_transactions_ties_nothing(traced):
    """Bulk mail to a server that replies without a queue ID: the logs do not say what belongs together."""
    handed = to("list@bar.com", "local", "sent (delivered to command: mailman)")
    crowd = [
        postfix("mx1", f"{0xBB0000 + i:X}", mailbox(), at=AT + i, client="localhost [127.0.0.1]") for i in range(300)
    ]
    (journey,) = traced([postfix("mx1", SHORT, handed), *crowd], Query(queue_ids=(SHORT,)))
    assert lines(journey) == ["mx1 5298B228B8B", "  list@bar.com: sent, not known where"]


def test_a_journey_needs_few_queries(store, put):
    """A journey of five hops needs one query for its message ID, and two at each end."""
    put(*through_both())
    asked = []
    search = store.search

    def counted(query):
        asked.append([field.name for field in fields(query) if getattr(query, field.name)])
        return search(query)

    store.search = counted
    assert len(list(journeys(store, Query(queue_ids=("pBFERI8l019936",))))) == 1
    assert len(asked) <= 10, asked


def test_nothing_found_is_no_journey(traced):
    assert traced(through_both(), Query(queue_ids=("NONE1",))) == []


@pytest.mark.parametrize(
    "one, other, same",
    [
        ("mx1", "MX1.bar.com", True),
        ("mx1.bar.com.", "mx1.bar.com", True),
        ("mx1.bar.com", "mx1.foo.com", False),
        ("192.0.2.1", "192", False),
        ("", "mx1", False),
    ],
)
def test_names_of_hosts(one, other, same):
    assert same_host(one, other) == same_host(other, one) == same


@pytest.mark.parametrize(
    "one, other, same",
    [
        ("A@x", "a@X", True),
        ("a@x", "b@x", False),
        ("a@x", None, None),
        ("", "", None),
        ("a\\nb@x", "a?b@x", None),
        ("x" * 99, "x" * 120, True),
        ("x" * 20, "x" * 120, False),
    ],
)
def test_message_ids(one, other, same):
    assert same_message(one, other) == same_message(other, one) == same
