"""The command `mailtrace-search`."""

from __future__ import annotations

import os
import sys
import time
from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import tzinfo
from itertools import chain
from typing import TYPE_CHECKING

from mailtrace.cli.parser import access_from, run
from mailtrace.cli.search_flags import hint_of, parser, query_of
from mailtrace.errors import ExitStatus, UsageError
from mailtrace.search.groups import Grouping
from mailtrace.search.query import Query
from mailtrace.search.queue import Ages, has_ages, queue_groups
from mailtrace.stores import open_store
from mailtrace.syslog.timezones import zone_of

if TYPE_CHECKING:  # keeps `--help` quick
    from mailtrace.message.document import Document
    from mailtrace.stores.base import Store

_DEFAULT_GROUPS = 20
"""The number of groups to show without `-r`."""


def _search(argv: Sequence[str]) -> ExitStatus:
    arguments = parser().parse_args(argv)
    zone = zone_of(arguments.tz)
    query = query_of(arguments, zone, time.time())
    store = open_store(arguments.store, access=access_from(arguments), notify=_notify)
    if arguments.count:
        return _count(store, query, arguments)
    if arguments.by:
        if query.queued and has_ages(Grouping(arguments.by, zone)):
            return _queue_groups(store, query, arguments, Grouping(arguments.by, zone))
        return _group(store, query, arguments, Grouping(arguments.by, zone))
    if arguments.trace:
        return _trace(store, query, zone, arguments)
    documents = iter(store.search(query))
    if (first := next(documents, None)) is None:
        return _nothing_found(store, arguments)
    ages = Ages(store.search) if query.queued else None
    _write(_formatted(chain([first], documents), zone, arguments, ages))
    _say_ages(ages, zone)
    return ExitStatus.OK


def _formatted(documents: Iterator[Document], zone: tzinfo, arguments: Namespace, ages: Ages | None) -> Iterator[bytes]:
    if arguments.format == "json":
        from mailtrace.output.documents_json import document_json  # noqa: PLC0415 # import only what is used

        if ages is not None:
            from mailtrace.output.queue import with_age  # noqa: PLC0415

            return (document_json(with_age(document, ages), zone) for document in documents)
        return (document_json(document, zone) for document in documents)
    if arguments.format == "csv":
        from mailtrace.output.documents_csv import csv_lines  # noqa: PLC0415

        return _encoded(csv_lines(documents, zone))
    from mailtrace.output.documents_text import Style, document_texts  # noqa: PLC0415

    on_terminal = sys.stdout.isatty()
    style = Style(
        outcomes=on_terminal or arguments.color == "always",
        color=_uses_color(arguments.color, on_terminal=on_terminal),
        long=arguments.long,
    )
    if ages is not None:
        from mailtrace.output.queue import both, with_ages  # noqa: PLC0415

        documents, same = both(documents)
        return _encoded(with_ages(document_texts(documents, zone, style), same, ages))
    return _encoded(document_texts(documents, zone, style))


def _uses_color(choice: str, *, on_terminal: bool) -> bool:
    """Whether to print colours; `auto` respects NO_COLOR (no-color.org), and terminals without colours."""
    if choice != "auto":
        return choice == "always"
    return on_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _trace(store: Store, query: Query, zone: tzinfo, arguments: Namespace) -> ExitStatus:
    from mailtrace.output.journeys import journey_json, journey_text  # noqa: PLC0415 # as above
    from mailtrace.tracing.journey import journeys  # noqa: PLC0415

    if arguments.format == "csv":
        raise UsageError("--trace has no CSV output: use --format text or --format json")
    found = iter(journeys(store, query))
    if (first := next(found, None)) is None:
        return _nothing_found(store, arguments)
    if arguments.format == "json":
        _write(journey_json(journey, zone) for journey in chain([first], found))
    else:
        texts = (journey_text(journey, zone) for journey in found)
        _write(_encoded(chain([journey_text(first, zone)], (f"\n{text}" for text in texts))))
    return ExitStatus.OK


def _count(store: Store, query: Query, arguments: Namespace) -> ExitStatus:
    if query.limit is not None:
        raise UsageError("--count has no limit: leave -r out")
    number = store.count(query)
    heading = {"text": "", "json": '{"count":', "csv": "count\n"}[arguments.format]
    _write([f"{heading}{number}{'}' if arguments.format == 'json' else ''}\n".encode()])
    return ExitStatus.OK if number else _nothing_found(store, arguments)


def _group(store: Store, query: Query, arguments: Namespace, grouping: Grouping) -> ExitStatus:
    from mailtrace.output.groups import groups_csv, groups_json, groups_text  # noqa: PLC0415 # as above

    groups = store.group(query, grouping)
    if not groups:
        return _nothing_found(store, arguments)
    if grouping.is_of_times and query.oldest_first:
        groups.reverse()
    shown = groups[: query.limit or _DEFAULT_GROUPS]
    if arguments.format == "json":
        lines = groups_json(shown, grouping)
    elif arguments.format == "csv":
        lines = groups_csv(shown, grouping)
    else:
        lines = groups_text(shown, grouping, bars=sys.stdout.isatty())
    _write(_encoded(lines))
    if left := len(groups) - len(shown):
        sys.stdout.flush()
        print(f"{left} more: -r {len(groups)} shows all", file=sys.stderr)
    return ExitStatus.OK


def _queue_groups(store: Store, query: Query, arguments: Namespace, grouping: Grouping) -> ExitStatus:
    from mailtrace.output.queue import queue_csv, queue_json, queue_text  # noqa: PLC0415 # as above

    ages = Ages(store.search)
    groups = queue_groups(query, grouping, store.search(replace(query, limit=None)), ages)
    if not groups:
        return _nothing_found(store, arguments)
    shown = groups[: query.limit or _DEFAULT_GROUPS]
    if arguments.format == "json":
        lines = queue_json(shown, grouping)
    elif arguments.format == "csv":
        lines = queue_csv(shown, grouping)
    else:
        lines = queue_text(shown, groups, grouping)
    _write(_encoded(lines))
    if left := len(groups) - len(shown):
        sys.stdout.flush()
        print(f"{left} more: -r {len(groups)} shows all", file=sys.stderr)
    _say_ages(ages, grouping.zone)
    return ExitStatus.OK


def _say_ages(ages: Ages | None, zone: tzinfo) -> None:
    """Say on standard error what ages count from."""
    if ages is not None:
        from mailtrace.output.escape import safe  # noqa: PLC0415 # as above
        from mailtrace.output.queue import last_lines_text  # noqa: PLC0415

        sys.stdout.flush()
        print(safe(last_lines_text(ages.last_lines, zone)), file=sys.stderr)


def _nothing_found(store: Store, arguments: Namespace) -> ExitStatus:
    from mailtrace.output.escape import safe  # noqa: PLC0415 # as above

    sys.stdout.flush()
    print(f"nothing found in {store.name}", file=sys.stderr)
    if hint := hint_of(arguments):
        print(safe(hint), file=sys.stderr)
    return ExitStatus.NOTHING_FOUND


def _notify(message: str) -> None:
    from mailtrace.output.escape import safe  # noqa: PLC0415 # as above

    print(f"mailtrace-search: {safe(message)}", file=sys.stderr)


def _encoded(lines: Iterable[str]) -> Iterator[bytes]:
    return (line.encode("utf-8", "backslashreplace") for line in lines)


def _write(chunks: Iterable[bytes]) -> None:
    """Write to standard output; on a terminal, flush after each chunk."""
    out, on_terminal = sys.stdout.buffer, sys.stdout.isatty()
    for chunk in chunks:
        out.write(chunk)
        if on_terminal:
            out.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """Run `mailtrace-search`; return its exit status."""
    return run("mailtrace-search", _search, argv)
