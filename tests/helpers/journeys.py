"""Transactions of journeys, as the hosts on the way would have logged them."""

from mailtrace.message.transaction import SECOND, Transaction
from mailtrace.mta.facts import Client, Envelope, Held, MessageId, Origin, Released, Removed, Result, Sender, Submitted

AT = 1323962839 * SECOND
"""2011-12-15 15:27:19 UTC."""
SHORT = "5298B228B8B"
OTHER = "16F49228B8B"
LONG = "4jYzr360qBz1V3r7"
"""A queue ID that contains another time than AT."""
MSGID = "20111215142718.GD23530@foo.com"


def to(recipient, relay, status, *, after=1, outcome="sent", orig_to=None):
    """Return a recipient result some seconds after the message arrived, as an argument of `postfix` and `sendmail`."""
    return after, Result(recipient, orig_to, relay, status, outcome, "2.0.0", float(after))


def queued(recipient, relay, queue_id, **options):
    return to(recipient, relay, f"sent (250 2.0.0 Ok: queued as {queue_id})", **options)


def mailbox(recipient="alice@bar.com", **options):
    return to(recipient, "local", "sent (delivered to mailbox)", **options)


def postfix(host, queue_id, *results, at=AT, msgid=MSGID, client="bob.desktop [10.10.10.10]", origin=None):
    """Return a Postfix transaction; without a client, it was submitted locally."""
    made = Transaction(host, queue_id, "postfix")
    made.add(at, Client(client, origin=origin) if client else Submitted("bob@foo.com", origin))
    return _through_queue(made, at, msgid, "bob@foo.com", results)


def notice(origin, host, queue_id, *results, at=AT, msgid="20111215.NOTICE@mx1"):
    """Return a notice of Postfix, which has no line that begins it."""
    made = Transaction(host, queue_id, "postfix")
    made.add(at, Origin(origin, "notice"))
    return _through_queue(made, at, msgid, "", results)


def _through_queue(made, at, msgid, sender, results):
    made.add(at, MessageId(msgid))
    made.add(at, Envelope(sender, 1234, len(results)))
    for after, result in results:
        made.add(at + after * SECOND, result)
    made.add(at + max([0, *(after for after, _ in results)]) * SECOND, Removed("removed"))
    return made


def sendmail(host, queue_id, *results, at=AT, msgid=MSGID, sender="bob@foo.com", client="bob.desktop [10.10.10.10]"):
    made = Transaction(host, queue_id, "sendmail")
    made.add(at, Sender(sender, 1234, len(results), msgid, client))
    for after, result in results:
        made.add(at + after * SECOND, result)
    return made


def part(origin, host, queue_id, *results, at=AT, kind="split", sender=None):
    """Return a clone, a split or a notice of sendmail, which has no line that begins it."""
    made = Transaction(host, queue_id, "sendmail")
    made.add(at, Origin(origin, kind, sender))
    for after, result in results:
        made.add(at + after * SECOND, result)
    return made


def through_both():
    """From sendmail to Postfix, through a content filter and back, then to different next hops."""
    mx1 = "mx1.bar.com[192.0.2.25]:25"
    amavis = "127.0.0.1[127.0.0.1]:10024"
    return [
        sendmail(
            "smtp",
            "pBFERI8l019936",
            to("alice@bar.com", "mx1.bar.com [192.0.2.25]", f"Sent (Ok: queued as {SHORT})"),
            to("carol@bar.com", "mx1.bar.com [192.0.2.25]", f"Sent (Ok: queued as {SHORT})"),
            to("dave@baz.com", "mx.baz.com [192.0.2.99]", "Sent (Ok: queued as 77AA01)"),
        ),
        postfix(
            "mx1",
            SHORT,
            queued("alice@bar.com", amavis, OTHER, after=2),
            queued("carol@bar.com", amavis, OTHER, after=2),
            at=AT + SECOND,
            client="smtp.foo.com [192.0.2.1]",
        ),
        postfix(
            "mx1",
            OTHER,
            mailbox("alice@bar.com", after=3),
            to("carol@elsewhere.org", mx1, "bounced (550 no)", after=3, outcome="bounced", orig_to="carol@bar.com"),
            at=AT + 3 * SECOND,
            client="localhost [127.0.0.1]",
            origin=SHORT,
        ),
        notice(
            OTHER,
            "mx1",
            "ABCDE1",
            queued("bob@foo.com", "smtp.foo.com[192.0.2.1]:25", "pBFERM1x019999", after=1),
            at=AT + 4 * SECOND,
        ),
        sendmail(
            "smtp",
            "pBFERM1x019999",
            to("bob@foo.com", "local", "Sent"),
            at=AT + 6 * SECOND,
            sender="",
            client="mx1.bar.com [192.0.2.25]",
            msgid="20111215.NOTICE@mx1",
        ),
    ]


def held_and_requeued():
    """Held, released after a day, moved to a new queue ID, and sent."""
    day = 86400
    held = Transaction("mx1", SHORT, "postfix")
    held.add(AT, Client("bob.desktop [10.10.10.10]"))
    held.add(AT, MessageId(MSGID))
    held.add(AT + 1, Held("held (postsuper)"))
    held.add(AT + day * SECOND, Released("released"))
    held.add(AT + (day + 2) * SECOND, Removed("requeued"))
    return [held, postfix("mx1", OTHER, mailbox(), at=AT + (day + 3) * SECOND, client=None, origin=SHORT)]


def parted_in_sendmail():
    """The owner of a list causes a clone, and queue groups split the rest."""
    relay = "mx.baz.com [192.0.2.99]"
    return [
        sendmail("smtp", "pBFERI8l019936", to("alice@bar.com", "local", "Sent")),
        part(
            "pBFERI8l019936",
            "smtp",
            "pBFERI8m019936",
            to("carol@baz.com", relay, "Sent (ok)"),
            kind="clone",
            sender="owner-list@foo.com",
            at=AT + SECOND,
        ),
        part(
            "pBFERI8l019936",
            "smtp",
            "pBFERI8n019936",
            to("dave@baz.com", relay, "Sent (ok)"),
            kind="split",
            at=AT + SECOND,
        ),
    ]


def loop(passes):
    """Two hosts forward to each other until one stops the loop."""
    made = []
    for i in range(passes):
        host, other = ("mx1", "mx2") if i % 2 == 0 else ("mx2", "mx1")
        relay, client = f"{other}.bar.com[192.0.2.{i % 2}]:25", f"{other}.bar.com [192.0.2.{i % 2}]"
        result = queued("alice@bar.com", relay, f"{0xAAAAA0 + i + 1:X}")
        if i == passes - 1:
            result = to("alice@bar.com", relay, "bounced (too many hops)", outcome="bounced")
        made.append(postfix(host, f"{0xAAAAA0 + i:X}", result, at=AT + i * SECOND, client=client))
    return made


def list_mail(copies):
    """A message to a list; a program sends a copy to each member."""
    command = to("list@bar.com", "local", "sent (delivered to command: /usr/bin/mailman post list)")
    made = [postfix("mx1", SHORT, command)]
    for i in range(copies):
        to_member = queued(f"user{i}@baz.com", "mx.baz.com[192.0.2.99]:25", f"{0xFF0000 + i:X}")
        made.append(
            postfix("mx1", f"{0xBB0000 + i:X}", to_member, at=AT + 2 * SECOND + i, client="localhost [127.0.0.1]")
        )
    return made


def spread(recipients):
    """A message to many recipients; the next hop uses a queue ID for each."""
    relay = "mx2.bar.com[192.0.2.2]:25"
    made = [postfix("mx1", SHORT, *(queued(f"user{i}@bar.com", relay, f"{0xCC0000 + i:X}") for i in range(recipients)))]
    made += [
        postfix(
            "mx2",
            f"{0xCC0000 + i:X}",
            mailbox(f"user{i}@bar.com"),
            at=AT + SECOND + i,
            client="mx1.bar.com [192.0.2.1]",
        )
        for i in range(recipients)
    ]
    return made
