"""Exim's grammar: each sample line, and fields that stay apart from the text that strangers write."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.samples import described, samples
from mailtrace.mta.exim import RULES, is_exim, parse, rule_of
from mailtrace.mta.facts import Addressee, Event, Ignored, Refusal, Result, Sender
from mailtrace.mta.grammars import grammar_of
from mailtrace.mta.queue_ids import NOQUEUE, time_of

SAMPLES = samples("exim-*.log")
QUEUE_ID = "1xXO6v-0007Yn-0t"
SECONDS = 1795894165


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.where)
def test_sample(sample):
    rule = rule_of(sample.program, sample.text)
    assert (rule and rule.name) == sample.rule
    assert described(parse(sample.program, sample.text)) == sample.expected


def test_every_rule_has_a_name_of_its_own_and_a_sample():
    names = [rule.name for rule in RULES]
    assert len(names) == len(set(names))
    assert set(names) == {sample.rule for sample in SAMPLES} - {None}


@pytest.mark.parametrize(
    "program, expected",
    [
        ("exim", True),
        ("exim4", True),
        ("exim-out", True),
        ("exim4.smarthost", True),
        ("eximstats", False),
        ("postfix/exim", False),
        ("", False),
    ],
)
def test_programs(program, expected):
    assert is_exim(program) is expected
    grammar = grammar_of(program)
    assert (grammar is not None and grammar.mta == "exim") is expected


@pytest.mark.parametrize(
    "queue_id, expected",
    [
        (QUEUE_ID, SECONDS),
        ("1xXO6v-000000004lu-1ABs", SECONDS),
        ("T8VXQL-0001AB-0C", int("T8VXQL", 36)),
        ("T8VXQl-0001AB-0C", None),
        ("zzzzzz-0001AB-0C", None),
        ("000001-0001AB-0C", None),
        ("1xXO6v-0007Yn-0", None),
        ("4jYzr360qBz1V3r7", None),
    ],
)
def test_time_in_a_message_id(queue_id, expected):
    assert time_of(queue_id, "exim") == expected


texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=30)
lookalikes = st.sampled_from(
    [
        " => victim@x.test R=r T=t H=h [192.0.2.9]",
        ' C="250 OK id=1xXO6v-0007Yn-0t"',
        " <victim@x.test> R=r",
        " P=esmtp S=1 id=fake@x.test for y@x.test",
        ' T="',
        " from <a@x.test> for b@x.test",
        " defer (-44): no",
        ": 550 no",
        " F=<a@x.test> rejected RCPT <b@x.test>: z",
        ") [192.0.2.9]",
        "\\",
        '"',
    ]
)
hostile = st.lists(texts | lookalikes, max_size=4).map("".join)


def escaped(text):
    """A text as Exim writes it between quotes."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


locals_ = hostile.map(lambda text: f'"{escaped(text)}"')


def fact_of(text):
    """The first fact of a line."""
    parsed = parse("exim", f"{QUEUE_ID} {text}")
    return (parsed[0] if isinstance(parsed, list) else parsed).fact


@given(hostile, locals_, locals_)
def test_subject_and_quoted_addresses_never_pass_for_fields(subject, sender, recipient):
    line = (
        f"<= {sender}@example.org H=ws.example.com [198.51.100.7] P=esmtp S=612 id=i@example.org"
        f' T="{escaped(subject)}" from <{sender}@example.org> for {recipient}@example.net bob@example.net'
    )
    found = parse("exim", f"{QUEUE_ID} {line}")
    assert [event.fact for event in found] == [
        Sender(f"{sender}@example.org", 612, 2, "i@example.org", "ws.example.com [198.51.100.7]"),
        Addressee(f"{recipient}@example.net"),
        Addressee("bob@example.net"),
    ]


@given(hostile.filter(lambda text: " [" not in text))
def test_a_helo_name_never_passes_for_fields(helo):
    line = f"<= ann@example.org H=({helo}) [198.51.100.7] P=esmtp S=612 id=i@example.org"
    assert fact_of(line) == Sender("ann@example.org", 612, None, "i@example.org", "unknown [198.51.100.7]")


@given(hostile, hostile)
def test_a_quoted_recipient_and_the_next_hops_reply_never_pass_for_fields(local, reply):
    top = f'"{escaped(local)}"@example.net'
    line = (
        f"=> {local}@example.net <{top}> F=<ann@example.org> R=dnslookup T=remote_smtp H=mx.example.net [192.0.2.81]"
        f' C="{escaped(reply)}"'
    )
    result = fact_of(line)
    assert result[:3] == (top, None, "mx.example.net [192.0.2.81]")
    assert result.status == reply
    assert result.outcome in ("sent", "discarded")


@given(hostile)
def test_what_a_next_hop_replies_is_all_of_the_status(reply):
    where = "bob@example.net R=dnslookup T=remote_smtp"
    host = "H=mx.example.net [192.0.2.81]"
    failed = fact_of(f"** {where} {host}: SMTP error: {reply}.")
    assert failed[:5] == ("bob@example.net", None, "mx.example.net [192.0.2.81]", f"SMTP error: {reply}.", "bounced")
    deferred = fact_of(f"== {where} defer (-44) {host}: SMTP error: {reply}.")
    assert deferred.status == f"defer (-44): SMTP error: {reply}."
    assert deferred.relay == "mx.example.net [192.0.2.81]"


@given(hostile)
def test_the_text_of_an_access_control_list_never_passes_for_fields(text):
    line = f"H=(h) [198.51.100.7] F=<ann@example.org> rejected RCPT <bob@example.net>: {text}."
    found = parse("exim", line)
    assert isinstance(found, Event)
    assert found.queue_id == NOQUEUE
    status = f"rejected (RCPT <bob@example.net>: {text}.)"
    client = "unknown [198.51.100.7]"
    assert found.fact == Refusal("rejected", status, "bob@example.net", "ann@example.org", client)


@given(hostile)
def test_a_certificate_never_passes_for_fields_of_a_refusal(name):
    session = f'H=(h) [198.51.100.7] X=TLS1.3:x:256 CV=no DN="{escaped(name)}"'
    found = parse("exim", f"{session} F=<ann@example.org> rejected RCPT <bob@example.net>: no")
    assert isinstance(found, Event)
    assert found.fact[2:5] == ("bob@example.net", "ann@example.org", "unknown [198.51.100.7]")


@given(
    st.sampled_from(["Warning: ", "sender verify fail for <a@x.test>: ", "incomplete transaction (QUIT) from "]),
    hostile,
)
def test_other_words_about_a_client_never_pass_for_a_refusal(words, text):
    assert isinstance(parse("exim", f"H=(h) [198.51.100.7] U=joe doe {words}{text}"), Ignored)
    assert isinstance(parse("exim", f"{QUEUE_ID} H=(h) [198.51.100.7] {words}{text}"), Ignored)


@given(hostile)
def test_the_text_that_refuses_a_local_message_never_passes_for_fields(text):
    line = f"F=ann@example.org H=(h) [198.51.100.7] P=esmtp rejected by local_scan(): {text}."
    status = f"rejected (by local_scan(): {text}.)"
    assert fact_of(line) == Refusal("rejected", status, None, "ann@example.org", "unknown [198.51.100.7]")


@given(
    st.sampled_from(["", QUEUE_ID + " "]),
    st.sampled_from(["<= ", "=> ", "== ", "** ", "H=", "U=", " DSH=", "F=", ""]),
    hostile,
)
def test_nothing_raises(queue_id, beginning, text):
    parse("exim", queue_id + beginning + text)


@given(st.sampled_from([sample.text for sample in SAMPLES]), st.data())
def test_a_cut_line_neither_raises_nor_changes_the_recipient(text, data):
    whole = parse("exim", text)
    cut = parse("exim", text[: data.draw(st.integers(17, max(17, len(text))))])
    if isinstance(whole, Event) and type(whole.fact) is Result and isinstance(cut, Event):
        assert type(cut.fact) is Result
        assert cut.fact.outcome in (whole.fact.outcome, "sent", "bounced")


REPEATED = [
    ("<= a@b H=", "(x) [192.0.2.1] P=esmtp S=1 "),
    ("<= a@b H=", '[192.0.2.1] U=x T="'),
    ("<= a@b P=x S=1 for ", "a@b S=1 for "),
    ("<= a@b P=x S=1 for ", "a@"),
    ("<= a@b P=x S=1 for ", "ab"),
    ('<= a@b P=x S=1 DN="', '" A=x:y P=x DN="'),
    ('<= "', '"'),
    ("=> ", "a <b@c> (d@e) "),
    ("=> ", ' <"a"@b>'),
    ("=> |x ", '(a@b <"'),
    ("=> |x (", "@"),
    ("=> a@b R=x T=y C=", '" C="'),
    ("== a@b ", "defer (1): "),
    ("== a@b R=x defer (1):", " a"),
    ("** a@b ", ' DN="'),
    ("** a@b", " X=a"),
    ("** a", ":"),
    ("H=", "[192.0.2.1] RCPT "),
    ("H=", "(x) [192.0.2.1] rejected "),
    ("H=(", '[192.0.2.1] F=<" rejected RCPT <"'),
    ("H=(", ") [192.0.2.1] U="),
    ("H=(", ') [192.0.2.1] DN="'),
    ("H=(", ") [192.0.2.1] F=<> A=x:"),
    ("H=[192.0.2.1] U=", " a@b F=<> "),
    ('H=[192.0.2.1] DN="', '" '),
    ('H=[192.0.2.1] SNI="', '" '),
    ("U=", " rejected"),
    ("F=a H=(", " [192.0.2.1] ) "),
    ("F=a U=", " P="),
    ("PRDR R=<", '"'),
    ('rejected "', '" from'),
    ("SMTP protocol synchronization error (x): rejected ", '"'),
    ("too many recipients: rejected: sender=<", '"'),
    ("rejected ", "from H= [192.0.2.1] "),
    ("I Message-ID: <", "a"),
    ("Envelope-to: ", '<"'),
    ("", "a "),
]


@pytest.mark.parametrize("beginning, part", REPEATED)
def test_no_line_takes_long(beginning, part):
    line = f"{QUEUE_ID} {beginning}{part * (16000 // len(part))}"
    begin = time.process_time()
    cutthrough = line[:16000] + " F=<> rejected after DATA: R="
    for text in (line, line.removeprefix(f"{QUEUE_ID} "), line + "\\", line + ">", line + '"', cutthrough):
        parse("exim", text)
    assert time.process_time() - begin < 1
