"""Transactions for the tests of Elasticsearch, and how to store them."""

from mailtrace.indexing.merge import write
from mailtrace.message.transaction import SECOND, Transaction
from mailtrace.mta.facts import Client, Envelope, MessageId, Removed, Result

AT = 1323962839 * SECOND
"""2011-12-15 15:27:19 UTC."""
DAY = 86400
"""Seconds."""
EVER = -(1 << 62), 1 << 62
"""All times."""
INDEX = "2011.12.15"
"""The index of `AT`, without prefix."""


def mail(number: int = 0, at: int = AT, host: str = "mx") -> Transaction:
    """Return the transaction of a message with one recipient; `at` is in microseconds since 1970."""
    made = Transaction(host, f"{0xABCDE00000 + number:X}", "postfix")
    made.add(at, Client("bob.desktop [10.10.10.10]"))
    made.add(at, MessageId(f"{number}@foo.com"))
    made.add(at, Envelope("bob@foo.com", 1234, 1))
    made.add(at + SECOND, Result("alice@bar.com", None, "mx[192.0.2.1]:25", "sent (250 Ok)", "sent", "2.0.0", 1.0))
    made.add(at + SECOND, Removed("removed"))
    return made


def put(store, *mails):
    """Store transactions, make them visible to searches, and return the result of the write."""
    written = write(store, mails)
    store.commit([])
    return written
