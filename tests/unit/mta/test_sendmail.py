import time
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.samples import described, samples
from mailtrace.message.document import document
from mailtrace.message.transaction import SECOND, Transaction, joined
from mailtrace.mta.facts import FACTS, Authenticated, Event, Ignored, Result, Sender
from mailtrace.mta.queue_ids import NOQUEUE
from mailtrace.mta.sendmail import RULES, is_sendmail, parse, rule_of

SAMPLES = samples("sendmail-*.log")
QUEUE_ID = "6AONmkQ0012330"


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
        ("sendmail", True),
        ("sm-mta", True),
        ("sm-msp-queue", True),
        ("sm-mta-rx", True),
        ("sendmail-out", True),
        ("postfix/sendmail", False),
        ("sendmailanalyzer", False),
        ("postfix/smtp", False),
        ("smartd", False),
        ("", False),
    ],
)
def test_programs(program, expected):
    assert is_sendmail(program) is expected


def logged(text):
    """What sendmail's str2prt makes of a text."""
    doubled = text.replace("\\", "\\\\")
    return "".join(c if c.isascii() else "".join(f"\\{byte:o}" for byte in c.encode()) for c in doubled)


printable = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"))
words = st.text(printable, max_size=30)
lookalikes = st.sampled_from(
    [
        ", stat=Sent",
        ", stat=Deferred: 4",
        ", delay=09:09:09",
        ", relay=x [192.0.2.1]",
        ", dsn=2.0.0",
        ", size=7, class=0, nrcpts=7",
        "<a@b>,",
    ]
)
texts = st.lists(words | lookalikes, max_size=4).map("".join)
quoted = texts.map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
atoms = st.from_regex(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,12}", fullmatch=True)
domains = st.sampled_from(["example.org", "mx.example.net", "[192.0.2.1]", "b\u00fccher.example"])
mailboxes = st.builds("{}@{}".format, atoms | quoted | words.filter(str.isalnum), domains)
routes = st.builds("@a.example,@b.example:{}".format, mailboxes)
bracketed = (mailboxes | routes).map(logged).map(lambda address: (f"<{address}>", address))
bare = (quoted | quoted.map(lambda text: f'"|{text[1:]}') | atoms.filter(lambda atom: atom != "...")).map(logged)
addresses = bracketed | bare.map(lambda address: (address, address))


@given(address=bracketed | st.just(("<>", "")) | bare.map(lambda a: (a, a)), msgid=texts, fields=st.booleans())
def test_senders_come_back(address, msgid, fields):
    written, sender = address
    msgid = logged(msgid).replace("<", "").replace(">", "")
    tail = ", bodytype=8BITMIME, proto=ESMTP, daemon=MTA-v4" if fields else ""
    text = (
        f"{QUEUE_ID}: from={written}, size=9, class=-60, nrcpts=3, msgid=<{msgid}>{tail}, relay=h.example. [192.0.2.9]"
    )
    assert parse("sm-mta", text) == Event(QUEUE_ID, Sender(sender, 9, 3, msgid or None, "h.example [192.0.2.9]"))


@given(who=st.lists(addresses, min_size=1, max_size=4), ctladdr=st.none() | addresses, more=st.booleans(), stat=texts)
def test_recipients_come_back(who, ctladdr, more, stat):
    listed = ",".join(written for written, _ in who) + (", [more]" if more else "")
    controlled = f", ctladdr={ctladdr[0]} (8/0)" if ctladdr else ""
    status = f"Sent ({logged(stat)} queued as 1F)"
    text = (
        f"{QUEUE_ID}: to={listed}{controlled}, delay=1+00:00:01, xdelay=00:00:01, mailer=esmtp, pri=1, "
        f"relay=mx.example. [192.0.2.3], dsn=2.0.0, stat={status}"
    )
    orig_to = ctladdr[1] if ctladdr else None
    expected = [
        Event(QUEUE_ID, Result(address, orig_to, "mx.example [192.0.2.3]", status, "sent", "2.0.0", 86401.0))
        for _, address in who
    ]
    assert parse("sm-mta", text) == (expected if len(expected) > 1 else expected[0])


FIELDS = "delay=00:00:01, xdelay=00:00:01, mailer=esmtp, pri=1, relay=mx.example. [192.0.2.3]"


@given(reply=texts.map(logged))
def test_a_reply_that_is_repeated_can_hold_anything(reply):
    reply = f"451 {reply}"
    text = f"{QUEUE_ID}: to=<a@example.org>, {FIELDS}, dsn=4.0.0, reply={reply}, stat=Deferred: {reply}"
    event = parse("sm-mta", text)
    assert event.fact.status == f"Deferred: {reply}"
    assert event.fact.outcome == "deferred"


@given(reply=texts.map(logged), words=st.sampled_from(["User unknown", "Service unavailable", "Data format error"]))
def test_a_reply_before_other_words_can_hold_anything(reply, words):
    text = f"{QUEUE_ID}: to=<a@example.org>, {FIELDS}, dsn=5.0.0, reply=550 {reply}, stat={words}"
    event = parse("sm-mta", text)
    assert event.fact.status == f"{words} (550 {reply})"
    assert event.fact.outcome == "bounced"


@given(reply=texts.map(logged), dsn=st.sampled_from(["4.2.0", "5.1.1"]))
def test_no_reply_makes_another_outcome_of_a_failure(reply, dsn):
    """An LMTP server's words stand in the parenthesis of `stat=` too."""
    text = f"{QUEUE_ID}: to=<a@example.org>, {FIELDS}, dsn={dsn}, reply={dsn[0]}50 {dsn} {reply}, stat=Failed ({reply})"
    assert parse("sm-mta", text).fact.outcome == {"4": "deferred", "5": "bounced"}[dsn[0]]


def is_of(text, parsed):
    """Whether what was made of a line can be handed on: of events, each under a queue ID that stands in the line."""
    if parsed is None or isinstance(parsed, Authenticated):
        return True
    if isinstance(parsed, Ignored):
        return bool(parsed.reason)
    events = parsed if isinstance(parsed, list) else [parsed]
    return bool(events) and all(
        type(fact) in FACTS and (queue_id == NOQUEUE or queue_id in text) for queue_id, fact in events
    )


@given(st.text() | st.text().map(lambda text: f"{QUEUE_ID}: {text}"), st.sampled_from(["sm-mta", "sendmail"]))
def test_arbitrary_text_raises_nothing(text, program):
    assert is_of(text, parse(program, text))


STARTS = sorted({sample.text[16:30] for sample in SAMPLES if sample.text[14:16] == ": "})


@given(st.sampled_from(STARTS), st.text(alphabet=', "<>=\\.():;[]aA1\u00e9\n', max_size=40))
def test_arbitrary_text_behind_a_known_start_raises_nothing(start, text):
    line = f"{QUEUE_ID}: {start}{text}"
    assert is_of(line, parse("sm-mta", line))


@given(st.sampled_from(SAMPLES), st.data())
def test_mutated_samples_raise_nothing(sample, data):
    text = sample.text
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(at, min(len(text), at + 12)))
        text = text[:at] + data.draw(st.text(alphabet=', "<>=\\.:;a1', max_size=4)) + text[end:]
    assert is_of(text, parse(sample.program, text))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.where)
def test_cut_samples_raise_nothing(sample):
    cut = [sample.text[:end] for end in range(len(sample.text))]
    assert all(is_of(text, parse(sample.program, text)) for text in cut)


def test_ignored_lines_say_why():
    assert all(
        sample.expected["ignored"]
        for sample in SAMPLES
        if isinstance(sample.expected, dict) and "ignored" in sample.expected
    )
    assert isinstance(parse("sm-mta", "anything else"), Ignored)


def transaction(queue_id, lines):
    """The transaction of that ID, of lines that stand a second apart; each begins with its number."""
    made = Transaction("mx1", queue_id, "sendmail")
    for second, text in lines:
        parsed = parse("sm-mta", text)
        events = parsed if isinstance(parsed, list) else [parsed] if isinstance(parsed, Event) else []
        for event in events:
            if event.queue_id == queue_id:
                made.add(second * SECOND, event.fact)
    return made


FROM = f"{QUEUE_ID}: from=<ann@example.org>, size=9, class=0, nrcpts={{}}, relay=h.example [192.0.2.9]"
NOTICE = f"{QUEUE_ID}: 6AONmkQ1012330: "
HOPS = "Too many hops 26 (25 max): from <ann@example.org> via h.example, to <bob@example.com>"
SENT = f"{QUEUE_ID}: to=<kim@example.com>, {FIELDS}, dsn=2.0.0, stat=Sent (ok)"
UNKNOWN = f"{QUEUE_ID}: to=<bob@example.com>, {FIELDS}, dsn=5.1.1, reply=550 no, stat=User unknown"
DEFERRED = f"{QUEUE_ID}: to=<bob@example.com>, {FIELDS}, dsn=4.2.0, stat=Deferred"
LOOP = "aliasing/forwarding loop broken"


@pytest.mark.parametrize(
    "lines, expected",
    [
        ([f"{QUEUE_ID}: SYSERR(root): {HOPS}", f"{NOTICE}DSN: {HOPS}"], [("bob@example.com", "bounced", HOPS)]),
        ([f"{QUEUE_ID}: SYSERR(root): {HOPS}"], [("bob@example.com", "bounced", HOPS)]),
        ([f"{NOTICE}DSN: {LOOP}"], [(None, "bounced", LOOP)]),
        ([f"{NOTICE}DSN: {LOOP}", f"{NOTICE}postmaster notify: {LOOP}"], [(None, "bounced", LOOP)]),
        ([f"{NOTICE}DSN: <bob@example.com>... {LOOP}"], [("bob@example.com", "bounced", LOOP)]),
        ([SENT, f"{NOTICE}DSN: {LOOP}"], [("kim@example.com", "sent", "Sent (ok)"), (None, "bounced", LOOP)]),
        ([SENT, f"{NOTICE}DSN: <kim@example.com>... {LOOP}"], [("kim@example.com", "sent", "Sent (ok)")]),
        (
            [SENT, f"{QUEUE_ID}: SYSERR(root): Cannot exec /bin/x: Permission denied"],
            [("kim@example.com", "sent", "Sent (ok)")],
        ),
        ([SENT, f"{NOTICE}DSN: Return receipt"], [("kim@example.com", "sent", "Sent (ok)")]),
        ([UNKNOWN, f"{NOTICE}DSN: User unknown"], [("bob@example.com", "bounced", "User unknown (550 no)")]),
        (
            [UNKNOWN, f"{NOTICE}DSN: <bob@example.com>... User unknown"],
            [("bob@example.com", "bounced", "User unknown (550 no)")],
        ),
        (
            [DEFERRED, f"{NOTICE}DSN: Warning: could not send message for past 4 hours"],
            [("bob@example.com", "deferred", "Deferred")],
        ),
        (
            [SENT, f"{QUEUE_ID}: ruleset=check_compat, arg1=<ann@example.org>, arg2=<bob@example.com>, discard"],
            [
                ("kim@example.com", "sent", "Sent (ok)"),
                ("bob@example.com", "discarded", "discarded (ruleset=check_compat)"),
            ],
        ),
        (
            [f"{QUEUE_ID}: SYSERR(root): queueup: cannot lock: No space left on device"],
            [(None, "queued", "queued (no result yet)")],
        ),
    ],
)
def test_what_no_delivery_tells_is_an_entry_in_any_order(lines, expected):
    lines = list(enumerate([FROM.format(2), *lines], 1))
    whole = document(transaction(QUEUE_ID, lines))
    assert sorted((e["recipient"] or "", e["outcome"], e["status"]) for e in whole["to"]) == sorted(
        (recipient or "", outcome, status) for recipient, outcome, status in expected
    )
    assert all(entry["last"] for entry in whole["to"])
    for mixed in permutations(lines):
        for cut in range(len(mixed)):
            parts = [transaction(QUEUE_ID, part) for part in (mixed[:cut], mixed[cut:]) if part]
            assert document(joined([part for part in parts if part.facts])) == whole


HEADS = [
    "",
    "NOQUEUE: ",
    "to=",
    "to=<",
    'to=<"',
    "to=<a@example.org>, ctladdr=",
    "to=<a@example.org>, delay=",
    f"to=<a@example.org>, {FIELDS}, dsn=4.0.0, reply=451",
    f"to=<a@example.org>, {FIELDS}",
    "from=<",
    'from=<"',
    "from=<a@example.org>, size=1, class=0, nrcpts=1, msgid=<",
    "ruleset=check_rcpt, arg1=",
    "ruleset=check_rcpt, arg1=<a>, arg2=",
    "Milter: to=",
    "Milter: connect: host=",
    "milter=",
    "split: ",
    "<",
    '"',
    "collect: ",
    "6AONmkQ0012331: DSN: ",
    "SYSERR(root): Too many hops 26 (25 max): from <",
    "SYSERR(root): include: open /",
]
FILLERS = [
    "a",
    "1",
    '"',
    "\\",
    '\\"',
    '\\\\"',
    '"\\\\',
    "<",
    '<"',
    '<"a"',
    '"a"',
    "...",
    "a... ",
    ", ",
    ",",
    ", relay=",
    ", relay=x, reject",
    ', arg2=\\"',
    ", stat=",
    ", stat=Deferred: ",
    ", reply=",
    ", daemon=x",
    ", stage=x",
    ">, ",
    ", size=1, class=0",
    " (1/1)",
    "[",
    ": ",
    "; 6AONmkQ0012331",
    ", to ",
    ", delay=, stat",
    ": Permission denied",
]


@pytest.mark.parametrize("head", HEADS)
def test_time_is_linear_in_hostile_lines(head):
    """A quadratic pattern takes minutes for these; a linear one takes milliseconds, the bound is hundred times that."""
    for filler in FILLERS:
        text = f"{QUEUE_ID}: {head}{filler * (65536 // len(filler))}"
        start = time.process_time()
        for tried in (text, text + ", stat=Sent", text[16:]):
            parse("sm-mta", tried)
        assert time.process_time() - start < 3, filler
