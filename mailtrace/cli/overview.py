"""`mailtrace-search --overview`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, Final

from mailtrace.errors import UsageError
from mailtrace.search.queue import end_of_logs
from mailtrace.search.tally import SECOND, Span

if TYPE_CHECKING:  # keeps `--help` quick
    from mailtrace.search.overview import Overview
    from mailtrace.search.query import Query
    from mailtrace.search.queue import Search

_DAY: Final = 86_400 * SECOND
"""The length of a span whose begin is not given."""


def span_of(query: Query, zone: tzinfo, now: float, search: Search) -> Span:
    """Return the span of an overview: the dates of a query, until now unless it ends before; by default one day.

    Without an end, it ends as the logs do, if none of them is still written.

    Raises:
        UsageError: the dates are in the future.
    """
    latest = round(now * SECOND)
    until = latest if query.until is None else min(query.until, latest)
    # No line has a date before 1970.
    since = until - _DAY if query.since is None else max(0, query.since)
    if query.since is not None and query.until is None:
        end = round(end_of_logs(search, now) * SECOND)
        until = end if end >= since else until
    if since > until:
        raise UsageError("--overview: these dates are in the future")
    return Span(since, until, zone)


def laid_out(overview: Overview, form: str) -> Iterator[bytes]:
    """Return an overview as text, json or html."""
    if form == "json":
        from mailtrace.output.overview_json import overview_json  # noqa: PLC0415 # import only what is used

        return iter([overview_json(overview)])
    if form == "html":
        from mailtrace.output.overview_html import overview_html  # noqa: PLC0415

        return _encoded(overview_html(overview))
    from mailtrace.output.overview_text import overview_text  # noqa: PLC0415

    return _encoded(overview_text(overview))


def _encoded(lines: Iterator[str]) -> Iterator[bytes]:
    return (line.encode("utf-8", "backslashreplace") for line in lines)


def with_quiet(argv: Sequence[str]) -> list[str]:
    """Return arguments with `--quiet` for the `-q` of an overview: in a search, a value follows `-q`, the queue ID."""
    found = list(argv)
    if "--overview" not in found:
        return found
    after = [*found[1:], "-"]
    return [
        "--quiet" if one == "-q" and other.startswith("-") else one for one, other in zip(found, after, strict=True)
    ]
