"""Run the two commands in process, for tests of what they make of a log."""

import io
import json
import re
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

from mailtrace.cli import index as index_command
from mailtrace.cli import search as search_command

_counts = re.compile(r"(\d+) lines: (\d+) used, (\d+) ignored, (\d+) unrecognised").search


class Indexed(NamedTuple):
    """How a run of mailtrace-index ended."""

    status: int
    summary: str

    @property
    def counts(self) -> tuple[int, ...]:
        """Lines read, used, ignored and unrecognised, as the summary says; zeros where nothing was new."""
        found = _counts(self.summary)
        return tuple(map(int, found.groups())) if found else (0, 0, 0, 0)


def index(store: str, files: Sequence[Path], *options: str) -> Indexed:
    """Index files into a store, in UTC unless the options say otherwise."""
    summary = io.StringIO()
    with redirect_stderr(summary), _signals_kept():
        status = index_command.main(["--store", store, "--tz", "UTC", *options, *map(str, files)])
    return Indexed(status, summary.getvalue())


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Give the test runner its Ctrl-C back, which the command has taken."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def search(store: str) -> bytes:
    """Return what `--format json` prints of everything in a store, the newest first."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    complaint = io.StringIO()
    with redirect_stdout(out), redirect_stderr(complaint):
        status = search_command.main(["--store", store, "--tz", "UTC", "--format", "json"])
    assert status in (0, 1), complaint.getvalue()
    return out.buffer.getvalue()


def documents(store: str) -> list[dict[str, Any]]:
    """Return every document of a store, the newest first."""
    return [json.loads(line) for line in search(store).splitlines()]
