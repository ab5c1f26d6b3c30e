"""What a search means."""

import re
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrace.patterns import Pattern
from mailtrace.query import Query, client_names, is_host, matches


@pytest.mark.parametrize(
    "asked, value, found",
    [
        ("bob@foo.com", "Bob@FOO.com", True),
        ("bob@foo.com", "bob@foo.comm", False),
        ("<bob@foo.com>", "bob@foo.com", True),
        ("@foo.com", "bob@foo.com", True),
        ("@foo.com", "bob@sub.foo.com", False),
        ("*@*.foo.com", "bob@sub.foo.com", True),
        ("b?b@foo.com", "bxb@foo.com", True),
        ("b?b@foo.com", "bb@foo.com", False),
        ("<>", "", True),
        ("", "", True),
        ("<>", "bob@foo.com", False),
        ("<>", None, False),
        ("*", "", True),
        ("*", None, False),
        ("a.c@x", "abc@x", False),
        ("[ab]@x", "a@x", False),
    ],
)
def test_addresses(asked, value, found):
    assert found == Pattern.of(asked).matches(value)


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=10))
def test_patterns_mean_what_a_shell_means(glob, value):
    if "*" in glob or "?" in glob:
        assert fnmatchcase(value, glob) == Pattern.of(glob).matches(value)


def test_a_pattern_of_many_stars_does_not_backtrack():
    assert not Pattern.of("*a" * 40 + "*b").matches("a" * 20_000)


@pytest.mark.parametrize("host, found", [("smtp", True), ("smtp.example.net", True), ("smtp2", False), ("", False)])
def test_a_short_host_name_is_the_full_one_too(host, found):
    assert found == is_host(Pattern.of_text("SMTP"), host)


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


def test_recipient_and_outcome_must_hold_of_the_same_entry():
    entry = {"orig_to": None, "last": True}
    document = {
        "date": "2026-01-01T00:00:00+00:00",
        "to": [
            {**entry, "recipient": "a@x", "outcome": "sent"},
            {**entry, "recipient": "b@x", "outcome": "bounced"},
        ],
    }
    asked = [
        Query(recipients=(Pattern.of(who),), outcomes=(what,)) for who, what in (("a@x", "sent"), ("a@x", "bounced"))
    ]
    assert [True, False] == [matches(query, document) for query in asked]


def test_glob_pieces_are_literal():
    assert re.escape("a+b") != "a+b"
    assert Pattern.of("a+b*").matches("a+bc")
    assert not Pattern.of("a+b*").matches("aab")
