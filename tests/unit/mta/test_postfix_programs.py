"""Which lines are taken for Postfix's: by the program's name, and by the text where that does not tell."""

import pytest

from mailtrace.message.document import Document, document
from mailtrace.message.transaction import SECOND, Transaction
from mailtrace.mta.facts import Client, Envelope, Event, Ignored, MessageId, Removed
from mailtrace.mta.grammars import grammar_of
from mailtrace.mta.postfix.programs import instance_of, is_postfix
from mailtrace.mta.rules import ANOTHER_PROGRAM

RESULT = (
    "to=<a@example.com>, relay=mx.example.com[192.0.2.9]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)"
)
TELLING = [
    "5F0C000001: client=out.example.org[192.0.2.5]",
    "5F0C000001: client=out.example.org[192.0.2.5]:4711, sasl_method=PLAIN, sasl_username=ann",
    "5F0C000001: client=localhost[127.0.0.1], orig_client=out.example.org[192.0.2.5]",
    "5F0C000001: uid=0 from=<root>",
    "5F0C000001: message-id=<r1@out.example.org>",
    "5F0C000001: from=<ann@example.org>, size=4303, nrcpt=1 (queue active)",
    "5F0C000001: from=ann@example.org, size=4303, nrcpt=1 (queue active)",
    "5F0C000001: from=<ann@example.org>, status=expired, returned to sender",
    "4jYzBQ12Rrz1TN4R: from=<>, status=force-expired, returned to sender",
    f"5F0C000001: {RESULT}",
    "5F0C000001: to=a@example.com, relay=none, delay=1, status=deferred (connect to x[192.0.2.9]: Connection refused)",
    "5F0C000001: removed",
    "5F0C000001: removed (canceled)",
    "5F0C000001: requeued",
    "5F0C000001: placed on hold",
    "5F0C000001: released from hold",
    "5F0C000001: sender non-delivery notification: 5F0C000002",
    "5F0C000001: sender delivery status notification: 4jYzBQ12Rrz1TN4R",
    "5F0C000001: reject: RCPT from x.example[198.51.100.4]: 554 no; from=<b@x.example> to=<c@y.example> proto=SMTP",
    "5F0C000001: reject: header Subject: x from x.example.net[198.51.100.4]; from=<b@x.example> to=<c@example.org>: no",
    "5F0C000001: milter-reject: END-OF-MESSAGE from x[198.51.100.4]: 5.7.1 no; from=<b@x.example> to=<c@example.org>",
    "NOQUEUE: reject: RCPT from x.example.net[198.51.100.4]: 554 no; from=<b@x.example> to=<c@y.example> proto=SMTP",
    "NOQUEUE: reject: RCPT from [198.51.100.4]:4711: 550 no; from=<b@x.example>, to=<c@example.org>, proto=SMTP",
    "proxy-reject: END-OF-MESSAGE: 554 5.7.0 Reject; from=<a@example.org> to=<b@example.net> proto=ESMTP helo=<h>",
    "warning: 5F0C000001: message rejected: hopcount exceeded",
    "warning: 5F0C000001: queue file size limit exceeded",
]
"""Lines that no other program writes."""

OTHERS = [
    ("backup/smtp", "3F1B22C0D7: sent 14 files to vault"),
    ("backup/smtp", "3F1B22C0D7: removed old archive"),
    ("backup/cleanup", "removed"),
    ("backup/smtp", "connect from vault.example.org[192.0.2.5]"),
    (
        "outbound/smtp",
        "127.0.0.1 1417616441-06ff6e5b2a2a0001-aBcDeF 0 0 SEND - 1 6A7B8C 250 2.0.0 Ok: queued as 6A7B8C",
    ),
    (
        "inbound/pass1",
        "x[192.0.2.5] 1417616441-06ff6e 1417616441 1417616442 RECV a@x.example b@example.org 2 62 192.0.2.5",
    ),
    ("smtpd", "0123456789abcdef smtp connected address=192.0.2.5 host=out.example.org"),
    (
        "smtpd",
        '9ae05e77d9 mta delivery evpid=a from=<a@x.example> to=<b@y.example> rcpt=<-> result="Ok" stat="250 ok"',
    ),
    ("clamsmtpd", "100DB4: from=bob@example.com, to=ann@example.com, status=CLEAN"),
    ("proxsmtpd", "100DB4: from=bob@example.com, to=ann@example.com, status=FILTERED"),
    ("spampd", "processing message <x@example.org> for <a@example.com>"),
    (
        "postgrey",
        "action=greylist, reason=new, client_name=x, sender=a@x.example, recipient=b@y.example",
    ),
    (
        "postgrey",
        "5F0C000001: action=pass, reason=triplet found, client_name=x, sender=a@x.example, recipient=b@y.example",
    ),
    (
        "policyd-spf",
        "None; identity=mailfrom; client-ip=192.0.2.5; helo=x; envelope-from=a@x.example; receiver=b@y.example",
    ),
    ("policy-spf", "5F0C000001: Policy action=PREPEND Received-SPF: pass"),
    ("dovecot", "lmtp(80): A1B2C3D4E5: to=<x@example.com>, relay=none, status=sent (x)"),
    ("dovecot/lmtp", f"5F0C000001: {RESULT}"),
    ("dovecot/lmtp", "5F0C000001: message-id=<r1@out.example.org>"),
    (
        "amavis",
        "(04321-08) Passed CLEAN {RelayedInbound}, [192.0.2.5] <a@x.example> -> <b@y.example>, Queue-ID: 5F0C000001",
    ),
    ("amavis", f"5F0C000001: {RESULT}"),
    ("zimbra/amavis", f"5F0C000001: {RESULT}"),
    ("qpsmtpd", "5F0C000001: from=<a@x.example>, size=12, nrcpt=1 (queue active)"),
    ("haraka", f"5F0C000001: {RESULT}"),
    ("dspam", "5F0C000001: message-id=<r1@out.example.org>"),
    ("opendkim", "40516273AB: DKIM-Signature field added (s=default, d=example.com)"),
    ("opendkim", "40516273AB: removed"),
    ("opendmarc", "40516273AB: example.com pass"),
    ("milter-greylist", "40516273AB: addr x[192.0.2.5] from <a@x.example> to <b@y.example> delayed for 00:05:00"),
    ("master", "process 17 exited, status 0"),
    ("master", "about to exec /usr/lib/cyrus/bin/lmtpd"),
    ("local", "fatal: x"),
    ("kernel", "5F0C000001: eth0: link up"),
    ("sshd", "warning: 5F0C000001: can't get client address: Connection reset by peer"),
    ("cron", "NOQUEUE: reject: x"),
    ("", "to=<a@example.com>, relay=none"),
    ("app", "order: from=<a@example.org>, size=12"),
    ("app", "5F0C000001: to=<a@example.com>, relay=none, status=queued"),
]
"""Lines of other programs, some called as Postfix's daemons are."""

UNSURE = ["mta2", "postfix-out", "node/smtp", "smtpd", "cleanup", "smtp", "local", "1f2e3d4c5b6a", ""]


@pytest.mark.parametrize("text", TELLING)
@pytest.mark.parametrize("program", UNSURE)
def test_a_text_that_is_unmistakable_is_postfix_s_whatever_the_program(program: str, text: str):
    grammar, known = grammar_of(program), grammar_of("postfix/x")
    assert grammar is not None
    assert known is not None
    assert grammar.mta == "postfix"
    assert grammar.parse(program, text) not in (None, ANOTHER_PROGRAM)
    assert not isinstance(grammar.parse(program, text), Ignored) or isinstance(known.parse("postfix/x", text), Ignored)


@pytest.mark.parametrize("program, text", OTHERS, ids=[f"{program} {text[:30]}" for program, text in OTHERS])
def test_nothing_of_another_program_is_taken_for_postfix_s(program: str, text: str):
    grammar = grammar_of(program)
    assert grammar is None or grammar.parse(program, text) is ANOTHER_PROGRAM


@pytest.mark.parametrize("program", ["mta2", "node/smtp", "smtp"])
@pytest.mark.parametrize("queue_id", ["7E1AEC2C388XXXX", "XXXXXXXX", "<QUEUEID>", "7e1aec2c388"])
def test_a_masked_queue_id_is_unrecognised_where_the_text_alone_tells(program: str, queue_id: str):
    grammar = grammar_of(program)
    assert grammar is not None
    assert grammar.parse(program, f"{queue_id}: {RESULT}") is None
    assert grammar.parse(program, f"{queue_id}: from=<a@x.example>, size=1, nrcpt=1 (queue active)") is None


@pytest.mark.parametrize(
    "program, removed",
    [
        ("qmgr", Removed("removed")),
        ("oqmgr", Removed("removed")),
        ("postfix/qmgr", Removed("removed")),
        ("postfix-qmgr", Removed("removed")),
        ("mta2/nqmgr", Removed("removed")),
        ("postfix/something", Removed("removed")),
        ("postfix", Removed("removed", is_unsure=True)),
        ("postfix-out", Removed("removed", is_unsure=True)),
        ("mta2", Removed("removed", is_unsure=True)),
        ("", Removed("removed", is_unsure=True)),
        ("postsuper", Removed("deleted")),
        ("postfix-postsuper", Removed("deleted")),
        ("postfix-out/postsuper", Removed("deleted")),
    ],
)
def test_the_program_decides_only_who_removed(program: str, removed: Removed):
    grammar = grammar_of(program)
    assert grammar is not None
    assert grammar.parse(program, "5F0C000001: removed") == Event("5F0C000001", removed)


@pytest.mark.parametrize(
    "program, instance",
    [
        ("postfix/qmgr", None),
        ("postfix/out/qmgr", None),
        ("postfix", None),
        ("qmgr", None),
        ("cleanup", None),
        ("postfix-qmgr", None),
        ("", None),
        ("postfix-out", "postfix-out"),
        ("postfix-out/qmgr", "postfix-out"),
        ("mta2", "mta2"),
        ("mta2/cleanup", "mta2"),
        ("smtp/qmgr", "smtp"),
    ],
)
def test_the_instance_is_what_stands_before_the_daemon(program: str, instance: str | None):
    assert instance_of(program) == instance
    grammar = grammar_of(program)
    assert grammar is not None
    taken = grammar.parse(program, "5F0C000001: from=<a@x.example>, size=1, nrcpt=2 (queue active)")
    assert taken == Event("5F0C000001", Envelope("a@x.example", 1, 2, instance))
    taken = grammar.parse(program, "5F0C000001: message-id=<b@x.example>")
    assert taken == Event("5F0C000001", MessageId("b@x.example", instance))


def test_a_client_of_an_unsure_program_has_an_address():
    grammar = grammar_of("mta2")
    assert grammar is not None
    taken = grammar.parse("mta2", "5F0C000001: client=unknown[2001:db8::7]:25")
    assert taken == Event("5F0C000001", Client("unknown [2001:db8::7]"))
    assert grammar.parse("mta2", "5F0C000001: client=x") is ANOTHER_PROGRAM


@pytest.mark.parametrize("program", ["sendmail", "sm-mta"])
def test_a_sendmail_stays_one(program: str):
    grammar = grammar_of(program)
    assert grammar is not None
    assert grammar.mta == "sendmail"


def test_a_policy_service_under_spawn_is_understood():
    assert is_postfix("postfix/policy-spf")


ARRIVAL = [
    ("smtpd", "client=out.example.org[192.0.2.5]"),
    ("cleanup", "message-id=<r1@out.example.org>"),
]
ACTIVE = ("qmgr", "from=<ann@example.org>, size=4303, nrcpt=2 (queue active)")
HELD = ("cleanup", "hold: header X: y from out.example.org[192.0.2.5]; from=<ann@example.org> to=<a@x.example>: no")
QMGR, POSTSUPER = ("qmgr", "removed"), ("postsuper", "removed")


def result(recipient: str, status: str) -> tuple[str, str]:
    return "smtp", f"to={recipient}, relay=none, delay=1, delays=0/0/0/1, dsn=2.0.0, status={status} (x)"


COURSES = {
    "delivered": [*ARRIVAL, ACTIVE, result("<a@x.example>", "sent"), result("<b@x.example>", "bounced"), QMGR],
    "held and deleted": [*ARRIVAL, HELD, POSTSUPER],
    "held, released and delivered": [
        *ARRIVAL,
        HELD,
        ("postsuper", "released from hold"),
        ACTIVE,
        result("<a@x.example>", "sent"),
        QMGR,
    ],
    "held, its release unseen": [*ARRIVAL, HELD, ACTIVE, result("<other@x.example>", "bounced"), QMGR],
    "deferred and deleted": [*ARRIVAL, ACTIVE, result("<a@x.example>", "deferred"), POSTSUPER],
    "deferred in part and deleted": [
        *ARRIVAL,
        ACTIVE,
        result("<a@x.example>", "bounced"),
        result("<b@x.example>", "deferred"),
        POSTSUPER,
    ],
    "deferred and delivered": [
        *ARRIVAL,
        ACTIVE,
        result("<a@x.example>", "deferred"),
        result("<a@x.example>", "bounced"),
        QMGR,
    ],
    "an alias deferred and expanded": [
        *ARRIVAL,
        ACTIVE,
        result("<list@x.example>", "deferred"),
        result("<a@x.example>, orig_to=<list@x.example>", "bounced"),
        QMGR,
    ],
    "expired": [
        *ARRIVAL,
        ACTIVE,
        result("<a@x.example>", "deferred"),
        ("qmgr", "from=<ann@example.org>, status=expired, returned to sender"),
        QMGR,
    ],
    "removed only": [QMGR],
}


def document_of(course: list[tuple[str, str]], tag: str) -> Document | None:
    """Return the document of these daemons' lines, where the tag is made of the daemon's name so."""
    found = Transaction("mx1", "5F0C000001", "postfix")
    for second, (daemon, text) in enumerate(course):
        program = tag.format(daemon)
        grammar = grammar_of(program)
        assert grammar is not None
        parsed = grammar.parse(program, f"5F0C000001: {text}")
        events = parsed if isinstance(parsed, list) else [parsed] if isinstance(parsed, Event) else []
        assert events
        for event in events:
            found.add((1_000_000 + second) * SECOND, event.fact)
    return document(found)


@pytest.mark.parametrize("tag", ["postfix", "{}", "postfix-{}", "postfix/x/{}"])
@pytest.mark.parametrize("course", COURSES.values(), ids=COURSES.keys())
def test_a_document_is_the_same_whatever_is_left_of_the_tag(course: list[tuple[str, str]], tag: str):
    assert document_of(course, tag) == document_of(course, "postfix/{}")
