"""The fields of a document and of a recipient result, in order: the public contract that `--format json` prints.

Fields may be added; none is renamed. CSV's header, Elasticsearch's template, the embedded store's columns and
docs/document.md are made from this table.
"""

from typing import Final, NamedTuple


class Field(NamedTuple):
    """A member of a document, or of a recipient result in its `to`."""

    name: str
    kind: str
    """text, date, integer, number, boolean or entries."""
    about: str
    nullable: bool = False
    """Whether it is null where no line tells it."""
    kept: str = "folded"
    """How a store keeps a text: `folded` (long ones cut; grouped without regard to case), `exact` (short, compared as
    it is), `uncut` or `address` (an IP address)."""
    searched: bool = False
    """Whether searches compare it or groups count it: the embedded store keeps it in a column."""


DOCUMENT: Final = (
    Field(
        *("transaction", "text"),
        "the queue ID as logged; `NOQUEUE` for what was refused before it had one",
        kept="exact",
        searched=True,
    ),
    Field("host", "text", "the host that wrote the log, in lower case", kept="exact", searched=True),
    Field("mta", "text", "`postfix` or `sendmail`", kept="exact", searched=True),
    Field(
        *("instance", "text"),
        "the Postfix instance, such as `postfix-out`, where it is not `postfix`",
        nullable=True,
        kept="uncut",
    ),
    Field("date", "date", "the time of the message's first line"),
    Field(
        *("from", "text"),
        "the envelope sender without angle brackets; empty for the null sender",
        nullable=True,
        searched=True,
    ),
    Field(
        *("client", "text"),
        "where the message came from: `name [address]`, or the local submitter",
        nullable=True,
        searched=True,
    ),
    Field("client_ip", "text", "the IP address in `client`", nullable=True, kept="address"),
    Field(
        *("orig_client", "text"),
        "the client that a content filter passed on (Postfix XFORWARD)",
        nullable=True,
        searched=True,
    ),
    Field("login", "text", "the user who had logged in (SASL)", nullable=True, searched=True),
    Field("msgid", "text", "the message ID without angle brackets", nullable=True, searched=True),
    Field("size", "integer", "bytes", nullable=True),
    Field("nrcpt", "integer", "the number of recipients", nullable=True),
    Field("to", "entries", "what became of each recipient, in the order of `date`"),
    Field("removed", "boolean", "whether the message has left the queue"),
    Field(
        *("origin", "text"),
        "the queue ID that this one was made from (notice, clone, split, filter, requeue)",
        nullable=True,
        searched=True,
    ),
)

ENTRY: Final = (
    Field(
        *("recipient", "text"),
        "the envelope recipient; null where the log names none",
        nullable=True,
        searched=True,
    ),
    Field("orig_to", "text", "the address that it was rewritten from", nullable=True, searched=True),
    Field(
        *("relay", "text"),
        "the next hop as logged: `mx.bar.com[192.0.2.25]:25`, `local`, `none`",
        nullable=True,
        searched=True,
    ),
    Field("relay_host", "text", "the name in `relay`", nullable=True, searched=True),
    Field("relay_ip", "text", "the IP address in `relay`", nullable=True, kept="address", searched=True),
    Field("status", "text", "the MTA's own words", searched=True),
    Field("outcome", "text", "what they come to, one of the outcomes below", kept="exact", searched=True),
    Field(
        *("dsn", "text"),
        "the enhanced status code (RFC 3463), of the last attempt",
        nullable=True,
        kept="uncut",
    ),
    Field(
        *("delay", "number"),
        "seconds from the message's arrival to the last attempt",
        nullable=True,
        searched=True,
    ),
    Field("date", "date", "the time of the first attempt that ended so"),
    Field("last_date", "date", "the time of the last one"),
    Field("attempts", "integer", "how many attempts ended so, one after the other"),
    Field(
        *("last", "boolean"),
        "whether this is the newest entry of the recipient: what became of it",
        searched=True,
    ),
    Field(
        *("queued_as", "text"),
        "the queue ID under which the next hop took the message",
        nullable=True,
        searched=True,
    ),
)


def csv_header() -> list[str]:
    """Return the columns of a CSV table: a document's fields, then a result's; `to_date` is the result's `date`."""
    of_document = [field.name for field in DOCUMENT if field.kind != "entries"]
    return of_document + [f"to_{field.name}" if field.name in of_document else field.name for field in ENTRY]
