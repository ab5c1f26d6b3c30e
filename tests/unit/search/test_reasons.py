"""Which parts of an MTA's status are the same for many messages."""

from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailtrace.search.reasons import _parts, reason_of, with_one_id


@pytest.mark.parametrize(
    "status, reason",
    [
        ("Sent (Ok: queued as 5298B228B8B)", "Sent (Ok: queued as *)"),
        ("sent (250 2.0.0 <jo.820@example.com> zYxWv9Ut8Sr7Qp Saved)", "sent (250 2.0.0 <*> * Saved)"),
        (
            "deferred (host mx.busy.test[203.0.113.77] said: 450 4.2.0 <bob@x.com>: Greylisted for 231 seconds)",
            "deferred (host mx.busy.test[*] said: 450 4.2.0 <*>: Greylisted for * seconds)",
        ),
        ("Deferred: 451 4.7.1 Please come back in 00:05:00", "Deferred: 451 4.7.1 Please come back in *"),
        ("bounced (550 5.7.26 policy)", "bounced (550 5.7.26 policy)"),
        ("User unknown", "User unknown"),
        ("sent (forwarded as 4jcJ6y5vD5z1XmQQ)", "sent (forwarded as *)"),
        ("sent (ok queued as 5298B228B8B, thanks)", "sent (ok queued as *, thanks)"),
        ("sent (queued as A1B2C3 by filter: queued as 5298B228B8B)", "sent (queued as * by filter: queued as *)"),
        ("sent (forwarded as A1B2C3, queued as 5298B228B8B)", "sent (forwarded as *, queued as *)"),
        ("deferred (in 5 minutes, or 2 hours)", "deferred (in * minutes, or * hours)"),
        (f"bounced (no {'a' * 40}1)", "bounced (no *)"),
        (f"bounced (no {'a' * 41}1)", f"bounced (no {'a' * 41}1)"),
        (f"bounced (no {'a' * 41}1 here)", f"bounced (no {'a' * 41}1 here)"),
        ("deferred (wait 5 minutes)", "deferred (wait * minutes)"),
        ("deferred (wait 1 hour)", "deferred (wait * hour)"),
        ("deferred (wait 5 days)", "deferred (wait 5 days)"),
        ("deferred (no word of abc123def)", "deferred (no word of abc123def)"),
        ("deferred (no word of abc123defg)", "deferred (no word of *)"),
        ("deferred (no word of abcdefghij)", "deferred (no word of abcdefghij)"),
        (
            "deferred (host [192.0.2.1] and mx[IPv6] said <no> to <bob>)",
            "deferred (host [*] and mx[IPv6] said <no> to <bob>)",
        ),
    ],
)
def test_parts_that_vary_become_stars(status, reason):
    assert reason == reason_of(status)


HOSTILE = [
    *("<" * 8191, "<@" * 4095, "[" + "1." * 4095, "a-" * 4095, "a1-" * 2700 + ".x", "a" * 8190 + "@", "1:" * 4095),
    *("=1" * 4095, "[* " + " " * 8188, "1-2-3-4." * 1000 + "com", "Mon, " * 1600 + "0:00", "1 " * 4095, "1" * 8191),
    *("1." * 4000 + " s", "a 1" * 2700 + "1:00", "x.1" * 2700 + "com", "%40" * 2700, "as queued " * 800),
    *("name=a.b" * 1000, "Jan 1 " * 1300 + "1:11", "1.1 " * 2000, "<a" * 4095 + ">:", "a." * 4090 + "com"),
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_long_words_take_no_time(hostile):
    """Twice the text takes little more than twice the time."""
    for _ in range(50):
        assert reason_of(hostile)
    begin = process_time()
    for number in range(5):
        assert reason_of(f"{hostile}{number}", lambda: {"a.com"})
    assert process_time() - begin < 1


def test_names_are_replaced_with_all_that_is_below_them_except_in_urls():
    names = {"bar.com", "host.dyn.test"}
    assert "no * or *, but https://www.bar.com/x and foobar.com and bar.com.example" == reason_of(
        "no MX.bar.com or host.dyn.test, but https://www.bar.com/x and foobar.com and bar.com.example", lambda: names
    )
    assert "no \\x00 * *" == reason_of("no \\x00 \0 bar.com", lambda: names)


PIECES = st.sampled_from(
    [
        *(
            "sent (",
            "250 2.0.0 ",
            "Saved)",
            " ",
            " ",
            "(",
            ")",
            "[",
            "]",
            ",",
            ";",
            "=",
            ":",
            ".",
            "-",
            "_",
            "//",
            "@",
            "%",
        ),
        *(
            "id=",
            "session ",
            "InternalId=",
            "connect",
            "to ",
            "code ",
            "score ",
            "SBL",
            "550-",
            "http",
            "Hostname=",
            "<*>",
        ),
        *("12345678901", "1234567890", "123", "12", "s", "ms", " seconds", "kB", " messages", "%", "min", "\0", " *)"),
        *(
            "C3B9A5F95F5",
            "894MYht7RdVSw8dcTpwH5v",
            "abcdefghijk",
            "A0",
            "0A",
            "mx1.foo.com",
            "192.0.2.1",
            "Nov 30 10:00:00",
        ),
    ]
)


@given(st.lists(PIECES, max_size=14).map("".join))
@settings(max_examples=1000)
def test_one_id_instead_of_another_changes_no_reason(words):
    status = f"sent (250 {words})"
    assert _parts(with_one_id(status)) == _parts(status)


def test_ids_of_messages_become_one():
    statuses = (
        "sent (250 2.0.0 <*> 894MYht7RdVSw8dcTpwH5v Saved)",
        "sent (250 2.6.0 <*> [InternalId=C3B9A5F95F5, Hostname=AM0.example] Queued mail for delivery)",
    )
    assert all("0A0A0A0A0A" in with_one_id(status) for status in statuses)
