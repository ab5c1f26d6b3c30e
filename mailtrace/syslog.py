"""The frame of a log line: when, on which host and by which program it was written, and what it says.

Understood are, mixed as they come: RFC 3164 as syslogd, rsyslog, syslog-ng and Postfix's postlogd write it, with the
additions of BSD (`<mail.info>`), Solaris (`[ID 801593 mail.info]`), AIX (`mail:info`) and BusyBox (`mail.info`); ISO
8601 stamps in front of the same; RFC 5424; journalctl's short, short-iso and json outputs; and any of these behind
docker compose's `name | ` or within a shipper's JSON.
"""

import re
from collections.abc import Mapping
from datetime import timezone, tzinfo
from typing import Any, Final, NamedTuple

import orjson

from mailtrace.years import MONTHS, Plan, Stamp, Years, beginning_of, instant_of, midnight, stamp_of


class Record(NamedTuple):
    """One log line, taken out of its frame."""

    time: int
    """Microseconds since 1970, UTC."""
    host: str
    """In lower case, as logged; empty where the line has none."""
    program: str
    """`postfix/submission/smtpd`, `sm-mta`; empty where the line has none."""
    pid: str
    text: str


class Unframed(NamedTuple):
    """A line without a record, and why."""

    reason: str
    ignored: bool
    """Whether it is known to say nothing, such as `-- MARK --`."""


_BLANK: Final = Unframed("blank line", ignored=True)
_JOURNAL_NOTE: Final = Unframed("journalctl's own line", ignored=True)
_MARK: Final = Unframed("syslogd's mark", ignored=True)
_REPEATED: Final = Unframed("last message repeated", ignored=True)
_NO_STAMP: Final = Unframed("no time stamp", ignored=False)
_NO_DATE: Final = Unframed("no such date", ignored=False)
_NO_YEAR: Final = Unframed("the year is not known", ignored=False)
_NO_JSON: Final = Unframed("JSON that is no journal entry", ignored=False)

_DATES: Final = {
    f"{text} {day} ": (number, int(day))
    for month, number in MONTHS.items()
    if len(month) == 3
    for text in (month, month.capitalize())
    for day in [f"{day:02}" for day in range(1, 32)] + [f"{day:2}" for day in range(1, 10)]
}
"""How RFC 3164 writes a month and a day, with the blank behind."""
_MINUTES: Final = {f"{minute // 60:02}:{minute % 60:02}:": minute * 60 for minute in range(1440)}
"""Every minute of a day, in seconds."""
_SECONDS: Final = {f"{number:02}": number for number in range(61)}

_FRACTION: Final = 6
"""Digits of an ISO stamp's fraction that is read by its columns."""
_MAX_HEADS: Final = 4096
_MAX_HEAD: Final = 256
_TABS: Final = 3
"""Behind stamp, host and tag, where a template separates them so."""
_new: Final = tuple.__new__

_tag = re.compile(r"([^\s\[\]:]{1,255})(?:\[([^\s\[\]]{0,64})\])?(?: <[A-Za-z]{1,16}>)?:(?: |\Z)").match
_tag_with_pid = re.compile(r"([^\s\[\]:]{1,255})\[([^\s\[\]]{0,64})\]:").match
_tag_without_colon = re.compile(r"([^\s\[\]:]{1,255})\[(\d{1,10})\] ").match
_cut_tag = re.compile(r"(?=\S{32} )([^\s\[\]:]+)(?:\[(\d*))?(?: |\] )").match
"""Some relays cut tags at 32 characters (RFC 3164)."""
_whole_tag = re.compile(r"([^\s\[\]:]{1,255})(?:\[([^\s\[\]]{0,64})\])?\Z").match
_bsd_facility = re.compile(r"<\w{1,16}\.\w{1,16}> ").match
_facility = re.compile(r"[a-z]\w{1,9}[.:][a-z]{3,8} ", re.ASCII).match
_zone_name = re.compile(r"[A-Z]{3,5} (?=[^\s:]{1,255} [^\s:]{1,255}:(?: |\Z))").match
_data_mark = re.compile(r'\\.|["\]]').finditer
_solaris_id = re.compile(r"\[ID \d{1,12} [\w.]{1,32}\] ?", re.ASCII).match
_message_repeated = re.compile(r"message repeated \d{1,9} times?: \[ ?", re.ASCII).match
_container_stream = re.compile(r"\s?std(?:out|err) [FP] ").match
_version = re.compile(r"[1-9]\d? (?=\d{4}-|- )", re.ASCII).match
_FORWARDED: Final = "Message forwarded from "
_BLANKS: Final = " \t\r\n\0"


class Frames:
    """Takes the lines of one log, in their order, out of their frames."""

    def __init__(self, zone: tzinfo, year: int | None) -> None:
        """Begin a log.

        `zone` is that of stamps without one; `year` the year of the first line whose stamp has none: None leaves
        such lines without a record.
        """
        self._begin(Years(zone, year))

    @classmethod
    def resume(cls, zone: tzinfo, state: Mapping[str, Any]) -> "Frames":
        """Go on with a log where `state` was taken."""
        frames = cls(zone, None)
        frames._begin(Years(zone, state.get("year"), state.get("latest"), state.get("dated"), state.get("seen")))
        return frames

    @classmethod
    def dated_by(cls, years: Years) -> "Frames":
        """Begin a log whose stamps are given to `years`."""
        frames = cls(timezone.utc, None)
        frames._begin(years)
        return frames

    def follow(self, plan: Plan) -> None:
        """Take the years of the next lines from a plan, and look at each stamp anew."""
        self._years.follow(plan)
        self._keep("\n", 0)

    def state(self) -> dict[str, Any]:
        """Return what `resume` needs, as JSON: the year, and the latest instants in seconds since 1970."""
        return self._years.state()

    def _begin(self, years: Years) -> None:
        self._years = years
        self._heads: dict[str, tuple[str, str, str]] = {}
        # The stamp of the line before: most lines repeat it. "\n" is in none.
        self._keep("\n", 0)
        self._iso_day, self._iso_zone = "\n", "\n"
        self._iso_start, self._iso_is_local = 0, False

    def _keep(self, stamp: str, time: int, *, has_fraction: bool = False) -> None:
        """Keep how a line began, up to the head or a fraction of six digits, and that instant in microseconds."""
        self._stamp, self._time, self._has_fraction = stamp, time, has_fraction
        self._at = len(stamp) + _FRACTION if has_fraction else len(stamp)

    def record(self, line: str) -> Record | Unframed:
        """Return the record of the next line, given without its newline; an `Unframed` says why there is none.

        It never raises, whatever the line is.
        """
        if not line.startswith(self._stamp):
            return self._next_second(line)
        at, time = self._at, self._time
        if self._has_fraction:
            digits = line[at - _FRACTION : at]
            if not digits.isdecimal():
                return self._any(line)
            time += int(digits)
        colon = line.find(": ", at)
        head = self._heads.get(line[at:colon]) or self._learn(line, at, colon)
        if head is None or colon < 0:
            return self._any(line)
        text = line[colon + 2 :]
        # Most texts begin with a queue ID, which is below "[" and "m" by its first digit or capital.
        if (text >= "[" and text[0] in "[m") or text < "!" or line[-1] <= " ":
            text = _plain(text)
        host, program, pid = head
        return _new(Record, (time, host, program, pid, text))

    def _learn(self, line: str, at: int, colon: int) -> tuple[str, str, str] | None:
        """Remember host, program and process ID of what stands between stamp and text; None where it is no such.

        Behind the microseconds of an ISO stamp, the zone is part of what is remembered, so that another is seen.
        """
        if not 0 < colon - at <= _MAX_HEAD:
            return None
        start = at
        if self._has_fraction and at == self._at:
            if not line.startswith(self._iso_zone, at):
                return None
            start += len(self._iso_zone)
        words = line[start:colon].split(" ")
        if len(words) == 3 and _bsd_facility(words[0] + " "):
            del words[0]
        elif len(words) == 3 and _facility(words[1] + " "):
            del words[1]
        tag = _whole_tag(words[-1]) if len(words) == 2 else None
        if tag is None or not words[0]:
            return None
        if len(self._heads) >= _MAX_HEADS:
            self._heads.clear()
        self._heads[line[at:colon]] = head = (_host(words[0]), tag[1], tag[2] or "")
        return head

    def _next_second(self, line: str) -> Record | Unframed:
        """The record of a line whose second is another than before: the two usual kinds of stamps by their columns."""
        if (date := _DATES.get(line[:7])) is not None:
            minute, second = _MINUTES.get(line[7:13]), _SECONDS.get(line[13:15])
            if minute is not None and second is not None and line[15:16] == " " and self._is_framed(line, 16):
                return self._without_year(line, *date, minute + second)
        elif line[:11] == self._iso_day and line[19:20] == ".":
            minute, second = _MINUTES.get(line[11:17]), _SECONDS.get(line[17:19])
            if minute is not None and second is not None and line.startswith(self._iso_zone, 26):
                instant = self._iso_start + minute + second
                if self._iso_is_local:
                    instant = self._years.local(instant)
                self._keep(line[:20], instant * 1_000_000, has_fraction=True)
                return self.record(line)
        return self._any(line)

    def _is_framed(self, line: str, at: int) -> bool:
        """Whether host and program follow: if not, there may be more of the stamp, and its year."""
        colon = line.find(": ", at)
        return line[at:colon] in self._heads or self._learn(line, at, colon) is not None

    def _without_year(self, line: str, month: int, day: int, second: int) -> Record | Unframed:
        instant = self._years.without_year(month, day, second)
        if instant is None:
            return self._undated()
        self._keep(line[:16], instant * 1_000_000)
        return self.record(line)

    def _undated(self) -> Unframed:
        return _NO_YEAR if self._years.year is None else _NO_DATE

    def _any(self, line: str) -> Record | Unframed:
        """The record of a line in any frame."""
        at = beginning_of(line)
        if line[at : at + 1] == "{":
            return self._json(line[at:])
        if version := _version(line[at : at + 8]):
            return self._rfc5424(line[at + version.end() :])
        stamp = stamp_of(line, at)
        if stamp is None:
            return _unstamped(line, at)
        framed = self._framed(line, stamp.end)
        if type(framed) is Unframed:
            return framed
        instant = self._years.instant(stamp)
        if instant is None:
            return self._undated() if stamp.year is None else _NO_DATE
        time = instant * 1_000_000 + stamp.micro
        self._remember(line, at, stamp, time)
        return _new(Record, (time, *framed))

    def _framed(self, line: str, at: int) -> tuple[str, str, str, str] | Unframed:
        colon = line.find(": ", at)
        head = self._heads.get(line[at + 1 : colon]) or self._learn(line, at + 1, colon)
        if line[at : at + 1] == "\t":
            return _framed(line[at:].replace("\t", " ", _TABS).lstrip(" "))
        if head is None or colon < 0 or line[at] != " ":
            return _framed(line[at:].lstrip(" "))
        return *head, _plain(line[colon + 2 :])

    def _remember(self, line: str, at: int, stamp: Stamp, time: int) -> None:
        """Keep the stamp for the lines after, and of an ISO stamp what its day is."""
        if line[stamp.end : stamp.end + 1] != " ":
            self._keep("\n", 0)
            return
        self._keep(line[: stamp.end + 1], time)
        if at or stamp.year is None or line[4:5] != "-" or line[19:20] != "." or not line[20:26].isdecimal():
            return
        zone = line[26 : line.find(" ", 26) + 1]
        if 26 + len(zone) == stamp.end + 1 and not zone[0].isdigit():
            start = midnight(stamp.year, stamp.month, stamp.day) or 0
            if zone != self._iso_zone:
                self._heads.clear()
            self._iso_day, self._iso_zone, self._iso_is_local = line[:11], zone, stamp.offset is None
            self._iso_start = start - (stamp.offset or 0)
            self._keep(line[:20], time - stamp.micro, has_fraction=True)

    def _rfc5424(self, line: str) -> Record | Unframed:
        """RFC 5424, after the version."""
        stamp_text, host, program, pid, _, rest = (*line.split(" ", 5), "", "", "", "", "")[:6]
        stamp = stamp_of(stamp_text)
        if stamp is None or stamp.year is None:
            return _NO_STAMP
        instant = self._years.instant(stamp)
        if instant is None:
            return _NO_DATE
        text = _plain(_after_data(rest).removeprefix("\ufeff"))
        host, program, pid = (_host(host), *("" if field == "-" else field for field in (program, pid)))
        return Record(instant * 1_000_000 + stamp.micro, host, program, pid, text)

    def _json(self, line: str) -> Record | Unframed:
        """A line of `journalctl -o json`, or a line in another frame within docker's or a log shipper's JSON."""
        try:
            entry = orjson.loads(line)
        except ValueError:
            return _NO_JSON
        line = entry.get("log", entry.get("message"))
        if isinstance(line, str) and not line.lstrip().startswith("{"):
            self._years.told = instant_of(entry.get("time", entry.get("@timestamp")))
            record = self._any(line.rstrip("\n"))
            self._years.told = None
            return record
        time, text = _field(entry, "__REALTIME_TIMESTAMP"), _field(entry, "MESSAGE")
        if not (time.isdecimal() and len(time) < 18 and "MESSAGE" in entry):
            return _NO_JSON
        program = _field(entry, "SYSLOG_IDENTIFIER") or _field(entry, "_COMM")
        pid = _field(entry, "_PID") or _field(entry, "SYSLOG_PID")
        return Record(int(time), _host(_field(entry, "_HOSTNAME")), program, pid, _plain(text))


def _field(entry: Mapping[str, Any], name: str) -> str:
    """A journal field: text, or the numbers of its bytes where it is no UTF-8; the first of several values."""
    value = entry.get(name)
    if isinstance(value, list):
        if value and all(type(byte) is int and 0 <= byte < 256 for byte in value):
            return bytes(value).decode("utf-8", "backslashreplace")
        value = value[0] if value else ""
    return value if isinstance(value, str) else str(value) if type(value) is int else ""


def _host(name: str) -> str:
    """A host's name, without the sources through which syslog-ng has chained it (`src@host/host`)."""
    name = name.rpartition("/")[2].rpartition("@")[2].lower()
    return "" if name == "-" else name


def _plain(text: str) -> str:
    """The text without Solaris's message ID, syslogd's brackets around a repeated one, and blanks around it.

    rsyslog's `%msg%` begins with a blank: a template that adds one has two.
    """
    text = text.strip(_BLANKS)
    if found := _solaris_id(text):
        text = text[found.end() :]
    if found := _message_repeated(text):
        text = text[found.end() :].removesuffix("]")
    return text


def _unstamped(line: str, at: int) -> Unframed:
    rest = line[at:].strip("\0\ufeff \t\r\n")
    if not rest:
        return _BLANK
    if rest.startswith("-- "):
        return _JOURNAL_NOTE
    return _nothing(rest) or _NO_STAMP


def _nothing(text: str) -> Unframed | None:
    """What syslogd says of itself."""
    if text.startswith("-- MARK --"):
        return _MARK
    start = text[:20].lower().lstrip("- ")
    return _REPEATED if start.startswith("last message") and " repeated " in text else None


def _framed(rest: str) -> tuple[str, str, str, str] | Unframed:
    """Host, program, process ID and text of what follows a stamp, with all that systems put between them."""
    if found := _container_stream(rest):
        rest = rest[found.end() :]
    inner = stamp_of(rest)
    if inner is not None:
        rest = rest[inner.end :].lstrip()
    for prefix in (_bsd_facility, _zone_name):
        if found := prefix(rest):
            rest = rest[found.end() :].lstrip()
    if nothing := _nothing(rest):
        return nothing
    host, rest = _host_and_rest(rest)
    if found := _facility(rest):
        rest = rest[found.end() :]
    if rest.startswith(_FORWARDED):
        host, _, rest = rest[len(_FORWARDED) :].partition(": ")
    tag = _any_tag(rest)
    if tag is None and (inner := stamp_of(rest)) is not None:
        # A relay has put its own header before the one that it was sent.
        host, rest = _host_and_rest(rest[inner.end :].lstrip(" "))
        tag = _any_tag(rest)
    if tag is None:
        return _nothing(rest) or (_host(host), "", "", _plain(rest))
    return _host(host), tag[1], tag[2] or "", _plain(rest[tag.end() :])


def _any_tag(rest: str) -> re.Match[str] | None:
    return _tag(rest) or _tag_with_pid(rest) or _tag_without_colon(rest) or _cut_tag(rest)


def _host_and_rest(rest: str) -> tuple[str, str]:
    """The host, where one is named: the first word, unless that is the program's tag."""
    if rest.startswith(_FORWARDED):
        return "", rest
    word, _, after = rest.partition(" ")
    if not word.endswith(":"):
        return word, after.lstrip(" ")
    if _tag_with_pid(after) and not word.endswith("]:") and "/" not in word:
        return word if word.endswith("::") else word[:-1], after
    return "", rest


def _after_data(rest: str) -> str:
    """The text behind RFC 5424's structured data: `-`, or elements in brackets, with any text in quotes."""
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
