"""The line with which MailScanner logs the new queue ID of a Postfix message.

MailScanner reads messages from Postfix's hold queue, and writes each that passes into the incoming queue as a new file
(Postfix.pm, PFDiskStore.pm). It adds a random part to the old queue ID, because Postfix may reuse that meanwhile:

    Requeue: OLDID.A52C6 to NEWID
"""

import re
from typing import Final

from mailtrace.mta.facts import REQUEUE, Event, Origin, Parsed, Removed
from mailtrace.mta.queue_ids import POSTFIX_ID
from mailtrace.mta.rules import ANOTHER_PROGRAM, Rule

PROGRAM: Final = "MailScanner"

_requeue = re.compile(rf"Requeue: ({POSTFIX_ID})(?:\.[0-9A-Za-z]+)? to ({POSTFIX_ID})\Z").match


def _parse_requeue(_queue_id: str, _program: str, text: str) -> Parsed:
    found = _requeue(text)
    if found is None or found[1] == found[2]:
        return ANOTHER_PROGRAM
    before, after = found.groups()
    # The new queue ID comes first, so that it inherits what is known of the old one.
    return [Event(after, Origin(before, REQUEUE)), Event(before, Removed("requeued", after))]


REQUEUED: Final = Rule("requeue", _parse_requeue)
OTHER: Final = Rule("other", lambda _queue_id, _program, _text: ANOTHER_PROGRAM)
RULES: Final = (REQUEUED, OTHER)


def rule_of(_program: str, text: str) -> Rule:
    """Return the rule that `parse` applies to this line."""
    return REQUEUED if _parse_requeue("", PROGRAM, text) is not ANOTHER_PROGRAM else OTHER


def parse(_program: str, text: str) -> Parsed:
    """Return what one line of MailScanner says. Never raises."""
    return _parse_requeue("", PROGRAM, text)
