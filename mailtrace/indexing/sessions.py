"""Lines without a queue ID that belong to the next message of their process.

Kept by host and process ID: logins to sendmail, holds that Postfix announces, and the client of a message that Postfix
passes to a before-queue filter.
"""

from collections import OrderedDict
from typing import Any, Final, NamedTuple

from mailtrace.message.transaction import SECOND, pack, unpack
from mailtrace.mta.facts import Announced, Authenticated, Client, Fact, Login, Refusal, Sender
from mailtrace.syslog.frame import Record

_MAX_SESSIONS: Final = 5_000
_MAX_HOLDS: Final = 100
_LONGEST_WAIT: Final = 300 * SECOND
"""The longest time between two SMTP commands (postconf(5), smtpd_timeout)."""
_DISORDER: Final = 5 * SECOND
"""How far lines can be out of order."""

_Process = tuple[str, str]
"""The host and the process ID."""


class _Session(NamedTuple):
    client: str
    """As `name [ip]`."""
    time: int
    """The time of the last line, in microseconds since 1970."""
    facts: tuple[Fact, ...]
    """A `Login` (sendmail), a `Client` (before-queue filter), or a `Refusal` for each hold; empty once used."""

    def is_of(self, kind: type[Fact]) -> bool:
        """Return whether the session has facts of this kind."""
        return bool(self.facts) and isinstance(self.facts[0], kind)


class Sessions:
    """Keeps the sessions of the processes that logged last."""

    def __init__(self) -> None:
        self.open: OrderedDict[_Process, _Session] = OrderedDict()
        """Public so that the reducer can skip a call for each message while it is empty."""

    def log_in(self, record: Record, session: Authenticated) -> None:
        """Keep a login, which applies to every message of the session."""
        self._keep(record, _Session(session.client, record.time, (Login(session.login),)))

    def announce(self, record: Record, announced: Announced) -> None:
        """Keep a fact about the next message; holds of one message are kept together."""
        fact = announced.fact
        if not record.pid and isinstance(fact, Client):
            # Without a process ID, any message that a filter passes on could be this one.
            return
        facts: tuple[Fact, ...] = (fact,)
        known = self.open.get((record.host, record.pid))
        if known is not None and isinstance(fact, Refusal) and _is_same_message(known, fact):
            facts = tuple(dict.fromkeys((*known.facts, fact)))[-_MAX_HOLDS:]
        self._keep(record, _Session(fact.client or "", record.time, facts))

    def begin(self, record: Record, beginning: Client | Sender) -> tuple[Fact, ...]:
        """Return the facts that were kept for the message that begins with this line.

        smtpd(8) drops a hold when the client sends RSET or disconnects. The lines about that come with every session
        and are not followed; instead, a message of another client or a long pause ends a hold. The remaining error is
        a client that reconnects to the same process within minutes and sends another message.
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
        """Return the login of the client whose message a before-queue filter has passed on."""
        client = self._pop_client(record)
        return _login(client) if client is not None else None

    def refuse(self, record: Record, refusal: Refusal) -> list[Fact]:
        """Return the facts of a refusal without a queue ID, with what was kept of its session."""
        session = self.open.get((record.host, record.pid))
        if session is not None and session.is_of(Refusal):
            self._refuse_held(record, session, refusal)
        elif refusal.client is None and (client := self._pop_client(record)) is not None:
            login = _login(client)
            refusal = refusal._replace(client=client.client)
            return [refusal] if login is None else [refusal, login]
        return [refusal]

    def _refuse_held(self, record: Record, session: _Session, refusal: Refusal) -> None:
        """Remove a refused recipient from a hold; the message stays on hold for its other recipients."""
        if refusal.outcome != "rejected" or not _is_same_message(session, refusal):
            self._close(record, session)
        elif refusal.recipient is not None:
            facts = [fact for fact in session.facts if isinstance(fact, Refusal)]
            held = [fact for fact in facts if fact.recipient != refusal.recipient]
            left = tuple(held or [facts[0]._replace(recipient=None)])
            self._keep(record, session._replace(time=max(session.time, record.time), facts=left))

    def _pop_client(self, record: Record) -> Client | None:
        session = self.open.get((record.host, record.pid))
        if session is None or not session.is_of(Client):
            return None
        self._close(record, session)
        (client,) = session.facts
        return client if isinstance(client, Client) else None

    def _close(self, record: Record, session: _Session) -> None:
        """Keep an empty session, because an older checkpoint of another log may still have its facts."""
        self._keep(record, session._replace(time=max(session.time, record.time), facts=()))

    def _keep(self, record: Record, session: _Session) -> None:
        process = record.host, record.pid
        self.open[process] = session
        self.open.move_to_end(process)
        if len(self.open) > _MAX_SESSIONS:
            self.open.popitem(last=False)

    def state(self) -> list[list[Any]]:
        """Return all sessions, for the checkpoint."""
        return [
            [*process, session.client, session.time, pack((session.time, fact) for fact in session.facts)]
            for process, session in self.open.items()
        ]

    def resume(self, state: list[list[Any]]) -> None:
        """Load the sessions that an earlier run saved, except where this run has newer ones."""
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
    """Return whether a refusal can be about the message on hold: same client, and same sender if known."""
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
