"""Reasons: the MTA's status without the parts that differ from one message to the next, so that it can be counted.

Anyone who sends mail, or answers to it, writes into a status. It is split once at fixed characters, and each piece is
judged alone: no pattern backtracks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # keeps `--help` quick
    from mailtrace.message.document import Document
    from mailtrace.message.recipients import RecipientResult

_bracketed = re.compile(r"<[^<>@]*@[^<>]*>|<[^<>]+>(?=:)").sub
"""Addresses, and what an access map of Postfix was asked about (smtpd_check.c): `<mx.foo.com[192.0.2.1]>: Helo ...`."""
_domains = re.compile(r"@([^<>@\s.]{1,63}\.[^<>@\s]{1,255})>", re.ASCII).findall
"""Domains of addresses: a reply to one recipient of a session is logged for the others too, so it need not be known."""
_queue_id = re.compile(r"\b((?:queued|forwarded) as )\w+", re.ASCII).sub
_has_quantity = re.compile(
    r"\d(?: ?(?:milli|secs?\b|second|min|hour|hrs?\b|byte|octet|[kKMGT]i?B\b|m?s\b|%)"
    r"| (?:mess|e?mail|reci|conn|atte|erro|time|poin))",
    re.ASCII,
).search
_quantity = re.compile(
    r"\b\d{1,15}(?:\.\d{1,9})?(?= ?(?:(?:milli)?seconds?|secs?|min|mins|minutes?|hours?|hrs?|"
    r"bytes?|octets?|[kKMGT]i?B|ms|s)\b|%(?![0-9A-Fa-f]))"
    r"|(?<=[a-z] )\d{1,15}(?= (?:messages?|e?mails?|recipients?|connections?|attempts?|errors?|times|points?)\b)",
    re.ASCII,
).sub
"""Numbers with units. A number before `messages` counts them only after a word: alone it is the code of a reply. Days
stay, since they are a setting: how long a server tries."""
_has_clock = re.compile(r"\d:\d\d", re.ASCII).search
_months: Final = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_date = re.compile(
    r"(?:\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?"
    rf"\b(?:\d{{1,2}}[ /-]{_months}[ /-]\d{{2,4}}|{_months}  ?\d{{1,2}})[ :]\d{{1,2}}:\d\d(?::\d\d)?"
    r"(?: [+-]\d{4}\b| (?:GMT|UTC)\b| \d{4}\b)?",
    re.ASCII,
).sub
_day_and_clock = re.compile(r"\b\d{4}[-/]\d\d[-/]\d\d \d{1,2}:\d\d(?::\d\d)?(?:[.,]\d{1,9})?", re.ASCII).sub
_counted_ip = re.compile(r"\[\* {1,20}\d{1,6}\]", re.ASCII).sub
"""Google writes a number after the address: `[192.0.2.1      12]`."""
_split = re.compile(r"([^\w.@%+:=~-]+)").split
_split_at_equals, _split_at_colons = re.compile(r"(=)").split, re.compile(r"(:)").split
_has_digit = re.compile(r"\d", re.ASCII).search
_digits = re.compile(r"\d+", re.ASCII).findall
# Reply codes and enhanced status codes stay: a postmaster looks for them.
_is_code = re.compile(r"(?:\d{3}-)?\d\.\d{1,3}\.\d{1,3}|\d{3}", re.ASCII).fullmatch
_reply_code = re.compile(r"[2-5]\d\d-(?=[A-Za-z])", re.ASCII).match
_is_time = re.compile(r"\d[\dTZ:.+-]*:\d\d[\dTZ:.+-]*", re.ASCII).fullmatch
_is_ipv6 = re.compile(r"(?:IPv6:)?[0-9a-f]*:[0-9a-f:.]*", re.ASCII | re.IGNORECASE).fullmatch
_is_measured = re.compile(r"\d+\.\d{3,}", re.ASCII).fullmatch
_is_wait = re.compile(r"(?:\d{1,6}[hms]){1,4}", re.ASCII).fullmatch
_ip = re.compile(r"(?<![\d.-])\d{1,3}(?:[.-]\d{1,3}){3}(?!\d)", re.ASCII).sub
"""An IPv4 address in either order, with dots or with the dashes of a dynamic name."""
_nibbles = re.compile(r"(?:[0-9a-f]\.){32}", re.ASCII | re.IGNORECASE).match
"""A reversed IPv6 address."""
_is_machine = re.compile(r"(?!rfc|sha|aes)[a-z]{2,20}\d{3,}", re.ASCII).fullmatch
"""One machine of many, without its domain: `flph829`."""
_LABELS: Final = {
    *("id", "ids", "code", "ref", "reference", "ticket", "incident", "case", "session", "sid", "request", "rid"),
    *("trace", "event", "uuid", "guid", "qid", "qp", "cookie", "support", "score", "hits"),
}
"""Words before a support code, a session, or the score of a spam filter."""
_URL: Final = "//"
"""The label of a URL's host, which belongs to those who refuse."""
_UNREACHED: Final = "name"
"""The label of a next hop that Postfix did not reach, and so does not log as a relay: `name=mx.bar.com type=A`."""
_id_of_message = re.compile(
    r"(?<=[ =(])(?!SBL)(?=[A-Za-z0-9]{10,40}(?:[],);]| (?!\d)))(?:[A-Za-z]+|\d+[A-Za-z]+)\d[0-9A-Za-z]*",
    re.ASCII,
).sub
"""What is surely an ID of one message: a word of letters with digits, but no quantity, nor a word before a number."""
_AN_ID: Final = "0A0A0A0A0A"
_MARK: Final = "\0"
_SHORTEST_ID: Final = 10
_MOST_LETTERS: Final = 40
_SHORTEST_NUMBER: Final = 5
_LONGEST_NAME: Final = 255


def reason_in(document: Document, result: RecipientResult) -> str:
    """Return the reason of a recipient result, with `*` instead of the names of its client, hosts and domains too."""
    return reason_of(result["status"] or "", lambda: names_in(document, result))


def names_in(document: Document, result: RecipientResult) -> set[str]:
    """Return the names that a status may repeat, in lower case: of the client, the next hop, and the domains."""
    clients = (document["client"], document["orig_client"])
    addresses = (document["from"], result["recipient"], result["orig_to"])
    names = {client.partition("[")[0].strip().lower() for client in clients if client}
    names |= {address.rpartition("@")[2].lower() for address in addresses if address and "@" in address}
    names.add((result["relay_host"] or "").lower().rstrip("."))
    return {name for name in names if "." in name}


def reason_of(status: str, names: Callable[[], Collection[str]] = frozenset) -> str:
    """Return a status with `*` instead of addresses, IDs, quantities, times and other parts that vary.

    `names` returns the names, in lower case, of the client and of the recipient's hosts. It is called only if the
    status names a host.
    """
    # Replace first what nearly always differs, so that the rest is mostly found in the cache.
    if "ed as " in status:
        status = _without_queue_id(status)
    shown = _bracketed("<*>", status) if "<" in status else status
    if shown.startswith("sent ") and not shown.endswith(" *)"):
        shown = with_one_id(shown)
    parts = _parts(shown)
    if len(parts) == 1:
        return parts[0]
    known = {*names(), *(domain.lower() for domain in _domains(status))}
    return "".join([_host(part, known) if at % 2 else part for at, part in enumerate(parts)])


def _without_queue_id(status: str) -> str:
    before, found, after = status.rpartition(" queued as ")
    if found and after[-1:] == ")" and after[:-1].isalnum() and after.isascii() and "ed as " not in before:
        return before + " queued as *)"
    return _queue_id(r"\1*", status)


def with_one_id(status: str) -> str:
    """Return a status that has the same reason, with one and the same ID instead of those of this message."""
    return status if "@" in status or "%" in status else _id_of_message(_AN_ID, status)


@lru_cache(maxsize=4096)
def _parts(status: str) -> list[str]:
    """Return the reason in parts: every second one is the name of a host, and may be known."""
    status = status.replace(_MARK, "*")
    if _has_quantity(status):
        status = _quantity("*", status)
    if _has_clock(status):
        status = _day_and_clock("*", _date("*", status))
    runs = _split(status)
    for at in range(0, len(runs), 2):
        run = runs[at]
        if run and not run.isalpha():
            runs[at] = _replaced(run, _label(runs, at))
    reason = "".join(runs)
    return (_counted_ip("[*]", reason) if "[* " in reason else reason).split(_MARK)


def _label(runs: list[str], at: int) -> str:
    """Return what the words before a run tell about it."""
    if at < 2:
        return ""
    if runs[at - 1].endswith("//"):
        return _URL
    word = runs[at - 2].rstrip(":").lower()
    if word == "to" and at > 2 and runs[at - 4] == "connect":
        return _UNREACHED
    return word if word in _LABELS else ""


@lru_cache(maxsize=8192)
def _replaced(run: str, label: str) -> str:
    """Return a run of characters without what varies; names of hosts, which may be known, between marks."""
    core = run.rstrip(".:")
    code = _reply_code(core)
    begin = code[0] if code else ""
    rest, end = core[len(begin) :], run[len(core) :]
    if "@" in rest or "%40" in rest:
        _, colon, reply = rest.rpartition("@")[2].partition(":")
        return f"{begin}*{colon}{_constant(reply, label)}{end}"
    if "=" in rest or ":" in rest:
        rest = _of_pieces(rest, label)
    else:
        rest = _piece(rest, label)
    return begin + rest + end


def _of_pieces(text: str, label: str) -> str:
    """Return the pieces of `key=value` or `name:value`; each tells what the next one is."""
    made = []
    for piece in _split_at_equals(text):
        for part in [piece] if _is_address(piece) else _split_at_colons(piece):
            made.append(_piece(part, label))
            label = part.lower() if part.isalpha() else label
    return "".join(made)


def _piece(piece: str, label: str) -> str:
    if "." not in piece:
        return "*" if _is_address(piece) else _constant(piece, label)
    name = piece.removesuffix(".html")
    if not _is_name(name):
        return "*" if _is_address(piece) else _constant(piece, label)
    if label == _URL:
        return _without_ids(piece)
    return "*" if label == _UNREACHED else f"{_MARK}{name}{_MARK}{piece[len(name) :]}"


def _is_address(run: str) -> bool:
    """Whether a run is a time or an IPv6 address."""
    return ":" in run and bool(_is_time(run) or (run.count(":") > 1 and _has_digit(run) and _is_ipv6(run)))


def _is_name(piece: str) -> bool:
    """Whether a piece with dots is the name of a host: its last label is a word."""
    last = piece.rpartition(".")[2]
    return len(piece) <= _LONGEST_NAME and len(last) > 1 and (last.isalpha() or last.startswith("xn--"))


def _host(name: str, known: Collection[str]) -> str:
    labels = name.lower().split(".")
    return "*" if any(".".join(labels[at:]) in known for at in range(len(labels))) else _without_ids(name)


def _without_ids(name: str) -> str:
    """Return a name without a reversed address, and from its ID on without the labels that tell machines apart."""
    if nibbles := _nibbles(name):
        return f"*.{name[nibbles.end() :]}"
    if (changed := _ip("*", name)) != name:
        return changed
    labels = name.split(".")
    if any(map(_is_id, labels)):
        last = max(at for at, label in enumerate(labels) if _has_digit(label))
        return ".".join(["*", *labels[last + 1 :]])
    return name


def _constant(piece: str, label: str) -> str:
    """Return a piece that is not the name of a host, or what stands for it."""
    if not _has_digit(piece):
        return piece
    if _is_code(piece):
        return "*" if label in _LABELS and label != "code" else piece
    if "." in piece and (changed := _ip("*", piece)) != piece:
        return changed
    if piece.startswith("SBL") and piece[3:].isdigit():
        return "SBL*"
    return "*" if label in _LABELS or _varies(piece) else piece


def _varies(piece: str) -> bool:
    """Return whether a piece with digits is a number of many digits, a measured one, a time, or an ID."""
    if piece.isdigit():
        return len(piece) >= _SHORTEST_NUMBER
    if "." in piece:
        return len(piece) >= _SHORTEST_ID or bool(_is_measured(piece))
    return bool(_is_wait(piece)) or _is_id(piece)


def _is_id(word: str) -> bool:
    """Whether a word without dots is the ID of a session, a queue or a machine."""
    if len(word) >= _SHORTEST_ID:
        # `OFR004_104` is the code of a reason.
        return bool(_has_digit(word[: _MOST_LETTERS + 1])) and not (word.isupper() and "_" in word)
    return bool(_is_machine(word)) or (len(word) > 6 and word.isalnum() and len(_digits(word)) > 1)
