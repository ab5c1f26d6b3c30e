"""The flags of `mailtrace-search`, and the query that they make."""

import argparse
import re
from collections.abc import Callable, Iterable
from datetime import tzinfo
from typing import Any, Final

from mailtrace.errors import UsageError
from mailtrace.groups import BY
from mailtrace.moments import last, moment
from mailtrace.options import Parser, count
from mailtrace.patterns import Pattern, ip_key, normal_ip
from mailtrace.query import MTAS, OUTCOMES, Query, Word

_DESCRIPTION = "Find mail transactions that mailtrace-index has read from mail logs, the newest first."
_EPILOG = """\
All that is given must hold; of a flag given twice, either. -t, -s, --ever,
--relay and --status must hold of the same recipient. Values are matched as a
whole, by pattern ('*@bar.*', 'b?b@bar.com') or by domain (@bar.com), without
regard to case; '<>' is the null sender.

examples:
  mailtrace-search bob@foo.com --last 2h
  mailtrace-search -t @bar.com -s bounced -d yesterday
  mailtrace-search --trace -q pBFERI8l019936
  mailtrace-search --ever deferred --by status

exit status: 0 found, 1 nothing found, 2 error, 130 interrupted
"""
_MANY: Final[dict[str, Any]] = {"action": "append", "default": []}
_is_time = re.compile(r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?", re.ASCII).fullmatch
_has_a_sign = re.compile(r"[@*?/<>]").search


def parser() -> Parser:
    """Return the parser of the command line."""
    made = Parser("mailtrace-search", _DESCRIPTION, _EPILOG)
    _add_what(made.add_argument_group("which mail", "mailtrace-search -f bob@foo.com -t @bar.com"))
    _add_became(
        made.add_argument_group("what became of it", "mailtrace-search -t @bar.com -s deferred --status greylist")
    )
    _add_when(made.add_argument_group("when", "mailtrace-search --last 2h, or -d 'yesterday 14:00' -D 2011-12-17"))
    _add_how_much(made.add_argument_group("how much", "mailtrace-search --last 1d --by relay -r 5"))
    _add_layout(made.add_argument_group("in which form", "mailtrace-search --last 1d --format csv > day.csv"))
    return made


def _add_what(group: argparse._ArgumentGroup) -> None:
    option = group.add_argument
    option("words", metavar="WORD", nargs="*", help="a sender, recipient, message ID, queue ID, client or login")
    option("-f", dest="senders", metavar="FROM", help="the envelope sender", **_MANY)
    option("-t", dest="recipients", metavar="TO", help="a recipient, or what it was rewritten from", **_MANY)
    option("-m", dest="msgids", metavar="MSGID", help="the message ID", **_MANY)
    option("-q", dest="queue_ids", metavar="QUEUE_ID", help="the queue ID, as logged", **_MANY)
    option("-c", dest="clients", metavar="CLIENT", help="the client's name, IP address or network", **_MANY)
    option("--login", dest="logins", metavar="LOGIN", help="the user that the client logged in as", **_MANY)
    option("-h", dest="hosts", metavar="HOST", help="the host that wrote the log", **_MANY)
    option("--mta", dest="mtas", choices=MTAS, help=f"the program: {' or '.join(MTAS)}", **_MANY)


def _add_became(group: argparse._ArgumentGroup) -> None:
    option = group.add_argument
    option("-s", dest="outcomes", metavar="OUTCOME", help=f"in the end: {', '.join(OUTCOMES)}", **_MANY)
    option("--ever", dest="ever", metavar="OUTCOME", help="at any time", **_MANY)
    option("--relay", dest="relays", metavar="RELAY", help="the next hop's name, IP address or network", **_MANY)
    option("--status", dest="statuses", metavar="TEXT", help="a part of the MTA's words", **_MANY)


def _add_when(group: argparse._ArgumentGroup) -> None:
    option = group.add_argument
    option("-d", dest="since", metavar="DATE", help="not before; '2011-12-15 15:00', 'yesterday 14:00', '2 hours ago'")
    option("-D", dest="until", metavar="DATE", help="not after; a day's last moment where no time is given")
    option("--last", dest="last", metavar="TIME", help="not longer ago than 30m, 2h, 3d or 1w")


def _add_how_much(group: argparse._ArgumentGroup) -> None:
    option = group.add_argument
    option("-r", dest="limit", metavar="N", type=count, help="only the first N; of groups, 20 if not told")
    option("--oldest-first", action="store_true", help="from the oldest on")
    what = group.add_mutually_exclusive_group()
    what.add_argument("--count", action="store_true", help="only how many transactions there are")
    what.add_argument("--by", metavar="WHAT", choices=BY, help=f"how many there are by {', '.join(BY)}")


def _add_layout(group: argparse._ArgumentGroup) -> None:
    option = group.add_argument
    option(
        *("--format",),
        choices=("text", "json", "csv"),
        default="text",
        help="text (default), json (one object a line) or csv (one line for each recipient)",
    )
    option("--trace", action="store_true", help="the whole way of each message across hosts, as a tree or nested JSON")
    option("--long", action="store_true", help="all that is known, as text")
    option(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="colours: auto (default) shows them on a terminal",
    )


def query_of(arguments: argparse.Namespace, zone: tzinfo, now: float) -> Query:
    """Return what is asked for; `now` in seconds since 1970.

    Raises:
        UsageError: a value cannot be used.
    """
    given = vars(arguments)
    since, until = _span(given, zone, now)
    outcomes, ever = _each("-s", given["outcomes"], _outcome), _each("--ever", given["ever"], _outcome)
    if outcomes and ever and not {*outcomes} & {*ever}:
        raise UsageError(f"-s {outcomes[0]} and --ever {ever[0]} are never one result's: leave one of them out")
    return Query(
        senders=_each("-f", given["senders"], Pattern.of),
        recipients=_each("-t", given["recipients"], Pattern.of),
        msgids=_each("-m", given["msgids"], Pattern.of_text),
        queue_ids=_each("-q", given["queue_ids"], str),
        clients=_each("-c", given["clients"], _peer),
        logins=_each("--login", given["logins"], Pattern.of_text),
        hosts=_each("-h", given["hosts"], Pattern.of_text),
        mtas=tuple(given["mtas"]),
        relays=_each("--relay", given["relays"], _peer),
        statuses=_each("--status", given["statuses"], str.lower),
        outcomes=outcomes,
        ever=ever,
        words=_each("WORD", given["words"], _word),
        since=since,
        until=until,
        limit=given["limit"],
        oldest_first=given["oldest_first"],
    )


def hint_of(arguments: argparse.Namespace) -> str:
    """Return how a domain or a part is asked for, where an address or word was neither; empty where all are whole."""
    addresses = [*arguments.senders, *arguments.recipients]
    names = [word for word in arguments.words if "." in word or not any(map(str.isdigit, word))]
    for asked in map(str.strip, [*addresses, *names]):
        if not _has_a_sign(asked) and not ip_key(normal_ip(asked)):
            domain = f"@{asked} for the domain, or " if "." in asked else ""
            return f"{asked} was compared as a whole: write {domain}'*{asked}*' for a part"
    return ""


def _each(flag: str, values: Iterable[str], make: Callable[[str], Any]) -> tuple[Any, ...]:
    found = []
    for value in values:
        if not value.strip():
            raise UsageError(f"{flag} '': nothing can be found by an empty text; leave {flag} out, or say what to find")
        try:
            found.append(make(value))
        except UsageError as error:
            raise UsageError(f"{flag} {error}") from error
    return tuple(found)


def _word(asked: str) -> Word:
    if _is_time(asked.strip()):
        raise UsageError(
            f"{asked}: a time, and nothing to find: put a date and its time in quotes, '2011-12-15 15:00:00'"
        )
    return Word.of(asked)


def _peer(asked: str) -> Pattern:
    if asked.strip().startswith("@"):
        raise UsageError(f"{asked}: this is a host, not an address; write {asked[1:]} or '*.{asked[1:]}'")
    return Pattern.of_peer(asked)


def _outcome(asked: str) -> str:
    if asked.lower() not in OUTCOMES:
        raise UsageError(f"{asked}: no such outcome; there are {', '.join(OUTCOMES)}")
    return asked.lower()


def _span(given: dict[str, Any], zone: tzinfo, now: float) -> tuple[int | None, int | None]:
    if given["last"] is not None and given["since"] is not None:
        raise UsageError("--last and -d both say where to begin: leave one of them out")
    since = None if given["since"] is None else moment("-d", given["since"], zone, now)
    if given["last"] is not None:
        since = last("--last", given["last"], now)
    until = None if given["until"] is None else moment("-D", given["until"], zone, now, end=True)
    if since is not None and until is not None and since > until:
        begin = f"--last {given['last']}" if given["since"] is None else f"-d {given['since']}"
        raise UsageError(f"{begin} is after -D {given['until']}")
    return since, until
