"""The flags of `mailtrace-search`, and the query made from them."""

import argparse
import os
import re
from collections.abc import Callable, Iterable
from datetime import tzinfo
from itertools import chain
from shlex import quote
from typing import Any, Final

from mailtrace.cli.date_arguments import parse_age, parse_date, parse_delay
from mailtrace.cli.parser import Parser, count
from mailtrace.errors import UsageError
from mailtrace.search.groups import BY, SORTS, Grouping
from mailtrace.search.patterns import Pattern
from mailtrace.search.peers import clients_of, relays_of
from mailtrace.search.query import MTAS, OUTCOMES, Query, Word

_DESCRIPTION = "Search the mail transactions that mailtrace-index has read from mail logs, newest first."
_EPILOG = """\
Different flags must all match; a flag given twice matches either value. -t, -s,
--queued, --ever, --relay and --status must match the same recipient result, but
with --ever, -s and --queued tell what became of that recipient. A value matches
whole ('bob@bar.com'), by pattern ('*@bar.*', 'b?b@bar.com') or by domain
(@bar.com), ignoring case; '<>' is the null sender.

examples:
  mailtrace-search bob@foo.com --last 2h
  mailtrace-search -t @bar.com -s bounced -d yesterday
  mailtrace-search --trace -q pBFERI8l019936
  mailtrace-search --ever deferred --by status
  mailtrace-search --overview --last 1d --format html > day.html

exit status: 0 found, 1 nothing found, 2 error, 130 interrupted
"""


def _as_stored(argument: str) -> str:
    r"""Return an argument as stores keep text: a byte that is not UTF-8 is `\xNN`."""
    return os.fsencode(argument).decode("utf-8", "backslashreplace")


_MANY: Final[dict[str, Any]] = {"action": "append", "default": [], "type": _as_stored}
_MOST_BY: Final = 2
_is_time = re.compile(r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?", re.ASCII).fullmatch

_begins_with_name = re.compile(
    r"(?:(?:orig_)?client|relay|(?:resent-)?message-id|msgid|sasl_username|authid)=(?=.)|(?:from|to|orig_to|ctladdr)=(?=<)"
    r"|H=(?=[^\[\]]*\[[^\[\]]+\])"
).match
"""The name of a field before its value in a log. An address without angle brackets could begin like one.

`H=` is Exim's name of a client or next hop.
"""


def parser() -> Parser:
    """Return the parser of the command's arguments."""
    made = Parser("mailtrace-search", _DESCRIPTION, _EPILOG)
    _add_message(made.add_argument_group("Message", "mailtrace-search -f bob@foo.com -t @bar.com"))
    _add_outcome(made.add_argument_group("Outcome", "mailtrace-search -t @bar.com -s deferred --status greylist"))
    _add_time(made.add_argument_group("Time", "mailtrace-search --last 2h, or -d 'yesterday 14:00' -D 2011-12-17"))
    _add_limits(made.add_argument_group("Limits and counts", "mailtrace-search --last 1d --by relay -r 5"))
    _add_output(made.add_argument_group("Output", "mailtrace-search --last 1d --format csv > day.csv"))
    return made


def _add_message(group: argparse._ArgumentGroup) -> None:
    option = group.add_argument
    option(
        "words",
        metavar="WORD",
        nargs="*",
        type=_as_stored,
        help="sender, recipient, message ID, queue ID, client or login",
    )
    option("-f", "--from", dest="senders", metavar="FROM", help="envelope sender", **_MANY)
    option(
        "-t", "--to", dest="recipients", metavar="TO", help="recipient, or the address it was rewritten from", **_MANY
    )
    option("-m", "--msgid", dest="msgids", metavar="MSGID", help="message ID", **_MANY)
    option("-q", "--queue-id", dest="queue_ids", metavar="QUEUE_ID", help="queue ID, exactly as logged", **_MANY)
    option("-c", "--client", dest="clients", metavar="CLIENT", help="client name, IP address or network", **_MANY)
    option("--login", dest="logins", metavar="LOGIN", help="user name of the SASL login", **_MANY)
    option("-h", "--host", dest="hosts", metavar="HOST", help="host that wrote the log", **_MANY)
    option("--mta", dest="mtas", choices=MTAS, help=f"mail server: {', '.join(MTAS[:-1])} or {MTAS[-1]}", **_MANY)


def _add_outcome(group: argparse._ArgumentGroup) -> None:
    option = group.add_argument
    option(
        *("-s", "--outcome"),
        dest="outcomes",
        metavar="OUTCOME",
        help=f"final outcome of a recipient: {', '.join(OUTCOMES)}",
        **_MANY,
    )
    option("--ever", dest="ever", metavar="OUTCOME", help="outcome of any delivery attempt, final or not", **_MANY)
    option("--relay", dest="relays", metavar="RELAY", help="next hop: name, IP address or network", **_MANY)
    option("--status", dest="statuses", metavar="TEXT", help="text in the MTA's status, such as greylist", **_MANY)
    option("--queued", action="store_true", help="what is in the queue of its server, with its age")
    option("--min-delay", metavar="TIME", help="recipients that took or have waited at least 30s, 10m or 2h")


def _add_time(group: argparse._ArgumentGroup) -> None:
    option = group.add_argument
    option(
        *("-d", "--since"),
        dest="since",
        metavar="DATE",
        help="from this date on: '2011-12-15 15:00', 'yesterday 14:00', monday, 'last month', '2 hours ago'",
    )
    option(
        *("-D", "--until"),
        dest="until",
        metavar="DATE",
        help="until this date; a date without a time includes the whole day, week or month",
    )
    option("--last", dest="last", metavar="TIME", help="within the last 30m, 2h, 3d or 1w")


def _add_limits(group: argparse._ArgumentGroup) -> None:
    option = group.add_argument
    option(
        *("-r", "--limit"),
        dest="limit",
        metavar="N",
        type=count,
        help="show at most N (default: 20 groups; on a terminal 100 transactions, in a pipe all)",
    )
    option("--oldest-first", action="store_true", help="oldest first")
    option("--count", action="store_true", help="print only the number of transactions")
    option(
        "--overview",
        action="store_true",
        help="print an overview of --last 1d, or of other dates; with -q, print nothing if nothing came",
    )
    option("--quiet", action="store_true", help=argparse.SUPPRESS)
    about = f"count by {', '.join(BY)}; given twice, by both"
    option("--by", metavar="WHAT", choices=BY, action="append", help=about)
    option(
        "--sort",
        choices=SORTS,
        help="order of --by: count (default, but hours and days by time), median or p95 delay, bytes or name",
    )


def _add_output(group: argparse._ArgumentGroup) -> None:
    option = group.add_argument
    option(
        *("--format",),
        choices=("text", "table", "json", "csv", "html"),
        default="text",
        help="text (default), table or csv (one line per recipient result), json (one object per line), or html (only"
        " of an --overview)",
    )
    option(
        "--columns",
        metavar="NAMES",
        type=_columns,
        help="columns of --format csv or table, such as date,from,recipient,outcome,status; all for every field",
    )
    option(
        "--all-recipients",
        action="store_true",
        help="show all recipients of a transaction, even if only some match -t, -s, --ever, --relay or --status",
    )
    option(
        "--trace", action="store_true", help="show the journey of each message across hosts, as a tree or nested JSON"
    )
    option("--lines", action="store_true", help="show the log lines of each transaction")
    option("--long", action="store_true", help="show every known field, as text")
    option("--no-pager", action="store_true", help="do not use $PAGER (default less) on a terminal")
    option(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="colours: auto (default) uses them on a terminal",
    )


def _columns(text: str) -> tuple[str, ...]:
    """Parse the value of `--columns`."""
    from mailtrace.output.rows import AGE, COLUMNS  # noqa: PLC0415 # keeps `--help` quick

    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    if names == ["all"]:
        return COLUMNS
    if wrong := [name for name in names if name not in (*COLUMNS, AGE)]:
        every = ", ".join((*COLUMNS, AGE))
        raise argparse.ArgumentTypeError(f"{wrong[0]}: no such column; choose from all, {every} (of --queued)")
    if not names:
        raise argparse.ArgumentTypeError("name a column, such as date,from,recipient")
    return tuple(dict.fromkeys(names))


def columns_of(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Return the columns of CSV or of the table; the age is one of them by default if the query is `--queued`.

    Raises:
        UsageError: the age is asked for, and the query is another one.
    """
    from mailtrace.output.rows import AGE, COLUMNS, TABLE_COLUMNS, USUAL_COLUMNS  # noqa: PLC0415 # as above

    chosen: tuple[str, ...] | None = arguments.columns
    if not arguments.queued:
        if AGE in (chosen or ()):
            raise UsageError(f"--columns {AGE}: only what is in the queue has an age: add --queued")
        return chosen or (TABLE_COLUMNS if arguments.format == "table" else USUAL_COLUMNS)
    if chosen is not None:
        return (*COLUMNS, AGE) if chosen == COLUMNS else chosen
    # After the date in a table, but last in CSV, where programs may count columns.
    return (TABLE_COLUMNS[0], AGE, *TABLE_COLUMNS[1:]) if arguments.format == "table" else (*USUAL_COLUMNS, AGE)


def grouping_of(arguments: argparse.Namespace, zone: tzinfo) -> Grouping:
    """Return the grouping of `--by` and `--sort`, with hours and days in `zone`.

    Raises:
        UsageError: they cannot be combined.
    """
    by, sort = arguments.by, arguments.sort
    if len(by) > _MOST_BY or len(set(by)) < len(by):
        raise UsageError("--by counts by one or two different values")
    grouping = Grouping(by[0], zone, by[1] if len(by) > 1 else None, sort)
    if not grouping.can_be_sorted:
        raise UsageError(
            f"--sort {sort}: only recipients have delays: group by relay, to, to-domain, outcome, ever or status"
        )
    return grouping


def query_of(arguments: argparse.Namespace, zone: tzinfo, now: float) -> Query:
    """Return the query of the arguments; dates without a zone are in `zone`, and `now` is in seconds since 1970.

    Raises:
        UsageError: a value is invalid, or two flags contradict each other.
    """
    given = vars(arguments)
    if given["sort"] and not given["by"]:
        raise UsageError("--sort orders groups: add --by, such as --by relay")
    since, until = _period(given, zone, now)
    return Query(
        senders=_parsed("-f", given["senders"], Pattern.of),
        recipients=_parsed("-t", given["recipients"], Pattern.of),
        msgids=_parsed("-m", given["msgids"], Pattern.of_text),
        queue_ids=_parsed("-q", given["queue_ids"], str),
        clients=tuple(chain.from_iterable(_parsed("-c", given["clients"], _clients))),
        logins=_parsed("--login", given["logins"], Pattern.of_text),
        hosts=_parsed("-h", given["hosts"], Pattern.of_text),
        mtas=tuple(given["mtas"]),
        relays=tuple(chain.from_iterable(_parsed("--relay", given["relays"], _relays))),
        statuses=_parsed("--status", given["statuses"], str.lower, clean=str),
        outcomes=_parsed("-s", given["outcomes"], _outcome),
        ever=_parsed("--ever", given["ever"], _outcome),
        queued=given["queued"],
        min_delay=None if given["min_delay"] is None else parse_delay("--min-delay", given["min_delay"]),
        words=_parsed("WORD", given["words"], _word),
        since=since,
        until=until,
        limit=given["limit"],
        oldest_first=given["oldest_first"],
        with_lines=given["lines"],
    )


def _parsed(
    flag: str, values: Iterable[str], parse: Callable[[str], Any], clean: Callable[[str], str] | None = None
) -> tuple[Any, ...]:
    found = []
    for value in values:
        if not value.strip():
            raise UsageError(f"{flag} '': empty text finds nothing: leave {flag} out, or give a value")
        try:
            found.append(parse((clean or stripped)(value)))
        except UsageError as error:
            raise UsageError(f"{flag} {error}") from error
    return tuple(found)


def stripped(value: str) -> str:
    """Return a value without what surrounds it in a log line: `to=<bob@foo.com>,` or `pBFERI8l019936:`."""
    text = value.strip()
    # The end of an IPv6 address stays.
    shorter = text.rstrip(",;") if text.endswith("::") else text.rstrip(",;:")
    if name := _begins_with_name(shorter):
        shorter = shorter[name.end() :]
    if shorter.startswith("<") and shorter.endswith(">") and len(shorter) > 2 and ">,<" not in shorter:
        shorter = shorter[1:-1]
    return shorter or text


def _word(value: str) -> Word:
    if _is_time(value.strip()):
        raise UsageError(
            f"{value}: this is a time, not a search word: quote date and time together, '2011-12-15 15:00:00'"
        )
    return Word.of(value)


def _clients(value: str) -> tuple[Pattern, ...]:
    _check_peer(value)
    return clients_of(value)


def _relays(value: str) -> tuple[Pattern, ...]:
    _check_peer(value)
    return relays_of(value)


def _check_peer(value: str) -> None:
    if value.strip().startswith("@"):
        name = value.strip()[1:]
        hosts = f"{quote(name)} or {quote(f'*.{name}')}"
        raise UsageError(f"{value}: name a host, not the domain of an address: write {hosts}")


def _outcome(value: str) -> str:
    if value.lower() not in OUTCOMES:
        raise UsageError(f"{value}: unknown outcome; choose from {', '.join(OUTCOMES)}")
    return value.lower()


def _period(given: dict[str, Any], zone: tzinfo, now: float) -> tuple[int | None, int | None]:
    if given["last"] is not None and given["since"] is not None:
        raise UsageError("--last and -d both set the start: leave one of them out")
    since = None if given["since"] is None else parse_date("-d", given["since"], zone, now)
    if given["last"] is not None:
        since = parse_age("--last", given["last"], now)
    until = None if given["until"] is None else parse_date("-D", given["until"], zone, now, end=True)
    if since is not None and until is not None and since > until:
        begin = f"--last {given['last']}" if given["since"] is None else f"-d {given['since']}"
        raise UsageError(f"{begin} is after -D {given['until']}")
    return since, until
