"""An indexer in its own process, for tests of the embedded store: other_process.py PATH ACTION SEED.

`write` writes random pieces of the same transactions until it is killed, `expire` deletes old ones again and again,
`come` opens, writes, expires and closes the store ten times, each time with other transactions.
"""

import sys
from itertools import count
from random import Random

from helpers.stores.contents import put
from helpers.stores.transactions import AT, DAY, transaction, whole
from mailtrace.message.transaction import SECOND, Transaction
from mailtrace.stores.sqlite.store import SqliteStore

DAYS = 8
LATER = AT // SECOND + 400 * 86_400
"""When everything may have expired, in seconds since 1970."""


def mail(number: int) -> Transaction:
    """Return one of 400 transactions of eight days."""
    return transaction(f"{0xABCDE00000 + number:X}", whole(AT + number % DAYS * DAY + number * SECOND))


def pieces(random: Random, size: int) -> list[Transaction]:
    """Return random transactions, some of them without their end."""
    mails = [mail(number) for number in random.sample(range(400), size)]
    return [transaction(each.queue_id, each.facts[: random.choice([3, 9])]) for each in mails]


def main(path: str, action: str, seed: str) -> None:
    """Do what is asked."""
    random = Random(seed)
    store = SqliteStore(path, now=lambda: AT / SECOND)
    rounds = range(10) if action == "come" else count()
    for number in rounds:
        if action == "expire":
            store.expire(AT / SECOND + random.randrange(DAYS + 1) * 86_400)
        elif action == "write":
            put(store, *pieces(random, random.choice([1, 10, 200])))
        else:
            put(store, *(transaction(f"{number}ABC{n:X}", whole(AT + n * SECOND)) for n in range(2000)))
            store.expire(LATER)
            store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
