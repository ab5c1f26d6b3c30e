"""Postfix's lines about what it refuses, throws away or holds on its way in.

smtpd(8), postscreen(8) and milters log (log_whatsup(), check_milter_reply(), cleanup_milter_apply()):

    ACTION: COMMAND from name[ip]: WORDS; from=<S> to=<R> proto=P helo=<H>

where what is not known yet is left out, and postscreen(8) puts commas between. cleanup(8)'s header and body checks
(cleanup_act_log()) log the first 200 characters of the line that they refuse, and the table's text at the end:

    ACTION: header TEXT from name[ip]; from=<S> to=<R> proto=P helo=<H>[: WORDS]

WORDS and TEXT may imitate the fields. HELO names cannot: Postfix masks brackets, quotes and spaces in them.
"""

import re
from typing import Final

from mailtrace.mta.events import Event, Parsed, Refusal
from mailtrace.mta.postfix_addresses import ADDRESS, client_of

OUTCOMES: Final = {"reject": "rejected", "discard": "discarded", "hold": "held"}
"""What the actions, and the last words of `milter-reject`, `milter-header-discard` and the like, stand for."""

SIZE_LIMIT: Final = "queue file size limit exceeded"

_tail = re.compile(
    rf";(?: from=<({ADDRESS})>)?(?:,? to=<({ADDRESS})>)?(?:,? proto=[^ ,]*)?(?:,? helo=<[^<>]*>)?(?: sasl_[^;<>]*)?\Z",
    re.DOTALL,
).search
_origins = re.compile(
    r" from (local|unknown|[^\s\[\]]*\[[^\]\s]*\](?::\d+)?);"
    rf"(?: from=<({ADDRESS})>)?(?: to=<({ADDRESS})>)?(?: proto=[^ :]*)?(?: helo=<[^<>]*>)?(?=: |\Z)",
    re.DOTALL,
).finditer


def parse_command_refusal(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return what smtpd(8), postscreen(8), a milter or a proxy filter refused, threw away or held."""
    action, _, said = rest.partition(": ")
    where, colon, words = said.partition(": ")
    if not colon:
        return _refusal(queue_id, action, said, (None, None, None))
    _, found, logged = where.partition(" from ")
    words, sender, recipient = without_tail(words)
    client = client_of(logged) if found else None
    return _refusal(queue_id, action, words, (recipient, sender, client))


def parse_content_refusal(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return what a header or body check refused, threw away or held: the last genuine fields count."""
    action, _, said = rest.partition(": ")
    found = None
    for found in _origins(said):  # noqa: B007 - the last one
        pass
    if found is None:
        head, sender, recipient = without_tail(said)
        words, _, logged = head.rpartition(" from ")
        if not logged.endswith("]"):
            return _refusal(queue_id, action, head, (recipient, sender, None))
        return _refusal(queue_id, action, words, (recipient, sender, client_of(logged)))
    words = said[found.end() + 2 :] or said[: found.start()]
    client = None if found[1] in ("local", "unknown") else client_of(found[1])
    return _refusal(queue_id, action, words, (found[3], found[2], client))


def parse_size_limit(queue_id: str, _program: str, _rest: str) -> Parsed:
    """Return that a message grew over message_size_limit while it came in."""
    return Event(queue_id, Refusal("rejected", f"rejected ({SIZE_LIMIT})"))


def _refusal(queue_id: str, action: str, words: str, who: tuple[str | None, str | None, str | None]) -> Parsed:
    outcome = OUTCOMES[action.rpartition("-")[2].rstrip(":")]
    return Event(queue_id, Refusal(outcome, f"{outcome} ({words})", *who))


def without_tail(words: str) -> tuple[str, str | None, str | None]:
    """The words, sender and recipient of `WORDS; from=<S> to=<R> ...`.

    Where no well-formed fields end the text (quotes left out, a cut line), the last `; from=<` begins them.
    """
    found = _tail(words)
    if found is not None:
        return words[: found.start()], found[1], found[2]
    said, at, fields = words.rpartition("; from=<")
    if not at:
        return words, None, None
    sender, at, fields = fields.partition("> to=<")
    if not at:
        sender, _, _ = sender.partition(">")
        return said, sender, None
    return said, sender, fields.rpartition("> proto=")[0] or fields.partition(">")[0]
