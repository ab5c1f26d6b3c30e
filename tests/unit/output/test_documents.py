"""Documents and groups as text, JSON and CSV."""

import csv
from datetime import timedelta, timezone

import orjson
import pytest

from mailtrace.message.document import document
from mailtrace.message.transaction import Transaction
from mailtrace.mta.facts import Result, Sender
from mailtrace.output.documents_csv import csv_lines
from mailtrace.output.documents_json import document_json
from mailtrace.output.documents_text import Style, document_text
from mailtrace.output.escape import safe
from mailtrace.output.groups import groups_csv, groups_json, groups_text
from mailtrace.search.groups import BY, Group, Grouping

CET = timezone(timedelta(hours=1))


def example():
    made = Transaction("smtp", "pBFERI8l019936", "sendmail")
    start = 1323959239 * 1_000_000
    made.add(start, Sender("bob@foo.com", 1234, 1, "20111215142718.GD23530@smtp.foo.com", "bob.desktop [10.10.10.10]"))
    made.add(
        start + 1_000_000,
        Result(
            "alice@bar.com",
            "bob@foo.com",
            "smtp.bar.com [192.0.2.25]",
            "Sent (Ok: queued as 5298B228B8B)",
            "sent",
            "2.0.0",
            1.0,
        ),
    )
    found = document(made)
    assert found is not None
    return found


def test_the_text_layout():
    assert document_text(example(), CET) == (
        "transaction: pBFERI8l019936\n"
        "client: bob.desktop [10.10.10.10]\n"
        "from:   bob@foo.com\n"
        "msgid:  20111215142718.GD23530@smtp.foo.com\n"
        "date:   2011-12-15 15:27:19\n"
        "to:     recipient='alice@bar.com' , relay='smtp.bar.com', status='Sent (Ok: queued as 5298B228B8B)'\n"
        "host:   smtp\n"
    )


def test_the_json_contract():
    assert orjson.loads(document_json(example(), CET)) == {
        "transaction": "pBFERI8l019936", "host": "smtp", "mta": "sendmail", "instance": None,
        "date": "2011-12-15T15:27:19+01:00", "from": "bob@foo.com",
        "client": "bob.desktop [10.10.10.10]", "client_ip": "10.10.10.10", "orig_client": None, "login": None,
        "msgid": "20111215142718.GD23530@smtp.foo.com", "size": 1234, "nrcpt": 1,
        "to": [{
            "recipient": "alice@bar.com", "orig_to": None, "relay": "smtp.bar.com [192.0.2.25]",
            "relay_host": "smtp.bar.com", "relay_ip": "192.0.2.25", "status": "Sent (Ok: queued as 5298B228B8B)",
            "outcome": "sent", "dsn": "2.0.0", "delay": 1.0, "date": "2011-12-15T15:27:20+01:00",
            "last_date": "2011-12-15T15:27:20+01:00", "attempts": 1, "last": True, "queued_as": "5298B228B8B",
        }],
        "removed": True, "origin": None,
    }  # fmt: skip


def test_the_null_sender_is_shown_and_unknown_fields_are_omitted():
    shown = document_text({**example(), "from": "", "client": None, "msgid": None, "to": []}, CET)
    assert "from:   <>\n" in shown
    assert not {"client:", "msgid:", "to:"} & {line.split(" ")[0] for line in shown.splitlines()}


def test_no_control_character_reaches_a_terminal():
    hostile = "\x1b[2J\r\n\x07\x9b\u202eevil\u2028"
    assert "\\x1b[2J\\x0d\\x0a\\x07\\x9b\\u202eevil\\u2028" == safe(hostile)
    shown = document_text({**example(), "from": hostile, "client": hostile, "msgid": hostile, "host": hostile}, CET)
    assert not set("\x1b\r\x07\x9b\u202e\u2028") & set(shown)


UNSAFE = [
    "\x7f",
    "\x80",
    "\x9b",
    "\u061c",
    "\u200b",
    "\u200f",
    "\u2028",
    "\u202e",
    "\u2066",
    "\u2069",
    "\ufeff",
    "\U000e0041",
]


@pytest.mark.parametrize("character", UNSAFE, ids=ascii)
def test_json_has_no_control_character_and_the_same_values(character):
    """Whoever prints it on a terminal is safe, and whoever reads it gets what was logged."""
    text = f"é {character}evil\\x9b €"
    shown = document_json({**example(), "from": text}, CET)
    assert character not in shown.decode()
    assert 1 == shown.count(b"\n")
    assert "é ".encode() in shown
    assert text == orjson.loads(shown)["from"]
    (group,) = groups_json([Group(text, 1, None, None)], Grouping("from", CET))
    assert character not in group
    assert text == orjson.loads(group)["value"]


@pytest.mark.parametrize("character", UNSAFE, ids=ascii)
def test_text_and_csv_show_control_characters_escaped(character):
    text = f"{character}evil"
    shown = document_text({**example(), "from": text}, CET) + "".join(csv_lines([{**example(), "from": text}], CET))
    assert character not in shown
    assert 2 == shown.count(safe(text))


def test_outcomes_are_shown_with_attempts_and_delay():
    entry = {**example()["to"][0], "attempts": 3, "delay": 7500.0}
    shown = document_text({**example(), "to": [entry]}, CET, Style(outcomes=True))
    assert "to:     sent (3 attempts, 2 h 5 min) recipient='alice@bar.com' , relay=" in shown
    entry.update(attempts=1, delay=None, date="2011-12-15T14:27:19+00:00", last_date="2011-12-15T14:27:19+00:00")
    assert "to:     sent recipient=" in document_text({**example(), "to": [entry]}, CET, Style(outcomes=True))


def test_long_shows_every_known_field():
    known = {"instance": "postfix-out", "origin": "AB12", "orig_client": "x [192.0.2.1]", "login": "bob"}
    document = {**example(), **known}
    document["to"] = [{**example()["to"][0], "orig_to": "team@foo.com", "dsn": "2.1.5"}]
    shown = document_text(document, CET, Style(long=True))
    for value in [*document.values(), *document["to"][0].values()]:
        if isinstance(value, str) and "T14:27" not in value:
            assert value in shown
    assert "date:      2011-12-15 15:27:20" in shown


HOSTILE = (*"=+-@", "\t=1", "\r=1", "\n", "\x1b[2J", '"', "a,b", "\uff1d1", "\u202e")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_cell_is_a_formula_or_controls_a_terminal(hostile):
    evil = hostile + "cmd|' /C calc'!A0"
    names = (
        "from",
        "client",
        "msgid",
        "login",
        "host",
        "transaction",
        "instance",
        "origin",
        "orig_client",
        "client_ip",
    )
    document = {**example(), **dict.fromkeys(names, evil)}
    entry = ("recipient", "orig_to", "relay", "relay_host", "relay_ip", "status", "dsn", "queued_as")
    document["to"] = [{**example()["to"][0], **dict.fromkeys(entry, evil)}]
    lines = [*csv_lines([document], CET)]
    assert 2 == len(lines)
    for line in [*lines, *groups_csv([Group(evil, 1)], Grouping("status", CET))]:
        assert not set("\x1b\r\t\u202e") & set(line)
        assert 1 == line.count("\n")
        for cell in next(csv.reader([line])):
            assert cell[:1] not in ("=", "+", "-", "@", "\uff1d")


def test_csv_has_as_many_columns_as_its_header_and_shows_the_null_sender():
    documents = [example(), {**example(), "from": "", "to": []}, {**example(), "from": None}]
    header, *rows = csv.reader(csv_lines(documents, CET))
    assert {len(header)} == {len(row) for row in rows}
    assert len(header) == len(set(header))
    assert ["bob@foo.com", "<>", ""] == [row[header.index("from")] for row in rows]
    assert ["true", "", "true"] == [row[header.index("last")] for row in rows]


@pytest.mark.parametrize("by", BY)
def test_groups_are_safe_on_a_terminal(by):
    groups = [Group("\x1b[2J\r\nevil", 1000), Group("", 20), Group(None, 1)]
    for bars in (True, False):
        shown = "".join(groups_text(groups, Grouping(by, CET), bars=bars))
        assert 4 == shown.count("\n")
        assert not {"\x1b", "\r"} & set(shown)
        assert "1000" in shown
