r"""Exim's lines about refused connections, commands, recipients and messages (smtp_in.c, receive.c, acl.c).

    H=name (helo) [ip] ... [X=..] [F=<s>[ A=auth:user]] [temporarily ]rejected VERB ARGUMENT[: text]
    H=name (helo) [ip] ... F=<s> RCPT <r>: discarded by RCPT ACL[: text]
    H=name (helo) [ip] ADDRESS F=<s> [P=<s>] rejected after DATA: ...        the next hop refused it (cutthrough)
    [temporarily ]rejected VERB ARGUMENT H=..., rejected VERB from H, refused connection from H, and some others

A message that is refused after its data has a message ID, but is no mail. The client chooses what stands in brackets
after `H=` and the argument; the text may repeat both.
"""

import re
from typing import Final

from mailtrace.mta.exim.addresses import ADDRESS, IN_LIST, client_of
from mailtrace.mta.facts import Event, Ignored, Parsed, Refusal

_BEHIND_HOST: Final = (
    r"(?::\d+)?(?: I=\[[^\]\s]*\](?::\d+)?)?(?: TFO\*?)?(?: U=\S+)?(?: Ci=\d+)?(?: PRX=\S+)?"
    r"(?: X=\S+)?(?: CV=\S+)?(?: DN=\"[^\"]*\")?(?: SNI=\S+)?(?: L[.*-]*)?"
)
_WHO: Final = rf"(?: F=<(?P<sender>{ADDRESS})>)?(?: A=[^\s:]+(?::(?P<login>\S+))?)?(?: P=<{ADDRESS}>)?"
_clients = re.compile(
    rf"\[[0-9A-Fa-f.:]+\](?P<behind>{_BEHIND_HOST})(?: (?P<to>{IN_LIST}@[^\s=<>]+)(?= F=<))?{_WHO}"
    r" (?=(?:temporarily )?rejected |RCPT )"
).finditer
_local_sender = re.compile(rf"F=<({ADDRESS})> ").match
_recipient = re.compile(rf"(?:temporarily rejected |rejected )?RCPT (?:<({ADDRESS})>|(\S+?)(?=: |\Z))").match
_mail = re.compile(rf"(?:temporarily rejected |rejected )MAIL (?:FROM:)?(?:<({ADDRESS})>|(\S+?)(?=: |\Z))").match
_from = re.compile(rf"rejected from <({ADDRESS})> ").match
_ips = re.compile(r"\[[0-9A-Fa-f.:]+\]").finditer
_connection = re.compile(r"\[[0-9A-Fa-f.:]+\]").search
_of_sender = re.compile(
    rf"(?:too many recipients: (?:excess temporarily )?rejected: sender=|unqualified sender rejected: )<({ADDRESS})>"
).match
_of_recipient = re.compile(rf"unqualified recipient rejected: <({ADDRESS})>").match
_is_whole_name = re.compile(r"(?:[^\s()\[\]]+ )?(?:\(.*\) )?\Z").match
_MAX_HOSTS: Final = 200

BEGINNINGS: Final = (
    "rejected ",
    "temporarily rejected ",
    "refused connection from ",
    "temporarily refused connection from ",
    "too many recipients: ",
    "unqualified ",
)
"""How refusals begin whose client does not come first."""
_PASSED: Final = Ignored("not a refusal")


def refusal_of(queue_id: str, rest: str) -> Event | None:
    """Return the refusal of a line that begins with the client, `H=`; None if it is none."""
    if "rejected " not in rest and ": discarded by " not in rest:
        return None
    for _, found in zip(range(_MAX_HOSTS), _clients(rest), strict=False):
        words = rest[found.end() :]
        is_refusal = words[:5] != "RCPT " or ": discarded by " in words
        if is_refusal and _is_whole_name(rest[2 : found.start()]):
            return _refusal(queue_id, client_of(rest[2 : found.start("behind")]), found, words)
    return None


def parse_client_refusal(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return the refusal of a command, recipient or message of a client."""
    return refusal_of(queue_id, rest) or _PASSED


def _refusal(queue_id: str, client: str, found: re.Match[str], words: str) -> Event:
    sender = found["sender"]
    if sender is None:
        sender = _argument(_mail(words))
    recipient = found["to"] or _argument(_recipient(words))
    outcome = "discarded" if words[:5] == "RCPT " else "rejected"
    return Event(queue_id, Refusal(outcome, _status(outcome, words), recipient, sender, client, found["login"]))


def _status(outcome: str, words: str) -> str:
    """Return `rejected (WORDS)`, without repeating the outcome, and without the colon of an empty text."""
    return f"{outcome} ({words.removeprefix('rejected ').rstrip(': ')})"


def _argument(found: re.Match[str] | None) -> str | None:
    if found is None:
        return None
    return found[1] if found[1] is not None else found[2]


def parse_refusal(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return a refusal that names the client later or not at all: of a local message, or before any command."""
    local = _local_sender(rest)
    rest = rest[local.end() :] if local else rest
    head = rest.partition(": message too big: ")[0]
    sender = _first(local, _from(head), _of_sender(head))
    if sender is None:
        sender = _argument(_mail(head))
    client = _client_in(head)
    return Event(queue_id, Refusal("rejected", _status("rejected", rest), _first(_of_recipient(head)), sender, client))


def _client_in(head: str) -> str | None:
    """Return the client after `H=` or `from `: it ends with the first address in brackets that text may follow."""
    at = head.rfind(" H=")
    start = at + 3 if at >= 0 else head.find("from ") + 5
    for found in _ips(head, start):
        if _is_whole_name(head[start : found.start()]):
            return client_of(head[start : found.end()])
    return None


def _first(*found: re.Match[str] | None) -> str | None:
    return next((match[1] for match in found if match), None)


def parse_connection(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return the refusal of a connection: `Connection from [ip] refused: too many connections`."""
    if " refused: " not in rest:
        return Ignored("connection")
    found = _connection(rest)
    return Event(
        queue_id, Refusal("rejected", _status("rejected", rest), client=client_of(found[0]) if found else None)
    )
