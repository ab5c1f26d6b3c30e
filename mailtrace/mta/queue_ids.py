"""Queue IDs: their patterns, and the time that some of them contain.

Postfix (postconf(5), enable_long_queue_ids): a short ID is five hexadecimal digits of microseconds and the inode, in
upper case; a long one is six digits of seconds since 1970 and four of microseconds in base 52, a `z`, and the inode in
base 51. Sendmail 8.10 and later: year modulo 60, month, day, hour, minute and second in UTC, one base-60 digit each,
then one (8.10, 8.11) or two (8.12 and later) digits of a sequence number, and the process ID. Exim: six digits of
seconds since 1970, the process ID, and a fraction of the second, with hyphens between them (`1xXNoJ-0006Tf-0X`, since
4.97 `1xXNoJ-000000003TX-3YK7`), in base 62; in base 36 where file names ignore case.
"""

import re
from calendar import timegm
from functools import lru_cache
from typing import Final

NOQUEUE: Final = "NOQUEUE"
"""The queue ID of every message that was rejected before it had one."""

_BASE52: Final = {digit: i for i, digit in enumerate("0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz")}
_BASE60: Final = {digit: i for i, digit in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwx")}
_LONG: Final = r"[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10}z[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y]+"

POSTFIX_ID: Final = rf"(?:[0-9A-F]{{6,20}}|{_LONG})"
"""A pattern for both kinds of Postfix queue ID."""

SENDMAIL_ID: Final = r"(?=[0-9A-Za-z]*\d[0-9A-Za-z]*\d[0-9A-Za-z]*\d)[0-9A-Za-z]{7,20}"
"""A pattern for sendmail's queue IDs: letters and at least three digits, those of the process ID."""

EXIM_ID: Final = r"[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{11}-[0-9A-Za-z]{4})"
"""A pattern for both lengths of Exim's message IDs."""

_is_exim = re.compile(EXIM_ID).fullmatch
_BASE62: Final = {digit: i for i, digit in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")}
_is_long = re.compile(_LONG + r"\Z").match
_is_timed_sendmail = re.compile(r"[0-9A-Za-x]{8}\d{6,8}\Z|[0-9A-Za-x]{7}\d{5}\Z").match
_OLDEST: Final = timegm((1990, 1, 1, 0, 0, 0))
_NEWEST: Final = timegm((2100, 1, 1, 0, 0, 0))


@lru_cache(maxsize=4096)
def time_of(queue_id: str, mta: str) -> int | None:
    """Return the time in a queue ID, in seconds since 1970; None if it contains none or nonsense.

    An MTA never reuses such an ID. Sendmail's year is known modulo 60: it is read as one from 1997 to 2056.
    """
    if mta == "postfix":
        return _postfix_time(queue_id)
    return exim_time(queue_id) if mta == "exim" else _sendmail_time(queue_id)


def _postfix_time(queue_id: str) -> int | None:
    if not _is_long(queue_id):
        return None
    second = 0
    for digit in queue_id[:6]:
        second = second * 52 + _BASE52[digit]
    return second if _OLDEST < second < _NEWEST else None


def exim_time(queue_id: str) -> int | None:
    """Return the second at which Exim began to receive a message; None if the ID contains no time of our century.

    The first digit shows the base: from 1970 to 2100 it is at most 4 in base 62, and from 2000 to 2038 a letter in
    base 36, which has no letters in lower case.
    """
    if not _is_exim(queue_id):
        return None
    base = 62 if queue_id[0] <= "9" else 36
    if base == 36 and queue_id != queue_id.upper():
        return None
    second = 0
    for digit in queue_id[:6]:
        second = second * base + _BASE62[digit]
    return second if _OLDEST < second < _NEWEST else None


def _sendmail_time(queue_id: str) -> int | None:
    if not _is_timed_sendmail(queue_id):
        return None
    midnight, hour = _sendmail_day(queue_id[:3]), _BASE60[queue_id[3]]
    if midnight is None or hour > 23:
        return None
    return midnight + 3600 * hour + 60 * _BASE60[queue_id[4]] + _BASE60[queue_id[5]]


@lru_cache(maxsize=64)
def _sendmail_day(digits: str) -> int | None:
    """Return the midnight, in UTC, of a day by its digits of year, month and day."""
    year, month, day = (_BASE60[digit] for digit in digits)
    if month > 11 or not 1 <= day <= 31:
        return None
    return timegm((year + (1960 if year >= 37 else 2020), month + 1, day, 0, 0, 0))


@lru_cache(maxsize=4096)
def time_in_message_id(msgid: str, queue_id: str) -> int | None:
    """Return the time in a message ID that the MTA generated, in seconds since 1970; None for any other message ID.

    Postfix (cleanup_message.c) and sendmail (`$t.$i@$j`) write the time in UTC, sendmail without seconds, and the
    message's own queue ID.
    """
    time, _, rest = msgid.partition(".")
    if not rest.startswith(queue_id + "@") or len(time) not in (12, 14) or not (time.isascii() and time.isdecimal()):
        return None
    year, fields = int(time[:4]), [int(time[i : i + 2]) for i in range(4, len(time), 2)]
    month, day, hour, minute, second = (*fields, 0)[:5]
    if not (1990 <= year < 2100 and 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 61):
        return None
    return timegm((year, month, day, hour, minute, second))
