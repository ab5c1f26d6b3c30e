"""The grammar of Postfix's lines, against samples, made-up addresses, and lines that mean harm."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from helpers.samples import Sample, described, samples
from mailtrace.mta.facts import Client, Envelope, Event, Expired, Refusal, Removed, Result, Submitted
from mailtrace.mta.postfix import RULES, parse, rule_of
from mailtrace.mta.postfix.programs import is_postfix

SAMPLES = samples("postfix-*.log")
QUEUE_ID = "9566447DCA"

patient = settings(deadline=None)
"""A busy machine is no failure."""


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample.where for sample in SAMPLES])
def test_sample(sample: Sample):
    rule = rule_of(sample.program, sample.text)
    assert (rule.name if rule else None) == sample.rule
    assert described(parse(sample.program, sample.text)) == sample.expected


def test_every_rule_has_a_name_of_its_own_and_a_sample():
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    assert set(names) == {sample.rule for sample in SAMPLES} - {None}


@pytest.mark.parametrize("sample", [s for s in SAMPLES if isinstance(s.expected, list)], ids=lambda s: s.where)
def test_every_program_of_a_sample_is_postfix(sample: Sample):
    assert is_postfix(sample.program)


@pytest.mark.parametrize(
    "program, expected",
    [
        ("postfix/smtpd", True),
        ("postfix/submission/smtpd", True),
        ("postfix-out/smtp", True),
        ("postfix-203.0.113.20/smtp", True),
        ("postfix/anything", True),
        ("mailout/qmgr", True),
        ("out/in/trivial-rewrite", True),
        ("postfix", True),
        ("postfix-qmgr", True),
        ("postfix-smtpd", True),
        ("qmgr", True),
        ("trivial-rewrite", True),
        ("postfix-out", False),
        ("postfixadmin", False),
        ("mta2", False),
        ("backup/smtp", False),
        ("sendmail", False),
        ("smtpd", False),
        ("mailout/sendmail", False),
        ("dovecot/auth", False),
        ("", False),
        ("/", False),
    ],
)
def test_is_postfix(program: str, expected: bool):
    assert is_postfix(program) is expected


FRAGMENTS = [
    *'"\\<>@,;:= ()[]',
    "a",
    "b.c",
    "jürgen",
    "用户",
    ", relay=",
    ">, relay=none",
    ">, orig_to=<",
    ", delay=1",
    ", delays=0/0/0/1, dsn=2.0.0, status=sent (",
    ", status=",
    ">, size=1",
    ", nrcpt=2 (queue active)",
    ">, status=expired, returned to sender",
    "; from=<",
    "> to=<",
    " proto=SMTP",
    " helo=<",
    ": ",
    " from x[192.0.2.1]",
    " orig_id=",
]
hostile = st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join)
domains = st.sampled_from(["example.org", "bücher.example", "[192.0.2.1]", "a-b.example"])
clients = st.tuples(
    st.sampled_from(["unknown", "mx.example.org", "localhost"]),
    st.sampled_from(["192.0.2.7", "2001:db8::7", "unknown"]),
)
ports = st.sampled_from(["", ":25", ":54321"])


def external(local: str, domain: str) -> str:
    """The address as Postfix logs it: RFC 5322's form, quoted where it must be."""
    if local and all(part and part.isalnum() for part in local.split(".")):
        return f"{local}@{domain}"
    escaped = local.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"@{domain}'


addresses = st.builds(external, hostile | st.text(st.characters(exclude_categories=["C"]), max_size=20), domains)
senders = st.just("") | addresses
relays = st.sampled_from(
    ["none", "local", "mx.example.org[192.0.2.3]:25", "h[private/dovecot-lmtp]", "h[2001:db8::3]:25"]
)
words = st.sampled_from(["deferred", "bounced", "deliverable", "SOFTBOUNCE", "later"])


@patient
@given(addresses, st.none() | addresses, relays, words, hostile, st.sampled_from(["", ", conn_use=2", ", x=y, z=1"]))
def test_a_result_is_read_back(recipient, orig_to, relay, word, text, more):
    orig = f", orig_to=<{orig_to}>" if orig_to else ""
    status = f"{word} ({text})"
    line = f"to=<{recipient}>{orig}, relay={relay}{more}, delay=0.25, delays=0/0/0/0.25, dsn=4.1.2, status={status}"
    outcome = {"SOFTBOUNCE": "deferred", "deliverable": "probe", "later": "unknown"}.get(word, word)
    expected = Result(recipient, orig_to, relay, status, outcome, "4.1.2", 0.25)
    assert parse("postfix/smtp", f"{QUEUE_ID}: {line}") == Event(QUEUE_ID, expected)


@patient
@given(addresses, hostile, st.integers(0, 60))
def test_a_cut_result_keeps_its_word(recipient, text, length):
    line = f"{QUEUE_ID}: to=<{recipient}>, relay=mx[192.0.2.3]:25, delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced"
    found = parse("postfix/smtp", line + f" (host said {text})"[:length])
    assert isinstance(found, Event)
    assert (found.fact.recipient, found.fact.outcome, found.fact.dsn) == (recipient, "bounced", "5.1.1")


@patient
@given(hostile)
def test_text_in_the_parenthesis_never_decides_on_bounced(text):
    line = f"to=<a@example.org>, relay=none, delay=1, delays=0/0/0/1, dsn=5.0.0, status=bounced ({text} discarded)"
    found = parse("postfix/smtp", f"{QUEUE_ID}: {line}")
    assert isinstance(found, Event)
    assert found.fact.outcome == "bounced"


@patient
@given(clients, ports, senders, addresses, hostile)
@example(("unknown", "192.0.2.7"), "", '"\\"; from=<a> to=<b"@x', '"> proto=SMTP helo=<h>"@y', '554 no; from=<"')
def test_a_refused_recipient_is_read_back(client, port, sender, recipient, text):
    name, ip = client
    line = f"NOQUEUE: reject: RCPT from {name}[{ip}]{port}: 550 5.1.1 <{recipient}>: {text}"
    tail = f"; from=<{sender}> to=<{recipient}> proto=ESMTP helo=<h.example.org>"
    status = f"rejected (550 5.1.1 <{recipient}>: {text})"
    expected = Refusal("rejected", status, recipient, sender, f"{name} [{ip}]")
    assert parse("postfix/smtpd", line + tail) == Event("NOQUEUE", expected)


@patient
@given(clients, senders, addresses, hostile)
def test_a_refused_recipient_of_postscreen_is_read_back(client, sender, recipient, text):
    line = f"NOQUEUE: reject: RCPT from [{client[1]}]:40000: 550 5.3.2 {text}"
    tail = f"; from=<{sender}>, to=<{recipient}>, proto=SMTP, helo=<h>"
    expected = Refusal("rejected", f"rejected (550 5.3.2 {text})", recipient, sender, f"unknown [{client[1]}]")
    assert parse("postfix/postscreen", line + tail) == Event("NOQUEUE", expected)


@patient
@given(clients, senders, addresses, hostile.filter(lambda text: '"' not in text), st.sampled_from(["", "5.7.1 no"]))
@example(("unknown", "192.0.2.7"), "", "a@b", " from x[192.0.2.1]; from=<a> to=<b> proto=SMTP helo=<c>: d", "")
def test_a_refused_header_is_read_back(client, sender, recipient, header, text):
    name, ip = client
    head = f"header Subject: {header}"
    tail = f" from {name}[{ip}]; from=<{sender}> to=<{recipient}> proto=ESMTP helo=<h.example.org>"
    expected = Refusal("discarded", f"discarded ({text or head})", recipient, sender, f"{name} [{ip}]")
    line = f"{QUEUE_ID}: discard: {head}{tail}" + (f": {text}" if text else "")
    assert parse("postfix/cleanup", line) == Event(QUEUE_ID, expected)


@patient
@given(clients, senders, addresses, hostile, st.text(st.characters(exclude_categories=["C"], exclude_characters=";<>")))
def test_a_login_behind_a_refusal_is_read_back(client, sender, recipient, text, login):
    name, ip = client
    line = f"NOQUEUE: reject: RCPT from {name}[{ip}]: 554 5.7.1 <{recipient}>: {text}"
    tail = f"; from=<{sender}> to=<{recipient}> proto=ESMTP helo=<h.example.org>"
    refused = ("rejected", f"rejected (554 5.7.1 <{recipient}>: {text})", recipient, sender, f"{name} [{ip}]")
    for fields in (f"sasl_username=<{login}>", f"sasl_method=PLAIN sasl_username={login}"):
        expected = Event("NOQUEUE", Refusal(*refused, login or None))
        assert parse("postfix/smtpd", f"{line}{tail} {fields}") == expected
        assert parse("postfix/smtpd", f"{line}{tail} {fields} sasl_sender=boss@example.org") == expected


bare_addresses = st.builds(external, hostile | st.text("ab.c-+='", max_size=9), domains)


@patient
@given(bare_addresses, st.none() | bare_addresses, relays, words, hostile)
def test_a_result_without_angle_brackets_is_read_back(recipient, orig_to, relay, word, text):
    orig = f", orig_to={orig_to}" if orig_to else ""
    status = f"{word} ({text})"
    line = f"to={recipient}{orig}, relay={relay}, delay=0.25, delays=0/0/0/0.25, dsn=4.1.2, status={status}"
    outcome = {"SOFTBOUNCE": "deferred", "deliverable": "probe", "later": "unknown"}.get(word, word)
    expected = Result(recipient, orig_to, relay, status, outcome, "4.1.2", 0.25)
    assert parse("postfix/smtp", f"{QUEUE_ID}: {line}") == Event(QUEUE_ID, expected)


@patient
@given(st.just("") | bare_addresses, st.integers(0, 10**12), st.integers(0, 10**6))
def test_an_envelope_without_angle_brackets_is_read_back(sender, size, nrcpt):
    line = f"{QUEUE_ID}: from={sender}, size={size}, nrcpt={nrcpt} (queue active)"
    assert parse("postfix/qmgr", line) == Event(QUEUE_ID, Envelope(sender, size, nrcpt))


@patient
@given(st.just("") | bare_addresses, bare_addresses, hostile)
def test_a_refused_recipient_without_angle_brackets_is_read_back(sender, recipient, text):
    line = f"NOQUEUE: reject: RCPT from x[192.0.2.7]: 554 5.7.1 {text}; from={sender} to={recipient} proto=ESMTP helo=h"
    expected = Refusal("rejected", f"rejected (554 5.7.1 {text})", recipient, sender, "x [192.0.2.7]")
    assert parse("postfix/smtpd", line) == Event("NOQUEUE", expected)


logins = hostile | st.text(st.characters(exclude_categories=["C"]), max_size=20)


@patient
@given(clients, ports, logins, st.none() | st.just("boss@example.org"), st.booleans())
def test_a_client_is_read_back(client, port, login, sasl_sender, filtered):
    name, ip = client
    line = f"{QUEUE_ID}: client={name}[{ip}]{port}, sasl_method=PLAIN, sasl_username={login}"
    line += f", sasl_sender={sasl_sender}" if sasl_sender else ""
    line += ", orig_queue_id=4jYzBQ12Rrz1TN4R, orig_client=h[2001:db8::9]" if filtered else ""
    hop = ("4jYzBQ12Rrz1TN4R", "h [2001:db8::9]") if filtered else (None, None)
    assert parse("postfix/smtpd", line) == Event(QUEUE_ID, Client(f"{name} [{ip}]", login or None, *hop))


@patient
@given(senders, st.integers(0, 10**12), st.integers(0, 10**6))
def test_an_envelope_is_read_back(sender, size, nrcpt):
    line = f"{QUEUE_ID}: from=<{sender}>, size={size}, nrcpt={nrcpt} (queue active)"
    assert parse("postfix-out/qmgr", line) == Event(QUEUE_ID, Envelope(sender, size, nrcpt, "postfix-out"))


@patient
@given(senders, st.sampled_from(["expired, returned to sender", "force-expired, returned to sender"]))
def test_an_expiry_is_read_back(sender, status):
    envelope, expired = Envelope(sender, None, None), Expired(status)
    found = parse("postfix/qmgr", f"{QUEUE_ID}: from=<{sender}>, status={status}")
    assert found == [Event(QUEUE_ID, envelope), Event(QUEUE_ID, expired)]


@patient
@given(senders, st.none() | st.just("44CB19C84BB"))
def test_a_submission_is_read_back(sender, origin):
    line = f"{QUEUE_ID}: uid=33 from=<{sender}>" + (f" orig_id={origin}" if origin else "")
    submitted = Event(QUEUE_ID, Submitted(sender, origin))
    went_on = [Event(origin, Removed("requeued", QUEUE_ID))] if origin else []
    assert parse("postfix/pickup", line) == ([submitted, *went_on] if went_on else submitted)


programs = st.sampled_from(sorted({sample.program for sample in SAMPLES})) | st.text(max_size=12)


@patient
@given(programs, st.text(max_size=80) | hostile)
def test_no_text_raises(program, text):
    for line in (text, f"{QUEUE_ID}: {text}", f"NOQUEUE: {text}", f"warning: {text}"):
        is_postfix(program)
        assert (parse(program, line) is None) or rule_of(program, line) is not None


@patient
@given(st.sampled_from(SAMPLES), st.integers(0, 300), st.integers(0, 300), hostile | st.text(max_size=5))
def test_no_mutated_sample_raises(sample, start, stop, inserted):
    text = sample.text[:start] + inserted + sample.text[stop:]
    assert (parse(sample.program, text) is None) or rule_of(sample.program, text) is not None


HEADS = [
    f"{QUEUE_ID}: to=<",
    f"{QUEUE_ID}: from=<",
    f"{QUEUE_ID}: client=",
    f"{QUEUE_ID}: uid=0 from=<",
    f"{QUEUE_ID}: message-id=<",
    f"{QUEUE_ID}: sender ",
    f"{QUEUE_ID}: reject: header x",
    f"{QUEUE_ID}: discard: RCPT from a[1]: ",
    "NOQUEUE: reject: RCPT from a[1]: ",
    "warning: ",
    "",
]
REPEATED = [
    "a",
    '"',
    "\\",
    '\\"',
    "<",
    ">",
    ", ",
    "; from=<",
    '; from=<"',
    '; from=<\\"',
    '; from=<"a"@b> to=<"',
    ' from a[1]; from=<"\\"',
    " from a[1]; from=<a> to=<b>: ",
    ", relay=",
    ", delay=1",
    ">, relay=",
    ', orig_to=<"',
    ", sasl_username=",
    ", orig_client=",
    " discarded@",
]


def _seconds(text: str) -> float:
    best = float("inf")
    for _ in range(5):
        start = time.process_time()
        parse("postfix/smtp", text)
        best = min(best, time.process_time() - start)
    return best


@pytest.mark.parametrize("repeated", REPEATED)
@pytest.mark.parametrize("head", HEADS)
def test_time_grows_no_faster_than_the_line(head: str, repeated: str):
    """Four times the line takes four times as long; sixteen times would be quadratic. Two milliseconds are noise."""
    short, long = (head + repeated * (size // len(repeated)) for size in (16_384, 65_536))
    assert _seconds(long) <= 9 * _seconds(short) + 0.002
