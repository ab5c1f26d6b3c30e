"""Queue IDs of random transactions: a different one for each number."""

from datetime import datetime, timedelta, timezone

_BASE52 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
_BASE60 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwx"


def short_id(number):
    """Return a short Postfix ID: microseconds (five digits) and inode, in hexadecimal."""
    return f"{(number * 0x3A7F1 + 0x2468A) % SHORT:05X}{0x9C021 + number * 16:X}"


SHORT = 999_999


def long_id(number, second):
    """Return a long Postfix ID: seconds and microseconds in base 52, `z`, inode in base 51."""
    seconds = _digits(second, 52, 6)
    microseconds = _digits(number * 7919 % SHORT, 52, 4)
    inode = _digits(200_000 + number, 51, 4)
    return (
        "".join(_BASE52[digit] for digit in seconds + microseconds) + "z" + "".join(_BASE52[digit] for digit in inode)
    )


def sendmail_id(number, second):
    """Return a sendmail ID: year, month, day, hour, minute, second and sequence in base 60, and the process ID."""
    time = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=second)
    digits = ((time.year - 1900) % 60, time.month - 1, time.day, time.hour, time.minute, time.second)
    return "".join(_BASE60[digit] for digit in (*digits, *_digits(number, 60, 2))) + f"{16_000 + number:06}"


def _digits(number, base, length):
    return [number // base**place % base for place in reversed(range(length))]
