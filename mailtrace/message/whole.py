"""A whole, ordinary transaction: its document is made from its lines in one step.

It is what `Transaction` and `document.py` make of the same lines, in a third of the time.
"""

from collections.abc import Sequence

from mailtrace.message.dates import iso_time
from mailtrace.message.document import Document, all_final, ip_in
from mailtrace.message.order import outline
from mailtrace.message.part import Collected, Part, Whole
from mailtrace.message.recipients import attempt_of, result_list
from mailtrace.message.replay import transaction_of
from mailtrace.message.transaction import SECOND, Transaction
from mailtrace.mta.facts import Client, Result, Sender, Submitted
from mailtrace.mta.postfix.whole import WholeMessage, message_of
from mailtrace.mta.queue_ids import time_of
from mailtrace.mta.sendmail.whole import facts_of


def general(part: Part) -> Transaction:
    """Return the transaction with its facts."""
    if isinstance(part, Transaction):
        return part
    return transaction_of(part.host, part.queue_id, part.mta, part.lines)


def whole_of(host: str, queue_id: str, mta: str, collected: Sequence[Collected]) -> Whole | None:
    """Return the transaction of these lines, from the one that begins it to the one that ends it.

    None if anything about them is not ordinary: then `Transaction` says what they are.
    """
    message = message_of(collected) if mta == "postfix" else _message_of_sendmail(collected)
    if message is None:
        return None
    beginning, msgid, sender, size, nrcpt, results, order = message
    ordered = collected if order is None else [collected[at] for at in order]
    first = ordered[0][0]
    client = login = origin = orig_client = None
    if type(beginning) is Client:
        client, login, origin, orig_client = beginning
    elif type(beginning) is Sender:
        client = beginning.client
    elif type(beginning) is Submitted:
        origin = beginning.origin
    to = result_list(results)
    document: Document = {
        "transaction": queue_id,
        "host": host,
        "mta": mta,
        "instance": None,
        "date": iso_time(first),
        "from": sender,
        "client": client,
        "client_ip": ip_in(client),
        "orig_client": orig_client,
        "login": login,
        "msgid": msgid,
        "size": size,
        "nrcpt": nrcpt,
        "to": to,
        "removed": mta == "postfix" or all_final(to, nrcpt, mta),
        "origin": origin,
    }
    seconds = time_of(queue_id, mta)
    start = first if seconds is None else seconds * SECOND
    return Whole(host, queue_id, ordered, document, start, mta, first, ordered[-1][0])


def _message_of_sendmail(collected: Sequence[Collected]) -> WholeMessage | None:
    """Return what the lines of a message of sendmail say; None if they are not surely ordinary."""
    facts = facts_of(collected)
    if facts is None:
        return None
    beginning, found = facts
    sender, size, nrcpt, msgid, _ = beginning
    keyed = []
    for at, (who, what) in enumerate(found, 1):
        # The results of a line differ in nothing but the recipient, which is the last member of an outline.
        time = collected[at][0]
        outlined = outline(time, Result(who[0], *what))[:-1]
        if what[0] is not None:
            what = attempt_of(time, Result(who[0], *what), sender, "sendmail")[2:]  # noqa: PLW2901
        keyed += [(outlined, recipient, at, (time, recipient, *what)) for recipient in who]
    keyed.sort()
    if len({one[:2] for one in keyed}) < len(keyed):
        return None
    order = [0, *dict.fromkeys(one[2] for one in keyed)]
    return WholeMessage(beginning, msgid, sender, size, nrcpt, [one[3] for one in keyed], order)
