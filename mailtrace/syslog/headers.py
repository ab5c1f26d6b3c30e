"""Parse the header of a log line, between stamp and text: host, program, process ID, and the additions of systems."""

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

from mailtrace.syslog.exim import is_piece
from mailtrace.syslog.prefixes import version_at
from mailtrace.syslog.records import BLANK, EXIM_ADVICE, JOURNAL_NOTE, MARK, NO_STAMP, READERS_NOTE, REPEATED, Unframed
from mailtrace.syslog.stamp import stamp_of

_Prefix: TypeAlias = Callable[[str], re.Match[str] | None]


class Header(NamedTuple):
    """Host, program, process ID and text of a line."""

    host: str
    program: str
    pid: str
    text: str


_TAG: Final = r"([^\s\[\]:]{1,255})(?:\[([^\s\[\]]{0,64})\])?"
_tag = re.compile(rf"{_TAG}(?: <[A-Za-z]{{1,16}}>)?:(?: |\Z)").match
_tag_with_pid = re.compile(r"([^\s\[\]:]{1,255})\[([^\s\[\]]{0,64})\]:").match
_tag_without_colon = re.compile(r"([^\s\[\]:]{1,255})\[(\d{1,10})\] ").match
_cut_tag = re.compile(r"(?=\S{32} )([^\s\[\]:]+)(?:\[(\d*))?(?: |\] )").match
"""Some relays cut tags at 32 characters (RFC 3164)."""
whole_tag = re.compile(rf"{_TAG}\Z").match

_FACILITY: Final = r"(?i:kern|user|mail|daemon|auth|syslog|lpr|news|uucp|cron|authpriv|ftp|security|local[0-7])"
_LEVEL: Final = r"(?i:emerg|panic|alert|crit|err|error|warn|warning|notice|info|debug)"
_named_facility = re.compile(
    rf"(?:<\w{{1,16}}\.\w{{1,16}}>|\[?{_FACILITY}[.:]{_LEVEL}\]?:?|{_FACILITY} {_LEVEL}(?= [^\s:]{{1,255}}:(?: |\Z))) ",
    re.ASCII,
).match
"""BSD's `<mail.info>`; `mail.info`, `[mail.info]`; socklog's `mail.info:`; and `mail info` if a tag follows."""
bsd_facility = re.compile(r"<\w{1,16}\.\w{1,16}> ").match
facility = re.compile(r"\[?[a-z]\w{1,9}[.:][a-z]{3,8}\]? ", re.ASCII).match
"""AIX's `mail:info` and BusyBox' `mail.info`, after the host."""
_zone_name = re.compile(r"[A-Z]{3,5} (?=[^\s:]{1,255} [^\s:]{1,255}:(?: |\Z))").match
_priority = re.compile(r"<\d{1,3}>").match
_stream = re.compile(r"std(?:out|err) [FP] |[\w.@-]{1,192} {0,64}\| ", re.ASCII).match
"""Text of Kubernetes' container runtimes and `docker service logs --timestamps` between two stamps."""
_data_mark = re.compile(r'\\.|["\]]').finditer
_solaris_id = re.compile(r"\[ID \d{1,12} [\w.]{1,32}\] ?", re.ASCII).match
_message_repeated = re.compile(r"message repeated \d{1,9} times?: \[ ?", re.ASCII).match
_stern_note = re.compile(r"[+-] \S{1,256}(?: \S{1,256})? \u203a \S").match
_unversioned = re.compile(r"\S{1,255} [^\s\[\]:]{1,255} (?:\d{1,10}|-) \S{1,32} (?:-(?: |\Z)|\[)", re.ASCII).match
"""RFC 5424 without priority and version, as the syslogd of NetBSD writes it into files."""
_is_ip = re.compile(r"[\d.]{7,15}", re.ASCII).fullmatch
_FORWARDED: Final = "Message forwarded from "
_BLANKS: Final = " \t\r\n\0"
_MAX_ADDITIONS: Final = 6
_BEFORE_HOST: Final = (_named_facility, _priority, _zone_name, _stream)
_BEFORE_TAG: Final = (_named_facility, _priority)


def header_of(rest: str) -> Header | Unframed:
    """Return the header of the text after a stamp, or the reason that it has none."""
    rest, _ = _without_additions(rest, _BEFORE_HOST)
    if at := version_at(rest, 0):
        return rfc5424_header(rest[at:])[1]
    if _unversioned(rest):
        return rfc5424_header("- " + rest)[1]
    if nothing := _nothing(rest):
        return nothing
    host, rest = _host_and_rest(rest)
    if found := _named_facility(rest) or facility(rest):
        rest = rest[found.end() :]
    tag = None if rest[:1] == "<" else tag_of(rest)
    return Header(host_name(host), tag[1], tag[2] or "", plain(rest[tag.end() :])) if tag else _odd_header(host, rest)


def _odd_header(host: str, rest: str) -> Header | Unframed:
    """Return the header of the text after a host that is not followed by the tag."""
    rest, is_relayed = _without_additions(rest, _BEFORE_TAG)
    if at := version_at(rest, 0):
        return rfc5424_header(rest[at:])[1]
    if is_relayed:
        # A relay has put its own header before the one that it was sent.
        host, rest = _host_and_rest(rest)
    if rest.startswith(_FORWARDED):
        host, _, rest = rest[len(_FORWARDED) :].partition(": ")
    tag = tag_of(rest)
    if tag is None:
        return _nothing(rest) or _header_of_two_hosts(host, rest)
    return Header(host_name(host), tag[1], tag[2] or "", plain(rest[tag.end() :]))


def _header_of_two_hosts(host: str, rest: str) -> Header:
    """Return the header if a template names the sender of the line besides the host, often by its address."""
    word, _, after = rest.partition(" ")
    tag = _tag_with_pid(after)
    if tag is None:
        return Header(host_name(host), "", "", plain(rest))
    return Header(host_name(host if _is_ip(word) else word), tag[1], tag[2], plain(after[tag.end() :]))


def _without_additions(rest: str, prefixes: Sequence[_Prefix]) -> tuple[str, bool]:
    """Return the text without additions before host or tag, such as a facility; and whether one was a stamp."""
    has_stamp = False
    for _ in range(_MAX_ADDITIONS):
        if found := next((found for prefix in prefixes if (found := prefix(rest))), None):
            end = found.end()
        elif stamp := stamp_of(rest):
            end, has_stamp = stamp.end, True
        else:
            break
        rest = rest[end:].lstrip(" \t")
    return rest, has_stamp


def tag_of(rest: str) -> re.Match[str] | None:
    """Return the match of the tag at the start, whose groups are program and process ID; None if there is none."""
    return _tag(rest) or _tag_with_pid(rest) or _tag_without_colon(rest) or _cut_tag(rest)


def learned(head: str) -> tuple[str, str, str] | None:
    """Return host, program and process ID of a header in its usual forms; else None."""
    words = head.split(" ")
    if len(words) == 3 and bsd_facility(words[0] + " "):
        del words[0]
    elif len(words) == 3 and facility(words[1] + " "):
        del words[1]
    tag = whole_tag(words[-1]) if len(words) == 2 else None
    if tag is None or not words[0] or "<" in words[0][0] + words[1][0] or _named_facility(words[1] + " "):
        return None
    host = "" if _named_facility(words[0] + " ") else host_name(words[0])
    return host, tag[1], tag[2] or ""


def rfc5424_header(rest: str) -> tuple[str, Header]:
    """Return the stamp and the header of the text after RFC 5424's version."""
    stamp, host, program, pid, _, rest = (*rest.split(" ", 5), "", "", "", "", "")[:6]
    text = plain(_after_data(rest).removeprefix("\ufeff"))
    program, pid = ("" if field == "-" else field for field in (program, pid))
    if not program:
        # A relay that could not parse the line has left its header in the text.
        inner = stamp_of(text)
        own_host, rest = _host_and_rest(text[inner.end :].lstrip(" ")) if inner else ("", text)
        if tag := tag_of(rest) if inner else _tag_with_pid(rest):
            host, program, pid, text = own_host or host, tag[1], tag[2] or "", plain(rest[tag.end() :])
    return stamp, Header(host_name(host), program, pid, text)


def host_name(name: str) -> str:
    """Return a host's name, without the sources through which syslog-ng has chained it (`src@host/host`)."""
    name = name.rpartition("/")[2].rpartition("@")[2].lower()
    return "" if name == "-" else name


def plain(text: str) -> str:
    """Return the text without Solaris's message ID, syslogd's `message repeated` brackets, and blanks around it.

    rsyslog's `%msg%` begins with a blank, so a template that adds one has two.
    """
    text = text.lstrip(_BLANKS)
    if text[:1] == "[" and is_piece(text):
        # A blank at the end may be one between two words.
        return text.rstrip("\r\n\0")
    text = text.rstrip(_BLANKS)
    if found := _solaris_id(text):
        text = text[found.end() :]
    if found := _message_repeated(text):
        text = text[found.end() :].removesuffix("]")
    return text


def unstamped(line: str, at: int) -> Unframed:
    """Return why a line without a stamp has no record."""
    rest = line[at:].strip("\0\ufeff \t\r\n")
    if not rest:
        return BLANK
    if rest.startswith("-- "):
        return JOURNAL_NOTE
    if rest == "--" or (rest.startswith("==> ") and rest.endswith(" <==")) or _stern_note(rest):
        return READERS_NOTE
    if rest.startswith("Suggested action: "):
        # Exim's warnings about its configuration have two lines, of which the second has no stamp in its own file.
        return EXIM_ADVICE
    return _nothing(rest) or NO_STAMP


def _nothing(text: str) -> Unframed | None:
    """Return the reason for ignoring a line that syslogd writes about itself; None for others."""
    if text.startswith("-- MARK --"):
        return MARK
    start = text[:20].lower().lstrip("- ")
    return REPEATED if start.startswith("last message") and " repeated " in text else None


def _host_and_rest(rest: str) -> tuple[str, str]:
    """Return the host and the text after it: the host is the first word, unless that is the tag, or empty."""
    if rest.startswith(_FORWARDED):
        return "", rest
    word, _, after = rest.partition(" ")
    if not word.endswith(":"):
        return word, after.lstrip(" ")
    if _tag_with_pid(after) and not word.endswith("]:") and "/" not in word:
        return word if word.endswith("::") else word[:-1], after
    return "", rest


def _after_data(rest: str) -> str:
    """Return the text after RFC 5424's structured data: `-`, or elements in brackets, with any text in quotes."""
    if rest[:1] != "[":
        return rest[2:] if rest[:2] in ("-", "- ") else rest
    at, is_quoted = 1, False
    for found in _data_mark(rest):
        at = found.end()
        if found[0] == '"':
            is_quoted = not is_quoted
        elif found[0] == "]" and not is_quoted and rest[at : at + 1] != "[":
            return rest[at + 1 :]
    return rest
