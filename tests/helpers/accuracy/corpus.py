"""A corpus: logs of real servers, and the truth from their clients, next hops and mailboxes."""

import gzip
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from helpers.accuracy.spelling import canonical, short
from helpers.commands import index

CORPORA = Path(__file__).parents[2] / "corpora"
YEAR = "2026"


@dataclass(frozen=True)
class Corpus:
    name: str
    truth: dict[str, Any]

    @classmethod
    def read(cls, name):
        return cls(name, json.loads(gzip.decompress((CORPORA / name / "truth.json.gz").read_bytes())))

    @property
    def transactions(self):
        return self.truth["transactions"]

    @property
    def rejects(self):
        """Recipients that the server refused to a client, according to the log."""
        return self.truth["rejects"]

    @property
    def offset(self):
        """Seconds by which the clock of the log was ahead of the truth."""
        return self.truth.get("log_offset_seconds", 0)

    @cached_property
    def uses(self):
        """The number of messages that had each (host, queue ID)."""
        return Counter((wanted["host"], wanted["queue_id"]) for wanted in self.transactions)

    def logs(self):
        """Return the logs of each host and its time zone."""
        for host, names in self.truth["log_files"].items():
            yield [CORPORA / self.name / name for name in names], self.truth["time_zones"][host]

    def index(self, store):
        """Index the logs of each host with its zone, and with its name if the logs do not have it; return the ends."""
        for (logs, zone), host in zip(self.logs(), self.truth["log_files"], strict=True):
            named = ["--host", host] if host in self.truth.get("without_host", []) else []
            yield index(store, logs, "--tz", zone, "-y", YEAR, *named)

    def names(self, host):
        """Return the short names that a host may have logged."""
        return {short(host), short(self.truth.get("hostname_in_log", {}).get(host, host))}


@dataclass
class Found:
    """The documents of a corpus."""

    documents: list[dict[str, Any]]
    by_key: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self):
        for document in self.documents:
            self.by_key[short(document["host"]), document["transaction"]].append(document)

    @cached_property
    def without_queue_id(self):
        return [document for document in self.documents if document["transaction"] == "NOQUEUE"]

    @cached_property
    def refused(self):
        """Return (sender, recipient) of every refusal."""
        return {
            (canonical(document["from"]), canonical(entry["recipient"]))
            for document in self.documents
            for entry in document["to"]
            if entry["outcome"] == "rejected"
        }
