"""Compare addresses, hosts, message IDs and times that are spelled differently.

SMTP clients and mailboxes wrote the truth, servers wrote the log. They differ in quotes, backslashes and case, and
sendmail cuts message IDs after 100 characters.
"""

import re
from datetime import datetime

_decoration = re.compile(r'[\\"<>\s]')
_folding = re.compile(r"[\s?<>]|\\n|\\[0-7]{3}")
_not_ascii = re.compile(r"[^!-~]")
_SHORTEST_CUT = 80


def bare(address):
    """Return an address without quotes, backslashes, angle brackets and whitespace."""
    return _decoration.sub("", address or "")


def canonical(address):
    return bare(address).lower()


def short(host):
    return (host or "").split(".")[0].lower()


def seconds(moment):
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()


def is_same_msgid(sent, logged):
    sent, logged = (_folding.sub("", msgid or "") for msgid in (sent, logged))
    if sent == logged or _not_ascii.sub("", sent) == _not_ascii.sub("", logged):
        return True
    return len(logged) >= _SHORTEST_CUT and sent.startswith(logged[: _SHORTEST_CUT - 2])
