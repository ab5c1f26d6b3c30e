"""Groups: what is counted, and in which order."""

import pytest

from helpers.documents import HOP, TWO, document, entry
from mailtrace.search.groups import BY, Group, Grouping, groups_of
from mailtrace.search.patterns import Pattern
from mailtrace.search.query import Query, Word
from mailtrace.syslog.timezones import zone_of

UTC = zone_of("UTC")


def counts(query, by, *documents, zone=UTC):
    delayed = [{**each, "to": [{"delay": None, **entry} for entry in each["to"]]} for each in documents]
    return {group.value: group.number for group in groups_of(query, Grouping(by, zone), delayed)}


def test_a_recipient_counts_once_by_its_final_outcome():
    assert {"sent": 1, "bounced": 1} == counts(Query(), "outcome", TWO)
    assert {"a@x": 1, "b@x": 1} == counts(Query(), "to", TWO)


@pytest.mark.parametrize(
    "query, wanted",
    [
        (Query(recipients=(Pattern.of("a@x"),)), {"sent (250 Ok)": 1}),
        (Query(ever=("deferred",)), {"deferred (Greylisted)": 1}),
        (Query(ever=("deferred",), outcomes=("sent",)), {"deferred (Greylisted)": 1}),
        (Query(statuses=("e",)), {"deferred (Greylisted)": 1, "sent (250 Ok)": 1, "bounced (550 No)": 1}),
        (Query(relays=(Pattern.of_peer("mx.x"),)), {"deferred (Greylisted)": 1, "sent (250 Ok)": 1}),
        (Query(words=(Word.of("b@x"),)), {"bounced (550 No)": 1}),
    ],
)
def test_earlier_results_that_match_count_too_if_the_query_is_about_attempts(query, wanted):
    assert wanted == counts(query, "status", TWO)


@pytest.mark.parametrize(
    "query, wanted",
    [
        (Query(recipients=(Pattern.of("a@x"),)), {"sent": 1}),
        (Query(ever=("deferred",)), {"sent": 1}),
        (Query(ever=("deferred",), outcomes=("sent",)), {"sent": 1}),
        (Query(statuses=("e",)), {"sent": 1, "bounced": 1}),
        (Query(relays=(Pattern.of_peer("mx.x"),)), {"sent": 1}),
        (Query(words=(Word.of("b@x"),)), {"bounced": 1}),
        (Query(words=(Word.of("bob"),)), {"sent": 1, "bounced": 1}),
        (Query(words=(Word.of("a@x"), Word.of("b@x"))), {"sent": 1, "bounced": 1}),
    ],
)
def test_each_recipient_counts_once_by_what_became_of_it(query, wanted):
    assert wanted == counts(query, "outcome", TWO)


@pytest.mark.parametrize(
    "query, wanted",
    [
        (Query(), {"deferred": 5, "sent": 1, "bounced": 1}),
        (Query(outcomes=("sent",)), {"deferred": 5, "sent": 1}),
        (Query(ever=("deferred",)), {"deferred": 5}),
        (Query(ever=("bounced",)), {"bounced": 1}),
        (Query(words=(Word.of("a@x"),)), {"deferred": 5, "sent": 1}),
    ],
)
def test_every_attempt_counts_of_the_recipients_that_are_asked_about(query, wanted):
    first, *others = TWO["to"]
    assert wanted == counts(query, "ever", {**TWO, "to": [{**first, "attempts": 5}, *others]})


def test_transactions_count_once():
    assert {"bob@foo.com": 2, "": 1, None: 1} == counts(
        Query(), "from", TWO, document(**{"from": "BOB@foo.com"}), document(**{"from": ""}), document(**{"from": None})
    )
    assert {"foo.com": 1, "": 1, None: 1} == counts(
        Query(), "from-domain", TWO, document(**{"from": ""}), document(**{"from": "root"})
    )


def test_the_largest_group_comes_first_and_unknown_last_among_equals():
    senders = ["c@x", "a@x", None, "b@x", "c@x"]
    groups = groups_of(Query(), Grouping("from", UTC), [document(**{"from": each}) for each in senders])
    assert ["c@x", "a@x", "b@x", None] == [group.value for group in groups]


def test_hours_and_days_are_those_of_the_zone_the_latest_first():
    madrid = zone_of("Europe/Madrid")
    dates = ["2026-10-25T00:30:00+00:00", "2026-10-25T01:30:00+00:00", "2026-10-25T22:59:59+00:00"]
    mails = [document(date=date) for date in dates]
    assert ["2026-10-25T23:00+01:00", "2026-10-25T02:00+01:00", "2026-10-25T02:00+02:00"] == list(
        counts(Query(), "hour", *mails, zone=madrid)
    )
    assert {"2026-10-25": 3} == counts(Query(), "day", *mails, zone=madrid)
    assert {"2026-10-26": 1, "2026-10-25": 2} == counts(Query(), "day", *mails, zone=zone_of("+05:30"))


def test_relays_have_a_median_and_a_95th_percentile():
    """By the nearest rank: of 1 to 20, the tenth and the nineteenth."""
    entries = [entry("a@x", delay=float(i), **HOP) for i in range(20, 0, -1)]
    assert [Group("mx.x", 20, 10.0, 19.0)] == groups_of(Query(), Grouping("relay", UTC), [document(*entries)])
    entries = [entry("a@x", delay=float(i), **HOP) for i in range(1, 1001)]
    assert [Group("mx.x", 1000, 500.0, 950.0)] == groups_of(Query(), Grouping("relay", UTC), [document(*entries)])
    none, endless = entry("a@x", delay=None), entry("a@x", delay=1e300, relay_host="y")
    assert [Group("y", 1, 2**62 / 1e6, 2**62 / 1e6), Group(None, 1)] == groups_of(
        Query(), Grouping("relay", UTC), [document(none, endless)]
    )


def test_every_grouping_counts_something():
    for by in BY:
        assert 1 <= sum(counts(Query(), by, TWO).values()) <= (3 if by == "ever" else 2)


@pytest.mark.parametrize(
    "by, wanted",
    [
        ("from", {"bob@foo.com": 1}),
        ("from-domain", {"foo.com": 1}),
        ("client", {"bob.desktop [10.10.10.10]": 1}),
        ("login", {"bob": 1}),
        ("host", {"smtp.foo.com": 1}),
        ("to", {"a@x": 1, "b@x": 1}),
        ("to-domain", {"x": 2}),
        ("relay", {"mx.x": 1, None: 1}),
        ("outcome", {"sent": 1, "bounced": 1}),
        ("ever", {"deferred": 1, "sent": 1, "bounced": 1}),
        ("status", {"sent (250 Ok)": 1, "bounced (550 No)": 1}),
        ("hour", {"2026-01-01T00:00+00:00": 1}),
        ("day", {"2026-01-01": 1}),
    ],
)
def test_each_way_of_grouping_counts_what_it_is_named_after(by, wanted):
    assert wanted == counts(Query(), by, TWO)
    grouping = Grouping(by, UTC)
    assert (by in ("to", "to-domain", "relay", "outcome", "ever", "status")) == grouping.counts_recipients
    assert (by in ("hour", "day")) == grouping.is_of_times
    assert (by == "relay") == grouping.has_delays


def test_delays_beside_unknown_ones_count_alone():
    entries = [entry("a@x", delay=delay, **HOP) for delay in (None, 0.000001, 3.3, None)]
    assert [Group("mx.x", 4, 0.000001, 3.3)] == groups_of(Query(), Grouping("relay", UTC), [document(*entries)])


def sized(size, *recipients, **members):
    entries = [entry(recipient, delay=float(size or 0), **HOP) for recipient in recipients]
    return document(*entries, size=size, **members)


def test_the_size_of_a_transaction_counts_once_in_each_group():
    """An unknown or forged size does not count."""
    documents = [sized(10, "a@x", "b@x", "c@y"), sized(None, "a@x"), sized(2**60, "a@x"), sized(5, "a@y")]
    groups = groups_of(Query(), Grouping("to-domain", UTC), documents)
    assert [("x", 4, 10), ("y", 2, 15)] == [(group.value, group.number, group.bytes) for group in groups]
    groups = groups_of(Query(), Grouping("login", UTC), documents)
    assert [("bob", 4, 15)] == [(group.value, group.number, group.bytes) for group in groups]
    assert [None] == [group.bytes for group in groups_of(Query(), Grouping("host", UTC), documents)]


def test_each_attempt_counts_in_a_pair_and_the_size_of_its_message_once():
    late = entry("a@x", "deferred", attempts=3, delay=1.0, last=False, **HOP)
    again = entry("a@x", "deferred", attempts=2, delay=9.0, last=False, **HOP)
    mail = document(late, again, entry("a@x", delay=20.0, **HOP), size=10)
    for pair in (("ever", "to-domain"), ("to-domain", "ever")):
        grouping = Grouping(pair[0], UTC, pair[1], "p95")
        found = {
            group.value if pair[0] == "ever" else group.second: group for group in groups_of(Query(), grouping, [mail])
        }
        assert {"deferred": (5, 1.0, 9.0, 10), "sent": (1, 20.0, 20.0, 10)} == {
            outcome: (group.number, group.median_delay, group.p95_delay, group.bytes)
            for outcome, group in found.items()
        }
    groups = groups_of(Query(ever=("deferred",)), Grouping("outcome", UTC, "relay"), [mail])
    assert [("sent", "mx.x", 1)] == [(group.value, group.second, group.number) for group in groups]


def test_two_values_make_a_group():
    documents = [sized(1, "a@x", login=login, client=client) for login, client in (("b", "1"), ("b", None), ("b", "1"))]
    groups = groups_of(Query(), Grouping("login", UTC, "client"), documents)
    assert [("b", "1", 2), ("b", None, 1)] == [(group.value, group.second, group.number) for group in groups]
    groups = groups_of(
        Query(), Grouping("day", UTC, "to"), [*documents, sized(1, "c@x", date="2026-01-02T00:00:00+00:00")]
    )
    assert [("2026-01-02", "c@x"), ("2026-01-01", "a@x")] == [(group.value, group.second) for group in groups]


@pytest.mark.parametrize(
    ("sort", "wanted"),
    [
        (None, ["x", "y", "z", None]),
        ("count", ["x", "y", "z", None]),
        ("name", ["x", "y", "z", None]),
        ("bytes", ["y", "z", "x", None]),
        ("p95", ["y", "z", "x", None]),
        ("median", ["y", "z", "x", None]),
    ],
)
def test_groups_are_sorted_by_what_is_asked(sort, wanted):
    documents = [sized(1, "a@x"), sized(2, "a@x"), sized(90, "a@y"), sized(8, "a@z"), sized(None, "nobody")]
    documents[-1]["to"][0]["delay"] = None
    groups = groups_of(Query(), Grouping("to-domain", UTC, None, sort), documents)
    assert wanted == [group.value for group in groups]
    assert Grouping("to-domain", UTC, None, sort).can_be_sorted
    assert Grouping("from", UTC, None, sort).can_be_sorted == (sort not in ("p95", "median"))
