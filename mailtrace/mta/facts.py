"""What a line of a mail log can say: the vocabulary that every MTA's grammar translates to.

A grammar turns the text of one line into an `Event`, a list of them, `Authenticated`, `Announced`, `Accepted`,
`Ignored`, or None where the line is unrecognised. An event is a queue ID and one fact of its transaction; a
transaction is the set of its facts.
Everything here is an immutable tuple of strings and numbers, so that facts can be compared, kept and written.
"""

from typing import Final, NamedTuple, TypeAlias


class Client(NamedTuple):
    """A message comes in by SMTP (Postfix `client=`): a beginning."""

    client: str
    """The previous hop as `name [ip]`."""
    login: str | None = None
    """The SASL user."""
    origin: str | None = None
    """The queue ID before a content filter (`orig_queue_id=`)."""
    orig_client: str | None = None
    """The client before a content filter (`orig_client=`), as `name [ip]`."""


class Submitted(NamedTuple):
    """A message comes in from a local program (Postfix `uid=`): a beginning."""

    sender: str | None
    """The sender as the program gave it: not yet completed."""
    origin: str | None = None
    """The queue ID that `postsuper -r` took away (`orig_id=`)."""


class Sender(NamedTuple):
    """A message has been collected (sendmail `from=`): a beginning."""

    sender: str
    size: int | None
    nrcpt: int | None
    msgid: str | None
    client: str | None
    """`relay=` as logged: the previous hop as `name [ip]`, or the local submitter."""


class Login(NamedTuple):
    """Who had logged in to the session that this message came by (sendmail `AUTH=`, a before-queue filter's client)."""

    login: str | None
    orig_client: str | None = None
    """The client that XFORWARD told the server before a before-queue filter, as `name [ip]`."""


class MessageId(NamedTuple):
    """The message's ID (Postfix `message-id=`), without angle brackets; None where the header is absent."""

    msgid: str | None
    instance: str | None = None
    """The Postfix instance: the first component of the program's name when it isn't `postfix`."""


class Envelope(NamedTuple):
    """The queue manager takes the message up (Postfix `from=..., size=..., nrcpt=...`), at every activation."""

    sender: str
    size: int | None
    nrcpt: int | None
    instance: str | None = None


class Result(NamedTuple):
    """What became of one recipient in one delivery attempt."""

    recipient: str
    orig_to: str | None
    """Postfix's `orig_to=`; sendmail's `ctladdr=` as logged, without angle brackets and user numbers."""
    relay: str | None
    """The next hop as logged (sendmail: without the name's final dot, else the mailer)."""
    status: str
    """The MTA's own words: the whole of `status=` or `stat=`."""
    outcome: str
    dsn: str | None = None
    delay: float | None = None
    """Seconds since the message came in."""


class Refusal(NamedTuple):
    """A command, a recipient or the whole message was refused, thrown away, held or returned, without a `Result`."""

    outcome: str
    """rejected, discarded, held or bounced."""
    status: str
    """`rejected (the refusal's words)`, and alike for the others; the words alone of what was returned."""
    recipient: str | None = None
    sender: str | None = None
    client: str | None = None
    """The client as `name [ip]`."""
    login: str | None = None
    """The SASL user."""


class Expired(NamedTuple):
    """The MTA has given up every recipient that is still waiting."""

    status: str


class Removed(NamedTuple):
    """The message has left the queue."""

    how: str
    """removed, deleted (by the operator), requeued (under another queue ID), canceled or discarded."""
    to: str | None = None
    """The queue ID under which a requeued message went on, where a line tells it."""
    is_unsure: bool | None = None
    """Whether it is said removed, but may have been deleted: the line does not tell which program wrote it."""


class Held(NamedTuple):
    """The operator, a table or a filter has put the message on hold, for every recipient that is waiting."""

    status: str


class Released(NamedTuple):
    """The operator has released the message from hold."""

    status: str


class Origin(NamedTuple):
    """The transaction was made from another one."""

    origin: str
    """That one's queue ID."""
    kind: str
    """notice (its sender is null), clone, split or requeue (MailScanner gave the message another queue ID)."""
    sender: str | None = None
    """The clone's sender, which is the list's owner; a requeued message's, as it came in."""


class Aborted(NamedTuple):
    """The message never came in whole: its `from=` line, if there is one, is no mail."""

    reason: str


class Cloned(NamedTuple):
    """Recipients, perhaps all, went on under another queue ID, for a list's owner (sendmail)."""

    to: str
    """That queue ID."""


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
)
"""One thing that a line says of a transaction."""

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
)
"""Every kind of fact. Stores keep a fact as its place here and its members: new kinds and members go to the ends."""

REQUEUE: Final = "requeue"
"""The kind of origin of a message to which MailScanner gave another queue ID."""

BEGINNINGS: Final = (Client, Submitted, Sender)
"""The facts with which a transaction begins."""


class Event(NamedTuple):
    """One fact of the transaction that has this queue ID on the line's host; `NOQUEUE` for a refusal without one."""

    queue_id: str
    fact: Fact


class Authenticated(NamedTuple):
    """A client of this process has logged in: what the process begins afterwards for this client is that user's."""

    login: str
    client: str


class Announced(NamedTuple):
    """What a process says of the message that it takes next from this fact's client, before that has a queue ID.

    A refusal is a hold; a client is that of a message that goes to a before-queue filter.
    """

    fact: Client | Refusal


class Accepted(NamedTuple):
    """A before-queue filter took the message that this process announced, and passed it on under this queue ID."""

    queue_id: str


class Ignored(NamedTuple):
    """The line is understood and says nothing of a transaction."""

    reason: str


Parsed: TypeAlias = Event | list[Event] | Authenticated | Announced | Accepted | Ignored | None
"""What a grammar makes of a line; None: unrecognised."""
