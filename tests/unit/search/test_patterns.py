"""Patterns of search values."""

from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrace.errors import UsageError
from mailtrace.search.patterns import Pattern, ip_key


@pytest.mark.parametrize(
    "asked, value, found",
    [
        ("bob@foo.com", "Bob@FOO.com", True),
        ("bob@foo.com", "bob@foo.comm", False),
        ("<bob@foo.com>", "bob@foo.com", True),
        ("@foo.com", "bob@foo.com", True),
        ("@foo.com", "bob@sub.foo.com", False),
        ("*@*.foo.com", "bob@sub.foo.com", True),
        ("@*.foo.com", "bob@sub.foo.com", False),
        ("@*.foo.com", "@sub.foo.com", True),
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
        ("a+b*", "a+bc", True),
        ("a+b*", "aab", False),
        ("*back\\", "aback\\", True),
        ("*back\\", "aback", False),
        ("@", "@", True),
        ("@", "bob@", False),
        ("@foo.com", "foo.com", False),
        ("<bob@foo.com", "bob@foo.com", False),
        ("bob@foo.com>", "bob@foo.com", False),
        (" bob@foo.com ", "bob@foo.com", True),
    ],
)
def test_addresses(asked, value, found):
    assert found == Pattern.of(asked).matches(value)


@pytest.mark.parametrize(
    "asked, value, found",
    [
        ("<A.1@foo.com>", "a.1@FOO.com", True),
        ("@foo.com", "a.1@foo.com", True),
        ("@foo.com", "a.1@foo.com.x", False),
        ("a.1*", "A.1@foo.com", True),
        ("bob", "bob@foo.com", False),
        ("bob", "jimbob", False),
        ("@", "@", True),
        ("@", "a.1@", False),
        ("@*.foo.com", "a.1@mx.foo.com", True),
    ],
)
def test_texts(asked, value, found):
    assert found == Pattern.of_text(asked).matches(value)


@pytest.mark.parametrize(
    "asked, value, found",
    [
        ("192.0.2.0/24", "192.0.2.255", True),
        ("192.0.2.77/24", "192.0.2.1", True),
        ("192.0.2.0/24", "192.0.3.0", False),
        ("192.0.2.0/24", "mx.bar.com", False),
        ("2001:db8::/32", "2001:db8:ffff::1", True),
        ("2001:db8::/32", "2001:db9::", False),
        ("::/0", "192.0.2.1", False),
        ("0.0.0.0/0", "::1", False),
        ("192.0.2.1/32", "192.0.2.1", True),
        ("[192.0.2.1]", "192.0.2.1", True),
        ("IPv6:2001:DB8:0::1", "2001:db8::1", True),
        ("mx*.bar.com", "MX1.bar.com", True),
        ("box[private/dovecot-lmtp]", "box[private/dovecot-lmtp]", True),
        ("192.0.2.0/255.255.255.0", "192.0.2.255", True),
        ("::/0", "2001:db8::1", True),
        ("0.0.0.0/0", "255.255.255.255", True),
        ("0.0.0.0/0", "192.0.2", False),
        ("0.0.0.0/0", "192.0.2.256", False),
        ("::/0", "2001:db8::g", False),
        ("[mx.bar.com]", "mx.bar.com", False),
    ],
)
def test_clients_and_relays(asked, value, found):
    assert found == Pattern.of_peer(asked).matches(value)


@pytest.mark.parametrize(
    "asked", ["192.0.2.0/33", "192.0.2/24", "192.0.2.0/", "2001:db8::/129", "::1::/64", "1.2.3.4/a"]
)
def test_an_invalid_network_is_an_error(asked):
    if asked.endswith("a"):
        assert Pattern.of_peer(asked).kind == "exact"
        return
    with pytest.raises(UsageError, match="not a network; write it as"):
        Pattern.of_peer(asked)


@given(st.ip_addresses(), st.ip_addresses(), st.integers(0, 128))
def test_a_network_contains_the_addresses_that_python_says(address, other, bits):
    network = ip_network(f"{address}/{min(bits, address.max_prefixlen)}", strict=False)
    pattern = Pattern.of_peer(str(network))
    for each in (address, other, network[0], network[-1]):
        assert (each in network) == pattern.matches(str(each))


@given(st.lists(st.ip_addresses(v=4)), st.lists(st.ip_addresses(v=6)))
def test_keys_sort_as_addresses_do(fours, sixes):
    ordered = [*sorted(fours), *sorted(sixes)]
    assert ordered == sorted(ordered, key=lambda each: ip_key(str(each)))
    assert ordered == [ip_address(str(each)) for each in ordered]


@given(st.text("ab*?\\", max_size=8), st.text("ab\\", max_size=10))
def test_patterns_match_as_in_a_shell(glob, value):
    if "*" in glob or "?" in glob:
        assert fnmatchcase(value, glob) == Pattern.of(glob).matches(value)


def test_a_pattern_of_many_stars_does_not_backtrack():
    assert not Pattern.of("*a" * 40 + "*b").matches("a" * 20_000)
