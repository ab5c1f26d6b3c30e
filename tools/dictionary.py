"""Train the dictionary with which stores compress lines: python tools/dictionary.py LOG...

Take logs of every MTA that is understood, with made-up addresses only: parts of them become part of the package. Lines
that were stored with a dictionary need it for ever, so a new one is for a new layout of the stores only.
"""

import sys
from datetime import timezone
from pathlib import Path
from random import Random
from typing import Final

from zstandard import train_dictionary

from mailtrace.indexing.collected import parts_of
from mailtrace.indexing.reducer import Reducer
from mailtrace.indexing.report import Report
from mailtrace.logs.file import LogFile
from mailtrace.message.lines import DICTIONARY, DICTIONARY_ID, values_of
from mailtrace.message.part import Part, document_of, lines_to_keep
from mailtrace.syslog.frame import Frames

_SIZE: Final = 16_384
_MOST: Final = 3_000
"""Transactions of one log, so that no log outweighs the others."""
_YEAR: Final = 2026


def _transactions(path: str) -> list[Part]:
    frames, reducer = Frames(timezone.utc, _YEAR), Reducer()
    for block in LogFile(path).open().blocks():
        reducer.add_lines(block.lines, frames)
    found = parts_of(reducer.pop_changed(), Report())
    return Random(path).sample(found, min(_MOST, len(found)))  # noqa: S311 # any choice will do


def main(*paths: str) -> None:
    """Train on these logs, and write the package's dictionary."""
    parts = [part for path in paths for part in _transactions(path)]
    samples: list[bytes | bytearray | memoryview] = [
        values_of(lines_to_keep(part), document_of(part)) for part in parts
    ]
    trained = train_dictionary(_SIZE, samples, dict_id=DICTIONARY_ID)
    Path(DICTIONARY).write_bytes(trained.as_bytes())
    print(f"{len(samples)} transactions, {len(trained)} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
