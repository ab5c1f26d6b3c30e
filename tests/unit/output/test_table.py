"""The table: columns that fit, text that cannot control the terminal, wide characters."""

from datetime import timezone

import pytest

from mailtrace.output.table import cut_to, table_lines, width_of

RESULT = {
    "recipient": "alice@bar.com", "orig_to": None, "relay": None, "relay_host": None, "relay_ip": None,
    "status": "sent (ok)", "outcome": "sent", "dsn": None, "delay": None, "date": "2011-12-15T14:27:20+00:00",
    "last_date": "2011-12-15T14:27:20+00:00", "attempts": 1, "last": True, "queued_as": None,
}  # fmt: skip
DOCUMENT = {
    "transaction": "4A", "host": "smtp", "mta": "postfix", "instance": None, "date": "2011-12-15T14:27:19+00:00",
    "from": "bob@foo.com", "client": None, "client_ip": None, "orig_client": None, "login": None, "msgid": None,
    "size": 1, "nrcpt": 1, "to": [RESULT], "removed": True, "origin": None,
}  # fmt: skip


def lines(*documents, columns=("from", "recipient", "status"), **options):
    return [line.removesuffix("\n") for line in table_lines(documents, timezone.utc, columns, **options)]


def test_wide_characters_take_two_cells():
    assert (4, 1, 3) == (width_of("日本"), width_of("e\u0301"), width_of("abc"))
    head, row, _ = lines({**DOCUMENT, "from": "日本@例.jp"}, DOCUMENT)
    assert head.index("recipient") == width_of(row[: row.index("alice")])


@pytest.mark.parametrize("width", range(20))
def test_a_cut_text_fits(width):
    for text in ("日本語テキスト", "plain text", "e\u0301" * 12, "日a本b語c"):
        assert width_of(cut_to(text, width)) <= width


def test_hostile_text_cannot_control_the_terminal():
    hostile = "\x1b[2J\r\n\x07\x9b\u202eevil\u2028"
    found = lines({**DOCUMENT, "from": hostile, "to": [{**RESULT, "status": hostile}]})
    assert 2 == len(found)
    assert not set("\x1b\r\x07\x9b\u202e\u2028") & set("".join(found))


def test_the_widest_columns_are_cut_first():
    document = {**DOCUMENT, "from": "a" * 60 + "@foo.com", "to": [{**RESULT, "status": "s" * 100}]}
    (_, row) = lines(document, width=80)
    assert 80 == len(row)
    assert "  alice@bar.com  " in row
    sender, _, status = row.split()
    assert abs(len(sender) - len(status)) <= 1


def test_a_document_without_results_and_the_null_sender_have_a_row():
    assert ["<>    -          -"] == lines({**DOCUMENT, "from": "", "to": []})[1:]


def test_outcomes_have_their_colour_and_stay_aligned():
    columns = ("outcome", "recipient")
    bounced = {**DOCUMENT, "to": [{**RESULT, "outcome": "bounced"}]}
    _, sent, other = lines(DOCUMENT, bounced, columns=columns, color=True, width=80)
    assert "\x1b[1;32msent\x1b[0m     alice@bar.com" == sent
    assert "\x1b[1;31mbounced\x1b[0m  alice@bar.com" == other
