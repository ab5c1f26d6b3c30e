"""Reasons: the MTA's status without the parts that differ from one message to the next, so that it can be counted."""

import re
from functools import lru_cache
from typing import Final

# Where possible, a pattern begins with a literal, for which `re` searches quickly.
_address = re.compile(r"<[^<>@]*@[^<>]*>").sub
_ip = re.compile(r"\[[0-9A-Fa-f]*[.:][0-9A-Fa-f.:]*\]").sub
_queue_id = re.compile(r"\b((?:queued|forwarded) as )\w+", re.ASCII).sub
_wait = re.compile(r"\b\d+(?= (?:seconds?|minutes?|hours?)\b)|\b\d+:\d\d(?::\d\d)?\b", re.ASCII).sub
_has_clock = re.compile(r":\d\d", re.ASCII).search
# IDs of a session. Reply and status codes such as 450 and 4.2.2 stay: a postmaster looks for them.
_session = re.compile(
    r"\b(?!\d{1,3}\.\d{1,3}\.\d{1,3}\b)(?=[A-Za-z_-]{0,40}\d)[\w-]{10,}\b(?!\.\w)",
    re.ASCII,
).sub
_SHORTEST_ID: Final = 10
_MOST_LETTERS: Final = 40


def reason_of(status: str) -> str:
    """Return a status with `*` instead of addresses, queue IDs, waiting times and other parts that vary."""
    # Replace first what nearly always differs, so that the rest is mostly found in the cache.
    if "ed as " in status:
        status = _without_queue_id(status)
    return _reason(_address("<*>", status) if "<" in status else status)


def _without_queue_id(status: str) -> str:
    before, found, after = status.rpartition(" queued as ")
    if found and after[-1:] == ")" and after[:-1].isalnum() and after.isascii() and "ed as " not in before:
        return before + " queued as *)"
    return _queue_id(r"\1*", status)


@lru_cache(maxsize=4096)
def _reason(status: str) -> str:
    if "[" in status:
        status = _ip("[*]", status)
    if "second" in status or "minute" in status or "hour" in status or _has_clock(status):
        status = _wait("*", status)
    return " ".join([word if len(word) < _SHORTEST_ID else _without_id(word) for word in status.split(" ")])


def _without_id(word: str) -> str:
    if word.isalpha():
        return word
    # Fast path: for a word of digits and letters alone, the pattern gives the same result.
    return "*" if len(word) <= _MOST_LETTERS and word.isalnum() and word.isascii() else _session("*", word)
