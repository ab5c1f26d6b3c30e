r"""Exim's lines about an arriving message (receive.c), flag `<=`, or `(=` if the client was told a refusal.

    SENDER [R=ID] [DS] [H=name (helo) [ip] ...] [U=login] [Ci=n] [P=proto] [X=..] [CV=..] [DN=".."] [A=auth:user]
        S=size [...] [id=msgid] [T="subject"] [from <sender>] [for r1 r2 ...]

The order is fixed. The client chooses the text in the brackets after `H=`, the sender those of `id=` and `T=`; so the
line is read from both ends: the fields from `S=` on must fit to the end of the line, those from `P=` on to `S=`.
"""

import re
from typing import Final

from mailtrace.mta.exim.addresses import ADDRESS, CONNECTION, IN_LIST, QUOTED, client_of
from mailtrace.mta.facts import Addressee, Event, Fact, Login, Origin, Parsed, Sender
from mailtrace.mta.queue_ids import EXIM_ID
from mailtrace.mta.rules import new_tuple

_WORD: Final = rf'(?:[^\s"@]*(?:{QUOTED}[^\s"@]*)*@[^\s"]+|[\w.+-]+)'
"""A recipient; a local program may have given it without a domain."""
_sender = re.compile(rf"({IN_LIST})(?: R=({EXIM_ID}))?(?: DS)?(?= )").match
_usual = re.compile(
    r'([^\s"]+) H=([^\s()\[\]]+ )?(?:\([^\s()\[\]"]*\) )?(\[[0-9A-Fa-f.:]+\])(?::\d+)?'
    r"(?: I=\[[^\]\s]*\](?::\d+)?)?(?: Ci=\w+)?"
    r' P=[a-z0-9]+(?: L\S*)?(?: X=\S+)?(?: CV=\S+)?(?: A=[^\s:"]+(?::([^\s:"]+))?)?(?: K)? S=(\d{1,15})'
    r'(?: M8S=\d+)?(?: DKIM=\S+)?(?: RT=\S+)?(?: id\*?=([^\s"]+))?(?= T="| from <| for |\Z)'
).match
"""Matches the fields of most messages from SMTP, in which nothing can be taken for another field."""
_tail = re.compile(rf"(?: T={QUOTED})?(?: from <{ADDRESS}>)?(?: for ({_WORD}(?: {_WORD})*))?\Z").match
_size = re.compile(
    r" S=(\d{1,15})(?: (?:M8S|DKIM|DMARC|ARC|RT|Q)=[^\s\"]*| ARC| DMARC)*"
    rf"(?: id\*?=({QUOTED}@\S+|\S+))?(?: T={QUOTED})?(?: from <{ADDRESS}>)?"
    rf"(?: for ({_WORD}(?: {_WORD})*))?\Z"
).search
_protocol = re.compile(
    r" P=[^\s\"\[\]]+(?: L[.*-]*)?(?: (?:SPF|DMARC|X|CV)=\S+| SPF| DMARC)*(?: DN=\".*\")?"
    r"(?: SNI=(?:\"[^\"]*\"|\S+))?(?: A=([^\s:\"]+)(?::([^\"]*?))?)?"
    r"(?: PRDR)?(?: PRX=\S+)?(?: K)?\Z"
).match
_host = re.compile(rf".*(?<! I=)\[[0-9A-Fa-f.:]+\](?={CONNECTION}\Z)").match
_user = re.compile(r"(?:.* )?U=(.*?)(?: Ci=\w+)?\Z").match
_recipients = re.compile(_WORD).findall
_any_size = re.compile(r" S=(\d{1,15})(?: |\Z)").search
_MAX_PROTOCOLS: Final = 20


def parse_arrival(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return the sender with size, message ID and client; the login, the origin and the recipients if logged."""
    if (usual := _usual(rest, 3)) and (tail := _tail(rest, usual.end())):
        name, ip, login = usual[2], usual[3], usual[4]
        values = (usual[1], int(usual[5]), usual[6], f"{name or 'unknown '}{ip}")
        return _arrived(queue_id, values, (login, None), tail[1])
    found = _sender(rest, 3)
    if found is None or not found[1]:
        return None
    sender, origin = found.groups()
    at, size, msgid, names = _size_and_ids(rest, found.end())
    client, login = _client(rest[found.end() : at])
    return _arrived(queue_id, (sender, size, msgid, client), (login, origin), names)


def _arrived(
    queue_id: str,
    values: tuple[str, int | None, str | None, str | None],
    links: tuple[str | None, str | None],
    names: str | None,
) -> Parsed:
    """Return sender, size, message ID and client; login and origin; and the recipients of a list."""
    sender, size, msgid, client = values
    login, origin = links
    listed = dict.fromkeys(_recipients(names) if '"' in names else names.split(" ")) if names else {}
    arrived = new_tuple(Sender, ("" if sender == "<>" else sender, size, len(listed) or None, msgid, client))
    if not (login or origin or listed):
        return new_tuple(Event, (queue_id, arrived))
    facts: list[Fact] = [arrived]
    if login:
        facts.append(Login(login))
    if origin:
        facts.append(Origin(origin, "notice"))
    facts += [new_tuple(Addressee, (name,)) for name in listed if "@" in name]
    return [new_tuple(Event, (queue_id, fact)) for fact in facts]


def _size_and_ids(rest: str, start: int) -> tuple[int, int | None, str | None, str | None]:
    """Return the index of `S=`, its value, the message ID and the list of recipients; of a cut line what is there."""
    if found := _size(rest, start):
        return found.start(), int(found[1]), found[2], found[3]
    if found := _any_size(rest, start):
        return found.start(), int(found[1]), None, None
    return len(rest), None, None, None


def _client(fields: str) -> tuple[str | None, str | None]:
    """Return client and login from the fields between sender and size."""
    at = end = len(fields)
    login = None
    for _ in range(_MAX_PROTOCOLS):
        at = fields.rfind(" P=", 0, at)
        if at < 0:
            break
        if found := _protocol(fields, at):
            end, login = at, found[2]
            break
    if fields.startswith(" H="):
        host = _host(fields[3:end])
        return (client_of(host[0]) if host else None), _login(login)
    user = _user(fields[:end])
    return (user[1] if user else None), _login(login)


def _login(logged: str | None) -> str | None:
    """Return the user without the sender that +smtp_mailauth adds after a colon."""
    if not logged:
        return None
    user, colon, sender = logged.rpartition(":")
    return user if colon and ("@" in sender or sender == "<>") and user else logged
