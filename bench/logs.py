"""Generate logs with their truth, and cache them: the same options and seed always give the same bytes."""

import fcntl
import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple

from bench.runs import ROOT

_GENERATOR: Final = ROOT / "tests" / "generator" / "genlog.py"
_LINES_PER_TRANSACTION: Final = {"postfix": 12.0, "sendmail": 4.27, "mixed": 10.0}
_START: Final = datetime(2026, 9, 1, tzinfo=timezone.utc)
YEAR: Final = "2026"
READING: Final = ("-q", "--wait", "--jobs", "1", "-y", YEAR, "--tz", "UTC")
"""The flags for reading these logs. Without `--wait`, a run on a store in use would be skipped, which is fast."""
TWICE: Final = ("--jobs", "2")
"""After the other flags: read and write in two processes."""
MTAS: Final = tuple(_LINES_PER_TRANSACTION)


def cache() -> Path:
    """Return the cache folder: MAILTRACE_BENCH_CACHE, or one next to this file."""
    folder = Path(os.environ.get("MAILTRACE_BENCH_CACHE") or ROOT / "bench" / ".cache")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def alone() -> Iterator[None]:
    """Lock the cache, in which a benchmark uses fixed file names.

    Raises:
        SystemExit: another benchmark uses it.
    """
    with (cache() / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(f"another benchmark uses {cache()}: set MAILTRACE_BENCH_CACHE to another folder") from None
        yield


class Wanted(NamedTuple):
    """A log to generate."""

    mta: str
    transactions: int
    stamps: str = "rfc3164"
    seed: int = 1
    days: int = 1
    """Number of days over which its mail arrives."""
    begins: int = 0
    """Days between the start of all logs and of this one."""

    @property
    def stem(self) -> str:
        """The name of its files, without extension."""
        return "-".join(map(str, self))


class Log(NamedTuple):
    """A generated log."""

    path: Path
    truth: Path
    """The correct documents, one JSON object per line."""
    lines: int
    transactions: int

    @property
    def gzipped(self) -> Path:
        """The same log, compressed with gzip."""
        packed = self.path.with_suffix(".log.gz")
        if not packed.exists():
            made = packed.with_suffix(".new")
            with self.path.open("rb") as text, gzip.open(made, "wb", compresslevel=6) as out:
                shutil.copyfileobj(text, out, 1 << 20)
            made.rename(packed)
        return packed

    def remove(self) -> None:
        """Delete its files."""
        for ending in (".log", ".truth", ".log.gz", ".json"):
            self.path.with_suffix(ending).unlink(missing_ok=True)


def of_lines(mta: str, lines: int, stamps: str = "rfc3164") -> Wanted:
    """Return a log of about that many lines, with a day of mail per million."""
    transactions = round(lines / _LINES_PER_TRANSACTION[mta])
    return Wanted(mta, transactions, stamps, days=max(1, lines // 1_000_000))


def logs(wanted: Sequence[Wanted]) -> list[Log]:
    """Return these logs; generate missing ones in parallel, one per core."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(_log, wanted))


def _log(wanted: Wanted) -> Log:
    path = _folder() / f"{wanted.stem}.log"
    about = path.with_suffix(".json")
    if not about.exists():
        print(f"generating {path.name}", file=sys.stderr)
        _generate(wanted, path)
        about.write_text(json.dumps({"lines": _count_lines(path)}))
    return Log(path, path.with_suffix(".truth"), json.loads(about.read_text())["lines"], wanted.transactions)


def _folder() -> Path:
    """Return the folder of the logs of this version of the generator."""
    sources = sorted(_GENERATOR.parent.glob("genlog*.py"))
    digest = blake2b(b"".join(source.read_bytes() for source in sources), digest_size=4).hexdigest()
    folder = cache() / f"logs-{digest}"
    folder.mkdir(exist_ok=True)
    return folder


def _generate(wanted: Wanted, path: Path) -> None:
    options = {
        "--mta": wanted.mta,
        "--transactions": wanted.transactions,
        "--timestamps": wanted.stamps,
        "--seed": wanted.seed,
        "--days": wanted.days,
        "--start": f"{_START + timedelta(days=wanted.begins):%Y-%m-%d}",
        "--truth": path.with_suffix(".truth"),
    }
    arguments = [str(text) for option in options.items() for text in option]
    with path.open("wb") as out:
        subprocess.run([sys.executable, str(_GENERATOR), *arguments], stdout=out, check=True)


def _count_lines(path: Path) -> int:
    with path.open("rb") as text:
        return sum(block.count(b"\n") for block in iter(lambda: text.read(1 << 20), b""))


def day(number: float) -> str:
    """Return the time that many days after the start of all logs, as an argument of the commands."""
    return f"{_START + timedelta(days=number):%Y-%m-%d %H:%M:%S}"
