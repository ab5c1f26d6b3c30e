"""Lines without a queue ID that belong to a later message, wherever the log is divided between runs."""

import json
from pathlib import Path

import pytest

from helpers.commands import documents, index
from mailtrace.indexing.reducer import Reducer
from mailtrace.mta.facts import Authenticated, Client, Envelope, Event, MessageId, Refusal
from mailtrace.stores.sqlite.store import SqliteStore
from mailtrace.syslog.frame import Record

CLIENT = "h.example.org[198.51.100.7]"
TAIL = "proto=ESMTP helo=<h.example.org>"
MAIL = f"from=<a@example.org> {TAIL}"


def hold(recipient, at="10:00:00", pid=1, client=CLIENT, sender="a@example.org"):
    return (
        f"{at} smtpd[{pid}]: NOQUEUE: hold: RCPT from {client}: <{recipient}>: Recipient address triggers HOLD action;"
        f" from=<{sender}> to=<{recipient}> {TAIL}"
    )


def refusal(recipient, at="10:00:01", action="reject", pid=1, sender="a@example.org"):
    return (
        f"{at} smtpd[{pid}]: NOQUEUE: {action}: RCPT from {CLIENT}: 554 5.7.1 <{recipient}>: no;"
        f" from=<{sender}> to=<{recipient}> {TAIL}"
    )


def arrival(queue_id, at="10:00:01", pid=1, client=CLIENT):
    return [
        f"{at} smtpd[{pid}]: {queue_id}: client={client}",
        f"{at} cleanup[2]: {queue_id}: message-id=<{queue_id}@x>",
    ]


def delivery(queue_id, recipient="b@example.com", at="10:30:00"):
    return [
        f"{at} qmgr[3]: {queue_id}: from=<a@example.org>, size=900, nrcpt=1 (queue active)",
        f"{at} smtp[4]: {queue_id}: to=<{recipient}>, relay=mx.example.com[192.0.2.9]:25, delay=1, delays=0/0/0/1,"
        " dsn=2.0.0, status=sent (250 ok)",
        f"{at} qmgr[3]: {queue_id}: removed",
    ]


PROXIED = [
    f"10:00:00 smtpd[1]: NOQUEUE: client={CLIENT}, sasl_method=PLAIN, sasl_username=carla, orig_client=pc[192.0.2.77]",
    *arrival("6E0A221167", "10:00:00", 5, "localhost[127.0.0.1]"),
]
ACCEPTED = f"10:00:01 smtpd[1]: proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as 6E0A221167; {MAIL}"
DISCARDED = f"10:00:01 smtpd[1]: proxy-accept: END-OF-MESSAGE: 250 2.7.0 Ok, discarded, id=1-2 - spam; {MAIL}"
REJECTED = f"10:00:01 smtpd[1]: proxy-reject: END-OF-MESSAGE: 554 5.7.0 Reject, id=1-2 - spam; {MAIL}"
SCANNED = [
    *arrival("8DC3BBDEAF"),
    f"10:00:01 cleanup[2]: 8DC3BBDEAF: hold: header Received: from h by mx id 8DC3BBDEAF from {CLIENT};"
    f" from=<a@example.org> to=<b@example.com> {TAIL}",
    "10:00:03 MailScanner[9]: New Batch: Scanning 1 messages, 1863 bytes",
    "10:00:05 MailScanner[9]: Requeue: 8DC3BBDEAF.A29D3 to 5AD9ABDEB5",
]

LOGS = {
    "hold, deleted": [hold("b@x"), *arrival("7D8E9FA0B1"), "10:05:00 postsuper[8]: 7D8E9FA0B1: removed"],
    "hold, released": [
        hold("b@example.com"),
        *arrival("7D8E9FA0B1"),
        "10:05:00 postsuper[8]: 7D8E9FA0B1: released from hold",
        *delivery("7D8E9FA0B1"),
    ],
    "hold of two recipients": [
        hold("b@x"),
        *arrival("7D8E9FA0B1"),
        hold("c@x", "10:00:01").replace("NOQUEUE", "7D8E9FA0B1"),
    ],
    "hold, recipient refused": [hold("b@x"), refusal("b@x"), *arrival("7D8E9FA0B1")],
    "hold of two, one refused": [hold("b@x"), hold("c@x"), refusal("b@x"), *arrival("7D8E9FA0B1")],
    "hold, another recipient refused": [hold("b@x"), refusal("c@x"), *arrival("7D8E9FA0B1")],
    "hold, discarded": [
        hold("b@x"),
        refusal("b@x", action="discard"),
        *arrival("7D8E9FA0B1"),
        *delivery("7D8E9FA0B1"),
    ],
    "hold, another sender refused": [hold("b@x"), refusal("c@x", sender="z@x"), *arrival("7D8E9FA0B1")],
    "hold of another sender": [hold("b@x", sender="z@x"), hold("c@x"), *arrival("7D8E9FA0B1")],
    "two holds in one session": [
        hold("b@x"),
        *arrival("7D8E9FA0B1"),
        hold("c@x", "10:00:02"),
        *arrival("7D8E9FA0B2", "10:00:03"),
        *arrival("7D8E9FA0B3", "10:00:04"),
    ],
    "hold, another client": [hold("b@x"), *arrival("7D8E9FA0B1", client="other[192.0.2.5]"), *arrival("7D8E9FA0B2")],
    "hold, another process": [hold("b@x"), *arrival("7D8E9FA0B1", pid=6)],
    "hold, long ago": [hold("b@x"), *arrival("7D8E9FA0B1", "10:06:00")],
    "milter-hold from the connection on": [
        f"10:00:00 smtpd[1]: NOQUEUE: milter-hold: CONNECT from {CLIENT}: milter triggers HOLD action; proto=SMTP",
        f"10:00:00 smtpd[1]: NOQUEUE: milter-hold: MAIL from {CLIENT}: milter triggers HOLD action; {MAIL}",
        *arrival("7D8E9FA0B1", client=f"{CLIENT}:40110"),
    ],
    "filter, accepted": [*PROXIED, ACCEPTED, *delivery("6E0A221167")],
    "filter, accepted late": [
        *PROXIED,
        *delivery("6E0A221167", at="10:00:00"),
        ACCEPTED.replace("10:00:01", "10:00:04"),
    ],
    "filter, accepted on another host": [PROXIED[0], ACCEPTED],
    "filter, no process IDs": [
        PROXIED[0].replace("[1]:", ":"),
        *arrival("7D8E9FA0B1"),
        ACCEPTED.replace("[1]:", ":").replace("6E0A221167", "7D8E9FA0B1"),
    ],
    "filter, discarded": [PROXIED[0], DISCARDED],
    "filter, rejected": [PROXIED[0], REJECTED],
    "filter, rejected, client without more": [f"10:00:00 smtpd[1]: NOQUEUE: client={CLIENT}", REJECTED],
    "filter, two in one session": [PROXIED[0], REJECTED, REJECTED.replace("10:00:01", "10:00:02")],
    "filter, never answered": [PROXIED[0]],
    "MailScanner": [*SCANNED, *delivery("5AD9ABDEB5", at="10:00:06")],
    "MailScanner, taken up before it says so": [
        *SCANNED[:-1],
        *delivery("5AD9ABDEB5", at="10:00:05"),
        SCANNED[-1],
    ],
    "MailScanner, not taken up yet": SCANNED,
    "MailScanner, old queue ID given again": [
        *SCANNED,
        *(line.replace("@x", "@again") for line in arrival("8DC3BBDEAF", "10:00:06")),
        SCANNED[3].replace("10:00:01", "10:00:06"),
        "10:00:09 MailScanner[9]: Requeue: 8DC3BBDEAF.B29D3 to 6AD9ABDEB5",
    ],
}


def lines_of(log):
    """Return complete syslog lines."""
    return [
        f"Mar  5 {at} mx {tag if tag.startswith('MailScanner') else f'postfix/{tag}'} {text}"
        for at, tag, text in (line.split(" ", 2) for line in log)
    ]


class Trial:
    """A store and one growing log."""

    def __init__(self, folder: Path):
        self.log, self.store = folder / "mail.log", f"sqlite:{folder}/s.db"

    def append(self, lines):
        with self.log.open("a") as file:
            file.writelines(f"{line}\n" for line in lines)
        return index(self.store, [self.log], "-y", "2024")

    def rotate(self):
        self.log.rename(self.log.with_suffix(".log.1"))


@pytest.fixture
def found(tmp_path):
    """Return a function that indexes a log of `LOGS` and returns its documents by queue ID."""

    def found_of(name):
        trial = Trial(tmp_path)
        indexed = trial.append(lines_of(LOGS[name]))
        assert indexed.counts[3] == 0, indexed.summary
        return {document["transaction"]: document for document in documents(trial.store)}

    return found_of


def results(document):
    return [(result["recipient"], result["outcome"]) for result in document["to"]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hold, deleted", [("b@x", "held"), ("b@x", "deleted")]),
        ("hold, released", [("b@example.com", "held"), ("b@example.com", "queued"), ("b@example.com", "sent")]),
        ("hold of two recipients", [("b@x", "held"), ("c@x", "held")]),
        ("hold, recipient refused", [(None, "held")]),
        ("hold of two, one refused", [("c@x", "held")]),
        ("hold, another recipient refused", [("b@x", "held")]),
        ("hold of another sender", [("c@x", "held")]),
        ("milter-hold from the connection on", [(None, "held")]),
    ],
)
def test_a_hold_belongs_to_the_next_message_of_the_process(found, name, expected):
    document = found(name)["7D8E9FA0B1"]
    assert results(document) == expected
    assert (document["from"], document["client"]) == ("a@example.org", "h.example.org [198.51.100.7]")


@pytest.mark.parametrize(
    "name",
    [
        "hold, discarded",
        "hold, another sender refused",
        "hold, another client",
        "hold, another process",
        "hold, long ago",
    ],
)
def test_a_hold_without_a_message_is_not_given_to_another(found, name):
    for queue_id, document in found(name).items():
        assert queue_id == "NOQUEUE" or "held" not in [result["outcome"] for result in document["to"]]


def test_each_message_of_a_session_has_its_own_hold(found):
    documents = found("two holds in one session")
    assert results(documents["7D8E9FA0B1"]) == [("b@x", "held")]
    assert results(documents["7D8E9FA0B2"]) == [("c@x", "held")]
    assert "held" not in [outcome for _, outcome in results(documents["7D8E9FA0B3"])]


def test_without_process_ids_no_login_before_a_filter_is_any_message_s(found):
    assert found("filter, no process IDs")["7D8E9FA0B1"]["login"] is None


@pytest.mark.parametrize("name", ["filter, accepted", "filter, accepted late"])
def test_the_login_before_a_filter_is_kept_for_the_message_after_it(found, name):
    (document,) = found(name).values()
    assert (document["transaction"], document["client"]) == ("6E0A221167", "localhost [127.0.0.1]")
    assert (document["login"], document["orig_client"]) == ("carla", "pc [192.0.2.77]")


@pytest.mark.parametrize("name", ["filter, accepted on another host", "filter, never answered"])
def test_a_message_that_a_filter_passes_on_elsewhere_has_no_document(found, name):
    assert found(name) == {}


@pytest.mark.parametrize(
    ("name", "outcome", "login"),
    [
        ("filter, discarded", "discarded", "carla"),
        ("filter, rejected", "rejected", "carla"),
        ("filter, rejected, client without more", "rejected", None),
    ],
)
def test_a_message_that_a_filter_refuses_has_its_client(found, name, outcome, login):
    (document,) = found(name).values()
    assert (document["transaction"], document["client"]) == ("NOQUEUE", "h.example.org [198.51.100.7]")
    assert (document["from"], document["login"]) == ("a@example.org", login)
    assert [result["outcome"] for result in document["to"]] == [outcome]


@pytest.mark.parametrize(
    "name", ["MailScanner", "MailScanner, taken up before it says so", "MailScanner, not taken up yet"]
)
def test_a_message_that_mailscanner_requeued_keeps_sender_and_message_id(found, name):
    documents = found(name)
    before, after = documents["8DC3BBDEAF"], documents["5AD9ABDEB5"]
    assert before["removed"]
    assert results(before) == [("b@example.com", "held"), ("b@example.com", "queued")]
    assert (after["origin"], after["msgid"], after["from"]) == ("8DC3BBDEAF", "8DC3BBDEAF@x", "a@example.org")
    assert after["removed"] is (name != "MailScanner, not taken up yet")


def test_a_queue_id_that_is_reused_after_mailscanner_is_another_message(found):
    assert found("MailScanner, old queue ID given again")["6AD9ABDEB5"]["msgid"] == "8DC3BBDEAF@again"


@pytest.mark.parametrize("name", LOGS)
def test_duplicate_lines_change_nothing(tmp_path, name):
    once, twice = Trial(tmp_path), Trial(tmp_path / "twice")
    twice.log.parent.mkdir()
    lines = lines_of(LOGS[name])
    once.append(lines)
    twice.append([line for line in lines for _ in range(2)])
    assert documents(twice.store) == documents(once.store)


def found_in_runs(folder, lines, cut, *, rotated):
    folder.mkdir()
    pieces = Trial(folder)
    pieces.append(lines[:cut])
    if rotated:
        pieces.rotate()
    pieces.append(lines[cut:])
    return documents(pieces.store)


ROTATED = ("hold, released", "filter, accepted", "filter, rejected", "MailScanner")


@pytest.mark.parametrize(("name", "rotated"), [(name, False) for name in LOGS] + [(name, True) for name in ROTATED])
def test_two_runs_find_the_same_as_one(tmp_path, name, rotated):
    lines = lines_of(LOGS[name])
    whole = Trial(tmp_path)
    whole.append(lines)
    expected = documents(whole.store)
    for cut in range(1, len(lines)):
        found = found_in_runs(tmp_path / f"{cut}", lines, cut, rotated=rotated)
        assert found == expected, f"cut before line {cut + 1}"


def test_a_used_hold_is_not_loaded_again_from_the_previous_log(tmp_path):
    """Each run loads the checkpoint of the rotated log too, in which the hold is still unused."""
    trial = Trial(tmp_path)
    trial.append(lines_of([hold("b@x")]))
    trial.rotate()
    trial.append(lines_of(arrival("7D8E9FA0B1")))
    trial.append(lines_of(arrival("7D8E9FA0B2")))
    found = {document["transaction"]: results(document) for document in documents(trial.store)}
    assert found["7D8E9FA0B1"] == [("b@x", "held")]
    assert "held" not in [outcome for _, outcome in found["7D8E9FA0B2"]]


def test_the_newest_login_of_a_process_wins_over_that_of_the_previous_log(tmp_path):
    def session(at, login, queue_id):
        return [
            f"Mar  5 {at} mx sm-mta[42]: AUTH=server, relay={login} [192.0.2.1], authid={login}, mech=PLAIN, bits=0",
            f"Mar  5 {at} mx sm-mta[42]: {queue_id}: from=<a@x>, size=900, class=0, nrcpts=1, msgid=<m@x>,"
            f" proto=ESMTP, daemon=MTA, relay={login} [192.0.2.1]",
        ]

    trial = Trial(tmp_path)
    trial.append(session("10:00:00", "alice", "425A00Xx000042"))
    trial.rotate()
    login, message = session("10:01:00", "bob", "425A10Xx000042")
    trial.append([login])
    trial.append([message])
    assert [document["login"] for document in documents(trial.store)] == ["bob", "alice"]


def logged_in(*times):
    """Return the lines of a login to sendmail, and of a message at each of these times from its client and process."""
    first, *_ = times
    return [
        f"{first} mx sm-mta[42]: AUTH=server, relay=h [192.0.2.1], authid=alice, mech=PLAIN, bits=0",
        *(
            f"{at} mx sm-mta[42]: 425A{number:02}Xx000042: from=<a@x>, size=900, class=0, nrcpts=1, msgid=<{number}@x>,"
            " proto=ESMTP, daemon=MTA, relay=h [192.0.2.1]"
            for number, at in enumerate(times)
        ),
    ]


SESSIONS = {
    "a message after an hour": (["Mar  5 10:00:00", "Mar  5 11:00:00"], ["alice"] * 2),
    "a message every three hours": (
        [f"Mar  {5 + hour // 24} {hour % 24:02}:00:00" for hour in range(0, 30, 3)],
        ["alice"] * 10,
    ),
    "a process of the next day": (["Mar  5 10:00:00", "Mar  5 10:05:00", "Mar  6 10:00:00"], ["alice"] * 2 + [None]),
    "a process of a month later": (["Mar  5 10:00:00", "Apr  5 10:00:00", "Apr  5 10:00:01"], ["alice", None, None]),
}


@pytest.mark.parametrize("name", SESSIONS)
def test_a_login_to_sendmail_lasts_as_long_as_its_session_can(tmp_path, name):
    """Another process may have the same number later."""
    times, logins = SESSIONS[name]
    lines, whole = logged_in(*times), Trial(tmp_path)
    whole.append(lines)
    expected = documents(whole.store)
    assert logins == [document["login"] for document in expected][::-1]
    for cut in range(1, len(lines)):
        assert found_in_runs(tmp_path / f"{cut}", lines, cut, rotated=False) == expected, cut
    assert 0 == index(whole.store, [], "--rebuild").status
    assert documents(whole.store) == expected


def test_logins_in_the_checkpoint_of_an_earlier_version_are_loaded(tmp_path):
    trial = Trial(tmp_path)
    trial.append(["Mar  5 10:00:00 mx sm-mta[42]: AUTH=server, relay=h [192.0.2.1], authid=alice, mech=PLAIN, bits=0"])
    store = SqliteStore(f"{tmp_path}/s.db")
    store.prepare()
    (checkpoint,) = store.checkpoints()
    del checkpoint.state["reducer"]
    checkpoint.state["logins"] = [["mx", "42", "alice", "h [192.0.2.1]"]]
    store.commit([checkpoint])
    store.close()
    trial.append(
        [
            "Mar  5 10:00:01 mx sm-mta[42]: 425A01Xx000042: from=<a@x>, size=900, class=0, nrcpts=1, msgid=<m@x>,"
            " proto=ESMTP, daemon=MTA, relay=h [192.0.2.1]"
        ]
    )
    assert [document["login"] for document in documents(trial.store)] == ["alice"]


def test_the_state_is_bounded_and_survives_json():
    reducer = Reducer()
    for pid in range(6_000):
        record = Record(
            0, "mx", "sm-mta", str(pid), "AUTH=server, relay=h [192.0.2.1], authid=alice, mech=PLAIN, bits=0"
        )
        reducer.add(record, "sendmail", Authenticated("alice", "h [192.0.2.1]"))
    state = json.loads(json.dumps(reducer.state()))
    assert len(state["sessions"]) == 5_000
    other = Reducer()
    other.resume(state)
    assert json.loads(json.dumps(other.state())) == state


def test_messages_on_hold_are_kept_for_mailscanner_until_they_are_active():
    reducer = Reducer()

    def state_after(fact):
        reducer.add(Record(0, "mx", "postfix/x", "1", ""), "postfix", Event("8DC3BBDEAF", fact))
        reducer.pop_changed()
        return [known[:4] for known in reducer.state()["waiting"]]

    assert state_after(Client("h [192.0.2.1]")) == []
    assert state_after(MessageId("m@x")) == [["mx", "8DC3BBDEAF", "m@x", None]]
    assert state_after(Refusal("held", "held (why)", "b@x", "a@x")) == [["mx", "8DC3BBDEAF", "m@x", "a@x"]]
    assert state_after(Envelope("a@x", 900, 1)) == []
