"""The progress of an indexer, shown on a terminal alone: bytes, lines a second, and the time that is left."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mailtrace.indexer import Progress


@contextmanager
def progress_of(*, quiet: bool) -> Iterator[Progress]:
    """Show progress while the indexer reads; only on a terminal, and not when quiet."""
    if quiet or not sys.stderr.isatty():
        yield lambda *_: None
        return
    # Only a terminal pays for this import.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[speed]} lines/s", markup=False),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, int] = {}
        began = time.monotonic()

        def show(path: str, position: int, lines: int) -> None:
            if path not in tasks:
                total = None if path == "-" else Path(path).stat().st_size
                tasks[path] = bar.add_task(Path(path).name, total=total, speed=0)
            speed = int(lines / max(time.monotonic() - began, 0.001))
            bar.update(tasks[path], completed=position, speed=speed)  # type: ignore[arg-type]

        yield show
