"""Which documents a query matches."""

import pytest

from helpers.documents import TWO
from mailtrace.search.comparisons import HOSTS, client_names, relay_names
from mailtrace.search.patterns import Pattern
from mailtrace.search.query import Query, Word, matches


@pytest.mark.parametrize(
    "asked, found",
    [("smtp", True), ("SMTP.foo.com", True), ("smtp2", False), ("", False), ("sm*", True), ("*.foo.com", True)],
)
def test_a_short_host_name_matches_the_full_one(asked, found):
    assert found == HOSTS.is_met_by((Pattern.of_text(asked),), "smtp.foo.com")


@pytest.mark.parametrize(
    "client, name",
    [
        ("bob.desktop [10.10.10.10]", "10.10.10.10"),
        ("bob.desktop [10.10.10.10]", "bob.desktop"),
        ("h2.example.org [IPv6:2001:DB8::102] (may be forged)", "2001:db8::102"),
        ("[192.0.2.3]", "192.0.2.3"),
        ("root@localhost", "root@localhost"),
    ],
)
def test_a_client_is_found_by_name_and_by_address(client, name):
    assert name in client_names(client)


def test_spellings_of_a_client_are_in_lower_case():
    assert {"mx.foo.com [ipv6:2001:db8::1]", "mx.foo.com", "2001:db8::1"} == client_names(
        "MX.foo.com [IPv6:2001:DB8::1]"
    )
    assert {"forged [192.0.2.1] [192.0.2.2] [192.0.2.3]", "forged", "192.0.2.1", "192.0.2.2"} == client_names(
        "forged [192.0.2.1] [192.0.2.2] [192.0.2.3]"
    )
    assert set() == client_names("") == client_names(None)


def test_a_relay_is_found_by_name_by_address_and_as_logged():
    assert "mx.x[2001:db8::1]:25" in relay_names("MX.x[2001:DB8::1]:25")
    assert {"mx.x"} == relay_names("MX.x")
    assert {"2001:db8:0::1", "2001:db8::1"} == relay_names("2001:DB8:0::1")


A, B = ((Pattern.of(f"{name}@x"),) for name in "ab")


@pytest.mark.parametrize(
    "query, found",
    [
        (Query(recipients=A, outcomes=("sent",)), True),
        (Query(recipients=A, outcomes=("bounced",)), False),
        (Query(recipients=A, outcomes=("deferred",)), False),
        (Query(recipients=A, ever=("deferred",)), True),
        (Query(recipients=A, ever=("deferred", "held")), True),
        (Query(recipients=B, ever=("deferred",)), False),
        (Query(outcomes=("sent",), ever=("deferred",)), True),
        (Query(outcomes=("bounced",), ever=("deferred",)), False),
        (Query(outcomes=("sent",), ever=("bounced",)), False),
        (Query(outcomes=("sent",), ever=("deferred",), statuses=("greylist",)), True),
        (Query(outcomes=("sent",), statuses=("greylist",)), False),
        (Query(relays=(Pattern.of_peer("192.0.2.0/24"),), statuses=("greylist",)), True),
        (Query(relays=(Pattern.of_peer("mx.x"),), statuses=("550",)), False),
        (Query(recipients=(Pattern.of("team@foo.com"),), statuses=("250 ok",)), True),
        (Query(statuses=("nowhere", "550")), True),
        (Query(mtas=("sendmail",)), False),
        (Query(logins=(Pattern.of_text("B*"),)), True),
        (Query(msgids=(Pattern.of_text("@foo.com"),)), True),
    ],
)
def test_one_recipient_result_must_match_all_its_criteria(query, found):
    assert found == matches(query, TWO)


@pytest.mark.parametrize(
    "words, found",
    [
        (["bob@foo.com"], True),
        (["A@x"], True),
        (["team@foo.com"], True),
        (["<1@foo.com>"], True),
        (["5298B228B8B"], True),
        (["5298b228b8b"], False),
        (["bob.desktop"], True),
        (["10.0.0.0/8"], True),
        (["BOB"], True),
        (["bob*", "b@x"], True),
        (["bob", "c@x"], False),
        (["a@x", "b@x"], True),
        (["@nowhere.test"], False),
    ],
)
def test_every_word_must_match_somewhere(words, found):
    assert found == matches(Query(words=tuple(map(Word.of, words))), TWO)


def test_a_word_that_is_a_recipient_selects_its_result():
    """bob is the sender, so any result may match the rest of the query; a@x is a recipient, so its own result must."""
    for word, outcome, found in (("bob@foo.com", "bounced", True), ("b@x", "bounced", True), ("a@x", "bounced", False)):
        assert found == matches(Query(words=(Word.of(word),), outcomes=(outcome,)), TWO)
