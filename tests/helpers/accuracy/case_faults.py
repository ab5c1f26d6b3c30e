"""Compare the documents of a case with its expectations; what a case does not state is not compared."""

from helpers.accuracy.contract import misshapen
from helpers.accuracy.fault import Fault
from helpers.accuracy.recipients import entries_of, is_outcome
from helpers.accuracy.spelling import canonical, seconds, short


def case_faults(case, documents):
    expect, where = case["expect"], case["id"]
    faults = [
        Fault(document["transaction"], "shape", "", wrong) for document in documents for wrong in misshapen(document)
    ]
    mail = [document for document in documents if document["transaction"] != "NOQUEUE"]
    claimed = []
    for wanted in expect.get("transactions") or []:
        faults += _transaction(mail, wanted, claimed, expect["transactions"])
    if expect.get("transactions") == []:
        faults += [
            Fault(where, "transactions", None, document["transaction"]) for document in mail if _is_mail(document)
        ]
    faults += _never(documents, expect.get("never", []), where)
    return faults + list(_rejects(documents, expect.get("rejects"), where))


def _key(wanted):
    return wanted["queue_id"], wanted.get("host")


def _transaction(mail, wanted, claimed, all_wanted):
    """Match each use of a queue ID to one document, the nearest in time."""
    found = [doc for doc in mail if _is_of(doc, wanted) and not any(doc is other for other in claimed)]
    if not found:
        yield Fault(wanted["queue_id"], "missing", wanted["queue_id"], [doc["transaction"] for doc in mail])
        return
    if "date" in wanted:
        found.sort(key=lambda doc: abs(seconds(doc["date"]) - seconds(wanted["date"])))
    uses = [_key(other) for other in all_wanted].count(_key(wanted))
    if len([doc for doc in mail if _is_of(doc, wanted)]) > uses:
        yield Fault(wanted["queue_id"], "extra", uses, [doc["date"] for doc in found])
    claimed.append(found[0])
    yield from _fields(found[0], wanted)
    for recipient in wanted.get("to") or []:
        yield from _recipient(found[0], recipient, wanted["queue_id"])


def _is_of(document, wanted):
    is_host = "host" not in wanted or short(document["host"]) == short(wanted["host"])
    return is_host and document["transaction"] == wanted["queue_id"]


def _fields(document, wanted):
    for field in ("from", "msgid", "login"):
        if wanted.get(field) is not None and document[field] != wanted[field].strip("<>"):
            yield Fault(wanted["queue_id"], field, wanted[field], document[field])
    if not _is_in(wanted.get("client"), document["client"]):
        yield Fault(wanted["queue_id"], "client", wanted["client"], document["client"])
    if wanted.get("date") and abs(seconds(wanted["date"]) - seconds(document["date"])) >= 1:
        yield Fault(wanted["queue_id"], "date", wanted["date"], document["date"])


def _is_in(wanted, client):
    """Ignore the space between the name and the address of a client: sendmail writes it, Postfix does not."""
    return (wanted or "").replace(" ", "") in (client or "").replace(" ", "")


def _recipient(document, wanted, where):
    logged = [entry["recipient"] for entry in document["to"]]
    mine = [entry for entry in document["to"] if entry["recipient"] == wanted["recipient"]]
    mine = mine or entries_of(document, wanted)
    if not mine:
        yield Fault(where, "recipient", wanted["recipient"], logged)
        return
    for field, is_right in _RECIPIENT.items():
        want = wanted.get(field)
        if want is not None and not is_right(want, mine):
            member = _MEMBER.get(field, field)
            yield Fault(where, field, (wanted["recipient"], want), [entry[member] for entry in mine])


def _is_last_outcome(outcome, entries):
    return is_outcome(entries[-1]["outcome"], outcome)


def _is_searched(orig_to, entries):
    return orig_to in (entries[-1]["orig_to"], entries[-1]["recipient"])


def _any_status(text, entries):
    return any(text in entry["status"] for entry in entries)


def _any_relay(relay, entries):
    return any(relay in (entry["relay"] or "") or (entry["relay"] or "-") in relay for entry in entries)


_RECIPIENT = {
    "status_class": _is_last_outcome,
    "orig_to": _is_searched,
    "status_contains": _any_status,
    "relay": _any_relay,
}
_MEMBER = {"status_class": "outcome", "status_contains": "status"}


def _is_mail(document):
    """Return whether a document contains more than refusals."""
    outcomes = {entry["outcome"] for entry in document["to"]}
    return bool(outcomes - {"rejected", "discarded", "held"}) or (document["from"] and not outcomes)


def _never(documents, outcomes, where):
    for document in documents:
        for entry in document["to"]:
            if entry["outcome"] in outcomes:
                yield Fault(where, "never", f"not {entry['outcome']}", entry["recipient"])


def _rejects(documents, wanted, where):
    """Report unexpected refusals, and those that are neither a document nor a result under their queue ID."""
    if wanted is None:
        return
    refusals = [(doc, entry) for doc in documents for entry in doc["to"] if entry["outcome"] == "rejected"]
    if not wanted and refusals:
        yield Fault(where, "rejects", [], [entry["status"] for _, entry in refusals])
    for reject in wanted:
        if not any(_is_reject(document, entry, reject) for document, entry in refusals):
            yield Fault(where, "reject", reject, [(entry["recipient"], entry["status"]) for _, entry in refusals])


def _is_reject(document, entry, wanted):
    recipient = canonical(wanted.get("recipient"))
    return (
        recipient in ("", canonical(entry["recipient"]))
        and (not wanted.get("from") or canonical(document["from"]) == canonical(wanted["from"]))
        and short(document["host"]) == short(wanted.get("host") or document["host"])
        and wanted.get("queue_id", document["transaction"]) == document["transaction"]
        and (wanted.get("client") or "") in (document["client"] or "")
        and (wanted.get("status_contains") or "") in entry["status"]
    )
