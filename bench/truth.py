"""Check that the measured indexer is correct: compare its documents with the truth that the log generator writes."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from bench.logs import Log, Wanted, logs, of_lines
from bench.part import Options, Part, Table
from bench.runs import ROOT, module

_TRANSACTIONS: Final = 1000
"""Transactions of each log that is cut."""
_SEED: Final = 8
_HEAD = ("log", "documents", "stores compared", "wrong")


def truth(options: Options) -> Part:
    """Compare logs of every kind, with both kinds of stamps, cut at random places; and the measured logs uncut."""
    kinds = [(mta, stamps) for mta in options.mtas for stamps in ("rfc3164", "iso8601")]
    wanted = [Wanted(mta, _TRANSACTIONS, stamps, _SEED) for mta, stamps in kinds]
    wanted += [of_lines(mta, options.lines) for mta in options.mtas]
    places = [options.places] * len(kinds) + [0] * len(options.mtas)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(_checked, logs(wanted), places))
    part = Part([Table("Documents compared with the generator's truth", _HEAD, [])])
    rows = []
    for log, result in zip(wanted, found, strict=True):
        rows.append(
            [f"{log.mta} {log.stamps}", f"{result['documents']:,}", str(result["stores"]), str(result["wrong"])]
        )
        part.notes += [f"{log.mta} {log.stamps}: {fault}" for fault in result["faults"]]
    part.tables[0] = part.tables[0]._replace(rows=rows)
    part.notes.append(
        "Logs were cut at random places: into two files that two runs read, and as one file that grew between two runs."
    )
    part.figures["truth: wrong"] = sum(result["wrong"] for result in found)
    part.figures["truth: stores"] = sum(result["stores"] for result in found)
    return part


def _checked(log: Log, places: int) -> dict[str, Any]:
    print(f"comparing {log.path.name}", file=sys.stderr)
    done = subprocess.run(
        module("cuts", log.path, log.truth, places),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found
