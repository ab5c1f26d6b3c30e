"""Reasons: the MTA's status without the parts that differ from one message to the next, so that it can be counted.

Anyone who can send mail, or answers to it, writes into a status. It is split once at fixed characters, and each piece is
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
_queue_id = re.compile(r"\b((?:queued|forwarded) as )\w+", re.ASCII).sub
_quantity = re.compile(
    r"\b\d{1,15}(?:\.\d{1,9})?(?= ?(?:(?:milli)?seconds?|secs?|min|mins|minutes?|hours?|hrs?|"
    r"bytes?|octets?|[kKMGT]i?B|ms|s)\b|%)"
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
_ip = re.compile(r"(?<![\d.-])\d{1,3}(?:[.-]\d{1,3}){3}(?!\d)", re.ASCII).sub
"""An IPv4 address in either order, with dots or with the dashes of a dynamic name."""
_nibbles = re.compile(r"(?:[0-9a-f]\.){32}", re.ASCII | re.IGNORECASE).match
"""A reversed IPv6 address."""
_is_machine = re.compile(r"(?!rfc|sha|aes)[a-z]{2,20}\d{3,}", re.ASCII).fullmatch
"""One machine of many, without its domain: `flph829`."""
_LABELS: Final = frozenset(
    ("id", "ids", "code", "ref", "reference", "ticket", "incident", "case", "session", "sid", "request", "rid", "trace")
    + ("event", "uuid", "guid", "qid", "qp", "cookie", "support", "score", "hits")
)
"""Words before a support code, a session, or the score of a spam filter."""
_AFTER_AS: Final = (("queued", "as"), ("forwarded", "as"))
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

    `names` returns the names, in lower case, of the client and of the recipient's hosts; it is called only if the status
    has the name of a host.
    """
    # Replace first what nearly always differs, so that the rest is mostly found in the cache.
    if "ed as " in status:
        status = _without_queue_id(status)
    parts = _parts(_bracketed("<*>", status) if "<" in status else status)
    if len(parts) == 1:
        return parts[0]
    known = names()
    return "".join([_host(part, known) if at % 2 else part for at, part in enumerate(parts)])


def _without_queue_id(status: str) -> str:
    before, found, after = status.rpartition(" queued as ")
    if found and after[-1:] == ")" and after[:-1].isalnum() and after.isascii() and "ed as " not in before:
        return before + " queued as *)"
    return _queue_id(r"\1*", status)


@lru_cache(maxsize=4096)
def _parts(status: str) -> tuple[str, ...]:
    """Return the reason in parts: every second one is the name of a host, and may be known."""
    status = _quantity("*", status)
    if _has_clock(status):
        status = _day_and_clock("*", _date("*", status))
    parts = _Parts()
    runs = _split(status)
    for at, run in enumerate(runs):
        if at % 2 or run.isalpha():
            parts.add(run)
        elif run:
            parts.add_run(run, runs[max(0, at - 4) : at])
    return parts.finished()


class _Parts:
    """The parts of a reason that is being made: text and names of hosts in turn."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._parts: list[str] = []

    def add(self, text: str) -> None:
        """Append text that stays."""
        self._text.append(text)

    def add_run(self, run: str, before: list[str]) -> None:
        """Append a run of characters that is no word; `before` has the runs before it, and what is between them."""
        core = run.rstrip(".:")
        if code := _reply_code(core):
            self.add(code[0])
        rest = core[code.end() :] if code else core
        label = before[-2].rstrip(":").lower() if len(before) > 1 else ""
        if "@" in rest or "%40" in rest:
            _, colon, reply = rest.rpartition("@")[2].partition(":")
            self.add(f"*{colon}{_constant(reply, label)}")
        else:
            self._add_pieces(rest, label, before)
        self.add(run[len(core) :])

    def _add_pieces(self, text: str, label: str, before: list[str]) -> None:
        """Append a run without addresses: `key=value` and `name:value` are two pieces each."""
        for piece in _split_at_equals(text):
            for part in [piece] if _is_address(piece) else _split_at_colons(piece):
                self._add_piece(part, label, before)
                label = part.lower() if part.isalpha() else label

    def _add_piece(self, piece: str, label: str, before: list[str]) -> None:
        name = piece.removesuffix(".html")
        if "." not in name or not _is_name(name):
            self.add("*" if _is_address(piece) else _constant(piece, label))
        elif before and before[-1].endswith("//"):
            self.add(_without_ids(piece))
        elif label == "name" or before[-4::2] == ["connect", "to"]:
            # Postfix's names of a next hop that it did not reach, and so does not log as a relay.
            self.add("*")
        else:
            self._end_text()
            self._parts.append(name)
            self.add(piece[len(name) :])

    def _end_text(self) -> None:
        text = "".join(self._text)
        self._parts.append(_counted_ip("[*]", text) if "[*" in text else text)
        self._text.clear()

    def finished(self) -> tuple[str, ...]:
        """Return all parts."""
        self._end_text()
        return tuple(self._parts)


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
    is_code = _is_code(piece)
    if label in _LABELS and not (is_code and label == "code"):
        return "*"
    if is_code:
        return piece
    if "." in piece:
        changed = _ip("*", piece)
        return "*" if changed == piece and (len(piece) >= _SHORTEST_ID or _is_measured(piece)) else changed
    if piece.isdigit():
        return "*" if len(piece) >= _SHORTEST_NUMBER else piece
    if piece.startswith("SBL") and piece[3:].isdigit():
        return "SBL*"
    return "*" if _is_id(piece) else piece


def _is_id(word: str) -> bool:
    """Whether a word without dots is the ID of a session, a queue or a machine."""
    if len(word) >= _SHORTEST_ID:
        # `OFR004_104` is the code of a reason.
        return bool(_has_digit(word[: _MOST_LETTERS + 1])) and not (word.isupper() and "_" in word)
    return bool(_is_machine(word)) or (len(word) > 6 and word.isalnum() and len(_digits(word)) > 1)
