"""The command `mailtrace-search`."""

import sys
import time
from collections.abc import Sequence
from datetime import tzinfo
from typing import Any

from mailtrace.errors import ExitStatus, UsageError
from mailtrace.moments import moment
from mailtrace.options import Parser, count, run
from mailtrace.patterns import Pattern
from mailtrace.query import OUTCOMES, Query
from mailtrace.render import as_json, as_text
from mailtrace.render_journeys import journey_json, journey_text
from mailtrace.stores import open_store
from mailtrace.tracing import journeys
from mailtrace.zones import zone_of

_DESCRIPTION = "Find mail transactions that mailtrace-index has read from mail logs, the newest first."
_EPILOG = """\
An address is matched exactly, by domain (@bar.com) or by pattern (*@bar.*, b?b@bar.com), without regard to case;
'<>' is the null sender. All flags together must hold.

examples:
  mailtrace-search -f bob@foo.com -r 10
  mailtrace-search -t alice@bar.com -d '2011-12-15 00:00:00' -D '2011-12-17 00:00:00' -h smtp
  mailtrace-search -s deferred -t @bar.com

exit status: 0 found, 1 nothing found, 2 error, 130 interrupted
"""


def _parser() -> Parser:
    parser = Parser("mailtrace-search", _DESCRIPTION, _EPILOG)
    option = parser.add_argument
    many: dict[str, Any] = {"action": "append", "default": []}
    option("-f", dest="senders", metavar="FROM", help="the envelope sender", **many)
    option("-t", dest="recipients", metavar="TO", help="a recipient, or what it was rewritten from", **many)
    option("-m", dest="msgids", metavar="MSGID", help="the message ID", **many)
    option("-q", dest="queue_ids", metavar="QUEUE_ID", help="the queue ID", **many)
    option("-c", dest="clients", metavar="CLIENT", help="the client's name or IP address", **many)
    option("-h", dest="hosts", metavar="HOST", help="the host that wrote the log", **many)
    option("-s", dest="outcomes", metavar="OUTCOME", help=f"what became of a recipient: {', '.join(OUTCOMES)}", **many)
    option(
        "-d", dest="since", metavar="FROM_DATE", help="not before this date, such as 2011-12-15 or '2011-12-15 15:00'"
    )
    option(
        "-D", dest="until", metavar="TO_DATE", help="not after this date; a day's last moment where no time is given"
    )
    option("-r", dest="limit", metavar="N", type=count, help="only the N newest")
    option("--format", choices=("text", "json"), default="text", help="text (default), or one JSON object a line")
    option("--trace", action="store_true", help="the whole way of each message across hosts, as a tree or nested JSON")
    return parser


def _query(arguments: object, zone: tzinfo, now: float) -> Query:
    given = vars(arguments)
    for outcome in given["outcomes"]:
        if outcome not in OUTCOMES:
            raise UsageError(f"-s {outcome}: no such outcome; there are {', '.join(OUTCOMES)}")
    query = Query(
        senders=tuple(map(Pattern.of, given["senders"])),
        recipients=tuple(map(Pattern.of, given["recipients"])),
        msgids=tuple(map(Pattern.of_text, given["msgids"])),
        queue_ids=tuple(given["queue_ids"]),
        clients=tuple(map(Pattern.of_peer, given["clients"])),
        hosts=tuple(map(Pattern.of_text, given["hosts"])),
        outcomes=tuple(given["outcomes"]),
        since=None if given["since"] is None else moment("-d", given["since"], zone, now),
        until=None if given["until"] is None else moment("-D", given["until"], zone, now, end=True),
        limit=given["limit"],
    )
    if query.since is not None and query.until is not None and query.since > query.until:
        raise UsageError(f"-d {given['since']} is after -D {given['until']}")
    return query


def _search(argv: Sequence[str]) -> ExitStatus:
    arguments = _parser().parse_args(argv)
    zone = zone_of(arguments.tz)
    query = _query(arguments, zone, time.time())
    store = open_store(arguments.store)
    out = sys.stdout.buffer
    found = False
    for journey in journeys(store, query) if arguments.trace else ():
        if arguments.format == "json":
            out.write(journey_json(journey, zone))
        else:
            text = journey_text(journey, zone)
            out.write(("\n" + text if found else text).encode("utf-8", "backslashreplace"))
        found = True
    for document in () if arguments.trace else store.search(query):
        if arguments.format == "json":
            out.write(as_json(document, zone))
        else:
            text = as_text(document, zone)
            out.write(("\n" + text if found else text).encode("utf-8", "backslashreplace"))
        found = True
    if found:
        return ExitStatus.OK
    print(f"nothing found in {store.name}", file=sys.stderr)
    return ExitStatus.NOTHING_FOUND


def main(argv: Sequence[str] | None = None) -> int:
    """Run `mailtrace-search`; return its exit status."""
    return run("mailtrace-search", _search, argv)
