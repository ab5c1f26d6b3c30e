"""Postfix's lines about arriving mail that it rejects, discards or holds.

smtpd(8), postscreen(8) and milters log (log_whatsup(), check_milter_reply(), cleanup_milter_apply()):

    ACTION: COMMAND from name[ip]: REASON; from=<S> to=<R> proto=P helo=<H>

without the fields that are not known yet; postscreen(8) puts commas between them. cleanup(8)'s header and body checks
(cleanup_act_log()) log the first 200 characters of the matching line of the message, and the table's text at the end:

    ACTION: header TEXT from name[ip]; from=<S> to=<R> proto=P helo=<H>[: REASON]

REASON and TEXT may imitate the fields. HELO names cannot: Postfix masks brackets, quotes and spaces in them.
"""

import re
from typing import Final

from mailtrace.mta.facts import Event, Parsed, Refusal
from mailtrace.mta.postfix.addresses import FIELD, address_of, client_of

OUTCOMES: Final = {"reject": "rejected", "discard": "discarded", "hold": "held"}
"""The outcomes by action, which is also the last word of `milter-reject`, `milter-header-discard` and so on."""

_HELO: Final = r"(?:<[^<>]*>|[^\s<>;:,]+)"

_tail = re.compile(
    rf";(?: from=({FIELD}))?(?:,? to=({FIELD}))?(?:,? proto=[^ ,]*)?(?:,? helo={_HELO})?\Z",
    re.DOTALL,
).search
_origins = re.compile(
    r" from (local|unknown|[^\s\[\]]*\[[^\]\s]*\](?::\d+)?);"
    rf"(?: from=({FIELD}))?(?: to=({FIELD}))?(?: proto=[^ :]*)?(?: helo={_HELO})?(?=: |\Z)",
    re.DOTALL,
).finditer
_logins = re.compile(rf" helo={_HELO}( sasl_(?:method|username|sender)=)").finditer
_login = re.compile(r" (?:sasl_method=\S* )?sasl_username=(.*)", re.DOTALL).fullmatch
_not_accepted = re.compile(
    r"(?:message rejected|write queue file): |\S+ map lookup problem(?: |\Z)|record type \d+ not allowed"
    r"|(?:unreasonable .*-- )?message not accepted, try again later\Z"
    r"|BDAT request from \S+ exceeds message size limit\Z"
    r"|(?:queue file size limit exceeded|bounce message failure|(?:trace logfile|verify service) update error)\Z",
    re.DOTALL,
).match


def is_not_accepted(said: str) -> bool:
    """Return whether this is a warning that cleanup(8) or smtpd(8) did not accept a message.

    No other line logs that rejection. The warnings are in cleanup.c, cleanup_addr.c, cleanup_bounce.c,
    cleanup_envelope.c, cleanup_extracted.c, cleanup_final.c, cleanup_map11.c, cleanup_map1n.c, cleanup_masquerade.c,
    cleanup_message.c, cleanup_milter.c, cleanup_out.c, cleanup_out_recipient.c and smtpd.c.
    """
    return _not_accepted(said) is not None


def parse_command_refusal(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return what smtpd(8), postscreen(8), a milter or a proxy filter rejected, discarded or held."""
    action, _, said = rest.partition(": ")
    where, colon, words = said.partition(": ")
    if not colon:
        return _refusal(queue_id, action, said, ())
    _, found, logged = where.partition(" from ")
    words, sender, recipient, login = without_tail(words)
    client = client_of(logged) if found else None
    return _refusal(queue_id, action, words, (recipient, sender, client, login))


def parse_content_refusal(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return what a header or body check rejected, discarded or held: the last well-formed fields are genuine."""
    action, _, said = rest.partition(": ")
    found = None
    for found in _origins(said):  # noqa: B007 # only the last match is used
        pass
    if found is None:
        head, sender, recipient, _ = without_tail(said)
        words, _, logged = head.rpartition(" from ")
        if not logged.endswith("]"):
            return _refusal(queue_id, action, head, (recipient, sender))
        return _refusal(queue_id, action, words, (recipient, sender, client_of(logged)))
    words = said[found.end() + 2 :] or said[: found.start()]
    client = None if found[1] in ("local", "unknown") else client_of(found[1])
    return _refusal(queue_id, action, words, (address_of(found[3]), address_of(found[2]), client))


def parse_not_accepted(queue_id: str, _program: str, rest: str) -> Parsed:
    """Return the rejection of a whole message from a warning that names no recipient."""
    client = rest.split(" ", 4)[3] if rest.startswith("BDAT request from ") else ""
    return _refusal(queue_id, "reject", rest, (None, None, client_of(client)))


def _refusal(queue_id: str, action: str, words: str, who: tuple[str | None, ...]) -> Parsed:
    """Return the refusal; `who` is recipient, sender, client and login, as far as the line names them."""
    outcome = OUTCOMES[action.rpartition("-")[2].rstrip(":")]
    return Event(queue_id, Refusal(outcome, f"{outcome} ({words})", *who))


def without_tail(words: str) -> tuple[str, str | None, str | None, str | None]:
    """Return the reason, sender, recipient and login of `REASON; from=<S> to=<R> ...`.

    If the text does not end with well-formed fields (quotes left out, a cut line), they begin at the last `; from=<`.
    """
    found, login = _tail(words), None
    if found is None and " sasl_" in words:
        found, login = _with_login(words)
    if found is not None:
        return words[: found.start()], address_of(found[1]), address_of(found[2]), login
    said, at, fields = words.rpartition("; from=<")
    if not at:
        return words, None, None, None
    sender, at, fields = fields.partition("> to=<")
    if not at:
        sender, _, _ = sender.partition(">")
        return said, sender, None, None
    return said, sender, fields.rpartition("> proto=")[0] or fields.partition(">")[0], None


def _with_login(words: str) -> tuple[re.Match[str] | None, str | None]:
    """Return the match of the fields, and the SASL user after them, whose name may contain anything.

    Postfix 3.2 to 3.9 write `sasl_username=<LOGIN>`, later ones `sasl_method=M sasl_username=LOGIN sasl_sender=S`.
    """
    at = None
    for at in _logins(words):  # noqa: B007 # only the last match is used
        pass
    if at is None or " helo=" in words[at.start(1) :] or (found := _tail(words[: at.start(1)])) is None:
        return None, None
    user = _login(words[at.start(1) :])
    if user is None:
        return found, None
    login, has_sender, sender = user[1].rpartition(" sasl_sender=")
    login = login if has_sender and " " not in sender else user[1]
    return found, address_of(login) or None
