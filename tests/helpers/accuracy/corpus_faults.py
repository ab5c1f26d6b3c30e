"""Compare the documents of a corpus with its truth, field by field."""

import json
from collections import Counter

from helpers.accuracy.contract import misshapen
from helpers.accuracy.fault import Fault
from helpers.accuracy.recipient_faults import recipient_faults, strangers
from helpers.accuracy.recipients import DELIVERED
from helpers.accuracy.spelling import bare, canonical, is_same_msgid, seconds

_MAX_SECONDS = 60
"""Longest time in seconds between the first log line and the reply to the client."""


def corpus_faults(corpus, found):
    """Return all faults of transactions and refusals, and documents that should not exist."""
    faults = [fault for wanted in corpus.transactions for fault in _transaction(corpus, found, wanted)]
    faults += [fault for wanted in corpus.truth["no_message"] for fault in _invented(found, wanted)]
    faults += [fault for wanted in corpus.rejects for fault in _reject(found, wanted)]
    faults += [
        Fault(f"{document['host']} {document['transaction']}", "shape", "", wrong)
        for document in found.documents
        for wrong in misshapen(document)
    ]
    return faults + list(_doubled(found))


def where(wanted):
    return f"{wanted['host']} {wanted['queue_id']} ({wanted.get('scenario', '')})"


def _transaction(corpus, found, wanted):
    documents = _documents(corpus, found, wanted)
    if not documents:
        if not _is_discarded_unnamed(found, wanted):
            yield Fault(where(wanted), "missing", wanted["queue_id"], None)
        return
    if len(documents) > corpus.uses[wanted["host"], wanted["queue_id"]]:
        yield Fault(where(wanted), "extra", 1, len(documents))
    document = documents[0]
    yield from _fields(corpus, document, wanted)
    yield from _date(corpus, document, wanted)
    for recipient in wanted["recipients"]:
        yield from recipient_faults(found, document, wanted, recipient, where(wanted))
    yield from strangers(document, wanted, where(wanted))


def _documents(corpus, found, wanted):
    """Return the documents of a queue ID, the nearest in time to the reply to the client first."""
    documents = [doc for name in corpus.names(wanted["host"]) for doc in found.by_key[name, wanted["queue_id"]]]
    if wanted.get("accepted_at"):
        at = wanted["accepted_at"] + corpus.offset
        documents.sort(key=lambda document: abs(seconds(document["date"]) - at))
    return documents


def _is_discarded_unnamed(found, wanted):
    """Return whether an access map discarded the message before it had a queue ID (access(5))."""
    return all(recipient.get("status_class") == "discarded" for recipient in wanted["recipients"]) and any(
        entry["outcome"] == "discarded" and canonical(document["from"]) == canonical(wanted.get("from"))
        for document in found.without_queue_id
        for entry in document["to"]
    )


def _fields(corpus, document, wanted):
    checks = (
        ("mta", corpus.truth["mta"], document["mta"], document["mta"] in corpus.truth["mta"].lower()),
        ("from", wanted.get("from"), document["from"], _is_sender(document, wanted)),
        ("client", wanted.get("client_ip"), document["client"], _is_client(document, wanted)),
        ("msgid", wanted.get("msgid"), document["msgid"], _is_msgid(document, wanted)),
        ("login", wanted.get("sasl_username"), document["login"], _is_login(document, wanted)),
        ("origin", _notified(wanted), document["origin"], _notified(wanted) in (None, document["origin"])),
    )
    yield from (Fault(where(wanted), field, want, got) for field, want, got, is_right in checks if not is_right)


def _is_sender(document, wanted):
    senders = [wanted.get("from"), *wanted.get("from_alternatives", [])]
    return wanted.get("from") is None or (
        document["from"] is not None and bare(document["from"]) in {bare(sender) for sender in senders}
    )


def _is_client(document, wanted):
    """Return whether the client is right; behind a content filter, that of XFORWARD is right too."""
    ip = wanted.get("client_ip")
    return ip in (None, document["client_ip"]) or ip in (document["orig_client"] or "")


def _is_msgid(document, wanted):
    """Return whether the message ID is right; sendmail logs none for messages that it made itself."""
    is_made_here = document["mta"] == "sendmail" and wanted.get("origin") not in ("smtp", "local")
    return (
        not wanted.get("msgid")
        or is_same_msgid(wanted["msgid"], document["msgid"])
        or (is_made_here and document["msgid"] is None)
    )


def _is_login(document, wanted):
    return wanted.get("sasl_username", document["login"]) == document["login"]


def _notified(wanted):
    """Return the queue ID that a notice reports on."""
    return (wanted.get("notification_about") or [None, None])[1]


def _date(corpus, document, wanted):
    if wanted.get("accepted_at") and wanted.get("origin") == "smtp":
        at = wanted["accepted_at"] + corpus.offset
        if abs(seconds(document["date"]) - at) > _MAX_SECONDS:
            yield Fault(where(wanted), "date", at, document["date"])


def _invented(found, wanted):
    """Report messages that were never accepted but look delivered."""
    if "from" not in wanted:
        return
    for document in found.documents:
        delivered = {entry["outcome"] for entry in document["to"]} & DELIVERED
        is_its = canonical(document["from"]) == canonical(wanted["from"]) and wanted["tag"] in json.dumps(
            document["to"]
        )
        if delivered and is_its:
            yield Fault(f"{wanted['host']} ({wanted['scenario']})", "invented", None, document["transaction"])


def _reject(found, wanted):
    """Report a missing refusal; one of sendmail may lack the sender, which its line does not contain."""
    recipient = canonical(wanted["recipient"])
    if not {(canonical(wanted["from"]), recipient), ("", recipient)} & found.refused:
        yield Fault(f"{wanted['host']} {wanted['recipient']}", "reject", wanted["reply"], None)


def _doubled(found):
    keys = Counter((doc["host"], doc["transaction"], doc["date"]) for doc in found.documents)
    for (host, queue_id, date), number in keys.items():
        if number > 1 and queue_id != "NOQUEUE":
            yield Fault(f"{host} {queue_id}", "doubled", 1, f"{number} of {date}")
