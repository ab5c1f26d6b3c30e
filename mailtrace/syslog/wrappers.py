"""Parse JSON around a log line or its text, as Docker, the journal and log collectors write it.

The text is in a member such as `message`, `log` or `short_message`. It is a whole line in another format, or only the
text, and time, host, program and process ID are in further members.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import orjson

from mailtrace.syslog.headers import Header, facility, header_of, whole_tag
from mailtrace.syslog.prefixes import begun, version_at
from mailtrace.syslog.records import NO_JSON, Unframed
from mailtrace.syslog.stamp import Stamp, stamp_at, stamp_of
from mailtrace.syslog.text import decoded

MAX_DEPTH: Final = 3
"""The most wrappers inside each other."""

_TEXTS: Final = (
    *("message", "log", "msg", "shortmessage", "@message", "eventoriginal", "line", "textpayload", "syslogmessage"),
    *("event", "content", "text", "body", "bodystringvalue", "rawmsg", "raw", "fullmessage"),
)
_TIMES: Final = (
    *("timereported", "@timestamp", "timestamp", "time", "timegenerated", "eventtime", "date", "ts", "syslogtimestamp"),
    *("realtimetimestamp", "sourcerealtimetimestamp", "timeunixnano"),
)
_HOSTS: Final = (
    *("sysloghost", "logsysloghostname", "sysloghostname", "hostname", "host", "hosthostname", "logsource", "fromhost"),
    "computer",
)
_PROGRAMS: Final = (
    *("programname", "program", "syslogprogram", "logsyslogappname", "appname", "applicationname", "processname"),
    *("processprogram", "process", "ident", "syslogidentifier", "comm"),
)
_PIDS: Final = ("procid", "pid", "syslogpid", "logsyslogprocid", "processpid", "processid")
_FOLDED: Final = str.maketrans({**{chr(code): chr(code + 32) for code in range(65, 91)}, **dict.fromkeys("_-. ")})
"""Names are compared in lower case and without separators between words: `app-name`, `APP_NAME`, `appName`."""
_LABELS: Final = frozenset((*_PROGRAMS, "syslogtag", "tag"))
_LEVELS: Final = 3
"""The most levels of objects in an event that are searched: `{"log": {"syslog": {"appname": ...}}}`."""
_MAX_DIGITS: Final = 19

_before_event = re.compile(
    r"[ \t]{1,8}(?:std(?:out|err) [FP] )?(?=\{\")|\t[^\t{]{1,128}\t(?=\{\")|[ ][^\s{]{1,128}: (?=\{\")"
).match
"""Between stamp and JSON: nothing, a container runtime's stream name, or fluentd's tag."""
_NANOSECONDS: Final = re.compile(r"\.\d{9} [+-]\d{4}\Z").search
"""How the stamp of fluentd's out_stdout ends."""


class Event(NamedTuple):
    """A log line in JSON."""

    text: str
    """The line, or its text."""
    program: str
    pid: str
    is_labelled: bool
    """Whether a member names the program, so that the text is not a line with a header of its own."""
    members: Mapping[str, Any]
    """All members, by their names in lower case without `_`, `-` and `.`, from objects within too."""
    instant: int | None = None
    """The journal's time, in microseconds since 1970."""

    @property
    def host(self) -> str:
        """The host in the event's members; empty if there is none."""
        return _first(self.members, _HOSTS)

    def time(self) -> int | Stamp | None:
        """Return its time: in microseconds since 1970, or as a stamp; None if it has none."""
        return _time(self.members) if self.instant is None else self.instant


def event_of(line: str) -> Event | Unframed:
    """Return the event of a line of JSON, or the reason that it is none."""
    try:
        # An element of an array may end with a comma or bracket.
        entry = orjson.loads(line.rstrip(" \t\r\n,]"))
    except ValueError:
        return NO_JSON
    if "__REALTIME_TIMESTAMP" in entry and "MESSAGE" in entry:
        return journal_event(entry)
    source = entry.get("_source")
    members: dict[str, Any] = {}
    _flatten(source if isinstance(source, dict) else entry, "", _LEVELS, members)
    texts = [text for name in _TEXTS if name in members and (text := _text(members, name))]
    if not texts:
        return NO_JSON
    program, pid, is_labelled = _program(members) if members.keys() & _LABELS else ("", "", False)
    if is_labelled:
        text = _whole(texts, members)
    else:
        text = texts[0] if len(texts) == 1 else next(filter(is_line, texts), texts[0])
    return Event(text, program, pid or _first(members, _PIDS), is_labelled, members)


def journal_event(entry: Mapping[str, Any]) -> Event | Unframed:
    """Return the event of a journal entry, from its fields; or the reason that it is none."""
    time, text = _text(entry, "__REALTIME_TIMESTAMP"), _text(entry, "MESSAGE")
    if not (time.isdecimal() and len(time) < 18 and "MESSAGE" in entry):
        return NO_JSON
    program = _text(entry, "SYSLOG_IDENTIFIER") or _text(entry, "_COMM")
    pid = _text(entry, "_PID") or _text(entry, "SYSLOG_PID")
    # Docker's journal driver gives the container's name for the program.
    is_labelled = "CONTAINER_NAME" not in entry
    return Event(text, program, pid, is_labelled, {"hostname": entry.get("_HOSTNAME")}, int(time))


def event_at(line: str, stamp: Stamp) -> int:
    """Return the index of the JSON that follows a stamp and ends the line; 0 if there is none."""
    found = _before_event(line, stamp.end)
    if not found or (found[0][-2:] == ": " and not _NANOSECONDS(line[: stamp.end])):
        return 0
    return found.end()


def is_line(text: str) -> bool:
    """Return whether a text is a line with a frame."""
    at, stamp = begun(text)
    return stamp is not None or text[at : at + 2] == '{"' or version_at(text, at) > 0


def is_line_in(event: Event) -> bool:
    """Return whether an event's text is a line with a frame; a line of another program than the event's is a text."""
    if not event.is_labelled:
        return is_line(event.text)
    stamp = None if event.instant else begun(event.text)[1]
    header = header_of(event.text[stamp.end :].lstrip(" ")) if stamp else None
    return isinstance(header, Header) and header.program.startswith(event.program)


def _flatten(entry: Mapping[str, Any], prefix: str, levels: int, members: dict[str, Any]) -> None:
    for name, value in entry.items():
        key = prefix + name.translate(_FOLDED)
        if type(value) is not dict:
            members.setdefault(key, value)
        elif levels:
            _flatten(value, key, levels - 1, members)


def _text(entry: Mapping[str, Any], name: str) -> str:
    """Return a member as text: from a list of numbers its bytes, from any other list its first value."""
    value = entry.get(name)
    if isinstance(value, list):
        if value and all(type(byte) is int and 0 <= byte < 256 for byte in value):
            return decoded(bytes(value))
        value = value[0] if value else ""
    return value if isinstance(value, str) else str(value) if type(value) is int else ""


def _first(members: Mapping[str, Any], names: Iterable[str]) -> str:
    return next((text for name in names if name in members and (text := _text(members, name)) and text != "-"), "")


def _whole(texts: list[str], members: Mapping[str, Any]) -> str:
    """Return the text; GELF's long one if the short one was cut."""
    full = _text(members, "fullmessage")
    return full if texts[0] == members.get("shortmessage") and full.startswith(texts[0]) else texts[0]


def _program(members: Mapping[str, Any]) -> tuple[str, str, bool]:
    """Return program, process ID, and whether these certainly are the line's own."""
    tag = whole_tag(_text(members, "syslogtag").rstrip(": "))
    name = _first(members, _PROGRAMS)
    if tag and tag[1].startswith(name):
        return tag[1], tag[2] or "", True
    if name:
        tag = whole_tag(name.rstrip(": "))
        program, pid = (tag[1], tag[2] or "") if tag else (name, "")
        return program, pid, "containername" not in members
    name = _text(members, "tag").rstrip(": ")
    tag = None if facility(name + " ") else whole_tag(name)
    return (tag[1], tag[2] or "", False) if tag else ("", "", False)


def _time(members: Mapping[str, Any]) -> Stamp | None:
    """Return the first time with a year; else the first time."""
    times = [time for name in _TIMES if (time := _stamp(members.get(name)))]
    return next((time for time in times if time.year is not None), times[0] if times else None)


def _stamp(value: Any) -> Stamp | None:
    if type(value) is float and 0 <= value < 1e10:
        return stamp_at(round(value * 1_000_000))
    text = str(int(value)) if type(value) in (int, float) and abs(value) < 1e19 else value
    if not isinstance(text, str):
        return None
    seconds, dot, fraction = text.partition(".")
    if not seconds.isdecimal():
        return stamp_of(text)
    if not dot:
        return _counted(seconds)
    return _counted(seconds + fraction[:6].ljust(6, "0")) if fraction.isdecimal() else stamp_of(text)


def _counted(digits: str) -> Stamp | None:
    """Return the stamp of (milli-, micro-, nano-) seconds since 1970; the number of digits shows the unit."""
    if not 9 <= len(digits) <= _MAX_DIGITS or len(digits) % 3 == 2:
        return None
    whole = 9 if len(digits) % 3 == 0 else 10
    return stamp_at(int(digits[: whole + 6].ljust(whole + 6, "0")))


def text_header(text: str) -> Header | None:
    """Return the header of a text that begins with a tag with a process ID or a slash; else None."""
    header = header_of(text.strip())
    is_one = isinstance(header, Header) and (header.pid or "/" in header.program)
    return header if isinstance(header, Header) and is_one else None
