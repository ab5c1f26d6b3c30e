"""The command `mailtrace-index`."""

import gc
import socket
import sys
import time
from argparse import BooleanOptionalAction, Namespace
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from shlex import quote

from mailtrace.cli.check import check
from mailtrace.cli.conflicts import OF_THE_INDEXER, refuse
from mailtrace.cli.explain import explain
from mailtrace.cli.following import Following
from mailtrace.cli.jobs import HELP, jobs, usual_jobs, workers_of
from mailtrace.cli.parser import Parser, days, run, stop_at_signals, store_from, year
from mailtrace.cli.progress import message_line, progress_of, shows_progress
from mailtrace.cli.rebuild import rebuild_store, update
from mailtrace.cli.waiting import say_whom_it_waits_for
from mailtrace.errors import ExitStatus, LogError, UsageError
from mailtrace.indexing.follower import Follower, can_follow
from mailtrace.indexing.indexer import Indexer, Progress
from mailtrace.indexing.lock import BusyError, Lock, locked
from mailtrace.indexing.replace import take_out
from mailtrace.indexing.report import Report
from mailtrace.indexing.writer import Writer
from mailtrace.logs.backfill import days_of
from mailtrace.logs.rotation import Calendar
from mailtrace.output.escape import safe
from mailtrace.stores.base import INDEX_PERIODS, RETENTION_DAYS, Partitioned, Store
from mailtrace.syslog.timezones import zone_of

_DESCRIPTION = "Index the mail logs of Postfix, sendmail and Exim for mailtrace-search."
_EPILOG = """\
Files may be compressed (gzip, bzip2, xz, zstd); - is standard input. Each run
reads only what is new since the last run.

examples:
  mailtrace-index /var/log/mail.log
  mailtrace-index /var/log/mail.log -y 2011
  zcat old/*.gz | mailtrace-index --tz Europe/Madrid -

exit status: 0 done, 2 error (nothing stored is lost), 3 done but the store refused
  documents, 4 done but a file held no mail line, 75 skipped because another
  mailtrace-index is running, 130 interrupted
"""


def _parser() -> Parser:
    parser = Parser("mailtrace-index", _DESCRIPTION, _EPILOG)
    option = parser.add_argument
    option("files", metavar="FILE", nargs="*", help="log file, or - for standard input")
    option(
        *("-y", "--year"),
        dest="year",
        metavar="YEAR",
        type=year,
        help="year of the first line of the oldest file, for logs without years",
    )
    option(
        "--host",
        metavar="NAME",
        default="",
        help="host of lines that name none, as in Exim's own files (default there: this machine's name)",
    )
    option("-q", "--quiet", dest="quiet", action="store_true", help="print no summary if all went well")
    option("--follow", action="store_true", help="keep reading new lines, through log rotation, until stopped")
    option(
        "--wait",
        action=BooleanOptionalAction,
        help="wait if another mailtrace-index is using the store, instead of skipping this run",
    )
    option(
        "--retention", metavar="DAYS", type=days, help=f"keep documents for this many days (default {RETENTION_DAYS})"
    )
    option("--index-period", choices=INDEX_PERIODS, help="period of one Elasticsearch index (default day)")
    option(
        "--from-start", action="store_true", help="read known logs again from the start; changes nothing that is stored"
    )
    option("--jobs", metavar="N", type=jobs, help=HELP)
    option(
        "--replace",
        action="store_true",
        help="remove from the store what these logs gave, and read them again: if -y, --tz or --host was wrong",
    )
    option("--rebuild", action="store_true", help="derive all documents again from the log lines that the store keeps")
    option("--check", action="store_true", help="show the state of the store and its problems; write nothing")
    option("--explain", action="store_true", help="show how each line is parsed; write nothing")
    return parser


def _index(argv: Sequence[str]) -> ExitStatus:
    parser = _parser()
    arguments = parser.parse_args(argv)
    refuse(parser, arguments, OF_THE_INDEXER)
    _require_files(parser, arguments)
    own_host = socket.gethostname().lower()
    calendar = Calendar(zone_of(arguments.tz), arguments.tz, arguments.year, arguments.host.lower(), own_host)
    if arguments.explain:
        explain(arguments.files, calendar, time.time(), sys.stdout)
        return ExitStatus.OK
    # Facts are many and have no cycles. Other garbage is collected at each checkpoint, when few facts are left.
    gc.freeze()
    gc.disable()
    # The writing thread waits this long at most for the reading thread to yield.
    sys.setswitchinterval(0.001)
    store = _open(arguments)
    try:
        if arguments.check:
            return check(store, zone_of(arguments.tz), time.time(), sys.stdout)
        if arguments.wait and not arguments.quiet and shows_progress():
            say_whom_it_waits_for(store, _notify)
        with locked(store, wait=arguments.wait, paths=arguments.files) as lock:
            return _write(arguments, calendar, store, lock)
    except BusyError as busy:
        if not (arguments.quiet and busy.is_followed):
            _notify(str(busy))
        return ExitStatus.BUSY
    finally:
        store.close()


def _open(arguments: Namespace) -> Store:
    return store_from(
        arguments,
        retention_days=arguments.retention,
        index_period=arguments.index_period,
        notify=_notify,
        writes=not arguments.check,
    )


def _require_files(parser: Parser, arguments: Namespace) -> None:
    """Check that there are files where they are needed.

    Raises:
        UsageError: there are none, or a flag takes none.
    """
    alone = "--check" if arguments.check else "--rebuild" if arguments.rebuild else ""
    if bool(arguments.files) == bool(alone):
        parser.error(f"{alone} takes no FILE" if alone else "name a log file, or - for standard input")


def _write(arguments: Namespace, calendar: Calendar, store: Store, lock: Lock) -> ExitStatus:
    if arguments.rebuild:
        return rebuild_store(store, quiet=arguments.quiet)
    # With a store of its own, because other processes must begin before `store` is opened.
    with closing(_open(arguments)) as before:
        update(before, _notify, quiet=arguments.quiet)
        if arguments.replace and not _take_out(before, arguments.files, calendar.own_host):
            return ExitStatus.REFUSED
    if arguments.follow:
        return _follow(arguments, calendar, store, lock)
    return _read(arguments, calendar, store)


def _take_out(store: Store, files: Sequence[str], own_host: str) -> bool:
    """Take what these logs gave out of the store; return whether the store accepts that."""
    taken = take_out(store, files, own_host)
    refused = [f"refused by the store: {one.transaction}: {one.reason}" for one in taken.refused]
    for note in [*taken.notes, *refused]:
        _notify(note)
    return not refused


def _read(arguments: Namespace, calendar: Calendar, store: Store) -> ExitStatus:
    """Read the new lines once."""
    began = time.monotonic()
    count = arguments.jobs or usual_jobs(arguments.files)
    with (
        workers_of(count, store) as workers,
        progress_of(quiet=arguments.quiet) as progress,
    ):
        indexer = Indexer(store, calendar, progress=progress, from_start=arguments.from_start, workers=workers)
        stop_at_signals(lambda: setattr(indexer, "stopped", True))
        if isinstance(store, Partitioned):
            store.require_room(days_of(arguments.files, calendar, time.time()))
        error = _index_files(indexer, arguments.files)
        _expire(store, arguments.retention)
    report = indexer.report
    status = ExitStatus.INTERRUPTED if indexer.stopped else _status(report)
    if status or report.notes or not arguments.quiet:
        _summarise(report, store.name, time.monotonic() - began, interrupted=indexer.stopped)
    if error:
        raise error
    return status


def _index_files(indexer: Indexer, files: Sequence[str]) -> LogError | None:
    """Read the logs. If one of them cannot be read, but others had new lines, return the error for later."""
    try:
        indexer.index(files)
    except LogError as error:
        if not indexer.report.lines:
            raise
        return error
    return None


def _follow(arguments: Namespace, calendar: Calendar, store: Store, lock: Lock) -> ExitStatus:
    """Read new lines until a signal comes."""
    if not can_follow(arguments.files):
        raise UsageError("--follow takes files: standard input, pipes and folders cannot be followed")
    began = time.monotonic()
    follower = Follower(arguments.files, _notify, lock.beat)
    follower.daily = lambda: _expire(store, arguments.retention)
    following = Following(arguments.files, _notify, quiet=arguments.quiet)
    indexer = Indexer(
        store,
        calendar,
        progress=_each(follower.progress, following.count),
        from_start=arguments.from_start,
        writer=Writer(store, follower.wait_to_retry),
    )
    lock.follow(arguments.files)
    stop_at_signals(lambda: follower.stop(indexer))
    with following:
        follower.follow(indexer)
    if not arguments.quiet:
        _summarise(indexer.report, store.name, time.monotonic() - began)
    return _status(indexer.report)


def _each(*shown: Progress) -> Progress:
    """Return a function that calls each of these."""

    def call(path: str, offset: int, lines: int) -> None:
        for one in shown:
            one(path, offset, lines)

    return call


def _expire(store: Store, retention: int | None) -> None:
    """Delete documents after so many days, counted from their date or their first indexing, whichever is later."""
    store.expire(time.time() - (retention or RETENTION_DAYS) * 86400)


def _notify(message: str) -> None:
    print(message_line(f"mailtrace-index: {safe(message)}"), file=sys.stderr, flush=True)


def _status(report: Report) -> ExitStatus:
    if report.refused:
        return ExitStatus.REFUSED
    return ExitStatus.NO_MAIL_LINES if report.without_mail else ExitStatus.OK


def _summarise(report: Report, store: str, seconds: float, *, interrupted: bool = False) -> None:
    lines = [
        f"{report.lines} lines: {report.used} used, {report.ignored.total()} ignored,"
        f" {report.unrecognised.total()} unrecognised"
    ]
    lines += [f"  ignored: {number} {kind}" for kind, number in _by_number(report.ignored)]
    lines += [f"  unrecognised: {number} {kind}" for kind, number in _by_number(report.unrecognised)]
    if not report.lines:
        lines = ["nothing new to read"]
    lines.append(f"transactions: {report.created} new, {report.updated} updated, in {seconds:.1f} s, in {store}")
    if report.unrecognised:
        lines.append("to see the unrecognised lines: mailtrace-index --explain FILE")
    if interrupted:
        lines.append("interrupted: the next run reads the rest")
    for path in sorted(report.unfinished):
        lines.append(f"{path}: the last line is incomplete: left for the next run")
    lines += [
        f"{path}: no line of Postfix, sendmail or Exim: see --explain {quote(path)}" for path in report.without_mail
    ]
    lines += [f"refused by the store: {refused.transaction}: {refused.reason}" for refused in report.refused]
    for line in lines + report.notes:
        print(safe(line), file=sys.stderr)


def _by_number(counts: Counter[str]) -> list[tuple[str, int]]:
    """Return the largest counts first, and equal ones by name."""
    return sorted(counts.items(), key=lambda count: (-count[1], count[0]))


def main(argv: Sequence[str] | None = None) -> int:
    """Run `mailtrace-index`; return its exit status."""
    return run("mailtrace-index", _index, argv)
