"""Clients and next hops as they are pasted from logs."""

import pytest

from mailtrace.errors import UsageError
from mailtrace.search.comparisons import CLIENTS, RELAYS
from mailtrace.search.peers import clients_of, relays_of
from mailtrace.search.query import Query, Word, matches


@pytest.mark.parametrize(
    "pasted, stored",
    [
        # Postfix
        ("a.test[192.0.2.1]", "a.test [192.0.2.1]"),
        ("A.Test[192.0.2.1]:4567", "a.test [192.0.2.1]"),
        ("unknown[192.0.2.1]", "unknown [192.0.2.1]"),
        ("unknown[unknown]", "unknown [unknown]"),
        ("a.test[2001:db8::1]", "a.test [2001:db8::1]"),
        ("a.test[2001:db8::1]:4567", "a.test [2001:db8::1]"),
        ("a.test[2001:DB8:0::1]", "a.test [2001:db8::1]"),
        ("a.test[fe80::1%eth0]", "a.test [fe80::1%eth0]"),
        ("192.0.2.1:4567", "unknown [192.0.2.1]"),
        ("[192.0.2.1]:4567", "unknown [192.0.2.1]"),
        ("[2001:db8::1]:4567", "unknown [2001:db8::1]"),
        ("[2001:db8::1]", "a.test [2001:db8::1]"),
        ("*.test[192.0.2.*]", "a.test [192.0.2.1]"),
        ("*a.test[192.0.2.1]*", "a.test [192.0.2.1]"),
        # sendmail
        ("a.test [192.0.2.1]", "a.test [192.0.2.1]"),
        ("a.test. [192.0.2.1]", "a.test [192.0.2.1]"),
        ("a.test.", "a.test [192.0.2.1]"),
        ("a.test [192.0.2.1] (may be forged)", "a.test [192.0.2.1] (may be forged)"),
        ("a.test [192.0.2.1]", "a.test [192.0.2.1] (may be forged)"),
        ("a.test [IPv6:2001:db8::1]", "a.test [IPv6:2001:db8::1]"),
        ("a.test[2001:db8::1]", "a.test [IPv6:2001:db8::1] (may be forged)"),
        ("a.test [IPv6:2001:db8::1]", "a.test [2001:db8::1]"),
        ("[IPv6:2001:db8::1]", "a.test [IPv6:2001:db8::1]"),
        ("[IPv6:2001:DB8:0::1]", "[2001:db8::1]"),
        ("IDENT:joe@a.test [192.0.2.1]", "IDENT:joe@a.test [192.0.2.1]"),
        # Exim
        ("a.test (helo.test) [192.0.2.1]:4567", "a.test [192.0.2.1]"),
        ("a.test (helo) [2001:db8::1]", "a.test [2001:db8::1]"),
        ("(helo.test) [192.0.2.1]:4567", "unknown [192.0.2.1]"),
        ("([192.0.2.9]) [192.0.2.1]", "unknown [192.0.2.1]"),
    ],
)
def test_a_client_as_logged_is_found(pasted, stored):
    assert CLIENTS.is_met_by(clients_of(pasted), stored)
    assert CLIENTS.is_met_by(Word.of(pasted).asked_of(CLIENTS), stored)


@pytest.mark.parametrize(
    "pasted, stored",
    [
        ("a.test[192.0.2.1]", "a.test [192.0.2.10]"),
        ("a.test[192.0.2.1]", "aa.test [192.0.2.1]"),
        ("a.test[192.0.2.1]", "a.test.org [192.0.2.1]"),
        ("a.test[192.0.2.1]", "unknown [192.0.2.1]"),
        ("unknown[192.0.2.1]", "a.test [192.0.2.1]"),
        ("unknown[unknown]", "unknown [192.0.2.1]"),
        ("[192.0.2.1]:25", "a.test [192.0.2.10]"),
        ("a.test[mx]", "a.test [mx]"),
        ("a.test...", "a.test"),
    ],
)
def test_another_client_is_not(pasted, stored):
    assert not CLIENTS.is_met_by(clients_of(pasted), stored)


@pytest.mark.parametrize(
    "pasted, stored",
    [
        ("mx.test[192.0.2.2]:25", "mx.test[192.0.2.2]:25"),
        ("mx.test[192.0.2.2]", "mx.test[192.0.2.2]:25"),
        ("mx.test[192.0.2.2]", "mx.test[192.0.2.2]"),
        ("mx.test[2001:db8::2]", "mx.test[2001:db8::2]:25"),
        ("mx.test[2001:db8::2]:25", "mx.test[2001:db8::2]:25"),
        ("[192.0.2.2]:25", "mx.test[192.0.2.2]:25"),
        ("192.0.2.2:25", "mx.test[192.0.2.2]:25"),
        ("[IPv6:2001:db8::2]:25", "mx.test [IPv6:2001:db8::2]:25"),
        ("[2001:db8::2]:25", "mx.test[2001:db8::2]:25"),
        ("box[private/dovecot-lmtp]", "box[private/dovecot-lmtp]"),
        ("mx.test. [192.0.2.2]", "mx.test [192.0.2.2]"),
        ("mx.test [IPv6:2001:db8::2]", "mx.test [IPv6:2001:db8::2]"),
        ("mx.test [192.0.2.2]", "mx.test [192.0.2.2]:25"),
        ("mx.test [192.0.2.2]:25", "mx.test [192.0.2.2]:25"),
        ("127.0.0.1[127.0.0.1]:10032", "127.0.0.1[127.0.0.1]:10032"),
        ("**bypassed**", "**bypassed**"),
        ("mx.test....", "mx.test...."),
    ],
)
def test_a_next_hop_as_logged_is_found(pasted, stored):
    assert RELAYS.is_met_by(relays_of(pasted), stored)


@pytest.mark.parametrize(
    "pasted, stored",
    [
        ("mx.test[192.0.2.2]:25", "mx.test[192.0.2.2]:2525"),
        ("mx.test[192.0.2.2]:25", "mx.test[192.0.2.2]"),
        ("[192.0.2.2]:25", "mx.test[192.0.2.2]:2525"),
        ("192.0.2.2:25", "mx.test[2.192.0.2.2]:25"),
        ("mx.test[192.0.2.2]", "mx.test[192.0.2.22]:25"),
        ("mx.test[192.0.2.2]", "my-mx.test[192.0.2.2]:25"),
    ],
)
def test_another_next_hop_is_not(pasted, stored):
    assert not RELAYS.is_met_by(relays_of(pasted), stored)


def test_the_client_before_a_proxy_is_found_likewise():
    found = {"client": "localhost [127.0.0.1]", "orig_client": "a.test [192.0.2.1]"}
    assert matches(Query(clients=clients_of("a.test[192.0.2.1]")), found)


@pytest.mark.parametrize("parse", [clients_of, relays_of])
def test_an_invalid_network_is_an_error(parse):
    with pytest.raises(UsageError, match="not a network"):
        parse("192.0.2.0/33")
