"""Transactions for tests of stores: simple ones, and random ones with anything that a log may contain."""

from collections.abc import Iterable
from random import Random

from mailtrace.message.document import Document, document
from mailtrace.message.order import TimedFact
from mailtrace.message.transaction import SECOND, Transaction
from mailtrace.mta.facts import Client, Envelope, Fact, MessageId, Refusal, Removed, Result, Sender
from mailtrace.search.query import OUTCOMES

AT = 1323962839 * SECOND
"""2011-12-15 15:27:19 UTC."""
DAY = 86400 * SECOND
EVER = -(1 << 62), 1 << 62
"""A time span that contains all times."""
_BASE60 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwx"

ADDRESSES = (
    "",
    "bob@foo.com",
    "Bob@FOO.com",
    "bob@bar.com",
    "alice@bar.com",
    "b*b@foo.com",
    "b?b@foo.com",
    "back\\slash@foo.com",
    "back\\*slash@foo.com",
    '"quoted user"@foo.com',
    "a AND b OR NOT c@foo.com",
    "from:bob@foo.com",
    "a@b@foo.com",
    "@foo.com",
    "foo.com",
    "foo@",
    "ΟΔΟΣ@ΟΔΟΣ.gr",
    "οδος@οδος.gr",
    "İstanbul@ISTANBUL.tr",
    "straße@STRASSE.de",
    "STRAẞE@strasse.de",
    "caf\u00e9@foo.com",
    "cafe\u0301@foo.com",
    "\U00010400\U0001f4e7@foo.com",
    '{"match_all":{}}@foo.com',
    "(bob+foo)/[a-z]~1^2@foo.com",
    "x\nb@foo.com",
    "\x00@foo.com",
    "\\x80@foo.com",
    " space@foo.com ",
)
MSGIDS = (None, "A.1@foo.com", "a.1@FOO.com", "*", "", "20111215.b\\@x", "οΣ", "İ", '"quoted"', "a:b AND c")
CLIENTS = (
    None,
    "bob.desktop [10.10.10.10]",
    "BOB.desktop[10.10.10.10]",
    "unknown [2001:db8::1]",
    "six.example [IPv6:2001:DB8:0::1]",
    "root@localhost",
    "[10.0.0.1]",
    "forged [192.0.2.1] [192.0.2.2] [192.0.2.3]",
    "bad [300.1.1.1]",
    "*.foo.com [fe80::1%eth0]",
    "ΟΔΟΣ.gr [10.0.0.9]",
)
HOSTS = ("mx", "mx.foo.com", "mx.bar.com", "relay", "mé.foo.com", "mx*")
LOGINS = (None, None, "bob", "Bob@foo.com", "", "ΟΔΟΣ", "b*b")
RELAYS = (
    "mx.bar.com[192.0.2.25]:25",
    "MX.bar.com [192.0.2.26]",
    "six.example[2001:DB8::19]:25",
    "[IPv6:2001:db8::1a] [IPv6:2001:db8::1a]",
    "[192.0.2.27]",
    "box1[private/dovecot-lmtp]",
    "local",
    "none",
    "ΟΔΟΣ.gr[10.0.0.9]",
    None,
)
STATUSES = (
    "{outcome} (250 2.0.0 Ok: queued as 5298B228B8B)",
    "{outcome} (250 2.0.0 Ok: queued as ABCDE{number})",
    "{outcome} (host mx.bar.com[192.0.2.25] said: 450 4.2.0 <bob{number}@foo.com>: Greylisted for {number} seconds)",
    "{outcome} (100% *full*, really? back\\slash ΟΔΟΣ)",
    "",
)
DELAYS = (None, 0.0, 0.05, 0.25, 1.0, 3.3, 63495.0, 1e300)


def transaction(queue_id: str, facts: Iterable[TimedFact], *, host: str = "mx", mta: str = "postfix") -> Transaction:
    """Return a transaction with these facts."""
    made = Transaction(host, queue_id, mta)
    for time, fact in facts:
        made.add(time, fact)
    return made


def whole(
    at: int = AT, *, sender: str = "bob@foo.com", recipients: Iterable[str] = ("alice@bar.com",)
) -> list[TimedFact]:
    """Return the facts of a Postfix message, from arrival to removal."""
    recipients = list(recipients)
    return [
        (at, Client("bob.desktop [10.10.10.10]")),
        (at + SECOND, MessageId(f"{at}@foo.com")),
        (at + SECOND, Envelope(sender, 1234, len(recipients))),
        *((at + 2 * SECOND, sent(recipient)) for recipient in recipients),
        (at + 3 * SECOND, Removed("removed")),
    ]


def sent(recipient: str, outcome: str = "sent", orig_to: str | None = None) -> Result:
    """Return a result of one recipient."""
    status = f"{outcome} (250 2.0.0 Ok: queued as 5298B228B8B)"
    return Result(recipient, orig_to, "mx.bar.com[192.0.2.25]:25", status, outcome, "2.0.0", 0.25)


def sendmail_id(at: int, number: int) -> str:
    """Return a queue ID that contains the time `at`, in seconds."""
    from datetime import datetime, timezone

    time = datetime.fromtimestamp(at // SECOND, timezone.utc)
    parts = (time.year % 60, time.month - 1, time.day, time.hour, time.minute, time.second, number // 60, number % 60)
    return "".join(_BASE60[part] for part in parts) + "019936"


def through_sendmail(at: int = AT) -> list[TimedFact]:
    """Return the facts of a sendmail message."""
    return [
        (at, Sender("bob@foo.com", 1234, 2, "1@foo.com", "bob.desktop [10.10.10.10]")),
        (at + SECOND, sent("alice@bar.com")),
        (at + 2 * SECOND, sent("carol@bar.com", "deferred")),
        (at + 9 * SECOND, sent("carol@bar.com")),
    ]


def random_transactions(random: Random, count: int) -> list[Transaction]:
    """Return random transactions from the values above, some of them in the same microsecond."""
    times = [AT + random.randrange(-2 * DAY, 2 * DAY) for _ in range(count // 4)]
    times += [time + random.choice([1, -1, 10, SECOND]) for time in times]
    return [_random_transaction(random, i, random.choice(times)) for i in range(count)]


def _random_transaction(random: Random, number: int, at: int) -> Transaction:
    origin = f"{0xABCDE00000 + random.randrange(5):X}" if random.random() < 0.2 else None
    login, orig_client = random.choice(LOGINS), random.choice(CLIENTS)
    client = Client(random.choice(CLIENTS) or "", login=login, origin=origin, orig_client=orig_client)
    facts: list[tuple[int, Fact]] = [(at, client)]
    if random.random() < 0.1:
        facts = [(at, Refusal("rejected", "rejected (no)", random.choice(ADDRESSES), random.choice(ADDRESSES)))]
    if random.random() < 0.9:
        facts.append((at + 1, MessageId(random.choice(MSGIDS))))
    if random.random() < 0.9:
        facts.append((at + 1, Envelope(random.choice(ADDRESSES), number, random.choice([1, 1, 2, 4]))))
    for i in range(random.choice([0, 1, 1, 2, 3])):
        result = _random_result(random)
        facts.append((at + 2 + i, result))
        if random.random() < 0.3:
            facts.append((at + 9 + i, result._replace(status="later", outcome=random.choice(OUTCOMES[:3]))))
    if random.random() < 0.7:
        facts.append((at + SECOND, Removed("removed")))
    mta = random.choice(["postfix", "postfix", "sendmail"])
    return transaction(f"{0xABCDE00000 + number:X}", facts, host=random.choice(HOSTS), mta=mta)


def _random_result(random: Random) -> Result:
    outcome = random.choice(OUTCOMES[:3])
    status = random.choice(STATUSES).format(outcome=outcome, number=random.randrange(1000))
    orig_to = random.choice([None, None, *ADDRESSES])
    relay, delay = random.choice(RELAYS), random.choice(DELAYS)
    return Result(random.choice(ADDRESSES), orig_to, relay, status, outcome, "2.0.0", delay)


def newest_first(transactions: Iterable[Transaction]) -> list[Document]:
    """Return the documents of transactions in the order of searches: by date and ID, descending, without stubs."""
    ordered = sorted(transactions, key=lambda part: (part.first, part.id), reverse=True)
    return [made for part in ordered if (made := document(part)) is not None]
