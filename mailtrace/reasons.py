"""Why something became of mail: an MTA's words without what differs from one message to the next."""

import re

# Never in it: reply and status codes such as 450 and 4.2.2, which are what a postmaster looks for.
_varies = re.compile(
    r"(?<=<)[^<>]*@[^<>]*(?=>)"  # addresses
    r"|(?<=\[)[0-9A-Fa-f]*[.:][0-9A-Fa-f.:]*(?=\])"  # IP addresses
    r"|(?<=\bqueued as )\w+|(?<=\bforwarded as )\w+"
    r"|\b\d+(?= (?:seconds?|minutes?|hours?)\b)|\b\d+:\d\d(?::\d\d)?\b"  # times to wait
    r"|\b(?!\d{1,3}\.\d{1,3}\.\d{1,3}\b)(?=[A-Za-z_-]{0,40}\d)[\w-]{10,}\b(?!\.\w)",  # queue and session IDs
    re.ASCII,
)


def reason_of(status: str) -> str:
    """Return a status with `*` for addresses, queue IDs, times and other parts that vary."""
    return _varies.sub("*", status)
