"""Rows that another process has encoded are stored as if this one had."""

from random import Random

import orjson
import pytest

from helpers.elasticsearch_transactions import mail
from helpers.stores.transactions import random_transactions
from mailtrace.message.document import Document, document
from mailtrace.message.part import Encoded, Writer
from mailtrace.message.transaction import SECOND, Transaction
from mailtrace.mta.facts import Result
from mailtrace.stores.base import Row
from mailtrace.stores.elasticsearch.rows import encoded, lines_in, source


def big() -> Transaction:
    """One with more recipients than a document shows in full."""
    transaction = mail(1)
    for number in range(4_000):
        fact = Result(f"user{number}@bar.com", None, "x[192.0.2.1]:25", "sent (250 ok)", "sent", "2.0.0", 1.0)
        transaction.add(transaction.first + SECOND, fact)
    return transaction


def elsewhere(one: Transaction, made: Document) -> Encoded:
    """Return a transaction as another process has encoded it."""
    kept = encoded(Row(one.id, one, made))
    beginning = one.first, Writer(one.host, "", ""), ""
    return Encoded(
        one.host, one.queue_id, one.mta, one.id, one.start, one.first, one.first, beginning, 1, kept, lines_in
    )


@pytest.mark.parametrize("mark", ["", "run n"])
@pytest.mark.parametrize("is_earlier", [False, True])
def test_the_document_is_the_same(mark, is_earlier):
    for one in [*random_transactions(Random(3), 200), big()]:
        made = document(one)
        if made is None or one.may_lack_beginning:
            # Others encode only what has its beginning.
            continue
        kept = Row(one.id, elsewhere(one, made), None, mark, encoded(Row(one.id, one, made)))
        wanted = source(Row(one.id, one, made, mark), is_earlier=is_earlier)
        assert orjson.loads(wanted) == orjson.loads(source(kept, is_earlier=is_earlier))


def test_what_json_cannot_represent_is_not_encoded():
    one = mail(1)
    made = document(one)
    assert made is not None
    assert encoded(Row(one.id, one, {**made, "from": "\ud800@foo.com"})) is None
