"""Parse the frame of a log line: time, host, program and text.

A log may mix all of these formats: RFC 3164 as syslogd, rsyslog, syslog-ng and Postfix's postlogd write it, with the
additions of BSD (`<mail.info>`), Solaris (`[ID 801593 mail.info]`), AIX (`mail:info`) and BusyBox (`mail.info`); the
stamps of `stamp.py` in front of the same; RFC 5424; journalctl's outputs; and any of these behind the prefixes of
`prefixes.py` or within the JSON of `wrappers.py`. docs/indexing.md lists them.
"""

from collections.abc import Mapping
from datetime import timezone, tzinfo
from typing import Any, Final

from mailtrace.syslog import records
from mailtrace.syslog.exim import PROGRAM, EximLines
from mailtrace.syslog.headers import header_of, host_name, learned, plain, rfc5424_header, unstamped
from mailtrace.syslog.journal import Entry, begins_entry
from mailtrace.syslog.prefixes import begun, uncounted, version_at
from mailtrace.syslog.records import Record, Unframed
from mailtrace.syslog.stamp import DATES, MINUTES, SECONDS, Stamp, midnight, stamp_of
from mailtrace.syslog.wrappers import MAX_DEPTH, Event, event_at, event_of, is_line_in, journal_event, text_header
from mailtrace.syslog.year import Timeline, YearPlan, instant_of_stamp

__all__ = ["Frames", "Record", "Unframed"]

_NO_DATES: Final[dict[str, tuple[int, int]]] = {}
_FRACTION: Final = 6
"""Digits of the fraction of an ISO stamp that is read by its columns."""
_AFTER_FRACTION: Final = 20 + _FRACTION
_MAX_HEADS: Final = 4096
_MAX_HEAD: Final = 256
_VERBOSE: Final = " [s="
"""Follows the stamp, and perhaps its zone, in journalctl -o verbose."""
_ZONE: Final = 10
_new: Final = tuple.__new__


class Frames:
    """Parses the lines of one log, in their order.

    What it keeps of the line before is public for the indexer, which reads most lines without a call a line.
    """

    kept: tuple[str, int, int, bool]
    """The stamp with which the line before began, up to its whole second and the character after that; that second, in
    microseconds since 1970; the index after the stamp, and after six digits of a fraction if there is one."""
    zone: str
    """The zone after the fraction of an ISO stamp, as `heads` has it."""
    years: Timeline
    heads: dict[str, tuple[str, str, str]]
    """Host, program and process ID, by the text between stamp and colon."""

    def __init__(self, zone: tzinfo, year: int | None) -> None:
        """Begin a log.

        `zone` is the time zone of stamps without one. `year` is the year of the first line whose stamp has none; with
        None such lines have no record.
        """
        self._begin(Timeline(zone, year))

    @classmethod
    def resume(cls, zone: tzinfo, state: Mapping[str, Any]) -> "Frames":
        """Continue a log from an earlier `state`."""
        frames = cls(zone, None)
        frames._begin(Timeline(zone, state.get("year"), state.get("latest"), state.get("dated"), state.get("seen")))
        if entry := state.get("entry"):
            frames._read_entry(Entry(entry))
        frames.exim.resume(state.get("exim", {}))
        return frames

    @classmethod
    def dated_by(cls, years: Timeline) -> "Frames":
        """Begin a log whose stamps are dated by `years`."""
        frames = cls(timezone.utc, None)
        frames._begin(years)
        return frames

    def follow(self, plan: YearPlan) -> None:
        """Use a plan for the years of the next lines, and parse the next stamp even if it repeats."""
        self.years.follow(plan)
        self._keep_nothing()

    def state(self) -> dict[str, Any]:
        """Return what `resume` needs, as JSON: the year, the latest instants, an entry that is still being read."""
        state = self.years.state() | ({"entry": self._entry.state()} if self._entry else {})
        exim = self.exim.state()
        return state | ({"exim": exim} if exim else {})

    def go_to(self, position: Mapping[str, Any]) -> None:
        """Go on from a `position` of `years`."""
        self.years.go_to(position)
        self._keep_nothing()

    def name_host(self, given: str, own: str) -> None:
        """Set the host of lines that name none: the given one, else in Exim's own files this machine's `own` name.

        `host_of_nameless` is that host as soon as there was such a line.
        """
        self.given_host, self.exim.host = given, given or own

    def _begin(self, years: Timeline) -> None:
        self.years = years
        self._read_entry(None)
        self.heads = {}
        self._exim_heads: dict[str, tuple[str, str, str]] = {}
        self.exim = EximLines()
        self.given_host = self.host_of_nameless = ""
        self.zone, self._iso_start, self._iso_is_local = "\n", 0, False

    def _keep(self, stamp: str, time: int, at: int) -> None:
        """Remember a stamp, its instant in microseconds, and the index of the text after it and perhaps a fraction."""
        self.kept = stamp, time, at, at > len(stamp)

    def _read_entry(self, entry: Entry | None) -> None:
        """Begin to read an entry of `journalctl -o export`, whose lines have no stamps; None ends that."""
        self._entry = entry
        self._dates = _NO_DATES if entry else DATES
        self._iso_day = "\n"
        self._keep_nothing()

    def _keep_nothing(self) -> None:
        """Forget the stamp: no line contains a newline."""
        self._keep("\n", 0, 0)

    def record(self, line: str) -> Record | Unframed:
        """Return the record of the next line, without its newline; or an `Unframed` with the reason that it has none.

        Never raises.
        """
        stamp, time, at, has_fraction = self.kept
        if not line.startswith(stamp):
            return self._next_second(line)
        if has_fraction:
            digits = line[at - _FRACTION : at]
            if not digits.isdecimal():
                return self._any(line)
            time += int(digits)
        colon = line.find(": ", at)
        head = self.heads.get(line[at:colon]) or self._learn(line, at, colon)
        if head is None or colon < 0:
            return self._of_exim(line, time, at, colon)
        text = line[colon + 2 :]
        # Most texts begin with a queue ID, whose first digit or capital sorts before "[" and "m".
        if (text >= "[" and text[0] in "[m") or text < "!" or line[-1] <= " ":
            text = plain(text)
        host, program, pid = head
        return _new(Record, (time, host, program, pid, text))

    def _of_exim(self, line: str, time: int, at: int, colon: int) -> Record | Unframed:
        """Return the record of a line that does not have a known header, unless that of Exim."""
        head = self._exim_heads.get(line[at:colon])
        if head is None or colon < 0:
            return self._any(line)
        return self.exim.unwrapped(_new(Record, (time, *head, plain(line[colon + 2 :]))))

    def _learn(self, line: str, at: int, colon: int) -> tuple[str, str, str] | None:
        """Return host, program and process ID between stamp and text, and remember them; None if they are not there.

        Those of Exim are remembered apart, and not returned, because its lines need more. After the microseconds of an
        ISO stamp the zone is remembered with them, so that another zone does not match.
        """
        if not 0 < colon - at <= _MAX_HEAD or line[at:colon] in self._exim_heads:
            return None
        start = at
        if self.kept[3] and at == self.kept[2]:
            if not line.startswith(self.zone, at):
                return None
            start += len(self.zone)
        head = learned(line[start:colon])
        if head is not None:
            heads = self._exim_heads if head[1].startswith(PROGRAM) else self.heads
            if len(heads) >= _MAX_HEADS:
                heads.clear()
            if not head[0] and self.given_host:
                head = self.given_host, *head[1:]
                self.host_of_nameless = self.given_host
            heads[line[at:colon]] = head
            return head if heads is self.heads else None
        return None

    def _next_second(self, line: str) -> Record | Unframed:
        """Return the record of a line of another second than before."""
        if self.next_stamp(line):
            return self.record(line)
        if line[10:11] == " " and self._entry is None and (own := self._own(line)) is not None:
            return own
        return self._any(line) if self._entry is None else self._in_entry(line, self._entry)

    def next_stamp(self, line: str) -> bool:
        """Read the stamp of a line of another second than before; return whether it is one of the two usual ones.

        They are read by their columns, and kept.
        """
        if (date := self._dates.get(line[:7])) is not None:
            minute, second = MINUTES.get(line[7:13]), SECONDS.get(line[13:15])
            if minute is not None and second is not None and line[15:16] == " " and self._is_framed(line, 16):
                instant = self.years.without_year(*date, minute + second)
                if instant is not None:
                    self._keep(line[:16], instant * 1_000_000, 16)
                    return True
        elif line[:11] == self._iso_day and line[19:20] == ".":
            minute, second = MINUTES.get(line[11:17]), SECONDS.get(line[17:19])
            if minute is not None and second is not None and line.startswith(self.zone, 26):
                instant = self._iso_start + minute + second
                if self._iso_is_local:
                    instant = self.years.local(instant)
                self._keep(line[:20], instant * 1_000_000, _AFTER_FRACTION)
                return True
        return False

    def _is_framed(self, line: str, at: int) -> bool:
        """Return whether host and program follow; if not, the stamp may be longer and have a year."""
        colon = line.find(": ", at)
        head = line[at:colon]
        return head in self.heads or self._learn(line, at, colon) is not None or head in self._exim_heads

    def _any(self, line: str, depth: int = 0) -> Record | Unframed:
        """Return the record of a line in any format, inside `depth` wrappers."""
        if depth:
            return self._framed(line, depth)
        own = self._own(line)
        return self._whole(self._framed(line, depth)) if own is None else own

    def _own(self, line: str) -> Record | None:
        """Return the record of a line of Exim's own file; None for any other line."""
        own = self.exim.record(line, self.years)
        if own is not None:
            self.host_of_nameless = own.host
        return own

    def _whole(self, record: Record | Unframed) -> Record | Unframed:
        """Return the record with a host, and of Exim without what that adds to its texts."""
        if type(record) is not Record:
            return record
        if not record.host and self.given_host:
            record = record._replace(host=self.given_host)
            self.host_of_nameless = self.given_host
        return self.exim.unwrapped(record) if record.program.startswith(PROGRAM) else record

    def _framed(self, line: str, depth: int) -> Record | Unframed:
        at, stamp = begun(line)
        if at and stamp and not depth and (own := self.exim.record(line[at:], self.years)):
            return own
        if line[at : at + 1] == "{":
            return self._json(line[at:], None, depth)
        if not depth and begins_entry(line, at):
            return self._next_entry(line[at:], None)
        one = uncounted(line, at) if line[at - 1 : at] == ">" else line
        if one is not None and (version := version_at(one, at)):
            return self._rfc5424(one[version:])
        if one is None or stamp is None:
            return records.SEVERAL if one is None else unstamped(line, at)
        record = self._stamped(one, at, stamp, depth)
        if line[at - 1 : at] == ">" and line[-1:].isdigit():
            # The next line may end with a length too, which the fast path would not remove.
            self._keep_nothing()
        return record

    def _stamped(self, line: str, at: int, stamp: Stamp, depth: int) -> Record | Unframed:
        """Return the record of a line that begins with a stamp."""
        if "{" in line[stamp.end : stamp.end + _MAX_HEAD] and (start := event_at(line, stamp)):
            return self._json(line[start:], stamp, depth)
        header = self._header(line, stamp.end)
        if type(header) is Unframed:
            return header
        time = self._micros(stamp)
        if isinstance(time, Unframed):
            return time
        self._remember(line, at, stamp, time)
        return _new(Record, (time, *header))

    def _header(self, line: str, at: int) -> tuple[str, str, str, str] | Unframed:
        """Return host, program, process ID and text after a stamp."""
        colon = line.find(": ", at)
        head = self.heads.get(line[at + 1 : colon]) or self._learn(line, at + 1, colon)
        if line[at : at + 1] == "\t":
            return header_of(_without_tabs(line, at))
        if line.find(_VERBOSE, at, at + _ZONE) >= 0:
            return records.VERBOSE
        if head is None or colon < 0 or line[at] != " ":
            return header_of(line[at:].lstrip(" "))
        return *head, plain(line[colon + 2 :])

    def _micros(self, time: int | Stamp) -> int | Unframed:
        """Return the next line's time in microseconds since 1970."""
        if type(time) is int:
            return time
        assert isinstance(time, Stamp)
        instant = self.years.instant(time)
        if instant is not None:
            return instant * 1_000_000 + time.micro
        if not time.month:
            return records.AMBIGUOUS_DATE
        return self._undated() if time.year is None else records.NO_DATE

    def _undated(self) -> Unframed:
        return records.NO_YEAR if self.years.year is None else records.NO_DATE

    def _remember(self, line: str, at: int, stamp: Stamp, time: int) -> None:
        """Remember the stamp for the lines that follow, and the day of an ISO stamp."""
        if line[stamp.end : stamp.end + 1] != " ":
            self._keep_nothing()
            return
        self._keep(line[: stamp.end + 1], time, stamp.end + 1)
        if at or stamp.year is None or line[4:5] != "-" or line[19:20] != "." or not line[20:26].isdecimal():
            return
        zone = line[26 : line.find(" ", 26) + 1]
        if 26 + len(zone) == stamp.end + 1 and not zone[0].isdigit():
            start = midnight(stamp.year, stamp.month, stamp.day) or 0
            if zone != self.zone:
                self.heads.clear()
                self._exim_heads.clear()
            self._iso_day, self.zone, self._iso_is_local = line[:11], zone, stamp.offset is None
            self._iso_start = start - (stamp.offset or 0)
            self._keep(line[:20], time - stamp.micro, _AFTER_FRACTION)

    def _rfc5424(self, line: str) -> Record | Unframed:
        """Return the record of an RFC 5424 line, without its priority and version."""
        written, header = rfc5424_header(line)
        stamp = stamp_of(written)
        if stamp is None or stamp.year is None:
            return records.NO_STAMP
        time = self._micros(stamp)
        return time if type(time) is Unframed else _new(Record, (time, *header))

    def _json(self, line: str, outer: Stamp | None, depth: int) -> Record | Unframed:
        """Return the record of a line of JSON from journalctl or a collector; `outer` is a stamp before the JSON."""
        if depth >= MAX_DEPTH:
            return records.TOO_DEEP
        event = event_of(line)
        if isinstance(event, Unframed):
            return event
        return self._event(event, outer, depth)

    def _event(self, event: Event, outer: Stamp | None, depth: int) -> Record | Unframed:
        text = event.text
        if (not event.is_labelled and self._begins_alike(text)) or is_line_in(event):
            return self._inner(event, outer, depth)
        host, program, pid = "", event.program, event.pid
        if not event.is_labelled and (found := text_header(text)):
            host, program, pid, text = found
        if not program and not event.is_labelled:
            return records.NO_PROGRAM
        written = event.time() or outer
        time = records.NO_STAMP if written is None else self._micros(written)
        if isinstance(time, Unframed):
            return time
        return Record(time, host or host_name(event.host), program, pid, plain(text))

    def _begins_alike(self, text: str) -> bool:
        """Return whether a text begins with the same stamp as the line before, so that it is a line itself."""
        return self.kept[2] > 0 and text.startswith(self.kept[0])

    def _inner(self, event: Event, outer: Stamp | None, depth: int) -> Record | Unframed:
        """Return the record of a line inside an event, whose time shows the year if the line has none."""
        text = event.text.rstrip("\r\n")
        if self._begins_alike(text) and "{" not in text[:_MAX_HEAD]:
            record = self.record(text)
        else:
            written = event.time() or outer
            if isinstance(written, Stamp):
                self.years.wrapper_time = instant_of_stamp(written)
            else:
                self.years.wrapper_time = None if written is None else written // 1_000_000
            record = self._any(text, depth + 1)
            self.years.wrapper_time = None
        if isinstance(record, Unframed) or record.host or not event.host:
            return record
        return record._replace(host=host_name(event.host))

    def _in_entry(self, line: str, entry: Entry) -> Record | Unframed:
        """Return the record of an entry of `journalctl -o export` with the line that completes it."""
        if entry.add(line):
            return self._entry_record(entry) if entry.is_complete() else records.JOURNAL_FIELD
        self._read_entry(None)
        if begins_entry(line, 0):
            return self._next_entry(line, entry)
        if line.strip():
            return self._next_second(line)
        return self._entry_record(entry) if entry.is_unreported() else records.BLANK

    def _next_entry(self, line: str, before: Entry | None) -> Record | Unframed:
        """Begin an entry with its first line, which ends the entry before if no blank line did."""
        entry = Entry()
        entry.add(line)
        self._read_entry(entry)
        return self._entry_record(before) if before and before.is_unreported() else records.JOURNAL_FIELD

    def _entry_record(self, entry: Entry) -> Record | Unframed:
        event = journal_event(entry.fields)
        record = records.NO_STAMP if isinstance(event, Unframed) else self._whole(self._event(event, None, 0))
        self._read_entry(self._entry)
        return record


def _without_tabs(line: str, at: int) -> str:
    """Return the line from an index on, with blanks instead of the tabs with which a template separates its parts."""
    ends = [end for mark in (": ", ":\t") if (end := line.find(mark, at)) >= 0]
    end = min(ends, default=len(line)) + 2
    return line[at:end].replace("\t", " ").lstrip(" ") + line[end:]
