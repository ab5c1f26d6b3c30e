"""What a person and a terminal get to see."""

from datetime import timedelta, timezone

import orjson

from mailtrace.documents import document
from mailtrace.mta.events import Result, Sender
from mailtrace.render import as_json, as_text, safe
from mailtrace.transactions import Transaction

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
    assert as_text(example(), CET) == (
        "transaction: pBFERI8l019936\n"
        "client: bob.desktop [10.10.10.10]\n"
        "from:   bob@foo.com\n"
        "msgid:  20111215142718.GD23530@smtp.foo.com\n"
        "date:   2011-12-15 15:27:19\n"
        "to:     recipient='alice@bar.com' , relay='smtp.bar.com', status='Sent (Ok: queued as 5298B228B8B)'\n"
        "host:   smtp\n"
    )


def test_the_json_contract():
    assert orjson.loads(as_json(example(), CET)) == {
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


def test_the_null_sender_is_shown_and_what_is_not_known_is_left_out():
    shown = as_text({**example(), "from": "", "client": None, "msgid": None, "to": []}, CET)
    assert "from:   <>\n" in shown
    assert not {"client:", "msgid:", "to:"} & {line.split(" ")[0] for line in shown.splitlines()}


def test_no_control_character_reaches_a_terminal():
    hostile = "\x1b[2J\r\n\x07\x9b\u202eevil\u2028"
    assert "\\x1b[2J\\x0d\\x0a\\x07\\x9b\\u202eevil\\u2028" == safe(hostile)
    shown = as_text({**example(), "from": hostile, "client": hostile, "msgid": hostile, "host": hostile}, CET)
    assert not set("\x1b\r\x07\x9b\u202e\u2028") & set(shown)
