"""Sendmail's lines about arriving mail that it rejects, discards or holds: for recipients, rulesets, milters, sizes."""

import re
from typing import Final

from mailtrace.mta.facts import Event, Ignored, Parsed, Refusal
from mailtrace.mta.sendmail.addresses import address_end, bare, refused_address, without_dot

_ruleset = re.compile(r"ruleset=([^,\s]+), arg1=").match
_VERDICT: Final = r", (reject=|discard\Z|quarantine=)"
_related_verdict_pattern: Final = rf", relay=([^,]*){_VERDICT}"
_related_verdict = re.compile(_related_verdict_pattern).search
_related_verdict_at = re.compile(rf"(?:, relay=([^,]*))?{_VERDICT}").match
_verdict = re.compile(rf"(){_VERDICT}").search

_NO_REFUSALS: Final = {
    "tls_server": "policy for a next hop",
    "tls_rcpt": "policy for a next hop",
    "try_tls": "policy for a next hop",
    "trust_auth": "authentication",
    "bcc": "policy for a copy",
}
"""Rulesets that do not reject mail: they check a next hop, before the delivery line (deliver.c), the `AUTH=` of MAIL,
or whether to send a copy (srvrsmtp.c)."""

_milter_verdict = re.compile(
    r", (reject=|discard\Z|quarantine=|rejecting commands|temp failing commands|shutdown(?==|\Z))"
).search
_TRACES: Final = ("sender: ", "senders: ", "rcpts: ", "recipients: ")
"""Lines at high log levels with the addresses sent to a milter, which may imitate a verdict."""
_connection = re.compile(r"connect: host=([^,]*), addr=([^,]*)").match
_milter_action = re.compile(r"milter=[^,]*(?:, action=([^,]*))?, (?:(reject|quarantine)=|discard\Z)").match
_SENDERS: Final = ("Sender ", "Domain of sender ", "Domain name required", "Real domain name required")
_wrappers = re.compile(r"tcpwrappers \(([^,]*), ([^)]*)\) rejection").match

_WORDS: Final = {"reject=": "rejected", "discard": "discarded", "quarantine=": "held"}


def parse_refused_address(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return the rejection of a recipient, `address... reason`; up to 8.9 also that of a sender."""
    found = refused_address(rest)
    if found is None:
        return None
    address, words = found
    status = f"rejected ({words})"
    if words.startswith(_SENDERS):
        return Event(queue_id, Refusal("rejected", status, sender=address))
    return Event(queue_id, Refusal("rejected", status, recipient=address))


def parse_ruleset(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return the verdict of a ruleset of the configuration (`rscheck` in parseaddr.c).

    ruleset=NAME, arg1=A[, arg2=B][, relay=R], reject=REASON | discard | quarantine=REASON
    """
    head = _ruleset(rest)
    if head is None:
        return None
    name = head[1]
    if (reason := _NO_REFUSALS.get(name)) is not None:
        return Ignored(reason)
    read = _arguments(rest, head.end())
    if read is None:
        return None
    first, second, verdict = read
    kind, words = verdict[2], rest[verdict.end() :]
    outcome = _WORDS[kind]
    # check_compat judges one recipient (deliver.c); elsewhere discard and quarantine apply to the whole message.
    refused = first if name == "check_rcpt" and outcome == "rejected" else None
    recipient = second if name == "check_compat" else refused
    sender = first if name in ("check_mail", "check_compat") else None
    refusal = Refusal(
        outcome,
        f"{outcome} ({words or 'ruleset=' + name})",
        bare(recipient) if recipient is not None else None,
        bare(sender) if sender is not None else None,
        without_dot(verdict[1]) if verdict[1] else _client(first, second) if name == "check_relay" else None,
    )
    return Event(queue_id, refusal)


def _client(name: str, ip: str | None) -> str:
    """Return the client from the arguments of check_relay, without an address that is a blocklist's answer."""
    return name if not ip or name[:1] == "[" or ip.startswith("127.") else f"{name} [{ip}]"


def _arguments(rest: str, start: int) -> tuple[str, str | None, re.Match[str]] | None:
    """Return the ruleset's arguments, and the match of `relay=` and the verdict, whose text may repeat the arguments.

    Addresses are read from the left. Arguments from a message's header are not quoted, and may look like fields.
    """
    first, second, end = _addresses(rest, start)
    if end > 0 and (found := _related_verdict_at(rest, end)):
        return first, second, found
    found = _related_verdict(rest, start) or _verdict(rest, start)
    if found is None:
        return None
    first, named, other = rest[start : found.start()].partition(", arg2=")
    return first, other if named else None, found


def _addresses(rest: str, start: int) -> tuple[str, str | None, int]:
    """Return one or two arguments that are addresses, and the index of their end; -1 if they are not addresses."""
    end = address_end(rest, start)
    if end < 0 or not rest.startswith(", arg2=", end):
        return rest[start:end], None, end
    second = end + len(", arg2=")
    second_end = address_end(rest, second)
    return rest[start:end], rest[second:second_end], second_end


def parse_milter(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return the verdict of the milters: `Milter: STAGE, reject=REASON`, `..., discard` (srvrsmtp.c).

    The stage is `to=A`, `from=A`, `helo=H`, `connect: host=H, addr=A`, `data` or another command.
    """
    stage = rest[8:]
    if stage.startswith(_TRACES):
        return Ignored("milter")
    end = address_end(stage, stage.index("=") + 1) if stage.startswith(("to=", "from=")) else 0
    found = _milter_verdict(stage, end) if end >= 0 else None
    if found is None or (end > 0 and found.start() != end):
        found = _milter_verdict(stage)
    if found is None:
        return Ignored("milter")
    outcome = _WORDS.get(found[1], "rejected")
    stage, words = stage[: found.start()], stage[found.end() :].removeprefix("=")
    named = found[1].rstrip("=") if found[1] not in _WORDS else ""
    status = f"{outcome} ({words or named or 'Milter: ' + stage})"
    return Event(queue_id, Refusal(outcome, status, **_parties(stage, outcome)))


def _parties(stage: str, outcome: str) -> dict[str, str]:
    """Return the recipient, sender or client that the stage names; discard and hold apply to all recipients."""
    if stage.startswith("to="):
        return {"recipient": bare(stage[3:])} if outcome == "rejected" else {}
    if stage.startswith("from="):
        return {"sender": bare(stage[5:])}
    if found := _connection(stage):
        return {"client": f"{without_dot(found[1])} [{found[2]}]"}
    return {}


def parse_milter_action(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return one milter's verdict: `milter=NAME[, action=COMMAND], reject=REASON`, `discard` or `quarantine=REASON`.

    The rejection of a recipient is ignored here: the `Milter: to=` line of the same log level names it (milter.c).
    """
    found = _milter_action(rest)
    if found is None or (found[1] == "rcpt" and found[2] == "reject"):
        return Ignored("milter")
    words = rest[found.end() :]
    if found[2] is None:
        return Event(queue_id, Refusal("discarded", f"discarded ({rest[: -len(', discard')]})"))
    outcome = _WORDS[found[2] + "="]
    return Event(queue_id, Refusal(outcome, f"{outcome} ({words})"))


def parse_discarded(queue_id: str, _program: str, _rest: str) -> Parsed:
    """Return that the message was discarded for a milter or a ruleset (`sendall` in deliver.c)."""
    return Event(queue_id, Refusal("discarded", "discarded"))


def parse_size(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return the rejection of a message that is too large, or whose header is (collect.c)."""
    return Event(queue_id, Refusal("rejected", f"rejected ({rest})"))


def parse_wrappers(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return the rejection of a connection by hosts.deny(5): `tcpwrappers (NAME, IP) rejection` (srvrsmtp.c)."""
    found = _wrappers(rest)
    if found is None:
        return Ignored("connection")
    return Event(queue_id, Refusal("rejected", "rejected (tcpwrappers)", client=f"{found[1]} [{found[2].strip('[]')}]"))
