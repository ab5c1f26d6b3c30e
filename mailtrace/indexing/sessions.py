"""What processes have said of their next messages, which have no queue ID yet.

By (host, process): who has logged in to sendmail, which hold Postfix has announced, and whose message a before-queue
filter has. What is said before a message's first line is a part of it.
"""

from collections import OrderedDict
from typing import Any, Final, NamedTuple

from mailtrace.message.transaction import SECOND, pack, unpack
from mailtrace.mta.facts import Announced, Authenticated, Client, Fact, Login, Refusal, Sender
from mailtrace.syslog.frame import Record

_MOST: Final = 5_000
_MOST_HOLDS: Final = 100
_LONGEST_WAIT: Final = 300 * SECOND
"""How long a client may take between two commands (postconf(5), smtpd_timeout)."""
_DISORDER: Final = 5 * SECOND

_Process = tuple[str, str]
"""The host and the process ID."""


class _Session(NamedTuple):
    client: str
    """As `name [ip]`."""
    time: int
    """When this was said last, in microseconds since 1970."""
    facts: tuple[Fact, ...]
    """A `Login` (sendmail), a `Client` (before-queue filter), or the `Refusal` of each hold; none once used."""

    def is_of(self, kind: type[Fact]) -> bool:
        """Whether facts of this kind were said."""
        return bool(self.facts) and isinstance(self.facts[0], kind)


class Sessions:
    """Keeps what is open, for as many processes as have said something lately."""

    def __init__(self) -> None:
        self.open: OrderedDict[_Process, _Session] = OrderedDict()
        """Empty where nothing need be asked: it is looked at for every message."""

    def log_in(self, record: Record, session: Authenticated) -> None:
        """Keep who has logged in, for every message of the session."""
        self._keep(record, _Session(session.client, record.time, (Login(session.login),)))

    def announce(self, record: Record, announced: Announced) -> None:
        """Keep what was said of the next message; holds of one message are kept together."""
        fact = announced.fact
        if not record.pid and isinstance(fact, Client):
            # Without a process ID, any message that a filter passes on could be this one.
            return
        facts: tuple[Fact, ...] = (fact,)
        known = self.open.get((record.host, record.pid))
        if known is not None and isinstance(fact, Refusal) and _is_same_message(known, fact):
            facts = tuple(dict.fromkeys((*known.facts, fact)))[-_MOST_HOLDS:]
        self._keep(record, _Session(fact.client or "", record.time, facts))

    def begin(self, record: Record, beginning: Client | Sender) -> tuple[Fact, ...]:
        """Return what was said before of the message that begins with this line.

        smtpd(8) forgets a hold when the client sends RSET or goes. Of that, only lines tell that are no transaction's
        and that come with every session, so they are not followed: another client's message, or a long time, tell too.
        What is left is a client that goes and comes back to the same process within minutes, with other mail.
        """
        session = self.open.get((record.host, record.pid))
        if session is None:
            return ()
        is_same = session.client == beginning.client
        if session.is_of(Login):
            return session.facts if is_same and isinstance(beginning, Sender) else ()
        if not session.is_of(Refusal):
            return ()
        self._close(record, session)
        return session.facts if is_same and _is_soon(session, record) else ()

    def accept(self, record: Record) -> Login | None:
        """Return who had logged in to send the message that a before-queue filter has passed on."""
        client = self._take_client(record)
        return _login(client) if client is not None else None

    def refuse(self, record: Record, refusal: Refusal) -> list[Fact]:
        """Return what a refusal without a queue ID says, with what the process had said before."""
        session = self.open.get((record.host, record.pid))
        if session is not None and session.is_of(Refusal):
            self._refuse_held(record, session, refusal)
        elif refusal.client is None and (client := self._take_client(record)) is not None:
            login = _login(client)
            told = refusal._replace(client=client.client)
            return [told] if login is None else [told, login]
        return [refusal]

    def _refuse_held(self, record: Record, session: _Session, refusal: Refusal) -> None:
        """A recipient that is refused after all is none of the message, which stays on hold for the next one."""
        if refusal.outcome != "rejected" or not _is_same_message(session, refusal):
            self._close(record, session)
        elif refusal.recipient is not None:
            facts = [fact for fact in session.facts if isinstance(fact, Refusal)]
            held = [fact for fact in facts if fact.recipient != refusal.recipient]
            left = tuple(held or [facts[0]._replace(recipient=None)])
            self._keep(record, session._replace(time=max(session.time, record.time), facts=left))

    def _take_client(self, record: Record) -> Client | None:
        session = self.open.get((record.host, record.pid))
        if session is None or not session.is_of(Client):
            return None
        self._close(record, session)
        (client,) = session.facts
        return client if isinstance(client, Client) else None

    def _close(self, record: Record, session: _Session) -> None:
        """Keep that what was said has been used: an older checkpoint of another log may have it as open still."""
        self._keep(record, session._replace(time=max(session.time, record.time), facts=()))

    def _keep(self, record: Record, session: _Session) -> None:
        process = record.host, record.pid
        self.open[process] = session
        self.open.move_to_end(process)
        if len(self.open) > _MOST:
            self.open.popitem(last=False)

    def state(self) -> list[list[Any]]:
        """Return what is open, for a later run to go on with."""
        return [
            [*process, session.client, session.time, pack((session.time, fact) for fact in session.facts)]
            for process, session in self.open.items()
        ]

    def resume(self, state: list[list[Any]]) -> None:
        """Go on with what was open in an earlier run, but for what is newer here: checkpoints come in no order."""
        for host, pid, *kept in state:
            process, session = (host, pid), _resumed(kept)
            known = self.open.get(process)
            if known is None or known.time < session.time or (known.time == session.time and not session.facts):
                self.open[process] = session


def _resumed(kept: list[Any]) -> _Session:
    if len(kept) == 2:
        return _Session(kept[1], 0, (Login(kept[0]),))
    client, time, packed = kept
    return _Session(client, time, tuple(fact for _, fact in unpack(packed)))


def _is_same_message(session: _Session, refusal: Refusal) -> bool:
    """Whether a refusal can be about the message that was announced to be on hold: same client, same sender."""
    if session.client != refusal.client:
        return False
    known = [fact.sender for fact in session.facts if isinstance(fact, Refusal) and fact.sender is not None]
    return session.is_of(Refusal) and (refusal.sender is None or all(refusal.sender == s for s in known))


def _is_soon(session: _Session, record: Record) -> bool:
    return -_DISORDER <= record.time - session.time <= _LONGEST_WAIT


def _login(client: Client) -> Login | None:
    if client.login is None and client.orig_client is None:
        return None
    return Login(client.login, client.orig_client)
