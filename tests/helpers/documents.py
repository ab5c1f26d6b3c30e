"""Handwritten documents."""


def entry(recipient, outcome="sent", **members):
    about = {"orig_to": None, "relay": None, "relay_host": None, "relay_ip": None, "status": "", "last": True}
    return {"recipient": recipient, "outcome": outcome, "delay": None, "attempts": 1, **about, **members}


def document(*entries, **members):
    return {
        "transaction": "5298B228B8B",
        "host": "smtp.foo.com",
        "mta": "postfix",
        "from": "bob@foo.com",
        "client": "bob.desktop [10.10.10.10]",
        "orig_client": None,
        "login": "bob",
        "msgid": "1@foo.com",
        "date": "2026-01-01T00:00:00+00:00",
        "to": list(entries),
        "nrcpt": None,
        "removed": True,
        **members,
    }


HOP = {"relay": "mx.x[192.0.2.25]:25", "relay_host": "mx.x", "relay_ip": "192.0.2.25"}
TWO = document(
    entry("a@x", "deferred", status="deferred (Greylisted)", orig_to="team@foo.com", last=False, **HOP),
    entry("a@x", "sent", status="sent (250 Ok)", orig_to="team@foo.com", **HOP),
    entry("b@x", "bounced", status="bounced (550 No)"),
)
