"""What a document holds: every member of it and of its entries, in order, with what it means.

This is the public contract that `--format json` prints; members may be added, and none is renamed.
"""

from typing import Final, NamedTuple


class Field(NamedTuple):
    """A member of a document or of an entry of its `to`."""

    name: str
    kind: str
    """text, date, integer, number, boolean or entries."""
    about: str
    nullable: bool = False
    """Whether it is null where no line told it."""


DOCUMENT: Final = (
    Field("transaction", "text", "the queue ID as logged; `NOQUEUE` for what was refused before it had one"),
    Field("host", "text", "the host that wrote the log, in lower case"),
    Field("mta", "text", "`postfix` or `sendmail`"),
    Field("instance", "text", "the Postfix instance, such as `postfix-out`, where it is not `postfix`", nullable=True),
    Field("date", "date", "the time of the message's first line"),
    Field("from", "text", "the envelope sender without angle brackets; empty for the null sender", nullable=True),
    Field("client", "text", "where the message came from: `name [address]`, or the local submitter", nullable=True),
    Field("client_ip", "text", "the IP address in `client`", nullable=True),
    Field("orig_client", "text", "the client that a content filter passed on (Postfix XFORWARD)", nullable=True),
    Field("login", "text", "the user who had logged in (SASL)", nullable=True),
    Field("msgid", "text", "the message ID without angle brackets", nullable=True),
    Field("size", "integer", "bytes", nullable=True),
    Field("nrcpt", "integer", "the number of recipients", nullable=True),
    Field("to", "entries", "what became of each recipient, in the order of `date`"),
    Field("removed", "boolean", "whether the message has left the queue"),
    Field(
        "origin",
        "text",
        "the queue ID that this one was made from (notice, clone, split, filter, requeue)",
        nullable=True,
    ),
)

ENTRY: Final = (
    Field("recipient", "text", "the envelope recipient; null where the log names none", nullable=True),
    Field("orig_to", "text", "the address that it was rewritten from", nullable=True),
    Field("relay", "text", "the next hop as logged: `mx.bar.com[192.0.2.25]:25`, `local`, `none`", nullable=True),
    Field("relay_host", "text", "the name in `relay`", nullable=True),
    Field("relay_ip", "text", "the IP address in `relay`", nullable=True),
    Field("status", "text", "the MTA's own words"),
    Field("outcome", "text", "what they come to, one of the outcomes below"),
    Field("dsn", "text", "the enhanced status code (RFC 3463), of the last attempt", nullable=True),
    Field("delay", "number", "seconds from the message's arrival to the last attempt", nullable=True),
    Field("date", "date", "the time of the first attempt that ended so"),
    Field("last_date", "date", "the time of the last one"),
    Field("attempts", "integer", "how many attempts ended so, one after the other"),
    Field("last", "boolean", "whether this is the newest entry of the recipient: what became of it"),
    Field("queued_as", "text", "the queue ID under which the next hop took the message", nullable=True),
)
