"""The short way through ordinary messages gives what the general way gives, on any log: it is faster, nothing else."""

from random import Random
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.random_logs.damage import mangled
from helpers.random_logs.lines import logs
from helpers.random_logs.trial import trial
from helpers.random_logs.units import units
from mailtrace.message.whole import whole_of
from mailtrace.mta.rules import NOTHING_ORDINARY
from properties.test_cuts import LOGS, log_of
from properties.test_logs import many, texts


def indexed(lines):
    """Return all documents, and the counts of lines by kind and reason."""
    with trial() as one:
        report = one.index(one.write("mail.log", lines))
        return one.found(), report.summary.partition("transactions:")[0]


def generally(lines):
    """Return the same without the short way."""
    with patch("mailtrace.indexing.short_way.ordinary_of", lambda _program: NOTHING_ORDINARY):
        return indexed(lines)


def disturbed(lines, random):
    """Return a log with lines doubled, dropped and moved, so that few messages are whole."""
    found = list(lines)
    for _ in range(max(1, len(found) // 20)):
        at = random.randrange(len(found))
        found.insert(random.randrange(len(found)), found[at])
        found.insert(max(0, at - random.randrange(6)), found.pop(at))
        del found[random.randrange(len(found))]
    return found


@pytest.mark.parametrize(("corpus", "host"), LOGS)
def test_a_real_log_gives_the_same_either_way(corpus, host):
    lines = log_of(corpus, host)
    assert indexed(lines) == generally(lines)
    for seed in range(2):
        odd = disturbed(lines, Random(seed))
        assert indexed(odd) == generally(odd), seed


@many
@given(logs(units))
def test_a_random_log_gives_the_same_either_way(log):
    lines = texts(log[1])
    assert indexed(lines) == generally(lines)


@many
@given(st.data(), logs(units))
def test_a_damaged_log_gives_the_same_either_way(data, log):
    lines, _ = data.draw(mangled(log[1]))
    assert indexed(lines) == generally(lines)


def frames_of(text):
    return [f"2025-11-20T00:00:00.{fraction}+00:00 mx {text}" for fraction in ("123456", "123456", "1a3456", "123456")]


@pytest.mark.parametrize(
    "text",
    [
        "postfix/smtpd[1]: connect from x[192.0.2.1]",
        "sm-mta[1]: STARTTLS=server, relay=x [192.0.2.1], version=TLSv1.3",
        "dovecot: imap-login: Login: user=<bob>",
    ],
)
def test_a_damaged_fraction_of_a_second_is_counted_the_same_either_way(text):
    found = indexed(frames_of(text))
    assert found == generally(frames_of(text))
    assert "1 unrecognised" in found[1]


def in_the_short_way(lines):
    """Return how many messages took the short way to their end, and how many documents there are."""
    made = []

    def spy(*arguments):
        made.append(whole_of(*arguments))
        return made[-1]

    with patch("mailtrace.indexing.collected.whole_of", spy):
        documents, _ = indexed(lines)
    return len([one for one in made if one is not None]), documents.count(b"\n")


@pytest.mark.parametrize(
    ("corpus", "host", "least"),
    [("sendmail-traditional", "smtp.example.com", 94), ("postfix-traditional", "smtp.example.net", 46)],
)
def test_ordinary_messages_of_a_real_log_take_the_short_way(corpus, host, least):
    assert in_the_short_way(log_of(corpus, host))[0] >= least


RECEIVED = (
    "size=1200, class=0, nrcpts={nrcpts}, msgid=<x{nrcpts}@foo.com>, proto=ESMTPS, daemon=MTA, relay=a [192.0.2.1]"
)
SENT = "delay=00:00:01, xdelay=00:00:01, mailer=esmtp, pri=31200, relay=b. [192.0.2.25], dsn=2.0.0, stat=Sent (ok)"
DEFERRED = "delay=00:00:01, xdelay=00:00:01, mailer=esmtp, pri=31200, relay=b., dsn=4.0.0, stat=Deferred: refused"
FAILED = "delay=00:00:01, xdelay=00:00:01, mailer=local, pri=31200, dsn=5.1.1, stat=User unknown"
ORDINARY = {
    "one recipient": (1, f"to=<bob@bar.com>, {SENT}"),
    "several on a line": (3, f"to=<bob@bar.com>,<al@bar.com>,<eve@bar.com>, {SENT}"),
    "several on lines of the same second": (2, f"to=<bob@bar.com>, {SENT}", f"to=<al@bar.com>, {SENT}"),
    "deferred, then sent": (1, f"to=<bob@bar.com>, {DEFERRED}", f"to=<bob@bar.com>, {SENT}"),
    "failed": (1, f"to=<bob@bar.com>, {FAILED}"),
    "an alias": (1, f"to=<bob@bar.com>, ctladdr=<all@foo.com> (1/1), {SENT}"),
    "a list": (1, f"to=<bob@bar.com>,<al@bar.com>, ctladdr=<all@foo.com> (1/1), {SENT}"),
    "lines of a filter": (1, "Milter insert (1): header: X-Spam: No", f"to=<bob@bar.com>, {SENT}"),
}


def lines_of(queue_id, nrcpts, *rests):
    texts = [f"from=<ann@foo.com>, {RECEIVED.format(nrcpts=nrcpts)}", *rests]
    return [f"Mar  5 10:00:00 mx sm-mta[4711]: {queue_id}: {text}" for text in texts]


@pytest.mark.parametrize("message", ORDINARY.values(), ids=ORDINARY)
def test_an_ordinary_message_of_sendmail_takes_the_short_way(message):
    # The login is that of another client.
    session = [
        "Mar  5 10:00:00 mx sm-mta[4711]: AUTH=server, relay=c [192.0.2.3], authid=ann, mech=PLAIN, bits=0",
        "Mar  5 10:00:00 mx sm-mta[4711]: STARTTLS=server, relay=a [192.0.2.1], version=TLSv1.3, verify=NO",
    ]
    lines = session + lines_of("5259x0Ab004711", *message)
    assert in_the_short_way(lines) == (1, 1)
    assert indexed(lines) == generally(lines)


UNUSUAL = {
    "a login": ["Mar  5 10:00:00 mx sm-mta[4711]: AUTH=server, relay=a [192.0.2.1], authid=ann, mech=PLAIN, bits=0"],
    "a refused recipient": [
        "Mar  5 10:00:00 mx sm-mta[4711]: 5259x0Ab004711: ruleset=check_rcpt, arg1=<x@bar.com>, relay=a [192.0.2.1],"
        " reject=550 5.7.1 <x@bar.com>... Relaying denied"
    ],
    "its own end": lines_of("5259x0Ab004711", 1, f"to=<bob@bar.com>, {SENT}")[1:],
}


@pytest.mark.parametrize("before", UNUSUAL.values(), ids=UNUSUAL)
def test_a_message_of_sendmail_about_which_a_line_before_says_more_is_no_ordinary_one(before):
    lines = before + lines_of("5259x0Ab004711", 1, f"to=<bob@bar.com>, {SENT}")
    assert in_the_short_way(lines) == (0, 1)
    assert indexed(lines) == generally(lines)


@pytest.mark.parametrize(
    "rest",
    [
        f"to=bob, {SENT}",
        f'to=<"a, b"@bar.com>, {SENT}',
        f"to=<bob@bar.com>, <al@bar.com>, [more], {SENT}",
        "5259x0Ac004711: DSN: User unknown",
        "5259x0Ac004711: clone: owner=list",
        "Milter: data, reject=550 5.7.1 no",
        "Milter insert (1): header: X: y",
        "from=<eve@foo.com>, size=1, class=0, nrcpts=2, msgid=<y@foo.com>, relay=a [192.0.2.1]",
        f"to=<bob@bar.com>, {SENT}",
        "done; delay=00:00:01, ntries=1",
    ],
)
def test_a_message_of_sendmail_gives_the_same_with_any_line_before_or_after_its_end(rest):
    for number, rests in enumerate(((rest, f"to=<bob@bar.com>, {SENT}"), (f"to=<bob@bar.com>, {SENT}", rest))):
        lines = lines_of(f"5259x0Ab00471{number}", 1, *rests)
        assert indexed(lines) == generally(lines)
