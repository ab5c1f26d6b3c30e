r"""Exim's own log files, and what Exim adds to its lines in syslog.

A line of a file has no host and no program, and an entry of the reject log has the message's headers on further lines:

    2026-11-28 19:10:11[.483] [+0530] [[12345]] TEXT

In syslog that stamp stands before the text, unless `syslog_timestamp` is off. A long entry is cut into pieces, `[1/3]`,
and each line of an entry is a piece of its own: `[1\3]` ends with a line. What goes to the reject log too comes twice.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from mailtrace.mta.queue_ids import EXIM_ID, exim_time
from mailtrace.syslog.records import EXIM_COPY, EXIM_HEADER, EXIM_LOST_PIECE, EXIM_PIECE, Record, Unframed
from mailtrace.syslog.stamp import Stamp, offset_of
from mailtrace.syslog.year import Timeline, instant_of_stamp

PROGRAM: Final = "exim"
"""How the names of Exim's programs begin; also the name of the one that writes its files."""
_CLOCK: Final = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
_own = re.compile(rf"({_CLOCK})(?:\.(\d{{3}}))?(?: ([+-]\d{{4}}))?(?: \[(\d{{1,10}})\])? ", re.ASCII).match
_pid = re.compile(r"\[(\d{1,10})\] ", re.ASCII).match
_piece = re.compile(r"\[(\d{1,3})([/\\])(\d{1,3})\] ", re.ASCII).match
_is_id = re.compile(rf"{EXIM_ID} (?!\S{{1,255}}\[\d{{1,10}}\]: )").match
_begins = re.compile(
    r"[HU]=| ?DS ?H=|cwd=/|exim \d|SMTP |TLS |(?:Start|End) (?:'[^']{1,64}' )?queue run: "
    r"|no (?:host name|IP address) found for |no MAIL in SMTP "
    r"|(?:temporarily )?(?:rejected |refused connection from )|too many recipients: "
    r"|unqualified (?:sender|recipient|verify) rejected: |Connection from \[|unexpected disconnection "
    r"|connection from .{1,400} refused \(|ridiculously long message header |overlong message header line "
    r"|\w{1,64} authenticator |(?:VRFY|EXPN|ETRN) |Warning: |daemon: |pid \d|SIG[A-Z]{3,4} |ident connection "
    r"|socket bind|listening |DKIM: "
).match
"""How the lines begin that have no message ID. Others without one are free text of an access control list."""
_continues = re.compile(r"[A-Z* ] [!-9;-~]{1,200}[ \t]*:|[ \t]|Envelope-(?:from|to): |\*\*\* truncated \*\*\*").match
_RECIPIENTS: Final = "Envelope-to: "
_NEXT_RECIPIENT: Final = "    <"
_REPEATED: Final = ("rejected ", "rejected: ", "refused", ": discarded by ", "tmp-reject ", "authenticator failed ")
"""Words of the lines that Exim writes to the reject log too."""
_ID_LENGTHS: Final = (16, 23)
_FLAGS: Final = frozenset(("<= ", "=> ", "-> ", "== ", "** ", "Com"))
_new: Final = tuple.__new__
_SECOND: Final = 1_000_000
_MAX_COPIES: Final = 16
_MAX_ENTRIES: Final = 256
_LONGEST: Final = 65536

is_piece = _piece


class _Entry(NamedTuple):
    """An entry of which further lines or pieces may come."""

    time: int
    prefix: str
    """The message ID and a blank, which its further lines get; a blank if they say nothing; empty before its first."""
    piece: int = 0
    """The number of the last piece; 0 in a file."""
    pieces: int = 0
    text: str = ""
    """The beginning of a line whose end is in the next piece."""
    names: bool = False
    """Whether its last line named a recipient: the next one may name another, without a field's name."""

    def continued(self, line: str) -> "_Entry":
        """Return the entry after a further line."""
        is_next = self.names and line.startswith(_NEXT_RECIPIENT)
        return self._replace(names=is_next or line.startswith(_RECIPIENTS))

    def text_of(self, line: str) -> str:
        """Return the text of a further line with the message ID, and with the name of its field.

        A header may be folded before an address, but no header stands between the recipients.
        """
        if self.names and line.startswith(_NEXT_RECIPIENT):
            line = _RECIPIENTS + line.lstrip(" ")
        return self.prefix + line


_Process = tuple[str, str]
"""The host and the process ID."""


class EximLines:
    """Parses the lines of Exim's own files, and the texts of Exim's lines in syslog, in their order."""

    def __init__(self) -> None:
        self.host = ""
        """The host of lines that name none."""
        self._second: tuple[str, str | None] = ("", None)
        self._instant = 0
        self._of_file: tuple[_Entry, str] | None = None
        """The refusal at the end of a file's lines so far, and its process ID."""
        self._entries: OrderedDict[_Process, _Entry] = OrderedDict()
        self._copies: OrderedDict[_Process, tuple[int, str]] = OrderedDict()

    def record(self, line: str, years: Timeline) -> Record | None:
        """Return the record of a line of Exim's own file; None for any other line."""
        found = _own(line) if line[10:11] == " " else None
        if found is None or not _is_own(line, found):
            return self._further(line, found)
        second, milli, zone, pid = found.groups()
        if (time := self._time(second, zone, years)) is None:
            return None
        if milli:
            time += int(milli) * 1000
        text, pid = line[found.end() :], pid or ""
        if text[-1:] == "\r":
            text = text[:-1]
        prefix = _prefix(text) if "rejected " in text else ""
        self._of_file = (_Entry(time, prefix), pid) if prefix else None
        return _new(Record, (time, self.host, PROGRAM, pid, text))

    def _time(self, second: str, zone: str | None, years: Timeline) -> int | None:
        """Return the time of a stamp in microseconds since 1970; None if there is no such date."""
        if (second, zone) != self._second:
            instant = years.instant(_stamp(second, zone))
            if instant is None:
                return None
            self._second, self._instant = (second, zone), instant * _SECOND
        return self._instant

    def _further(self, line: str, stamp: re.Match[str] | None) -> Record | None:
        """Return the record of a further line of a refusal in a file."""
        if self._of_file is None:
            return None
        if stamp or not _continues(line):
            self._of_file = None
            return None
        entry, pid = self._of_file
        self._of_file = entry.continued(line), pid
        return Record(entry.time, self.host, PROGRAM, pid, entry.text_of(line.rstrip("\r")))

    def unwrapped(self, record: Record) -> Record | Unframed:
        """Return the record of a line from syslog without Exim's stamp, or why it has none: a copy, or a piece."""
        text = record.text
        if text[:1] == "[" and (piece := _piece(text)):
            return self._joined(record, int(piece[1]), int(piece[3]), piece[2] == "\\")
        return self._copied_once(_unstamped(record))

    def _joined(self, record: Record, number: int, pieces: int, ends_line: bool) -> Record | Unframed:
        process = record.host, record.pid
        text = record.text[record.text.index(" ") + 1 :]
        entry = self._entries.pop(process, None)
        if number == 1:
            entry = _Entry(record.time, "", 0, pieces)
        elif entry is None or (entry.piece, entry.pieces) != (number - 1, pieces):
            return EXIM_LOST_PIECE
        whole, ends = entry.text + text, ends_line or number == pieces
        if len(whole) > _LONGEST:
            return EXIM_LOST_PIECE
        made: Record | Unframed = EXIM_PIECE
        if ends and not entry.prefix:
            first = _unstamped(record._replace(time=entry.time, text=whole))
            entry = entry._replace(prefix=_prefix(first.text) or " ")
            made = self._copied_once(first)
        elif ends:
            made = record._replace(time=entry.time, text=entry.text_of(whole)) if entry.prefix > " " else EXIM_HEADER
            entry = entry.continued(whole)
        if number < pieces:
            self._keep(process, entry._replace(piece=number, text="" if ends else whole))
        return made

    def _keep(self, process: _Process, entry: _Entry) -> None:
        self._entries[process] = entry
        if len(self._entries) > _MAX_ENTRIES:
            self._entries.popitem(last=False)

    def _copied_once(self, record: Record) -> Record | Unframed:
        """Return the record, unless it is the copy of the process's last refusal for the reject log."""
        text = record.text
        if not any(word in text for word in _REPEATED):
            return record
        process = record.host, record.pid
        known = self._copies.pop(process, None)
        if known is not None and known[1] == text and abs(record.time - known[0]) <= _SECOND:
            return EXIM_COPY
        self._copies[process] = record.time, text
        if len(self._copies) > _MAX_COPIES:
            self._copies.popitem(last=False)
        return record

    def state(self) -> dict[str, Any]:
        """Return what is needed to continue, as JSON; empty if nothing is."""
        state: dict[str, Any] = {}
        if self._of_file:
            entry, pid = self._of_file
            state["file"] = [entry.time, entry.prefix, pid, entry.names]
        if self._entries:
            state["entries"] = [[*process, *entry] for process, entry in self._entries.items()]
        if self._copies:
            state["copies"] = [[*process, *copy] for process, copy in self._copies.items()]
        return state

    def resume(self, state: Mapping[str, Any]) -> None:
        """Continue from an earlier `state`."""
        if kept := state.get("file"):
            self._of_file = _Entry(kept[0], kept[1], names=len(kept) > 3 and kept[3]), kept[2]
        for host, pid, *entry in state.get("entries", []):
            self._entries[host, pid] = _Entry(*entry)
        for host, pid, time, text in state.get("copies", []):
            self._copies[host, pid] = time, text


def _is_own(line: str, found: re.Match[str]) -> bool:
    """Return whether Exim wrote the text after a stamp, rather than that a host's name and a program follow it."""
    at = found.end()
    if found[4] is not None:
        return True
    end = line.find(" ", at)
    if end - at in _ID_LENGTHS and _has_time(line[at:end]):
        return line[end + 1 : end + 4] in _FLAGS or _is_id(line, at) is not None
    return _begins(line, at) is not None


@lru_cache(maxsize=4096)
def _has_time(queue_id: str) -> bool:
    return exim_time(queue_id) is not None


def _prefix(text: str) -> str:
    """Return the message ID of a refusal with a blank; empty for any other line."""
    queue_id, _, rest = text.partition(" ")
    return f"{queue_id} " if "rejected " in rest and _is_id(text) else ""


def _stamp(second: str, zone: str | None) -> Stamp:
    year, month, day = int(second[:4]), int(second[5:7]), int(second[8:10])
    hour, minute = int(second[11:13]), int(second[14:16])
    if hour > 23 or minute > 59:
        day = 0
    return Stamp(year, month, day, hour * 3600 + minute * 60 + int(second[17:]), 0, offset_of(zone), 0)


def _unstamped(record: Record) -> Record:
    """Return a record without Exim's own stamp and process ID before its text; its zone decides if it has one."""
    time, host, program, pid, text = record
    found = _own(text)
    if found is None:
        found = _pid(text)
        return Record(time, host, program, pid or found[1], text[found.end() :]) if found else record
    second, milli, zone, own_pid = found.groups()
    if zone is not None:
        stamp = _stamp(second, zone)
        instant = instant_of_stamp(stamp)
        if instant is not None and (milli or time // _SECOND != instant):
            time = instant * _SECOND + int(milli or 0) * 1000
    return Record(time, host, program, pid or own_pid or "", text[found.end() :])
