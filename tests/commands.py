"""Run the two commands in process, for tests of what they make of a log."""

import io
import json
import re
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

from mailtrace import index_cli, search_cli

_counts = re.compile(r"(\d+) lines: (\d+) used, (\d+) ignored, (\d+) not understood").search


class Indexed(NamedTuple):
    """How a run of mailtrace-index ended."""

    status: int
    summary: str

    @property
    def counts(self) -> tuple[int, ...]:
        """Lines read, used, ignored and not understood, as the summary says; zeros where nothing was new."""
        found = _counts(self.summary)
        return tuple(map(int, found.groups())) if found else (0, 0, 0, 0)


def index(store: str, files: Sequence[Path], *options: str) -> Indexed:
    """Index files into a store, in UTC unless the options say otherwise."""
    summary = io.StringIO()
    with redirect_stderr(summary):
        status = index_cli.main(["--store", store, "--tz", "UTC", *options, *map(str, files)])
    return Indexed(status, summary.getvalue())


def search(store: str) -> bytes:
    """Return what `--format json` prints of everything in a store, the newest first."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    complaint = io.StringIO()
    with redirect_stdout(out), redirect_stderr(complaint):
        status = search_cli.main(["--store", store, "--tz", "UTC", "--format", "json"])
    assert status in (0, 1), complaint.getvalue()
    return out.buffer.getvalue()


def documents(store: str) -> list[dict[str, Any]]:
    """Return every document of a store, the newest first."""
    return [json.loads(line) for line in search(store).splitlines()]
