"""Only what was asked: text, CSV and the table show the recipient results that match; JSON marks them."""

import csv
import io
import json

import pytest

from helpers.mail_log import message, to_a_list

OTHERS = "--all-recipients shows them"


@pytest.fixture
def indexed(commands, index_once):
    refused = (
        "2026-11-20T12:00:00+00:00 mx1 postfix/smtpd[9]: NOQUEUE: reject: RCPT from bad.test[192.0.2.66]: 554 5.7.1"
        " Service unavailable; from=<x@bad.test> to=<bob@example.org> proto=ESMTP helo=<bad>\n"
    )
    (commands.folder / "mail.log").write_text(to_a_list() + message("4A00000002") + refused)
    done = index_once(commands, "mail.log")
    assert 0 == done.returncode, done.stderr
    return commands


def results(commands, *flags: str) -> list[tuple[str, str]]:
    """The recipients and outcomes that CSV has of the message to the list."""
    done = commands.search("-q", "4A00000001", "--format", "csv", *flags)
    rows = csv.DictReader(io.StringIO(done.stdout))
    return [(row["recipient"].partition("@")[0], row["outcome"]) for row in rows]


ANN = [("ann", "deferred"), ("ann", "sent")]


@pytest.mark.parametrize(
    "flags, found, left",
    [
        (["-t", "@example.org"], [*ANN, ("bob", "sent"), ("cat", "bounced")], 197),
        (["-t", "ann@example.org"], ANN, 199),
        (["-t", "ann@example.org", "-s", "sent"], ANN[1:], 200),
        (["-t", "ann@example.org", "-t", "cat@example.org"], [*ANN, ("cat", "bounced")], 198),
        (["-s", "bounced"], [("cat", "bounced")], 200),
        (["--ever", "deferred"], ANN[:1], 200),
        (["--relay", "mx.example.org", "--ever", "sent"], [ANN[1], ("bob", "sent")], 199),
        (["--status", "5.1.1"], [("cat", "bounced")], 200),
        (["bob@example.org"], [("bob", "sent")], 200),
        (["news@example.net", "bob@example.org"], [("bob", "sent")], 200),
    ],
)
def test_what_matches_is_shown_and_the_others_are_counted(indexed, flags, found, left):
    asked = ["-q", "4A00000001", *flags]
    assert sorted(found) == sorted(results(indexed, *flags))
    words = indexed.search(*asked, "--format", "csv").stderr
    assert f"{left} other recipient results: {OTHERS}\n" == words

    text = indexed.search(*asked)
    assert len(found) == text.stdout.count("\nto:     recipient='")
    assert f"        {left} other recipient results: {OTHERS}\nhost:   mx1\n" in text.stdout
    assert "" == text.stderr
    assert len(found) == indexed.search(*asked, "--long").stdout.count("\nto:          recipient='")
    assert f"{left} other recipient results" in indexed.search(*asked, "--long").stdout

    table = indexed.search(*asked, "--format", "table")
    assert 1 + len(found) == table.stdout.count("\n")
    assert f"{left} other recipient results" in table.stderr

    (document,) = map(json.loads, indexed.search(*asked, "--format", "json").stdout.splitlines())
    assert 201 == len(document["to"])
    marked = [each["recipient"].partition("@")[0] for each in document["to"] if each["matched"]]
    assert sorted(name for name, _ in found) == sorted(marked)
    assert left == sum(each["matched"] is False for each in document["to"])


def test_all_recipients_are_shown_on_request(indexed):
    flags = ["-t", "ann@example.org", "--all-recipients"]
    assert 201 == len(results(indexed, *flags))
    done = indexed.search(*flags)
    assert (201, "") == (done.stdout.count("\nto:     "), done.stderr)
    assert OTHERS not in done.stdout
    (document,) = map(json.loads, indexed.search(*flags, "--format", "json").stdout.splitlines())
    assert 2 == sum(each["matched"] for each in document["to"])


@pytest.mark.parametrize("flags", [[], ["-f", "news@example.net"], ["-q", "4A00000001"], ["-h", "mx1"]])
def test_all_is_shown_if_nothing_is_asked_about_recipients(indexed, flags):
    done = indexed.search("--format", "csv", *flags)
    assert 201 <= done.stdout.count("\n")
    assert "" == done.stderr
    assert "matched" not in indexed.search("--format", "json", *flags).stdout


def test_a_word_that_is_the_sender_asks_for_the_whole_message(indexed):
    assert 201 == len(results(indexed, "news@example.net"))
    found = [json.loads(line) for line in indexed.search("news@example.net", "--format", "json").stdout.splitlines()]
    assert {True} == {each["matched"] for document in found for each in document["to"]}


def test_one_other_result_is_one(indexed):
    log = message("4A00000009", *((to, "local", "sent (ok)") for to in ("eve@foo.test", "ned@foo.test")))
    (indexed.folder / "two.log").write_text(log)
    assert 0 == indexed.index("two.log").returncode
    assert f"\n        1 other recipient result: {OTHERS}\n" in indexed.search("-t", "eve@foo.test").stdout


def test_csv_has_the_columns_of_a_helpdesk(indexed):
    header = "date,from,recipient,orig_to,outcome,status,relay_host,delay,client,msgid,transaction,host"
    assert header == indexed.search("--format", "csv").stdout.split("\n")[0]


def test_columns_can_be_chosen(indexed):
    flags = ["-q", "4A00000001", "-t", "bob@example.org", "--format", "csv", "--columns"]
    done = indexed.search(*flags, "date,from,recipient,outcome,status")
    assert (
        "date,from,recipient,outcome,status\n"
        "2026-11-20T10:00:00+00:00,news@example.net,bob@example.org,sent,sent (250 ok)\n"
    ) == done.stdout
    assert "outcome,to_date\nsent,2026-11-20T10:00:00+00:00\n" == indexed.search(*flags, " Outcome , to_date").stdout
    assert 29 == len(indexed.search(*flags, "all").stdout.split("\n")[0].split(","))
    for wrong, words in (("subject", "subject: no such column; choose from all, transaction, host"), (",", "name a")):
        done = indexed.search(*flags, wrong)
        assert (2, 1) == (done.returncode, done.stderr.count("\n"))
        assert words in done.stderr


def test_a_table_is_aligned_and_whole_in_a_pipe(indexed):
    assert (
        indexed.search("-t", "@example.org", "--format", "table", "-f", "news@example.net").stdout
        == """\
date                 outcome   from              recipient        status
2026-11-20 10:00:00  deferred  news@example.net  ann@example.org  deferred (450 4.7.1 greylisted)
2026-11-20 10:00:00  sent      news@example.net  ann@example.org  sent (250 ok)
2026-11-20 10:00:00  sent      news@example.net  bob@example.org  sent (250 ok)
2026-11-20 10:00:00  bounced   news@example.net  cat@example.org  bounced (550 5.1.1 no such user)
"""
    )
    done = indexed.search("-t", "cat@example.org", "--format", "table", "--columns", "recipient,delay,last,orig_to")
    assert "recipient        delay  last  orig_to\ncat@example.org  1 s    yes   -\n" == done.stdout


def test_a_table_is_cut_to_the_width_of_the_terminal(indexed):
    shown = indexed.search("-t", "cat@example.org", "--format", "table", COLUMNS="70").stdout
    assert (
        shown
        == """\
date                 outcome  from          recipient     status
2026-11-20 10:00:00  bounced  news@exampl…  cat@example…  bounced (55…
"""
    )
    for width in (1, 10, 30, 50, 79, 200):
        lines = indexed.search("--format", "table", COLUMNS=str(width)).stdout.splitlines()
        assert max(map(len, lines)) <= width


def test_a_result_without_relay_has_none(indexed):
    shown = indexed.search("-q", "NOQUEUE").stdout
    assert "to:     recipient='bob@example.org', status='rejected (554 5.7.1 Service unavailable)'\n" in shown
    shown = indexed.search("-q", "4A00000002").stdout
    assert "to:     status='queued (no result yet)'\n" in shown
