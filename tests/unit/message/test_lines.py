"""Lines as a store keeps them and as a document shows them."""

from concurrent.futures import ThreadPoolExecutor

from mailtrace.message.lines import Line, document_in, kept_line, packed, shown, unpacked
from mailtrace.mta.facts import Client, Removed
from mailtrace.mta.kept_facts import values_of
from mailtrace.syslog.records import Record

SECOND = 1_000_000
REMOVED = Record(9 * SECOND, "mx", "postfix/qmgr", "3", "5298B228B8B: removed")
CLIENT = Record(SECOND, "mx", "postfix/smtpd", "2", "5298B228B8B: client=bob.desktop[10.10.10.10]")


def kept(record: Record) -> Line:
    return record.time, record.program, record.pid, record.text


def test_a_document_has_its_lines_only_when_they_are_wanted():
    data = packed(map(kept, [REMOVED, CLIENT]), {"host": "mx"})
    assert {"host": "mx"} == document_in(data)
    assert {"host": "mx", "lines": shown([CLIENT, REMOVED])} == document_in(data, with_lines=True)
    assert document_in(packed([kept(CLIENT)]), with_lines=True) is None


def test_lines_are_shown_in_the_order_of_their_times():
    assert [
        {"date": "1970-01-01T00:00:01+00:00", "program": "postfix/smtpd", "pid": "2", "text": CLIENT.text},
        {"date": "1970-01-01T00:00:09+00:00", "program": "postfix/qmgr", "pid": "3", "text": REMOVED.text},
    ] == shown([REMOVED, CLIENT])


def test_a_fact_without_its_line_is_shown_as_such():
    client = kept_line("mx", SECOND, values_of(Client("bob.desktop [10.10.10.10]", login="bob")))
    removed = kept_line("mx", 2 * SECOND, values_of(Removed("removed")))
    assert [
        ("mailtrace/kept-fact", "", "Client: client=bob.desktop [10.10.10.10], login=bob"),
        ("mailtrace/kept-fact", "", "Removed: how=removed"),
    ] == [(line["program"], line["pid"], line["text"]) for line in shown([client, removed])]


def test_a_refusal_without_a_queue_id_was_kept_with_its_line():
    line = "7 NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 550 5.1.1 no"
    facts = [values_of(Client("unknown [192.0.2.1]")), values_of(Removed("removed"))]
    (only,) = shown(kept_line("mx", SECOND, values, line) for values in facts)
    assert ("mailtrace/kept-fact", "7", line[2:]) == (only["program"], only["pid"], only["text"])


def test_threads_do_not_disturb_each_other():
    lines = [[(n, "postfix/smtp", str(n), f"{n}: to=<{'x' * (n % 500)}@example.org>")] for n in range(3_000)]

    def survive(some):
        return [unpacked("mx", packed(each)) == [Record(each[0][0], "mx", *each[0][1:])] for each in some]

    with ThreadPoolExecutor(8) as pool:
        assert all(all(found) for found in pool.map(survive, [lines] * 16))
