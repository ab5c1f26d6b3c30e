"""A whole, ordinary transaction: its document is made from its lines in one step.

It is what `Transaction` and `document.py` make of the same lines, in a third of the time.
"""

from collections.abc import Sequence
from typing import Final

from mailtrace.message.dates import iso_time
from mailtrace.message.document import Document, ip_in
from mailtrace.message.part import Collected, Part, Whole
from mailtrace.message.recipients import result_list
from mailtrace.message.replay import transaction_of
from mailtrace.message.transaction import SECOND, Transaction
from mailtrace.mta.facts import Client
from mailtrace.mta.postfix.whole import message_of
from mailtrace.mta.queue_ids import time_of

_MTA: Final = "postfix"


def general(part: Part) -> Transaction:
    """Return the transaction with its facts."""
    return transaction_of(part.host, part.queue_id, part.mta, part.lines) if isinstance(part, Whole) else part


def whole_of(host: str, queue_id: str, collected: Sequence[Collected]) -> Whole | None:
    """Return the transaction of these lines, from the one that begins it to the one that ends it.

    None if anything about them is not ordinary: then `Transaction` says what they are.
    """
    message = message_of(collected)
    if message is None:
        return None
    beginning, msgid, sender, size, nrcpt, results, order = message
    ordered = collected if order is None else [collected[at] for at in order]
    first = ordered[0][0]
    client = login = origin = orig_client = None
    if type(beginning) is Client:
        client, login, origin, orig_client = beginning
    else:
        origin = beginning.origin
    document: Document = {
        "transaction": queue_id,
        "host": host,
        "mta": _MTA,
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
        "to": result_list(results),
        "removed": True,
        "origin": origin,
    }
    seconds = time_of(queue_id, _MTA)
    return Whole(host, queue_id, ordered, document, first if seconds is None else seconds * SECOND)
