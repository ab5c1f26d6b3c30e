r"""Exim's lines about refused connections, commands, recipients and messages (smtp_in.c, receive.c, daemon.c).

    CLIENT [F=<s>[ A=auth:user]] [temporarily ]rejected VERB ARGUMENT[: text]
    CLIENT F=<s> RCPT <r>: discarded by RCPT ACL[: text]
    CLIENT ADDRESS F=<s> [P=<s>] rejected after DATA: R=router T=...         the next hop refused it (cutthrough)
    F=SENDER [CLIENT] [P=proto] [temporarily ]rejected by local_scan(): text, F=<s> rejected by non-SMTP ACL: text
    [temporarily ]rejected VERB ARGUMENT CLIENT, rejected VERB from CLIENT, refused connection from CLIENT, and others

`sessions.py` describes the client. A message that is refused after its data has a message ID, but is no mail. The
client chooses its own name and the argument; the text may repeat both.
"""

import re
from typing import Final

from mailtrace.mta.exim.addresses import ADDRESS, IN_LIST, client_of, who_at
from mailtrace.mta.exim.sessions import client_at, session_of
from mailtrace.mta.facts import Event, Ignored, Parsed, Refusal

_ROUTE: Final = r"(?:@[^\s<>:\"]*:)?"
"""An argument may begin with a route (RFC 5321, appendix C), and Exim cuts it after 100 characters."""
_recipient = re.compile(rf"(?:temporarily rejected |rejected )?RCPT (?:<{_ROUTE}({ADDRESS})>|<?(\S+?)(?=: |\Z))").match
_mail = re.compile(
    rf"(?:temporarily rejected |rejected )MAIL (?:FROM:)?(?:<{_ROUTE}({ADDRESS})>|<?(\S+?)(?=: |\Z))"
).match
is_of_message = re.compile(
    r"(?:temporarily )?rejected |F=.* rejected by (?:local_scan\(\)|non-SMTP ACL)"
    rf"|PRDR (?:R=<{ADDRESS}> (?:temporary )?refusal\Z|{IN_LIST} [45]\d\d )"
    r"|(?:local_scan\(\) |acl_smtp_mime: ).*message temporarily rejected"
).match
"""Matches refusals that have a message ID, among other lines that begin as these do."""
_scanned = re.compile(rf"F=(?:<({ADDRESS})>|({IN_LIST}))(?= )").match
_scan = re.compile(r"(?:temporarily )?rejected by (?:local_scan\(\)|non-SMTP ACL)").search
_before_client = re.compile(
    rf"(?:temporarily )?(?:rejected from <{ADDRESS}>|rejected MAIL (?:FROM:<{ADDRESS}>|command)"
    r'|rejected (?:[A-Z]+|".*?") from|refused connection from)'
    r"|connection from|SMTP protocol synchronization error \([^()]*\): rejected (?:connection from|\".*?\")"
    rf"|too many recipients: [a-z ]*rejected: sender=<{ADDRESS}>"
    rf"|unqualified [a-z]+ rejected: <{ADDRESS}>"
    r"|(?:ridiculously long message header|overlong message header line) received from"
).match
_of_sender = re.compile(
    r"(?:rejected (?:from |MAIL FROM:)|too many recipients: [a-z ]*rejected: sender=|unqualified sender rejected: )"
    rf"<({ADDRESS})>"
).match
_of_recipient = re.compile(rf"unqualified recipient rejected: <({ADDRESS})>").match
_behind_ident = re.compile(rf" U=.* (?:<({ADDRESS})>|([^\s<>]+))\Z").match
_is_refusal = re.compile(r"(?:temporarily )?rejected |RCPT .*: discarded by ").match
_of_data = re.compile(rf"PRDR (?:R=<(?P<to>{ADDRESS})> |(?P<bare>{IN_LIST}) )(?P<words>.*)").match
_connection = re.compile(r"\[[0-9A-Fa-f.:]+\]").search
_refuses = re.compile(r"refused|rejected|abandoned").search

BEGINNINGS: Final = (
    "rejected ",
    "temporarily rejected ",
    "refused connection from ",
    "temporarily refused connection from ",
    "connection from ",
    "too many recipients: ",
    "unqualified ",
    "SMTP protocol synchronization error ",
    "ridiculously long message header received ",
    "overlong message header line received ",
)
"""How refusals begin whose client does not come first."""
OF_MESSAGE: Final = ("rejected ", "temporarily rejected ", "F=", "PRDR ", "local_scan() ", "acl_smtp_mime: ")
"""How refusals begin that have a message ID, if the client does not come first."""
_PASSED: Final = Ignored("not a refusal")


def refusal_of(queue_id: str, rest: str) -> Event | None:
    """Return the refusal of a line that begins with the client; None if it is none."""
    if "rejected " not in rest and ": discarded by " not in rest:
        return None
    if (session := session_of(rest)) is None:
        return None
    client, found = session
    words = rest[found.end() :]
    if not _is_refusal(words):
        return None
    outcome = "discarded" if words[:5] == "RCPT " else "rejected"
    sender = found["sender"]
    if sender is None:
        sender = _argument(_mail(words))
    return Event(
        queue_id,
        Refusal(outcome, _status(outcome, words), _to(found, words), sender, client, found["login"] or None),
    )


def _to(found: re.Match[str], words: str) -> str | None:
    """Return the recipient that a command names, or before whose words it stands."""
    to = found.groupdict().get("to")
    if to is None:
        return _argument(_recipient(words))
    if to.startswith(" U="):
        return _argument(_behind_ident(to))
    who = who_at(to[1:])
    return who.orig_to or who.recipient if who else None


def parse_client_refusal(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return the refusal of a command, recipient or message of a client."""
    return refusal_of(queue_id, rest) or _PASSED


def _status(outcome: str, words: str) -> str:
    """Return `rejected (WORDS)`, without repeating the outcome, and without the colon of an empty text."""
    return f"{outcome} ({words.removeprefix('rejected ').rstrip(': ')})"


def _argument(found: re.Match[str] | None) -> str | None:
    if found is None:
        return None
    return found[1] if found[1] is not None else found[2]


def _of_local_rules(queue_id: str, rest: str) -> Parsed:
    """Return the refusal of a message by local_scan(), or by the access control list for local messages."""
    found = _scanned(rest)
    client = client_at(rest, found.end()) if found else None
    words = _scan(rest, client.end if client else found.end()) if found else None
    if found is None or words is None:
        return _PASSED
    sender = "" if found[2] == "<>" else _argument(found)
    status = _status("rejected", rest[words.start() :])
    return Event(queue_id, Refusal("rejected", status, None, sender, client.client if client else None))


def parse_refusal(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return a refusal that names the client later or not at all: before any command, or of a message too big."""
    if rest.startswith("F="):
        return _of_local_rules(queue_id, rest)
    if found := _of_data(rest):
        return Event(queue_id, Refusal("rejected", f"rejected (PRDR {found['words']})", found["to"] or found["bare"]))
    before = _before_client(rest)
    named = client_at(rest, before.end(), before[0].endswith("from")) if before else None
    if not _refuses(rest):
        return _PASSED
    sender, recipient = _of_sender(rest), _of_recipient(rest)
    refusal = Refusal(
        "rejected",
        _status("rejected", rest),
        recipient[1] if recipient else None,
        sender[1] if sender else None,
        named.client if named else None,
    )
    return Event(queue_id, refusal)


def parse_connection(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return the refusal of a connection: `Connection from [ip] refused: too many connections`."""
    if " refused: " not in rest:
        return Ignored("connection")
    found = _connection(rest)
    return Event(
        queue_id, Refusal("rejected", _status("rejected", rest), client=client_of(found[0]) if found else None)
    )
