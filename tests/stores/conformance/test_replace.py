"""Lines can be taken out of every store again, as if they had never been read."""

import pytest

from helpers.stores.contents import found, put
from helpers.stores.transactions import AT, newest_first, sendmail_id, through_sendmail, transaction, whole
from mailtrace.indexing.indexer import Indexer
from mailtrace.indexing.replace import take_out
from mailtrace.indexing.subtract import subtract
from mailtrace.logs.rotation import Calendar
from mailtrace.message.transaction import SECOND
from mailtrace.search.query import Query
from mailtrace.syslog.timezones import zone_of

SHORT = "5298B228B8B"
LOG = """\
Mar  1 10:00:00 mx postfix/smtpd[1]: 5298B228B8B: client=bob.desktop[10.10.10.10]
Mar  1 10:00:01 mx postfix/cleanup[2]: 5298B228B8B: message-id=<1@foo.com>
Mar  1 10:00:02 mx postfix/qmgr[3]: 5298B228B8B: from=<bob@foo.com>, size=1234, nrcpt=1 (queue active)
Mar  1 10:00:03 mx postfix/qmgr[3]: 5298B228B8B: removed
Mar  1 11:00:00 mx postfix/smtpd[9]: NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 550 5.1.1 <a@bar.com>: no
Mar  1 12:00:00 mx postfix/smtpd[1]: 5298B228B8C: client=bob.desktop[10.10.10.10]
"""


def take(store, *transactions):
    assert [] == subtract(store, transactions)
    store.commit([])


def test_what_was_put_is_taken_out(store):
    timed = transaction(sendmail_id(AT, 7), through_sendmail(), mta="sendmail")
    other = transaction("5298B228B8C", whole())
    put(store, transaction(SHORT, whole()), timed, other)
    for _ in range(2):
        take(store, transaction(SHORT, whole()), timed)
        assert newest_first([other]) == found(store)


def test_a_transaction_keeps_the_lines_that_are_left(store):
    put(store, transaction(SHORT, whole()))
    left = transaction(SHORT, whole()[2:])
    for _ in range(2):
        take(store, transaction(SHORT, whole()[:2]))
        assert newest_first([left]) == found(store)
        # Its ID no longer has the time of the beginning, and a beginning that comes back is joined.
        assert [left.id] == [row.id for rows in store.find({left.key: (AT, AT)}).values() for row in rows]
        store.commit([])
    put(store, transaction(SHORT, whole()[:2]))
    assert newest_first([transaction(SHORT, whole())]) == found(store)


def test_a_reused_queue_id_loses_only_the_message_that_is_taken_out(store):
    later = transaction(SHORT, whole(AT + 3600 * SECOND))
    put(store, transaction(SHORT, whole()), later)
    take(store, transaction(SHORT, whole()))
    assert newest_first([later]) == found(store)


class KilledError(Exception):
    """Ends a run like a kill."""


@pytest.mark.parametrize("when", ["forget", "commit"])
def test_a_log_that_was_taken_out_only_in_part_is_taken_out_again(open_store, tmp_path, when):
    log = tmp_path / "mail.log"
    log.write_text(LOG)

    def index(year):
        store = open_store()
        Indexer(store, Calendar(zone_of("UTC"), "UTC", year)).index([str(log)])
        return store

    def kill(*_):
        raise KilledError

    store = index(2009)
    assert {"2009"} == {each["date"][:4] for each in found(store)}
    killed = open_store()
    killed.prepare()
    if when == "forget":
        killed.forget = kill
    else:
        # Between two slices of the log: the first commit follows the look-up of the checkpoints.
        commits = iter([killed.commit])
        killed.commit = lambda checkpoints: next(commits, kill)(checkpoints)
    with pytest.raises(KilledError):
        take_out(killed, [str(log)])
    killed.close()
    assert 1 == len(store.checkpoints())
    store.commit([])
    taken = take_out(store, [str(log)])
    assert ([], []) == (taken.notes, taken.refused)
    assert [] == found(store)
    assert [] == store.checkpoints()
    store.commit([])
    store = index(2010)
    assert ["2010-03-01T11", "2010-03-01T10"] == [each["date"][:13] for each in found(store)]
    assert 1 == store.count(Query(queue_ids=(SHORT,)))
