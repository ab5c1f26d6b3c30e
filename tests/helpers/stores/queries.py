"""Random queries that use every member of `Query`."""

from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Any

from helpers.stores.transactions import ADDRESSES, LOGINS, MSGIDS
from mailtrace.message.transaction import Transaction
from mailtrace.search.patterns import Pattern
from mailtrace.search.query import OUTCOMES, Query, Word

PATTERNS = (
    *ADDRESSES,
    "<>",
    "<bob@foo.com>",
    "@foo.com",
    "@FOO.COM",
    "@ΟΔΟΣ.gr",
    "@b@foo.com",
    "@",
    "*",
    "?*",
    "*@foo.com",
    "B?B@*",
    "*\\*",
    "*\\?lash*",
    "*ΟΔΟΣ",
    "*o*o*o*",
    "*@*@*",
    "????@foo.com",
    "*b" + "?" * 12 + "*m*",
    "*b" + "?" * 30 + "*",
    "*" + "o" * 300 + "*",
)
ASKED_TEXTS = (
    *(msgid for msgid in MSGIDS if msgid is not None),
    *(login for login in LOGINS if login is not None),
    "<>",
    "@foo.com",
    "*@FOO.com",
    "20111215.?\\@x",
    "?",
    "bob*",
)
ASKED_CLIENTS = (
    "bob.desktop",
    "bob.desktop[10.10.10.10]",
    "BOB.Desktop",
    "10.10.10.10",
    "[10.10.10.10]",
    "2001:0db8::0001",
    "bob.desktop [10.10.10.10]",
    " root@localhost ",
    "192.0.2.2",
    "192.0.2.3",
    "300.1.1.1",
    "*.foo.com",
    "*",
    "10.0.0.0/8",
    "10.10.10.10/31",
    "2001:db8::/32",
    "::/0",
    "0.0.0.0/0",
    "::ffff:0:0/96",
    "IPv6:2001:db8::1",
    "bob.*",
    "?oot@*",
    "fe80::1%eth0",
    "οδος.gr",
    "ΟΔΟΣ.gr",
    "",
)
ASKED_HOSTS = ("mx", "MX", "mx.foo.com", "MX.bar.com", "foo.com", "relay.foo.com", "MÉ", "mx*", "m?", "*.com", "*", "")
ASKED_RELAYS = (
    "mx.bar.com",
    "MX.bar.com[192.0.2.25]:25",
    "*.bar.com",
    "mx.bar.com [192.0.2.26]",
    "192.0.2.25",
    "[192.0.2.27]",
    "192.0.2.24/31",
    "2001:db8::18/125",
    "six.example",
    "2001:0DB8::19",
    "local",
    "n*e",
    "οδος.gr",
    "*ΟΔΟΣ*",
    "private/dovecot-lmtp",
    "",
)
ASKED_STATUSES = (
    "GREYLISTED",
    "5298b228b8b",
    "*full*",
    "ly? b",
    "100%",
    "k\\s",
    "οδος",
    "sent (",
    "nowhere",
    "later",
    "",
)
WORDS = (
    *(
        "bob@foo.com",
        "@bar.com",
        "*@BAR.com",
        "<>",
        "10.10.10.10",
        "bob.desktop[10.10.10.10]",
        "192.0.2.0/24",
        "root@localhost",
        "bob",
        "ABCDE00003",
    ),
    *("a.1@foo.com", "abcde00003", "οδος@οδος.gr", "*", "nobody@nowhere.test"),
)


def random_queries(random: Random, transactions: list[Transaction]) -> Iterator[Query]:
    """Yield queries with each value of each member alone, then combinations."""
    queue_ids = [part.queue_id for part in transactions]
    times = [part.first for part in transactions]
    yield Query()
    yield Query(oldest_first=True)
    for member, (make, values) in ASKED.items():
        yield from (Query(**{member: (make(asked),)}) for asked in values)  # type: ignore[arg-type]
    yield from (Query(queue_ids=(asked,)) for asked in (queue_ids[0], queue_ids[1].lower(), "*", "NOQUEUE"))
    yield from (Query(links=(asked,)) for asked in (*queue_ids[:3], "5298B228B8B", "5298b228b8b", "*", ""))
    yield from (Query(min_delay=asked) for asked in DELAYS)
    yield from (Query(queued=True, **members) for members in ({}, {"ever": OUTCOMES[:1]}, {"min_delay": 1}))
    yield from (Query(outcomes=(last,), ever=(ever,)) for last in OUTCOMES[:3] for ever in OUTCOMES[:3])
    yield from (Query(since=at) for at in times[:10])
    yield from (Query(until=at) for at in times[:10])
    for _ in range(100):
        yield _combined(random, queue_ids, times)


ASKED: dict[str, tuple[Callable[[str], Any], tuple[str, ...]]] = {
    "senders": (Pattern.of, PATTERNS),
    "recipients": (Pattern.of, PATTERNS),
    "msgids": (Pattern.of_text, ASKED_TEXTS),
    "clients": (Pattern.of_peer, ASKED_CLIENTS),
    "logins": (Pattern.of_text, ASKED_TEXTS),
    "hosts": (Pattern.of_text, ASKED_HOSTS),
    "mtas": (str, ("postfix", "sendmail", "exim")),
    "relays": (Pattern.of_peer, ASKED_RELAYS),
    "statuses": (str.lower, ASKED_STATUSES),
    "outcomes": (str, OUTCOMES),
    "ever": (str, OUTCOMES),
    "words": (Word.of, WORDS),
}
"""For each member of `Query`: how its values are made, and from which arguments."""
DELAYS = (0, 1, 3, 4, 63495, 63496, 10**18)
_CHANCES = {
    "senders": 0.3,
    "recipients": 0.4,
    "msgids": 0.05,
    "clients": 0.1,
    "logins": 0.05,
    "hosts": 0.2,
    "mtas": 0.1,
    "relays": 0.2,
    "statuses": 0.2,
    "outcomes": 0.3,
    "ever": 0.3,
    "words": 0.2,
}
_FEW = {"outcomes": OUTCOMES[:3], "ever": OUTCOMES[:3], "mtas": ("postfix", "sendmail")}


def _combined(random: Random, queue_ids: list[str], times: list[int]) -> Query:
    since, until = sorted(random.sample(times, 2))

    def some(values: Iterable[str], chance: float) -> list[str]:
        values = list(values)
        if random.random() >= chance:
            return []
        return random.sample(values, random.choice([size for size in (1, 2, 5) if size <= len(values)]))

    members: dict[str, Any] = {
        member: tuple(map(make, some(_FEW.get(member, values), _CHANCES[member])))
        for member, (make, values) in ASKED.items()
    }
    return Query(
        **members,
        queue_ids=tuple(some(queue_ids, 0.05)),
        links=tuple(some([*queue_ids[:5], "5298B228B8B"], 0.1)),
        queued=random.random() < 0.1,
        min_delay=random.choice(DELAYS) if random.random() < 0.1 else None,
        since=since if random.random() < 0.3 else None,
        until=until if random.random() < 0.3 else None,
        limit=random.choice([None, None, 0, 1, 3, 50]),
        oldest_first=random.random() < 0.3,
    )
