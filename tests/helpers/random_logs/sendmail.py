"""Lines of sendmail about a random message: collected, delivered to several recipients at once, returned."""

from hypothesis import strategies as st

from helpers.random_logs.addresses import addresses, clients, msgids, recipients, replies
from helpers.random_logs.lines import BEGIN, SECOND, Line, Unit
from helpers.random_logs.queue_ids import sendmail_id

_CODES = {"Sent": "2.0.0", "Deferred": "4.4.1", "User unknown": "5.1.1"}
_NOTICES = 100


@st.composite
def sendmail_units(draw, number):
    queue_id, notice_id = sendmail_id(number, BEGIN), sendmail_id(number + _NOTICES, BEGIN)
    tag = f"sm-mta[{16_000 + number}]"
    sender, (name, ip) = draw(addresses), draw(clients)
    to = draw(st.lists(recipients, min_size=1, max_size=3, unique=True))
    lines = draw(_sessions(tag, f"{name} [{ip}]"))
    lines += [_collected(tag, queue_id, sender, to, f"msgid=<{draw(msgids)}>", f"{name} [{ip}]")]
    final = draw(st.sampled_from(["Sent", "Sent", "User unknown", ""]))
    attempts = [draw(_results(tag, queue_id, to, "Deferred")) for _ in range(draw(st.integers(0, 2)))]
    attempts += [draw(_results(tag, queue_id, to, final))] if final else []
    lines += [attempt._replace(pause=SECOND) for attempt in attempts]
    if final == "User unknown":
        lines += [
            Line(tag, f"{queue_id}: {notice_id}: DSN: User unknown"),
            draw(_results(tag, notice_id, [sender or "postmaster"], "Sent")),
        ]
    return Unit(draw(st.sampled_from(["smtp", "mx1"])), frozenset({queue_id, notice_id}), tuple(lines))


@st.composite
def _sessions(draw, tag, peer):
    """Lines of a session before its message."""
    login = Line(tag, f"AUTH=server, relay={peer}, authid=alice, mech=PLAIN, bits=0")
    return [login] if draw(st.booleans()) else []


def _collected(*parts):
    tag, queue_id, sender, to, msgid, peer = parts
    return Line(
        tag,
        f"{queue_id}: from=<{sender}>, size=1234, class=0, nrcpts={len(to)}, {msgid}, proto=ESMTP, daemon=MTA,"
        f" relay={peer}",
    )


@st.composite
def _results(draw, tag, queue_id, to, stat):
    """One line with all recipients of an attempt."""
    words = draw(replies)
    text = f"{stat} ({words})" if stat == "Sent" and words else f"Deferred: {words}" if stat == "Deferred" else stat
    names = ",".join(f"<{recipient}>" for recipient in to)
    return Line(
        tag,
        f"{queue_id}: to={names}, delay=00:00:0{draw(st.integers(0, 9))}, xdelay=00:00:00, mailer=esmtp, pri=31234,"
        f" relay=mx.bar.com. [192.0.2.25], dsn={_CODES[stat]}, stat={text}",
    )
