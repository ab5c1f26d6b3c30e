"""A mail log that is written, rotated and compressed as by logrotate, and the documents expected of it."""

import gzip
import os
import shutil
import subprocess
import sys
from datetime import timezone
from pathlib import Path

from helpers.reliability.run_indexer import open_store
from mailtrace.indexing.indexer import Indexer, Limits
from mailtrace.indexing.report import Report
from mailtrace.logs.rotation import Calendar
from mailtrace.output.documents_json import document_json
from mailtrace.search.query import Query

USUAL = Limits()
GENERATOR = Path(__file__).parents[2] / "generator" / "genlog.py"


def generated(transactions: int, seed: int, mta: str = "mixed") -> list[bytes]:
    """Return lines of a realistic log: several hosts, short and long queue IDs, retries, bounces, refusals."""
    command = [sys.executable, GENERATOR, "--mta", mta, "--transactions", transactions, "--seed", seed]
    command += ["--hosts", "mx1,mx2,relay1,store1", "--timestamps", "iso8601"]
    done = subprocess.run(list(map(str, command)), capture_output=True, check=True)
    return done.stdout.splitlines(keepends=True)


def documents(name: str) -> bytes:
    """Return all stored documents, as `--format json` prints them."""
    store = open_store(name)
    try:
        return b"".join(document_json(document, timezone.utc) for document in store.search(Query()))
    finally:
        store.close()


def index(name: str, *paths: Path, limits: Limits = USUAL) -> Report:
    """Index the files in this process."""
    store = open_store(name)
    try:
        return Indexer(store, Calendar(timezone.utc, "UTC"), limits=limits).index([str(path) for path in paths])
    finally:
        store.close()


def undisturbed(lines: list[bytes], folder: Path) -> bytes:
    """Return the documents after one run over the whole log."""
    folder.mkdir(exist_ok=True)
    (folder / "all.log").write_bytes(b"".join(lines))
    index(f"{folder}/s.db", folder / "all.log")
    return documents(f"{folder}/s.db")


class RotatedLog:
    """A log and the rotated files beside it."""

    def __init__(self, folder: Path, lines: list[bytes]) -> None:
        self.path = folder / "mail.log"
        self.path.touch()
        self.lines = lines
        self.written = 0
        self._torn = b""

    @property
    def rest(self) -> list[bytes]:
        return self.lines[self.written :]

    def append(self, number: int) -> None:
        """Write whole lines."""
        with self.path.open("ab") as log:
            log.write(b"".join(self.rest[:number]))
        self.written += len(self.rest[:number])

    def append_torn(self, cut: int) -> None:
        """Write the first piece of a line; `mend` writes the second."""
        if self.rest:
            self._torn = self.rest[0][: max(1, cut % len(self.rest[0]))]
            with self.path.open("ab") as log:
                log.write(self._torn)

    def mend(self) -> None:
        """Write the second piece."""
        if torn := self._torn:
            with self.path.open("ab") as log:
                log.write(self.rest[0][len(torn) :])
            self._torn = b""
            self.written += 1

    def _shift(self) -> None:
        """Rename every rotated file to the next number, compressed ones too."""
        for number in range(300, 0, -1):
            for packed in ("", ".gz"):
                old = Path(f"{self.path}.{number}{packed}")
                if old.exists():
                    old.rename(f"{self.path}.{number + 1}{packed}")

    def rename(self) -> None:
        """Rotate like logrotate's `create`."""
        self._shift()
        self.path.rename(f"{self.path}.1")
        self.path.touch()

    def copy_and_truncate(self) -> None:
        """Rotate like logrotate's `copytruncate`; no line is written between the two steps, so none is lost."""
        self._shift()
        shutil.copyfile(self.path, f"{self.path}.1")
        os.truncate(self.path, 0)

    def compress(self) -> None:
        """Compress the rotated files, like logrotate's `delaycompress` one run later."""
        for plain in self.path.parent.glob("mail.log.*"):
            if plain.suffix != ".gz":
                packed = plain.with_name(plain.name + ".gz")
                packed.write_bytes(gzip.compress(plain.read_bytes(), 1))
                shutil.copystat(plain, packed)
                plain.unlink()
