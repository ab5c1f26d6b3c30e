"""Facts: what a line of a mail log can say, in one form for every MTA.

A grammar turns the text of one line into an `Event`, a list of them, `Authenticated`, `Announced`, `Accepted`,
`Ignored`, or None if no rule recognises the line. An event is a queue ID and one fact about its transaction.
Everything here is an immutable tuple of strings and numbers, so that facts can be compared, sorted and stored.
"""

from typing import Final, NamedTuple, TypeAlias


class Client(NamedTuple):
    """A message arrives by SMTP (Postfix `client=`). Begins a transaction."""

    client: str
    """The previous hop as `name [ip]`."""
    login: str | None = None
    """The SASL user."""
    origin: str | None = None
    """The queue ID before a content filter (`orig_queue_id=`)."""
    orig_client: str | None = None
    """The client before a content filter (`orig_client=`), as `name [ip]`."""


class Submitted(NamedTuple):
    """A message arrives from a local program (Postfix `uid=`). Begins a transaction."""

    sender: str | None
    """The sender as the program gave it, perhaps without a domain."""
    origin: str | None = None
    """The queue ID that the message had before `postsuper -r` (`orig_id=`)."""


class Sender(NamedTuple):
    """A message has been received (sendmail `from=`, Exim `<=`). Begins a transaction."""

    sender: str
    size: int | None
    nrcpt: int | None
    msgid: str | None
    client: str | None
    """`relay=` as logged: the previous hop as `name [ip]`, or the local submitter."""


class Login(NamedTuple):
    """The user who logged in to the message's session (sendmail `AUTH=`, Exim `A=`, a before-queue filter's client)."""

    login: str | None
    orig_client: str | None = None
    """The client that the filter passed on with XFORWARD, as `name [ip]`."""


class MessageId(NamedTuple):
    """The message ID (Postfix `message-id=`), without angle brackets; None if the message has no such header."""

    msgid: str | None
    instance: str | None = None
    """The Postfix instance: the first component of the program's name when it isn't `postfix`."""


class Envelope(NamedTuple):
    """The queue manager activates the message (Postfix `from=..., size=..., nrcpt=...`), once for each attempt."""

    sender: str
    size: int | None
    nrcpt: int | None
    instance: str | None = None


class Result(NamedTuple):
    """The result of one delivery attempt for one recipient."""

    recipient: str
    orig_to: str | None
    """Postfix's `orig_to=`; sendmail's `ctladdr=` as logged, without angle brackets and user numbers."""
    relay: str | None
    """The next hop as logged (sendmail: without the name's final dot; the mailer if there is no relay)."""
    status: str
    """The whole of `status=` or `stat=`."""
    outcome: str
    dsn: str | None = None
    delay: float | None = None
    """Seconds since the message arrived."""


class Refusal(NamedTuple):
    """A command, a recipient or the whole message was rejected, discarded, held or bounced, without a `Result`."""

    outcome: str
    """rejected, discarded, held or bounced."""
    status: str
    """`rejected (REASON)`, `discarded (REASON)` or `held (REASON)`; the reason alone if bounced."""
    recipient: str | None = None
    sender: str | None = None
    client: str | None = None
    """The client as `name [ip]`."""
    login: str | None = None
    """The SASL user."""


class Expired(NamedTuple):
    """The MTA has given up on every recipient that is still waiting."""

    status: str


class Removed(NamedTuple):
    """The message has left the queue."""

    how: str
    """removed, deleted (by the operator), requeued (under another queue ID), canceled or discarded."""
    to: str | None = None
    """The new queue ID of a requeued message, if the line names it."""
    is_unsure: bool | None = None
    """Whether `removed` may mean deleted: the tag does not say which program wrote the line."""


class Held(NamedTuple):
    """The operator, a table or a filter has put the message on hold for every waiting recipient."""

    status: str


class Released(NamedTuple):
    """The operator has released the message from hold."""

    status: str


class Origin(NamedTuple):
    """The transaction was made from another one."""

    origin: str
    """The queue ID of the other one."""
    kind: str
    """notice (its sender is null), clone, split or requeue (MailScanner gave the message another queue ID)."""
    sender: str | None = None
    """The sender of a clone, which is the list's owner, or of a requeued message, as it arrived."""


class Aborted(NamedTuple):
    """The message was not received completely: its `from=` line, if there is one, does not begin a transaction."""

    reason: str


class Cloned(NamedTuple):
    """Some or all recipients moved to another queue ID, for a list's owner (sendmail)."""

    to: str
    """The other queue ID."""


class Addressee(NamedTuple):
    """A recipient of the envelope, of whom this line tells no result (Exim's `for`, and its reject log)."""

    recipient: str


class Cancelled(NamedTuple):
    """The operator or a filter has returned the message to its sender, for every waiting recipient (Exim)."""

    status: str


Fact: TypeAlias = (
    Client
    | Submitted
    | Sender
    | Login
    | MessageId
    | Envelope
    | Result
    | Refusal
    | Expired
    | Removed
    | Held
    | Released
    | Origin
    | Aborted
    | Cloned
    | Addressee
    | Cancelled
)
"""One thing that a line says about a transaction."""

FACTS: Final[tuple[type[Fact], ...]] = (
    Client,
    Submitted,
    Sender,
    Login,
    MessageId,
    Envelope,
    Result,
    Refusal,
    Expired,
    Removed,
    Held,
    Released,
    Origin,
    Aborted,
    Cloned,
    Addressee,
    Cancelled,
)
"""Every kind of fact. Stores keep a fact as its index here and its members: append new kinds and members."""

REQUEUE: Final = "requeue"
"""The kind of `Origin` of a message to which MailScanner gave another queue ID."""

BEGINNINGS: Final = (Client, Submitted, Sender)
"""The facts with which a transaction begins."""


class Event(NamedTuple):
    """A fact about the transaction with this queue ID on the line's host; `NOQUEUE` for a refusal without one."""

    queue_id: str
    fact: Fact


class Authenticated(NamedTuple):
    """A client of this process has logged in: the user of all messages that the process receives from it afterwards."""

    login: str
    client: str


class Announced(NamedTuple):
    """A fact about the next message that this process receives from the fact's client, which has no queue ID yet.

    A `Refusal` is a hold; a `Client` is the client of a message for a before-queue filter.
    """

    fact: Client | Refusal


class Accepted(NamedTuple):
    """A before-queue filter accepted the message that this process announced, and queued it under this queue ID."""

    queue_id: str


class Ignored(NamedTuple):
    """The line is recognised and is not about a transaction."""

    reason: str


Parsed: TypeAlias = Event | list[Event] | Authenticated | Announced | Accepted | Ignored | None
"""What a grammar returns for a line; None: unrecognised."""
