"""Find the results of a recipient in a document, and compare outcomes with those of the truth."""

from helpers.accuracy.spelling import canonical

DELIVERED = {"sent", "deferred", "bounced", "expired"}
"""Outcomes of deliveries that were attempted."""

_ALSO = {
    "deliverable": {"probe"},
    "undeliverable": {"probe"},
    "queued": {"queued", "deferred"},
    "deferred": {"deferred", "queued"},
    "expired": {"expired", "bounced"},
}


def is_outcome(outcome, wanted):
    return outcome in _ALSO.get(wanted, {wanted})


def entries_of(document, wanted):
    """Return the results of a recipient of the truth.

    Found by its address, then by addresses it may have been rewritten from or logged as, then by local name.
    """
    own = canonical(wanted["recipient"])
    others = (wanted["recipient"], wanted.get("orig_to"), *(wanted.get("may_be_logged_as") or ()))
    names = {canonical(name) for name in others if name}
    local = {name.split("@")[0] for name in names}
    to = [(entry, canonical(entry["recipient"]), canonical(entry["orig_to"])) for entry in document["to"]]
    return (
        [entry for entry, recipient, _ in to if recipient == own]
        or [entry for entry, recipient, orig_to in to if recipient in names or orig_to in names]
        or [entry for entry, recipient, _ in to if recipient and (recipient in local or _local(recipient) in names)]
    )


def _local(address):
    return address.split("@")[0]
