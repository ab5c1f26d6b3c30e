"""Postfix's lines about a message that has no queue ID yet, and gets one later from the same smtpd(8) process.

A HOLD before the first accepted recipient, which opens the queue file (smtpd_check.c, check_milter_reply()):

    NOQUEUE: hold: RCPT from name[ip]: WORDS; from=<S> to=<R> proto=P helo=<H>
    QUEUEID: client=name[ip]

A message for a before-queue filter (smtpd_proxy_filter), which passes it on to another smtpd(8), under a queue ID:

    NOQUEUE: client=name[ip], sasl_method=M, sasl_username=U
    [NOQUEUE: ]proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as QUEUEID; from=<S> to=<R> proto=P helo=<H>
"""

import re
from typing import Final

from mailtrace.mta.facts import Accepted, Announced, Client, Event, Ignored, Parsed, Refusal
from mailtrace.mta.postfix.arrivals import parse_client
from mailtrace.mta.postfix.refusals import parse_command_refusal, without_tail
from mailtrace.mta.queue_ids import NOQUEUE, POSTFIX_ID
from mailtrace.mta.rules import says_discarded

_HOLD: Final = Ignored("table action")
_FILTER: Final = Ignored("proxy filter")
_is_id = re.compile(POSTFIX_ID).fullmatch


def parse_announced(queue_id: str, program: str, rest: str) -> Parsed:
    """Return the client, or the hold, of the next message that this smtpd(8) process receives."""
    is_client = rest.startswith("client=")
    parsed = (parse_client if is_client else parse_command_refusal)(queue_id, program, rest)
    if type(parsed) is Event and isinstance(parsed.fact, (Client, Refusal)) and parsed.fact.client is not None:
        return Announced(parsed.fact)
    return _FILTER if is_client else _HOLD


def parse_proxy_accept(_queue_id: str, _program: str, rest: str) -> Parsed:
    """Return the queue ID under which a before-queue filter passed the message on, or that it discarded the message."""
    words, sender, recipient, login = without_tail(rest.partition(": ")[2].partition(": ")[2])
    _, found, queue_id = words.rpartition(" queued as ")
    if found:
        return Accepted(queue_id) if _is_id(queue_id) else _FILTER
    if says_discarded(words):
        return Event(NOQUEUE, Refusal("discarded", f"discarded ({words})", recipient, sender, login=login))
    return _FILTER
