"""Find the times that mailtrace gives to the lines of a log."""

import io
import sys
from datetime import datetime, timezone
from types import SimpleNamespace

from mailtrace.logs.file import LogFile
from mailtrace.logs.open import open_log
from mailtrace.logs.rotation import Calendar, planned
from mailtrace.logs.survey import Survey
from mailtrace.logs.years import KnownStart, choose_years
from mailtrace.syslog.frame import Record

DAY = 86400
UTC = timezone.utc
NOW = round(datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp())
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
BASE52 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
BASE60 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwx"


def stamp(instant):
    time = datetime.fromtimestamp(instant, UTC)
    return f"{MONTHS[time.month - 1]} {time.day:2} {time:%H:%M:%S}"


def long_id(instant):
    digits = ""
    for _ in range(6):
        instant, digit = divmod(instant, 52)
        digits = BASE52[digit] + digits
    return f"{digits}0000z1v3"


def sendmail_id(instant):
    time = datetime.fromtimestamp(instant, UTC)
    fields = ((time.year - 1900) % 60, time.month - 1, time.day, time.hour, time.minute, time.second)
    return "".join(BASE60[field] for field in fields) + "0c016570"


def dated(paths, year=None):
    """Return the time of each line, by its text."""
    times = {}
    for plan in planned([LogFile(path) for path in paths], Calendar(UTC, "UTC", year), []):
        log = open_log(plan, Calendar(UTC, "UTC", year), [], lambda: NOW, from_start=False)
        with log.reader:
            for block in log.blocks:
                for line in block.lines:
                    record = log.frames.record(line)
                    assert type(record) is Record, (line, record)
                    times[line] = record.time // 1_000_000
    return times


def when(instant):
    return datetime.fromtimestamp(instant, UTC).isoformat()


def piped(monkey, lines, year=None):
    """Return the times of lines that come through a pipe."""
    monkey.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO("".join(lines).encode()))))
    return dated(["-"], year)


def first_year(head, last, modified, zone):
    """Return the year of the first line of a log that starts with `head` and ends with `last`."""
    survey = Survey(zone)
    survey.add(head)
    if not survey.days:
        return None
    if last:
        survey.add([last])
    years = choose_years(survey.end(), zone, modified, KnownStart())
    return None if years is None else years.first_year
