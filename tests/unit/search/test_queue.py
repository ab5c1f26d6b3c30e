"""The queue: what ages count from, and groups with a column for each age."""

from datetime import datetime
from itertools import chain

import pytest

from helpers.documents import document, entry
from mailtrace.output.queue import ages_text
from mailtrace.search.groups import SORTS, Grouping
from mailtrace.search.patterns import Pattern
from mailtrace.search.query import Query, Word, matches, untried_in
from mailtrace.search.queue import MINUTES, Ages, end_of_logs, has_ages, queue_groups
from mailtrace.syslog.timezones import zone_of

UTC = zone_of("UTC")


def at(minutes):
    return f"2026-01-01T{minutes // 60:02}:{minutes % 60:02}:00+00:00"


def waiting(minutes, *entries, **members):
    """Return a message that arrived at a minute of the day and is in the queue."""
    found = entries or [entry("a@x", "deferred", status="deferred (busy)")]
    dated = [{"date": at(minutes), "last_date": at(minutes), **each} for each in found]
    return document(*dated, **{"date": at(minutes), "removed": False, **members})


def search_of(*documents):
    newest_first = sorted(documents, key=lambda each: each["date"], reverse=True)
    return lambda query: [each for each in newest_first if matches(query, each)]


def ages_of(*documents):
    return Ages(search_of(*documents))


def seconds(minutes):
    return datetime.fromisoformat(at(0)).timestamp() + 60 * minutes


def numbers(documents, by="to-domain", **asked):
    query = Query(queued=True, **asked)
    found = [each for each in documents if matches(query, each)]
    return {group.value: group.numbers for group in queue_groups(query, Grouping(by, UTC), found, ages_of(*documents))}


def test_an_age_counts_from_the_last_line_of_the_host():
    mail = waiting(0)
    gone = {**waiting(60), "removed": True}
    other = waiting(600, host="other")
    ages = ages_of(mail, gone, other)
    assert [3600, 0] == [ages.of(mail), ages.of(other)]
    assert {"smtp.foo.com": at(60), "other": at(600)} == {
        host: time.isoformat() for host, time in ages.last_lines.items()
    }


@pytest.mark.parametrize(("minutes", "age"), [(61, 3660), (60 + 1440, 90000), (61 + 1440, 3600), (59, 3600)])
def test_an_age_counts_from_now_while_the_log_of_the_host_is_written(minutes, age):
    """A clock that is behind that of the host does not make the message younger."""
    mail, gone = waiting(0), {**waiting(60), "removed": True}
    ages = Ages(search_of(mail, gone), seconds(minutes))
    assert age == ages.of(mail)
    assert ages.is_from_now("smtp.foo.com") is (age != 3600)


def test_a_host_whose_log_has_ended_is_none_whose_log_is_written():
    ended, written = waiting(0), waiting(1430, host="other")
    ages = Ages(search_of(ended, written), seconds(1441))
    assert [0, 660] == [ages.of(ended), ages.of(written)]
    later = {**waiting(0), "date": "2026-01-02T00:02:00+00:00"}
    assert 0 == ages.of({**later, "host": "other"}) == ages.of({**later, "host": "new"})
    assert [
        "ages count from now; the last known line of the host: other 2026-01-01 23:50:00",
        "ages count from the last known line of the host, not from now: smtp.foo.com 2026-01-01 00:00:00",
    ] == list(ages_text(ages, UTC))


def test_logs_end_with_their_last_line_unless_one_is_still_written():
    mail, gone = waiting(0), {**waiting(60, host="other"), "removed": True}
    retried = waiting(0, entry("a@x", "deferred", last_date=at(90)))
    for documents, now, end in (
        ((mail, gone), 60, 60),
        ((mail, gone), 60 + 1440, 60 + 1440),
        ((mail, gone), 61 + 1440, 60),
        ((retried, gone), 61 + 1440, 61 + 1440),
        ((retried, gone), 91 + 1440, 90),
        ((mail, gone), 59, 59),
        ((), 7, 7),
    ):
        assert seconds(end) == end_of_logs(search_of(*documents), seconds(now)), (now, end)


def test_a_retry_is_a_line_of_its_host_too():
    mail = waiting(0, entry("a@x", "deferred", last_date=at(90)))
    assert ages_of(mail).of(mail) == 5400


def test_a_host_is_not_taken_for_another_with_the_same_short_name():
    mail, other = waiting(0, host="mx"), {**waiting(600, host="mx.foo.com"), "removed": True}
    assert ages_of(mail, other).of(mail) == 0


def test_a_message_that_comes_while_the_queue_is_read_is_new():
    mail = waiting(0)
    assert 0 == ages_of(mail).of(waiting(5)) == ages_of(mail).of(waiting(5, host="other"))


def test_each_age_has_a_column():
    end = {**waiting(1300), "removed": True}
    mails = [waiting(1300 - minutes) for minutes in (0, 4, 5, 9, 10, 1279, 1280, 1300)]
    assert {"x": (2, 2, 1, 0, 0, 0, 0, 0, 1, 2)} == numbers([*mails, end])
    assert len(MINUTES) == 9


@pytest.mark.parametrize(
    ("by", "wanted"),
    [
        ("to-domain", {"x": 2, "y": 1}),
        ("to", {"a@x": 1, "b@x": 1, "c@y": 1}),
        ("outcome", {"deferred": 2, "held": 1}),
        ("status", {"deferred (busy)": 2, "held": 1}),
        ("from", {"bob@foo.com": 1}),
    ],
)
def test_only_recipients_in_the_queue_count(by, wanted):
    busy, held = {"status": "deferred (busy)"}, {"status": "held"}
    mail = waiting(
        0,
        entry("a@x", "held", last=False, **held),
        entry("a@x", "deferred", **busy),
        entry("b@x", "deferred", **busy),
        entry("c@y", "held", **held),
        entry("d@z", "sent"),
    )
    assert wanted == {value: sum(ages) for value, ages in numbers([mail], by).items()}


@pytest.mark.parametrize(
    ("entries", "nrcpt", "wanted"),
    [
        ([entry(None, "queued")], 3, {None: 3}),
        ([entry(None, "queued")], None, {None: 1}),
        ([entry("a@x", "sent")], 3, {None: 2}),
        ([entry("a@x", "deferred"), entry("b@y", "sent")], 3, {"x": 1, None: 1}),
        ([entry("a@x", "rejected"), entry("b@y", "deferred")], 2, {"y": 1, None: 1}),
        ([entry("a@x", "deferred"), entry("b@y", "sent")], 2, {"x": 1}),
        ([entry("a@x", "sent"), entry("b@y", "sent")], 1, {}),
    ],
)
def test_recipients_without_a_result_count_without_a_name(entries, nrcpt, wanted):
    found = numbers([waiting(0, *entries, nrcpt=nrcpt)])
    assert wanted == {value: sum(ages) for value, ages in found.items()}


def test_recipients_without_a_name_do_not_count_if_a_name_is_asked_for():
    mail = waiting(0, entry("a@x", "deferred"), nrcpt=3)
    assert untried_in(mail) == 2
    for asked in ({"recipients": (Pattern.of("a@x"),)}, {"words": (Word.of("a@x"),)}, {"outcomes": ("deferred",)}):
        assert {"x"} == set(numbers([mail], **asked))
    assert {"x", None} == set(numbers([mail], words=(Word.of("bob@foo.com"),)))


def test_the_largest_group_comes_first():
    mails = [waiting(0, entry(name, "deferred")) for name in ("a@x", "a@y", "b@y", "a@w")]
    assert ["y", "w", "x"] == list(numbers(mails))


def test_groups_by_name_are_in_the_order_of_names():
    mails = [waiting(0, entry(name, "deferred")) for name in ("a@y", "b@y", "a@x", "a@w")]
    grouping = Grouping("to-domain", UTC, sort="name")
    groups = queue_groups(Query(queued=True), grouping, mails, ages_of(*mails))
    assert [("w", 1), ("x", 1), ("y", 2)] == [(group.value, group.number) for group in groups]


def test_pairs_and_groups_by_what_a_queue_does_not_show_have_no_ages():
    assert not has_ages(Grouping("to-domain", UTC, "from"))
    assert ["count", "name"] == [sort for sort in SORTS if has_ages(Grouping("to-domain", UTC, sort=sort))]


def test_hours_and_attempts_have_no_ages():
    assert [False, False, False] == [has_ages(Grouping(by, UTC)) for by in ("hour", "day", "ever")]
    assert all(has_ages(Grouping(by, UTC)) for by in chain(("to", "from"), ("status", "outcome")))
