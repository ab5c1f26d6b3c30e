"""Compare the results of one recipient with what its mailbox, its next hop or its client saw."""

from helpers.accuracy.fault import Fault
from helpers.accuracy.recipients import DELIVERED, entries_of, is_outcome
from helpers.accuracy.spelling import bare, canonical

_NO_RELAY = {"rejected", "discarded", "deleted", "held"}


def recipient_faults(found, document, transaction, wanted, where):
    mine = entries_of(document, wanted) or _unnamed(found, document, wanted)
    if not mine:
        if wanted.get("status_class") is not None and not _is_logged_elsewhere(transaction):
            logged = [entry["recipient"] for entry in document["to"]]
            yield Fault(where, "recipient", (wanted["recipient"], wanted["status_class"]), logged)
        return
    checks = (_spelling(mine, wanted), _outcome(mine, wanted), _relay(mine, wanted), _queued_as(mine, wanted))
    yield from (Fault(where, field, (wanted["recipient"], want), got) for field, want, got in filter(None, checks))


def strangers(document, transaction, where):
    """Report delivered recipients that are not in the truth."""
    if not transaction["recipients"] or _is_logged_elsewhere(transaction):
        return
    named = [{"recipient": address} for address in transaction.get("envelope_recipients", [])]
    known = [entry for wanted in [*transaction["recipients"], *named] for entry in entries_of(document, wanted)]
    for entry in document["to"]:
        is_sender = canonical(entry["recipient"]) == canonical(transaction.get("from"))
        if entry["outcome"] in DELIVERED and entry not in known and not is_sender:
            yield Fault(where, "stranger", None, (entry["recipient"], entry["orig_to"], entry["outcome"]))


def _is_logged_elsewhere(transaction):
    """Return whether sendmail split the envelope, so that the result may be under another queue ID."""
    return bool(
        transaction.get("recipients_logged_under_another_id")
        or transaction.get("recipients_logged_under_this_or_another_id")
    )


def _unnamed(found, document, wanted):
    """Return results without queue ID or recipient: refusals, or a whole message discarded or held."""
    outcome = wanted.get("status_class")
    if outcome == "rejected":
        return [entry for refusal in found.without_queue_id for entry in entries_of(refusal, wanted)]
    if outcome in ("discarded", "held"):
        return [entry for entry in document["to"] if entry["recipient"] is None and entry["outcome"] == outcome]
    return []


def _spelling(mine, wanted):
    """Check that the address is stored exactly as logged, including case."""
    logged = [entry["recipient"] for entry in mine]
    is_kept = any(bare(name) == bare(wanted["recipient"]) for name in logged)
    if not is_kept and any(canonical(name) == canonical(wanted["recipient"]) for name in logged):
        return "case", "", logged
    return None


def _outcome(mine, wanted):
    outcome = wanted.get("status_class")
    if outcome is None or is_outcome(mine[-1]["outcome"], outcome):
        return None
    return "outcome", outcome, (mine[-1]["outcome"], mine[-1]["status"])


def _relay(mine, wanted):
    text = wanted.get("relay_contains")
    if not text or wanted.get("status_class") in _NO_RELAY or any(text in (entry["relay"] or "") for entry in mine):
        return None
    return "relay", text, [entry["relay"] for entry in mine]


def _queued_as(mine, wanted):
    queue_id = wanted.get("next_queue_id")
    if queue_id is None or any(queue_id == entry["queued_as"] for entry in mine):
        return None
    return "queued_as", queue_id, [entry["queued_as"] for entry in mine]
