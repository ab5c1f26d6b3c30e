r"""The fields of an SMTP session before the words of a refusal (host.c, smtp_in.c), and the client in them.

    [ DS]H=name (helo) [ip]:port [I=[ip]:port] [TFO] [U=ident] [Ci=n] [X=..] [CV=..] [DN=".."] [SNI=".."]
        [F=<s>[ A=auth:user]] [SPF=..] [DMARC=..]
    U=ident ...                   a session of a local program (`exim -bs`); `U=unknown` without ident

The client chooses the text in brackets after its name. Ident, certificate, SNI and login are free text, of which each
ends where the next field, or the words of the refusal, begin.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from mailtrace.mta.exim.addresses import ADDRESS, certificate, client_of

_WORDS: Final = r" (?:temporarily )?rejected "
_NO_REFUSAL: Final = r"Warning: |sender verify |incomplete transaction |tmp-reject from cutthrough "
_CLIENTS_WORDS: Final = rf"(?=(?:temporarily )?rejected |RCPT |{_NO_REFUSAL})"
_IDENT: Final = rf"(?:(?!{_WORDS}| F=<| Ci=\w| X=| CV=| DN=\"| SNI=| (?:{_NO_REFUSAL})).){{0,1000}}"
_CERTIFICATE: Final = certificate(rf" SNI=| F=<|{_WORDS}")
_SNI: Final = rf' SNI=(?:"(?:(?!"(?: F=<|{_WORDS})).){{0,1000}}"|[^\s"]\S*)'
_TLS: Final = rf"(?: PRX=\S+)?(?: X=\S+)?(?: CV=\S+)?(?:{_CERTIFICATE})?(?:{_SNI})?(?: L[.*-]*)?"
_PORTS: Final = r"(?::\d+)?(?: I=\[[^\]\s]*\](?::?\d+)?)?(?: TFO\*?)?"
_CHECKS: Final = r" (?:SPF|DMARC|DKIM|ARC)(?:=\S+)?"
_LOGIN: Final = rf"(?: A=[^\s:]+(?::(?P<login>(?:(?!{_WORDS}|{_CHECKS}(?: |\Z)).){{0,1000}}))?)?(?:{_CHECKS})*"
_ENVELOPE: Final = rf"(?: F=<(?P<sender>{ADDRESS})>)?(?: Q=\S+)?(?: P=<{ADDRESS}>)?{_LOGIN}"
_TO_THE_WORDS: Final = rf"(?: Ci=\w+)?{_TLS}{_ENVELOPE} {_CLIENTS_WORDS}"

_flag = re.compile(r" ?(?:DS ?)?(?:([HU])=)?").match
_name = re.compile(r"(?:[^\s()\[\]]+ )?").match
_ips = re.compile(r"\[[0-9A-Fa-f.:]+\]").finditer
_behind_host = re.compile(rf"{_PORTS}(?: U={_IDENT})?{_TO_THE_WORDS}").match
_behind_flag = re.compile(rf"(?P<ident>{_IDENT}){_TO_THE_WORDS}").match
_ident = re.compile(r"([^\[\]]*?)(?= Ci=\w| P=|: | \(| (?:temporarily )?rejected |\Z)").match
_cutthrough = re.compile(
    rf"{_PORTS}(?: Ci=\w+)?(?P<to>(?:(?! F=<| X=| CV=| DN=\"|{_WORDS}| (?:{_NO_REFUSAL})).){{2,2000}})(?P<login>)"
    rf" F=<(?P<sender>{ADDRESS})>(?: Q=\S+)?(?: P=<{ADDRESS}>)?"
    r" (?=rejected after DATA: [RT]=|tmp-reject from cutthrough )"
).match
"""Matches what follows a client whose message the next hop has refused: perhaps ident, and the recipient (verify.c)."""
_is_cutthrough = re.compile(r"rejected after DATA: [RT]=|tmp-reject from cutthrough ").search
_MAX_HOSTS: Final = 200


class Client(NamedTuple):
    """A client in a line."""

    client: str
    """`name [ip]`, or the ident of a local session."""
    end: int
    """The index of what follows it."""


def is_session(text: str) -> bool:
    """Return whether a text begins with the fields of a session."""
    return text.startswith(("H=", "U=", " DSH=", "DSH=", " DS H=", "DS H="))


def session_of(text: str) -> tuple[str, re.Match[str]] | None:
    """Return the client of a text that begins with it, and the match of all fields up to the words about it.

    The first words after a client count: they may repeat what it has sent.
    """
    begins = _flag(text)
    start = begins.end() if begins else 0
    if begins and begins[1] == "U":
        found = _behind_flag(text, start)
        return (found["ident"], found) if found else None
    find = _behind_cutthrough if _is_cutthrough(text) else _behind_host
    for end in islice(_hosts(text, start), _MAX_HOSTS):
        if found := find(text, end):
            return client_of(text[start:end]), found
    return None


def _behind_cutthrough(text: str, end: int) -> re.Match[str] | None:
    return _cutthrough(text, end) or _behind_host(text, end)


def client_at(text: str, start: int, is_bare: bool = False) -> Client | None:
    """Return the client at an index of a text, after `H=` or `U=` unless it is bare; None if there is none."""
    begins = _flag(text, start)
    flag = begins[1] if begins else None
    if begins is None or not (flag or is_bare):
        return None
    start = begins.end()
    if flag != "U":
        for end in _hosts(text, start):
            return Client(client_of(text[start:end]), end)
    found = _ident(text, start) if flag != "H" else None
    return Client(found[1], found.end()) if found and found[1] else None


def _hosts(text: str, start: int) -> Iterator[int]:
    """Yield the ends of the addresses before which there is a whole name: `name `, `(helo) `, both, or nothing."""
    begins = _name(text, start)
    named = begins.end() if begins else start
    has_own_name = text[named : named + 1] == "("
    for found in _ips(text, named):
        at = found.start()
        if at == named or (has_own_name and text[at - 2 : at] == ") "):
            yield found.end()
        elif not has_own_name:
            return
