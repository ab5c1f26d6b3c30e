"""Compare the documents of a generated log with its truth: read whole, and cut at random places.

python -m bench.cuts LOG TRUTH PLACES

Each place is tested twice: with the log split there, at the end of the line, into two files that two runs read; and
with a file that had grown to exactly that size before the first of two runs. Prints the number of stores compared and
the faults as JSON.
"""

import json
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from bench.logs import READING
from bench.runs import ROOT

_SHOWN: Final = 5

# The tests have the comparison.
sys.path.insert(0, str(ROOT / "tests"))
from helpers.accuracy.generated_log import Generated, generated_faults  # type: ignore[import-not-found]  # noqa: E402
from helpers.commands import documents, index  # type: ignore[import-not-found]  # noqa: E402


class _Check:
    """A log, its truth, and the faults found so far."""

    def __init__(self, log: Path, truth: Path, folder: Path) -> None:
        wanted = [json.loads(line) for line in truth.read_text(encoding="utf-8").splitlines()]
        self.generated = Generated(log, wanted)
        self.folder = folder
        self.stores, self.faults = 0, list[str]()

    def compare(self, how: str, runs: Iterator[Sequence[Path]]) -> None:
        """Index the files of each run into a new store, and record where it differs from the truth."""
        store = f"sqlite:{self.folder}/{self.stores}.db"
        for files in runs:
            indexed = index(store, files, *READING)
            if indexed.status:
                self.faults.append(f"{how}: ended with {indexed.status}: {indexed.summary}")
        self.faults += [f"{how}: {fault}" for fault in generated_faults(self.generated, documents(store))]
        self.stores += 1
        for file in self.folder.iterdir():
            file.unlink()


def _in_two_files(text: bytes, offset: int, folder: Path) -> Iterator[Sequence[Path]]:
    at = text.index(b"\n", offset) + 1
    for name, part in (("older.log", text[:at]), ("newer.log", text[at:])):
        file = folder / name
        file.write_bytes(part)
        yield [file]


def _in_two_runs(text: bytes, offset: int, folder: Path) -> Iterator[Sequence[Path]]:
    file = folder / "growing.log"
    for part in (text[:offset], text):
        file.write_bytes(part)
        yield [file]


def check(log: Path, truth: Path, places: int) -> dict[str, Any]:
    """Return the number of stores compared, the documents in each, the number of faults, and the first faults."""
    chance = random.Random(8)
    with tempfile.TemporaryDirectory() as name:
        done = _Check(log, truth, Path(name))
        done.compare("whole", iter([[log]]))
        text = log.read_bytes() if places else b""
        for _ in range(places):
            offset = chance.randrange(1, len(text) - 1)
            done.compare(f"two files at {offset}", _in_two_files(text, offset, done.folder))
            done.compare(f"two runs at {offset}", _in_two_runs(text, offset, done.folder))
    documents_each = len(done.generated.truth)
    return {
        "stores": done.stores,
        "documents": documents_each,
        "wrong": len(done.faults),
        "faults": done.faults[:_SHOWN],
    }


if __name__ == "__main__":
    print(json.dumps(check(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))))
