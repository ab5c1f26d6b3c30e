"""How Postfix's lines begin that have a queue ID, but no recipient result and no end of a message.

smtp(8) and lmtp(8) log why one host failed before they try the next (smtp_trouble.c, smtp_addr.c, smtp_connect.c,
smtp_proto.c, smtp_sasl_glue.c, smtp_tls_policy.c); the others are details that daemons log when they are verbose.
"""

import re
from typing import Final

ONE_HOST: Final = (
    "host ",
    "lost connection with ",
    "conversation with ",
    "connect to ",
    "local data error while talking to ",
    "enabling PIX ",
    "passing ",
    "Cannot start TLS",
    "TLS is required",
    "TLS connection ",
    "TLS-Required",
    "Server certificate ",
    "Server presented no ",
    "server certificate ",
    "certificate verification failed",
    "client TLS configuration problem",
    "SASL ",
    "Authentication failed",
    "delivery temporarily suspended",
    "breaking line ",
    "message size ",
    "mail for ",
    "protocol error",
    "Protocol error",
    "SMTP ",
    "LMTP ",
    "Host or domain name not found",
    "Host not found",
    "Host found but no data record",
    "Name service error ",
    "Name server ",
    "Malformed or unexpected name server reply",
    "unable to look up host ",
    "unable to find primary relay for ",
    "network address conversion failed",
    "all network protocols are disabled",
    "numeric domain name ",
    "no MX host ",
    "server unavailable or unable to receive mail",
    "unexpected server message",
    "unreadable mail queue entry",
    "Server configuration error",
    "server configuration error",
    "Temporary lookup error",
    "SMTPUTF8 ",
    "REQUIRETLS ",
    "Sender requested REQUIRETLS",
    "DANE ",
    "Domain ",
    "TLSA ",
    "no TLSA records found",
    "non DNSSEC destination",
    "Verification not possible",
    "MTA-STS ",
    "STS ",
    "Trusted TLS ",
    "Untrusted TLS ",
    "Anonymous TLS ",
    "Verified TLS ",
)
"""Lines of smtp(8) and lmtp(8) about one host before they try the next, or about the session."""

ONE_HOST_ENDS: Final = (
    ": host not found",
    " configured, but no requisite library support",
    " configured with dnssec lookups disabled",
    " configured with MX lookup errors ignored",
    ": dns resolver options incompatible with dane TLS",
    ": dns resolver options incompatible with dane-only TLS",
)
"""Ends of the same lines, for those that begin with the host's name."""

BROKEN_OFF: Final = ("lost connection after ", "timeout after ", "too many errors after ", "improper command ")

is_broken_off = re.compile(r"[^\s\[\]]*\[[^\s\[\]]*\]: [^:]{1,60} while ").match
"""Matches qmqpd(8)'s `name[ip]: lost connection while receiving QMQP message` (qmqpd.c)."""

BOUNCE_FAILED: Final = "status=deferred ("
"""abounce.c, bounce.c: the bounce service did not answer. Postfix retries the message later."""

NOTICE_NOT_SENT: Final = ("not sending trace/success notification ", "no trace file -- ")
"""bounce_trace_service.c."""

DETAILS: Final = (
    "recipient limit ",
    "enabling VERP for sender ",
    "placed in ",
    "read ",
    "ignoring redundant or conflicting milter reply: ",
)
"""qmgr_message.c, mail_stream.c, pickup.c, cleanup_milter.c."""

POLICY: Final = ("Policy action=", "SPF ", "handler ", "testing: ")
"""Lines of policy services that run under spawn(8), such as postfix-policyd-spf-perl."""
