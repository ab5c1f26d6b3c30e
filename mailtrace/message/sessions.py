"""Lines without a queue ID that belong to the next message of their process.

Kept by host and process ID: logins to sendmail, holds that Postfix announces, and the client of a message that Postfix
passes to a before-queue filter. The reducer keeps the sessions of a log; `replay.py` those of one transaction.
"""

from collections import OrderedDict
from typing import Any, Final, NamedTuple

from mailtrace.message.transaction import SECOND, Lines
from mailtrace.mta import kept_facts
from mailtrace.mta.facts import Announced, Authenticated, Client, Event, Fact, Login, Parsed, Refusal, Sender
from mailtrace.mta.grammars import parse
from mailtrace.syslog.records import Record

_MAX_SESSIONS: Final = 5_000
_MAX_HOLDS: Final = 100
_LONGEST_WAIT: Final = 300 * SECOND
"""The longest time between two SMTP commands (postconf(5), smtpd_timeout)."""
_LONGEST_PAUSE: Final = 4 * 3600 * SECOND
"""The longest time between two messages of a session of sendmail, or its login and the first: a client may take an hour
for each command and for each block of a message (op.me, Timeout.command and Timeout.datablock), but rarely does."""
_DISORDER: Final = 5 * SECOND
"""How far lines can be out of order."""

_Process = tuple[str, str]
"""The host and the process ID."""


class _Session(NamedTuple):
    client: str
    """As `name [ip]`."""
    time: int
    """The time of the last line, in microseconds since 1970; 0 if an earlier version has not kept it."""
    facts: tuple[Fact, ...]
    """A `Login` (sendmail), a `Client` (before-queue filter), or a `Refusal` for each hold; empty once used."""
    lines: Lines
    """The lines that say these facts, in the order of reading."""

    def is_of(self, kind: type[Fact]) -> bool:
        """Return whether the session has facts of this kind."""
        return bool(self.facts) and isinstance(self.facts[0], kind)


class Told(NamedTuple):
    """What was kept for a message, and the lines that say it."""

    facts: tuple[Fact, ...]
    lines: Lines


_NOTHING: Final = Told((), ())


class Sessions:
    """Keeps the sessions of the processes that logged last."""

    def __init__(self) -> None:
        self.open: OrderedDict[_Process, _Session] = OrderedDict()
        """Public so that the reducer can skip a call for each message while it is empty."""

    def keep(self, record: Record, parsed: Parsed) -> None:
        """Keep what a line without a queue ID says about the next message of its process."""
        if type(parsed) is Authenticated:
            # A login applies to every message of the session, which ends without a line.
            self._keep(record, _Session(parsed.client, record.time, (Login(parsed.login),), (record,)))
        elif type(parsed) is Announced:
            self._announce(record, parsed.fact)
        elif type(parsed) is Event and isinstance(parsed.fact, Refusal):
            self.refuse(record, parsed.fact)

    def _announce(self, record: Record, fact: Client | Refusal) -> None:
        """Keep a fact about the next message; holds of one message are kept together."""
        if not record.pid and isinstance(fact, Client):
            # Without a process ID, any message that a filter passes on could be this one.
            return
        session = _Session(fact.client or "", record.time, (fact,), (record,))
        known = self.open.get((record.host, record.pid))
        if known is not None and isinstance(fact, Refusal) and _is_same_message(known, fact):
            facts = tuple(dict.fromkeys((*known.facts, fact)))[-_MAX_HOLDS:]
            lines = tuple(dict.fromkeys((*known.lines, record)))[-_MAX_HOLDS:]
            session = session._replace(facts=facts, lines=lines)
        self._keep(record, session)

    def may_tell(self, process: tuple[str, str], client: str) -> bool:
        """Return whether there may be something about the next message of a process from this client."""
        session = self.open.get(process)
        return session is not None and not (session.is_of(Login) and session.client != client)

    def may_tell_of_refusal(self, process: tuple[str, str]) -> bool:
        """Return whether there may be something about the next refusal of a process, which a login is not."""
        session = self.open.get(process)
        return session is not None and not session.is_of(Login)

    def begin(self, record: Record, beginning: Client | Sender, *, is_replay: bool = False) -> Told:
        """Return what was kept for the message that begins with this line.

        In a replay, a login is known to be that of the message; the lines between them belong to other messages.

        smtpd(8) drops a hold when the client sends RSET or disconnects. The lines about that come with every session
        and are not followed; instead, a message of another client or a long pause ends a hold. The remaining error is
        a client that reconnects to the same process within minutes and sends another message.
        """
        session = self.open.get((record.host, record.pid))
        if session is None:
            return _NOTHING
        is_same = session.client == beginning.client
        if session.is_of(Login):
            if not is_same or not isinstance(beginning, Sender) or not (is_replay or _lasts(session, record)):
                return _NOTHING
            self._keep(record, session._replace(time=max(session.time, record.time)))
            return Told(session.facts, session.lines)
        if not session.is_of(Refusal):
            return _NOTHING
        self._close(record, session)
        return Told(session.facts, session.lines) if is_same and _is_soon(session, record) else _NOTHING

    def accept(self, record: Record) -> Told:
        """Return the login of the client whose message a before-queue filter has passed on, with this line."""
        session = self._pop_client(record)
        login = session and _login(session.facts[0])
        return Told((login,), (*session.lines, record)) if session and login else _NOTHING

    def refuse(self, record: Record, refusal: Refusal) -> Told:
        """Return the facts of a refusal without a queue ID, with what was kept of its session."""
        session = self.open.get((record.host, record.pid))
        if session is not None and session.is_of(Refusal):
            self._refuse_held(record, session, refusal)
        elif refusal.client is None and (session := self._pop_client(record)) is not None:
            login = _login(session.facts[0])
            refusal = refusal._replace(client=session.client)
            return Told((refusal,) if login is None else (refusal, login), (*session.lines, record))
        return Told((refusal,), (record,))

    def _refuse_held(self, record: Record, session: _Session, refusal: Refusal) -> None:
        """Remove a refused recipient from a hold; the message stays on hold for its other recipients."""
        if refusal.outcome != "rejected" or not _is_same_message(session, refusal):
            self._close(record, session)
        elif refusal.recipient is not None:
            facts = [fact for fact in session.facts if isinstance(fact, Refusal)]
            held = [fact for fact in facts if fact.recipient != refusal.recipient]
            left = tuple(held or [facts[0]._replace(recipient=None)])
            lines = (*session.lines, record)[-_MAX_HOLDS:]
            self._keep(record, session._replace(time=max(session.time, record.time), facts=left, lines=lines))

    def _pop_client(self, record: Record) -> _Session | None:
        session = self.open.get((record.host, record.pid))
        if session is None or not session.is_of(Client):
            return None
        self._close(record, session)
        return session

    def _close(self, record: Record, session: _Session) -> None:
        """Keep an empty session, because an older checkpoint of another log may still have its facts."""
        self._keep(record, session._replace(time=max(session.time, record.time), facts=(), lines=()))

    def _keep(self, record: Record, session: _Session) -> None:
        process = record.host, record.pid
        self.open[process] = session
        self.open.move_to_end(process)
        if len(self.open) > _MAX_SESSIONS:
            self.open.popitem(last=False)

    def state(self) -> list[list[Any]]:
        """Return all sessions, for the checkpoint."""
        return [[*process, session.client, session.time, _state_of(session)] for process, session in self.open.items()]

    def resume(self, state: list[list[Any]]) -> None:
        """Load the sessions that an earlier run saved, except where this run has newer ones."""
        for host, pid, *kept in state:
            process, session = (host, pid), _resumed((host, pid), kept)
            known = self.open.get(process)
            if known is None or known.time < session.time or (known.time == session.time and not session.facts):
                self.open[process] = session


def _state_of(session: _Session) -> list[list[Any]]:
    """Return the lines of a session, or the facts that an earlier version kept without lines."""
    if session.lines:
        return [list(line) for line in session.lines]
    return [[session.time, *kept_facts.values_of(fact)] for fact in session.facts]


def _resumed(process: _Process, kept: list[Any]) -> _Session:
    """Return a session from its state: from its lines, or from facts as earlier versions kept them."""
    if len(kept) == 2:
        return _Session(kept[1], 0, (Login(kept[0]),), ())
    client, time, lines = kept
    if lines and isinstance(lines[0][1], int):
        return _Session(client, time, tuple(kept_facts.of_values(values) for _, *values in lines), ())
    alone = Sessions()
    for line in lines:
        record = Record(*line)
        alone.keep(record, parse(record.program, record.text))
    return alone.open.get(process, _Session(client, time, (), ()))._replace(client=client, time=time)


def _is_same_message(session: _Session, refusal: Refusal) -> bool:
    """Return whether a refusal can be about the message on hold: same client, and same sender if known."""
    if session.client != refusal.client:
        return False
    known = [fact.sender for fact in session.facts if isinstance(fact, Refusal) and fact.sender is not None]
    return session.is_of(Refusal) and (refusal.sender is None or all(refusal.sender == s for s in known))


def _is_soon(session: _Session, record: Record) -> bool:
    return -_DISORDER <= record.time - session.time <= _LONGEST_WAIT


def _lasts(session: _Session, record: Record) -> bool:
    """Return whether a message can be of the session; later, another process may have the same number."""
    return not session.time or -_DISORDER <= record.time - session.time <= _LONGEST_PAUSE


def _login(client: Fact) -> Login | None:
    if not isinstance(client, Client) or (client.login is None and client.orig_client is None):
        return None
    return Login(client.login, client.orig_client)
