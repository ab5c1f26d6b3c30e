"""Compare documents with the truth of a generated log."""

import json
import subprocess
import sys
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from helpers.accuracy.contract import misshapen
from helpers.accuracy.fault import Fault
from helpers.accuracy.spelling import seconds

GENERATOR = Path(__file__).parents[2] / "generator" / "genlog.py"
HOSTS = "mx1,mx2,relay1,store1"


class Generated(NamedTuple):
    log: Path
    truth: list[dict]

    @property
    def refusals(self):
        """The number of refusals without a queue ID: one per distinct line."""
        with self.log.open(encoding="utf-8") as lines:
            return len({line for line in lines if ": NOQUEUE: reject: " in line})


def generate(folder, mta, timestamps, transactions):
    log, truth = folder / "mail.log", folder / "truth"
    options = {
        "--mta": mta,
        "--transactions": str(transactions),
        "--timestamps": timestamps,
        "--hosts": HOSTS,
        "--truth": str(truth),
    }
    arguments = [text for option in options.items() for text in option]
    with log.open("wb") as out:
        subprocess.run([sys.executable, str(GENERATOR), *arguments], stdout=out, check=True)
    return Generated(log, [json.loads(line) for line in truth.read_text(encoding="utf-8").splitlines()])


def generated_faults(generated, documents):
    """Compare all documents with the truth in both directions, field by field."""
    mail = [document for document in documents if document["transaction"] != "NOQUEUE"]
    wanted = Counter(map(_wanted, generated.truth))
    got = Counter(map(_got, mail))
    missing, surplus = list((wanted - got).elements()), list((got - wanted).elements())
    faults = [_fault(want, surplus) for want in missing]
    faults += [Fault(f"{row.host} {row.queue_id}", "extra", None, row) for row in surplus if not _of_key(row, missing)]
    if len(documents) - len(mail) != generated.refusals:
        faults.append(Fault("NOQUEUE", "refusals", generated.refusals, len(documents) - len(mail)))
    return faults + [Fault(doc["transaction"], "shape", "", wrong) for doc in documents for wrong in misshapen(doc)]


class _Row(NamedTuple):
    """The parts of a document that are compared."""

    host: str
    queue_id: str
    date: int
    sender: str | None
    client: str | None
    msgid: str | None
    to: tuple


class _Result(NamedTuple):
    """The parts of a recipient result that are compared."""

    recipient: str
    relay: str | None
    status: str
    outcome: str
    attempts: int = 1


def _wanted(truth):
    results = [
        _Result(entry["recipient"], _relay(entry["relay"]), entry["status"], _outcome(entry["status"]))
        for entry in truth["to"]
    ]
    return _Row(
        truth["host"],
        truth["queue_id"],
        int(seconds(truth["date"])),
        truth["from"],
        _client(truth["client"]),
        truth["msgid"] or None,
        tuple(_condensed(results)),
    )


def _condensed(results):
    """Combine equal consecutive results of a recipient, and ignore the order of recipients within a second."""
    for _, own in groupby(sorted(results, key=lambda result: result.recipient), key=lambda result: result.recipient):
        for result, same in groupby(own):
            yield result._replace(attempts=len(list(same)))


def _client(client):
    """Return a client as `name [ip]`, as documents of both MTAs have it; Postfix logs `name[ip]`."""
    return client if client is None or " [" in client or client.startswith("[") else client.replace("[", " [")


def _relay(relay):
    """Return a relay as logged, without the final dot of sendmail's names."""
    return relay and relay.replace(". [", " [")


def _outcome(status):
    """Return the outcome of a status: its first word, except for sendmail's `User unknown`."""
    word = status.split(" ")[0].strip(",:").lower()
    return "bounced" if word == "user" else word


def _got(document):
    results = [
        _Result(entry["recipient"], entry["relay"], entry["status"], entry["outcome"], entry["attempts"])
        for entry in document["to"]
    ]
    return _Row(
        document["host"],
        document["transaction"],
        int(seconds(document["date"])),
        document["from"],
        document["client"],
        document["msgid"],
        tuple(sorted(results, key=lambda result: result.recipient or "")),
    )


def _of_key(row, rows):
    return [other for other in rows if (other.host, other.queue_id) == (row.host, row.queue_id)]


def _fault(want, rows):
    """Return the first field that differs from the nearest document in time with the same queue ID."""
    where = f"{want.host} {want.queue_id}"
    near = sorted(_of_key(want, rows), key=lambda row: abs(row.date - want.date))
    if not near:
        return Fault(where, "missing", want, None)
    member = next(name for name in _Row._fields if getattr(want, name) != getattr(near[0], name))
    return Fault(where, member, getattr(want, member), getattr(near[0], member))
