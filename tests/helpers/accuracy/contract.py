"""Check that a document keeps to the contract, whatever the log said."""

import re

from helpers.accuracy.spelling import seconds
from mailtrace.search.query import OUTCOMES

# fmt: off
MEMBERS = (
    "transaction", "host", "mta", "instance", "date", "from", "client", "client_ip",
    "orig_client", "login", "msgid", "size", "nrcpt", "to", "removed", "origin",
)
ENTRY_MEMBERS = (
    "recipient", "orig_to", "relay", "relay_host", "relay_ip", "status", "outcome", "dsn",
    "delay", "date", "last_date", "attempts", "last", "queued_as",
)
# fmt: on

_has_zone = re.compile(r"(?:Z|[+-]\d\d:\d\d)\Z").search
_is_postfix_peer = re.compile(r"\S\[").search


def misshapen(document):
    """Return what is wrong with a document, in words; empty if nothing is."""
    return [*_members(document), *_client(document), *_entries(document["to"])]


def _members(document):
    yield from (f"no member {member}" for member in MEMBERS if member not in document)
    for member in ("transaction", "host", "mta", "date"):
        if not isinstance(document[member], str):
            yield f"no {member}"
    if document["host"] != document["host"].lower():
        yield f"host {document['host']}"
    if not _has_zone(document["date"]):
        yield f"date {document['date']} without a zone"


def _client(document):
    client = document["client"] or ""
    if "sasl_" in client or (document["mta"] == "postfix" and _is_postfix_peer(client)):
        yield f"client {client}"


def _entries(to):
    newest, latest = {}, 0
    for entry in to:
        who = entry["recipient"], entry["orig_to"]
        yield from _entry(entry, newest.get(who))
        if seconds(entry["date"]) < latest:
            yield f"the entry of {who} is older than the one before"
        newest[who], latest = entry, seconds(entry["date"])
    yield from (f"no last of {who}" for who, entry in newest.items() if entry["last"] is not True)


def _entry(entry, before):
    who = entry["recipient"], entry["orig_to"]
    yield from (f"no member {member} in an entry" for member in ENTRY_MEMBERS if member not in entry)
    if entry["outcome"] not in OUTCOMES:
        yield f"outcome {entry['outcome']}"
    if entry["attempts"] < 1 or seconds(entry["last_date"]) < seconds(entry["date"]):
        yield f"attempts of {who}"
    if before and (entry["relay"], entry["status"]) == (before["relay"], before["status"]):
        yield f"the result of {who} is doubled"
    if before and before["last"]:
        yield f"last of {who} is not its newest"
