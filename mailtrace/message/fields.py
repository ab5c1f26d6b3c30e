"""The fields of a document and of a recipient result, in order: what `--format json` prints.

This is a public contract: fields may be added, but none is renamed. The CSV header, the Elasticsearch template, the
columns of the embedded store and the tables in docs/document.md are made from these two tuples.
"""

from typing import Final, NamedTuple


class Field(NamedTuple):
    """A field of a document, or of a recipient result in its `to`."""

    name: str
    kind: str
    """text, date, integer, number, boolean or recipient results."""
    about: str
    nullable: bool = False
    """Whether it is null if no log line has it."""
    kept: str = "folded"
    """How a text is stored: `folded` (cut if long, grouped regardless of case), `exact` (short, compared as it is),
    `uncut` (short, only shown) or `address` (an IP address)."""
    searched: bool = False
    """Whether searches compare it or groups count by it: the embedded store has a column for it."""


DOCUMENT: Final = (
    Field(
        *("transaction", "text"),
        "the queue ID as logged; `NOQUEUE` for a refusal without one",
        kept="exact",
        searched=True,
    ),
    Field("host", "text", "the host that wrote the log, in lower case", kept="exact", searched=True),
    Field("mta", "text", "`postfix`, `sendmail` or `exim`", kept="exact", searched=True),
    Field(
        *("instance", "text"),
        "the Postfix instance, such as `postfix-out`; null for the default one and for other MTAs",
        nullable=True,
        kept="uncut",
    ),
    Field("date", "date", "the time of the first line"),
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
        "the client before a content filter (Postfix XFORWARD)",
        nullable=True,
        searched=True,
    ),
    Field("login", "text", "the user who logged in (SASL)", nullable=True, searched=True),
    Field("msgid", "text", "the message ID without angle brackets", nullable=True, searched=True),
    Field("size", "integer", "the size of the message in bytes", nullable=True),
    Field("nrcpt", "integer", "the number of recipients", nullable=True),
    Field("to", "recipient results", "the result of each recipient, in the order of `date`"),
    Field("removed", "boolean", "whether the message has left the queue"),
    Field(
        *("origin", "text"),
        "the queue ID that this transaction was made from (notice, clone, split, filter, requeue)",
        nullable=True,
        searched=True,
    ),
)

RECIPIENT_RESULT: Final = (
    Field(
        *("recipient", "text"),
        "the envelope recipient; null if the log names none",
        nullable=True,
        searched=True,
    ),
    Field("orig_to", "text", "the address before it was rewritten to `recipient`", nullable=True, searched=True),
    Field(
        *("relay", "text"),
        "the next hop as logged: `mx.bar.com[192.0.2.25]:25`, `local`, `none`",
        nullable=True,
        searched=True,
    ),
    Field("relay_host", "text", "the name in `relay`", nullable=True, searched=True),
    Field("relay_ip", "text", "the IP address in `relay`", nullable=True, kept="address", searched=True),
    Field("status", "text", "the text that the MTA logged", searched=True),
    Field("outcome", "text", "the meaning of `status`: one of the outcomes below", kept="exact", searched=True),
    Field(
        *("dsn", "text"),
        "the enhanced status code (RFC 3463) of the last attempt",
        nullable=True,
        kept="uncut",
    ),
    Field(
        *("delay", "number"),
        "seconds from the message's arrival to the last attempt",
        nullable=True,
        searched=True,
    ),
    Field("date", "date", "the time of the first attempt with this result"),
    Field("last_date", "date", "the time of the last attempt with this result"),
    Field("attempts", "integer", "the number of successive attempts with this result"),
    Field(
        *("last", "boolean"),
        "whether this is the newest result of the recipient",
        searched=True,
    ),
    Field(
        *("queued_as", "text"),
        "the queue ID of the message at the next hop",
        nullable=True,
        searched=True,
    ),
)


def is_cut(field: Field) -> bool:
    """Return whether long values of a field are cut (`document.MAX_LENGTH`)."""
    return field.kind == "text" and field.kept == "folded"


def csv_header() -> list[str]:
    """Return the CSV header: the fields of a document, then those of a recipient result.

    A name that both have gets a prefix for the result: `to_date` is the `date` of the result.
    """
    of_document = [field.name for field in DOCUMENT if field.kind != "recipient results"]
    return of_document + [f"to_{field.name}" if field.name in of_document else field.name for field in RECIPIENT_RESULT]
