r"""Exim's lines about deliveries (deliver.c), by their flags: `=>`, `->`, `>>`, `*>`, `==`, `**`.

    ADDRESS [(parents)] [<top>] [F=<s>] [Q=..] [SRS=<s>] [P=<s>] [R=router] [T=transport] [S=size]
        [H=host [DS] [ip]:port*] ... [C="reply"] [QT=t] [DT=t]
    ADDRESS [(parents)] [<top>] [Q=..] [R=router] [T=transport] defer (ERRNO)[: error][ H=host [DS] [ip] ...][ DT=t]
        [: text]
    ADDRESS [(parents)] [<top>] [F=<s>] ... [H=host [DS] [ip] ...] [X=.. CV=.. DN=".."]: text[ DT=t]

The fields follow each other in this order, after an address that may imitate them (`addresses.who_at`); `C=` and the
times are read from the end. What the next hop replied comes last.
"""

import re
from functools import lru_cache
from typing import Final

from mailtrace.mta.exim.addresses import ADDRESS, QUOTED, Who, certificate, envelope_or_alias, who_at
from mailtrace.mta.facts import Event, Parsed, Refusal, Result
from mailtrace.mta.rules import new_tuple, says_discarded

_IP: Final = r"\[[^\]\s]*\](?::-?\d+)?"
_HOST: Final = rf" H=(\S+(?: DS)? {_IP})\*?"
_CERTIFICATE: Final = certificate(r" DT=| [KL](?: |:)| ?: |\Z")
_FIELDS: Final = (
    rf"(?: F=<{ADDRESS}>)?(?: Q=\S+)?(?: SRS=<{ADDRESS}>)?(?: P=<{ADDRESS}>)?"
    rf"(?: R=([^\s:]+))?(?: T=([^\s:]+))?(?: S=\d+)?(?:{_HOST})?"
)
_fields = re.compile(_FIELDS).match
_fields_sent = re.compile(rf"{_FIELDS}(?: H=(\S+)(?= |\Z))?").match
"""Of a local delivery with a list of hosts, only the first one's name is logged."""
_usual = re.compile(
    r'([^\s"|/<:(>]+)(?: <([^\s"<>]*)>)?(?: F=<[^\s"<>]*>)?(?: P=<[^\s"<>]*>)?'
    rf" R=(\S+) T=([^\s:]+)(?: S=\d+)?(?: H=(\S+ {_IP})\*?)?(?= (?![HS]=)|\Z)"
).match
_last_reply = re.compile(rf" C=({QUOTED})(?: QT=(\S+))?(?: DT=\S+)?\Z").search
_queue_time = re.compile(r" QT=(\S+)(?: DT=\S+)?\Z").search
_delivery_time = re.compile(r"(?: QT=(\S+))? DT=[\d.a-z]+\Z").search
_deferral = re.compile(r"(?: Q=\S+)?(?: R=(\S+))?(?: T=(\S+)| routing)? defer \((-?\d{1,5})\)").match
_deferral_host = re.compile(
    rf"(:(?: [A-Za-z,'/-]+){{1,12}}?)?(?:{_HOST})?(?: (?:I|PRX|X|CV)=\S+?| TFO\*?|{_CERTIFICATE})*"
    r"(?: DT=[\d.a-z]+?)?(?=: |\Z)"
).match
_session = re.compile(rf"(?: (?:I|PRX|X|CV|A|TFO\S*)(?:=\S+?)?|{_CERTIFICATE}| [KL])*(?= ?: |\Z)").match
_discarded = re.compile(r"(?:blackhole|discarded) \(([^()]*)\)(?:: (.*))?\Z", re.DOTALL).match
_is_code = re.compile(r"[245]\.\d{1,3}\.\d{1,3}").fullmatch
_enhanced = re.compile(r"[245]\d\d[ -]([245]\.\d{1,3}\.\d{1,3})(?![\w.])").search
_escape = re.compile(r'\\(["\\])').sub
_time_units = re.compile(r"([\d.]+)([wdhms])").findall
_SECONDS: Final = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_GIVEN_UP: Final = "retry timeout exceeded"
_NOT_LONGER: Final = 40


def parse_sent(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return a delivery; without an address, a message that an ACL or the system filter has discarded."""
    flag, rest = rest[0], rest[3:]
    if (found := _usual(rest)) and ' <"' not in rest:
        # Fast path for most deliveries.
        address, top, _, transport, host = found.groups()
        usual = Who(address, None, 0) if top is None else envelope_or_alias(address, top, 0)
        return _sent(queue_id, flag, rest, usual, found.end(), host or transport, transport)
    who = who_at(rest)
    if rest[:11] in ("blackhole (", "discarded (") and (found := _discarded(rest)):
        words = found[1] if found[2] is None else f"{found[1]}: {found[2]}"
        return Event(queue_id, Refusal("discarded", f"discarded ({words})"))
    fields = _fields_sent(rest, who.end) if who else None
    if who is None or fields is None:
        return None
    router, transport, host, name = fields.groups()
    return _sent(queue_id, flag, rest, who, fields.end(), _next_hop(host, name, transport, router), transport)


def _next_hop(host: str | None, *others: str | None) -> str | None:
    """Return the host, without the mark that DNSSEC has confirmed its addresses; else the first of the others."""
    return host.replace(" DS [", " [", 1) if host else next(filter(None, others), None)


def _sent(queue_id: str, flag: str, rest: str, who: Who, at: int, relay: str | None, transport: str | None) -> Parsed:
    """Return the delivery whose further fields begin at an index."""
    reply, waited = _reply_and_time(rest, at)
    status = "delivered" if reply is None else reply
    outcome = "unknown" if flag == "*" else _outcome(rest, status, transport)
    if outcome == "discarded" and reply is None:
        status = "discarded"
    dsn = _code(status[4:16].partition(" ")[0]) if reply else None
    result = (who.recipient, who.orig_to, relay, status, outcome, dsn, _seconds(waited) if waited else None)
    return new_tuple(Event, (queue_id, new_tuple(Result, result)))


def _reply_and_time(rest: str, at: int) -> tuple[str | None, str | None]:
    """Return the next hop's reply and the time in the queue, both None if they are not logged."""
    start = rest.find(' C="', at)
    if start < 0:
        return None, _waited(rest)
    if rest[-1] == '"':
        reply = rest[start + 4 : -1]
        if '"' not in reply and "\\" not in reply:
            return reply, None
    found = _last_reply(rest, start)
    if found is None:
        return None, _waited(rest)
    reply = found[1][1:-1]
    return (_escape(_unescape, reply) if "\\" in reply else reply), found[2]


@lru_cache(maxsize=256)
def _code(word: str) -> str | None:
    """Return a word that is an enhanced status code (RFC 3463)."""
    return word if _is_code(word) else None


def _unescape(found: re.Match[str]) -> str:
    return found[1]


def _waited(rest: str) -> str | None:
    found = _queue_time(rest) if " QT=" in rest else None
    return found[1] if found else None


def _outcome(rest: str, status: str, transport: str | None) -> str:
    """Return `sent`, or `discarded` if a router, an alias or the next hop has discarded the message."""
    if transport is None and rest.startswith((":blackhole:", "discarded ")):
        return "discarded"
    if "iscarded" in status and "ueued as" not in status and says_discarded(status):
        return "discarded"
    return "sent"


def parse_deferred(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return a deferral. Its status is `defer (ERRNO)` and the text, without the next hop and times before it."""
    rest = rest[3:]
    who = who_at(rest)
    found = _deferral(rest, who.end) if who else None
    if who is None or found is None:
        return None
    after = _deferral_host(rest, found.end())
    host = error = None
    end = found.end()
    if after:
        error, host = after.groups()
        end = after.end()
    status = f"defer ({found[3]}){error or ''}{rest[end:]}"
    return _result(queue_id, who.recipient, who.orig_to, _next_hop(host, found[2], found[1]), status, "deferred")


def parse_failed(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return a failure: expired if Exim has given up on retrying, else bounced."""
    rest = rest[3:]
    who = who_at(rest)
    fields = _fields(rest, who.end) if who else None
    if who is None or fields is None:
        return None
    router, transport, host = fields.groups()
    at = fields.end()
    if found := _session(rest, at):
        at = found.end()
    elif (at := rest.find(": ", at)) < 0:
        at = fields.end()
    words = rest[at:].lstrip(" :")
    waited = None
    if times := _delivery_time(words) if " DT=" in words else None:
        words, waited = words[: times.start()], times[1]
    outcome = "expired" if words.endswith(_GIVEN_UP) else "bounced"
    delay = _seconds(waited) if waited else None
    return _result(queue_id, who.recipient, who.orig_to, _next_hop(host, transport, router), words, outcome, delay)


def _result(
    queue_id: str,
    recipient: str,
    orig_to: str | None,
    relay: str | None,
    status: str,
    outcome: str,
    delay: float | None = None,
) -> Parsed:
    return new_tuple(
        Event, (queue_id, new_tuple(Result, (recipient, orig_to, relay, status, outcome, _dsn(status), delay)))
    )


def _dsn(status: str) -> str | None:
    """Return the enhanced status code after the reply code."""
    found = _enhanced(status)
    return found[1] if found else None


@lru_cache(maxsize=4096)
def _seconds(written: str) -> float | None:
    """Return the seconds of `1m30s` or `0.487s`; None if it has another form."""
    total, length = 0.0, 0
    for number, unit in _time_units(written[:_NOT_LONGER]):
        try:
            total += float(number) * _SECONDS[unit]
        except ValueError:
            return None
        length += len(number) + 1
    return total if length == len(written) and total < 1e10 else None
