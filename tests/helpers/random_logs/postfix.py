"""Lines of Postfix about a random message: arrival, deliveries, retries, notice, removal."""

from hypothesis import strategies as st

from helpers.random_logs.addresses import addresses, clients, msgids, recipients, replies
from helpers.random_logs.lines import BEGIN, SECOND, Line, Unit
from helpers.random_logs.queue_ids import long_id, short_id

_CODES = {"sent": "2.0.0", "deferred": "4.4.1", "bounced": "5.1.1"}
_RELAYS = ("mx.bar.com[192.0.2.25]:25", "127.0.0.1[127.0.0.1]:10024", "local", "none")
_NOTICES = 100
"""Added to the number of a message to give the number of its notice."""


@st.composite
def postfix_units(draw, number):
    """A message and its notice, or two successive messages with the same short queue ID."""
    host = draw(st.sampled_from(["mx1", "mx2.example.com"]))
    make_id = draw(st.sampled_from([lambda number: short_id(number), lambda number: long_id(number, BEGIN)]))
    queue_id, notice_id = make_id(number), make_id(number + _NOTICES)
    message = draw(_messages(queue_id, notice_id))
    if len(queue_id) < 12 and message[-1].text.endswith(": removed") and draw(st.booleans()):
        again = draw(_messages(queue_id, make_id(number + 2 * _NOTICES)))
        # The ID has the same microseconds, so that a second at least lies between two that have it.
        message += [again[0]._replace(pause=2 * SECOND), *again[1:]]
    found = {line.text.partition(": ")[0] for line in message}
    return Unit(host, frozenset(found), tuple(message))


@st.composite
def _messages(draw, queue_id, notice_id):
    sender = draw(addresses)
    to = draw(st.lists(recipients, min_size=1, max_size=3, unique=True))
    lines = [*draw(_arrivals(queue_id, sender)), _qmgr(queue_id, sender, to)]
    hold = draw(st.sampled_from([[], [], [], ["placed on hold"], ["placed on hold", "released from hold"]]))
    lines += [Line("postfix/postsuper[78]", f"{queue_id}: {text}", SECOND) for text in hold]
    if len(hold) == 1:
        return lines
    waiting = {}
    for recipient in to:
        waiting[recipient] = draw(st.sampled_from(["sent", "sent", "bounced", "deferred"]))
        attempts = ["deferred"] * draw(st.integers(0, 2)) + [waiting[recipient]]
        first, *retries = [draw(_results(queue_id, recipient, status)) for status in attempts]
        lines += [first._replace(pause=SECOND * bool(hold)), *(retry._replace(pause=SECOND) for retry in retries)]
    if "deferred" in waiting.values():
        end = draw(st.sampled_from(["", "expired", "deleted"]))
        lines += _end(queue_id, sender, end)
        return lines
    if "bounced" in waiting.values() and sender:
        lines += draw(_notices(queue_id, notice_id, sender))
    return [*lines, Line("postfix/qmgr[880]", f"{queue_id}: removed")]


@st.composite
def held_units(draw, number):
    """A message put on hold before it had a queue ID: then deleted, released, or neither."""
    queue_id = short_id(number) if draw(st.booleans()) else long_id(number, BEGIN)
    (name, ip), sender, recipient = draw(clients), draw(addresses), draw(recipients)
    tag, tail = f"postfix/smtpd[{6000 + number}]", f"from=<{sender}> to=<{recipient}> proto=ESMTP helo=<{name}>"
    hold = f"{name}[{ip}]: <{name}[{ip}]>: Client host triggers HOLD action; {tail}"
    lines = [
        Line(tag, f"NOQUEUE: hold: RCPT from {hold}"),
        Line(tag, f"{queue_id}: client={name}[{ip}]"),
        Line("postfix/cleanup[4103]", f"{queue_id}: message-id=<{draw(msgids)}>"),
    ]
    end = draw(st.sampled_from(["removed", "released from hold", ""]))
    if end:
        lines.append(Line("postfix/postsuper[77]", f"{queue_id}: {end}", SECOND))
    if end.startswith("released"):
        lines += [_qmgr(queue_id, sender, [recipient]), draw(_results(queue_id, recipient, "sent"))]
        lines.append(Line("postfix/qmgr[880]", f"{queue_id}: removed"))
    return Unit("mx1", frozenset({queue_id}), tuple(lines))


def _end(queue_id, sender, end):
    removed = Line("postfix/qmgr[880]", f"{queue_id}: removed")
    if end == "expired":
        return [Line("postfix/qmgr[880]", f"{queue_id}: from=<{sender}>, status=expired, returned to sender"), removed]
    return [removed._replace(tag="postfix/postsuper[77]")] if end == "deleted" else []


def _qmgr(queue_id, sender, to):
    return Line("postfix/qmgr[880]", f"{queue_id}: from=<{sender}>, size=1234, nrcpt={len(to)} (queue active)")


@st.composite
def _arrivals(draw, queue_id, sender):
    """An arrival by SMTP, with a login, from a content filter, or from a local program."""
    name, ip = draw(clients)
    more = draw(st.sampled_from(["", ", sasl_method=PLAIN, sasl_username=bob", ", orig_client=unknown[192.0.2.7]"]))
    by_smtp = Line("postfix/smtpd[4101]", f"{queue_id}: client={name}[{ip}]{more}")
    by_program = Line("postfix/pickup[881]", f"{queue_id}: uid=33 from=<{sender.partition('@')[0]}>")
    msgid = Line("postfix/cleanup[4103]", f"{queue_id}: message-id=<{draw(msgids)}>")
    return [draw(st.sampled_from([by_smtp, by_program])), msgid]


@st.composite
def _results(draw, queue_id, recipient, status):
    relay, orig = draw(st.sampled_from(_RELAYS)), draw(st.sampled_from(["", ", orig_to=<staff@bar.com>"]))
    return Line(
        "postfix/smtp[4105]",
        f"{queue_id}: to=<{recipient}>{orig}, relay={relay}, delay={draw(st.integers(0, 9))}, delays=0/0/0/0,"
        f" dsn={_CODES[status]}, status={status} ({draw(replies)})",
    )


@st.composite
def _notices(draw, queue_id, notice_id, sender):
    """A notice: no line begins it, and the link to its message comes after its first lines."""
    return [
        Line("postfix/cleanup[4103]", f"{notice_id}: message-id=<{draw(msgids)}>"),
        _qmgr(notice_id, "", [sender]),
        Line("postfix/bounce[4107]", f"{queue_id}: sender non-delivery notification: {notice_id}"),
        draw(_results(notice_id, sender, "sent")),
        Line("postfix/qmgr[880]", f"{notice_id}: removed"),
    ]
