"""The command `mailtrace-search`."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import tzinfo
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from mailtrace.cli.conflicts import OF_SEARCHES, refuse
from mailtrace.cli.overview import laid_out, span_of, with_quiet
from mailtrace.cli.parser import run, store_from
from mailtrace.cli.search_flags import columns_of, grouping_of, parser, query_of
from mailtrace.cli.terminal import Terminal
from mailtrace.errors import ExitStatus, UsageError
from mailtrace.search.query import Query, matched_results, shown_results
from mailtrace.search.queue import Ages, has_ages, queue_groups
from mailtrace.syslog.timezones import zone_of

if TYPE_CHECKING:  # keeps `--help` quick
    from mailtrace.message.document import Document
    from mailtrace.message.recipients import RecipientResult
    from mailtrace.search.groups import Grouping
    from mailtrace.stores.base import Store

_DEFAULT_GROUPS: Final = 20
"""The number of groups to show without `-r`."""
_DEFAULT_ON_TERMINAL: Final = 100
"""The number of transactions to show on a terminal without `-r`."""


class _Search(NamedTuple):
    """What is asked, of which store, and where the answer goes."""

    store: Store
    query: Query
    zone: tzinfo
    now: float
    arguments: Namespace
    terminal: Terminal

    @property
    def limited(self) -> Query:
        """The query with its limit; on a terminal there always is one."""
        if self.query.limit is None and self.terminal.is_output:
            return replace(self.query, limit=_DEFAULT_ON_TERMINAL)
        return self.query


def _search(argv: Sequence[str]) -> ExitStatus:
    flags = parser()
    arguments = flags.parse_args(with_quiet(argv))
    refuse(flags, arguments, OF_SEARCHES)
    zone, now = zone_of(arguments.tz), time.time()
    query = query_of(arguments, zone, now)
    if arguments.columns:
        columns_of(arguments)  # an error comes before a search
    store = store_from(arguments, notify=_notify)
    search = _Search(store, query, zone, now, arguments, Terminal(arguments, _notify))
    if arguments.format == "html" and not arguments.overview:
        raise UsageError("--format html is a page of an overview: add --overview")
    if arguments.overview:
        return _overview(search)
    answer = _count if arguments.count else _group if arguments.by else _trace if arguments.trace else _documents
    return ExitStatus.OK if answer(search) else _nothing_found(search)


def _overview(search: _Search) -> ExitStatus:
    """Print the overview; with `-q` nothing at all if there is nothing in it."""
    span = span_of(search.query, search.zone, search.now, search.store.search)
    found = search.store.overview(search.query, span)
    if found.is_empty:
        dated = search._replace(query=span.of(search.query))
        return ExitStatus.NOTHING_FOUND if search.arguments.quiet else _nothing_found(dated)
    search.terminal.write(laid_out(found, search.arguments.format))
    return ExitStatus.OK


def _documents(search: _Search) -> bool:
    """Print the documents found; return whether there are any."""
    documents = iter(search.store.search(search.limited))
    if (first := next(documents, None)) is None:
        return False
    selection = _Selection(search)
    ages = Ages(search.store.search, search.now) if search.query.queued else None
    search.terminal.write(_formatted(chain([first], documents), selection, search, ages))
    _say_ages(ages, search.zone)
    if selection.left and search.arguments.format in ("csv", "table"):
        from mailtrace.output.selection import others  # noqa: PLC0415 # as above

        _say(others(selection.left))
    _say_how_many_more(search)
    return True


class _Selection:
    """Selects the recipient results that match the query, and counts the others."""

    def __init__(self, search: _Search) -> None:
        self._query = search.query
        self._selects_all = search.arguments.all_recipients or not search.query.can_select_results
        self.left = 0

    def __call__(self, document: Document) -> list[RecipientResult]:
        results: list[RecipientResult] = document["to"]
        if self._selects_all:
            return results
        found = shown_results(self._query, document)
        self.left += len(results) - len(found)
        return found

    def marks(self) -> Callable[[Document], list[RecipientResult]] | None:
        """What JSON marks: the results that match; None if the query is not about recipients, so that all would."""
        return (lambda document: matched_results(self._query, document)) if self._query.can_select_results else None


def _formatted(
    documents: Iterator[Document], select: _Selection, search: _Search, ages: Ages | None
) -> Iterator[bytes]:
    arguments, zone, terminal = search.arguments, search.zone, search.terminal
    if ages is not None and arguments.format != "text":
        from mailtrace.output.queue import with_age  # noqa: PLC0415 # import only what is used

        documents = (with_age(document, ages) for document in documents)
    if arguments.format == "json":
        from mailtrace.output.documents_json import document_json  # noqa: PLC0415

        marks = select.marks()
        return (document_json(document, zone, marks) for document in documents)
    if arguments.format == "csv":
        from mailtrace.output.documents_csv import csv_lines  # noqa: PLC0415

        return _encoded(csv_lines(documents, zone, columns_of(arguments), select))
    if arguments.format == "table":
        from mailtrace.output.table import table_lines  # noqa: PLC0415

        columns, width = columns_of(arguments), terminal.width
        return _encoded(table_lines(documents, zone, columns, select, width=width, color=terminal.has_color))
    from mailtrace.output.documents_text import document_texts  # noqa: PLC0415

    if ages is not None:
        from mailtrace.output.queue import both, with_ages  # noqa: PLC0415

        documents, same = both(documents)
        return _encoded(with_ages(document_texts(documents, zone, terminal.style(), select), same, ages))
    return _encoded(document_texts(documents, zone, terminal.style(), select))


def _trace(search: _Search) -> bool:
    """Print the journeys of what is found; return whether there are any."""
    from mailtrace.output.journeys import journey_json, journey_text  # noqa: PLC0415 # as above
    from mailtrace.tracing.journey import journeys  # noqa: PLC0415

    found, zone = iter(journeys(search.store, search.limited)), search.zone
    if (first := next(found, None)) is None:
        return False
    every = chain([first], found)
    if search.arguments.format == "json":
        search.terminal.write(journey_json(journey, zone) for journey in every)
    else:
        style = search.terminal.style()
        texts = (journey_text(journey, zone, style) for journey in every)
        search.terminal.write(_encoded(chain([next(texts)], (f"\n{text}" for text in texts))))
    _say_how_many_more(search)
    return True


def _say_how_many_more(search: _Search) -> None:
    """On a terminal without `-r`, say how many more transactions match, and how to see them."""
    limit = search.limited.limit
    if search.query.limit is None and limit is not None and (number := search.store.count(search.query)) > limit:
        which = "oldest" if search.query.oldest_first else "newest"
        _say(
            f"these are the {which} {limit}, {number - limit} more match: -r {number} shows all, and so does a pipe"
            " (| cat)"
        )


def _count(search: _Search) -> bool:
    """Print the number of documents; return whether there are any."""
    number, form = search.store.count(search.query), search.arguments.format
    text = {"json": f'{{"count":{number}}}', "csv": f"count\n{number}"}.get(form, str(number))
    sys.stdout.write(f"{text}\n")
    return number > 0


def _group(search: _Search) -> bool:
    """Print the groups; return whether there are any."""
    from mailtrace.output.groups import groups_csv, groups_json, groups_text  # noqa: PLC0415 # as above

    grouping, query = grouping_of(search.arguments, search.zone), search.query
    if query.queued and has_ages(grouping):
        return _queue_groups(search, grouping)
    groups = search.store.group(query, grouping)
    if not groups:
        return False
    if grouping.is_of_times and grouping.sort is None and query.oldest_first:
        groups = groups[::-1]
    shown = groups[: query.limit or _DEFAULT_GROUPS]
    if search.arguments.format == "json":
        lines = groups_json(shown, grouping)
    elif search.arguments.format == "csv":
        lines = groups_csv(shown, grouping)
    else:
        lines = groups_text(shown, grouping, bars=search.terminal.is_output)
    search.terminal.write(_encoded(lines))
    if left := len(groups) - len(shown):
        _say(f"{left} more: -r {len(groups)} shows all")
    return True


def _queue_groups(search: _Search, grouping: Grouping) -> bool:
    """Print the groups of what is in the queue, by age; return whether there are any."""
    from mailtrace.output.queue import queue_csv, queue_json, queue_text  # noqa: PLC0415 # as above

    ages = Ages(search.store.search, search.now)
    groups = queue_groups(search.query, grouping, search.store.search(replace(search.query, limit=None)), ages)
    if not groups:
        return False
    shown = groups[: search.query.limit or _DEFAULT_GROUPS]
    if search.arguments.format == "json":
        lines = queue_json(shown, grouping)
    elif search.arguments.format == "csv":
        lines = queue_csv(shown, grouping)
    else:
        lines = queue_text(shown, groups, grouping)
    search.terminal.write(_encoded(lines))
    if left := len(groups) - len(shown):
        _say(f"{left} more: -r {len(groups)} shows all")
    _say_ages(ages, grouping.zone)
    return True


def _say_ages(ages: Ages | None, zone: tzinfo) -> None:
    """Say what ages count from."""
    if ages is not None:
        from mailtrace.output.queue import ages_text  # noqa: PLC0415 # as above

        for line in ages_text(ages, zone):
            _say(line)


def _nothing_found(search: _Search) -> ExitStatus:
    from mailtrace.cli.hints import hints_of  # noqa: PLC0415 # as above

    _say(f"nothing found in {search.store.name}")
    for hint in hints_of(search.arguments, search.query, search.store, search.zone, search.now):
        _say(hint)
    return ExitStatus.NOTHING_FOUND


def _say(message: str) -> None:
    """Print a line about the answer on standard error, below the answer."""
    from mailtrace.output.escape import safe  # noqa: PLC0415 # as above

    sys.stdout.flush()
    print(safe(message), file=sys.stderr)


def _notify(message: str) -> None:
    _say(f"mailtrace-search: {message}")


def _encoded(lines: Iterator[str]) -> Iterator[bytes]:
    return (line.encode("utf-8", "backslashreplace") for line in lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `mailtrace-search`; return its exit status."""
    return run("mailtrace-search", _search, argv)
