"""Which programs are Postfix's, by their syslog tags, and which instance they belong to.

The tag is `syslog_name/daemon` (postconf(5), syslog_name), and syslog_name may hold slashes of its own. rsyslog ends it
at the first slash in RFC 5424 headers; journald's `_COMM` and some forwarders keep the daemon alone.
"""

from typing import Final

_UNMISTAKABLE: Final = frozenset(
    {
        "dnsblog",
        "nqmgr",
        "oqmgr",
        "postalias",
        "postdrop",
        "postfix-script",
        "postlog",
        "postlogd",
        "postmap",
        "postqueue",
        "postscreen",
        "postsuper",
        "qmgr",
        "qmqpd",
        "tlsmgr",
        "tlsproxy",
        "trivial-rewrite",
    }
)
"""Daemons of master(5) and commands whose names are Postfix's alone."""

_DAEMONS: Final = _UNMISTAKABLE | {
    "anvil",
    "bounce",
    "cleanup",
    "defer",
    "discard",
    "error",
    "flush",
    "lmtp",
    "local",
    "master",
    "pickup",
    "pipe",
    "proxymap",
    "relay",
    "retry",
    "scache",
    "showq",
    "smtp",
    "smtpd",
    "spawn",
    "trace",
    "verify",
    "virtual",
}
"""Every program that logs; other software has some of these names too."""

_OTHERS: Final = (
    "amavis",
    "bogofilter",
    "clam",
    "cyrus",
    "dk-",
    "dkim",
    "dovecot",
    "dspam",
    "exim",
    "haraka",
    "milter-",
    "mimedefang",
    "openarc",
    "opendkim",
    "opendmarc",
    "policy",
    "postfwd",
    "postgrey",
    "qpsmtpd",
    "rspamd",
    "spam",
    "sqlgrey",
)
"""How the names of programs begin that write queue IDs and addresses of messages which Postfix handles."""


def is_postfix(program: str) -> bool:
    """Return whether a tag alone tells that the line is Postfix's: `postfix/smtpd`, `postfix`, `mailout/qmgr`."""
    name, slash, _ = program.partition("/")
    if slash and name.startswith("postfix"):
        return True
    return name == "postfix" or program.rpartition("/")[2] in _UNMISTAKABLE or _prefixed_daemon(program)


def may_be_postfix(program: str) -> bool:
    """Return whether lines of this program can be Postfix's, where no part of the tag tells that they are another's."""
    return not any(part.startswith(_OTHERS) for part in program.lower().split("/"))


def instance_of(program: str) -> str | None:
    """Return the Postfix instance that a tag names, or None for the default one and where only the daemon is named."""
    name, slash, _ = program.partition("/")
    return None if name in ("", "postfix") or (not slash and names_daemon(name)) else name


def names_daemon(program: str) -> bool:
    """Return whether a tag tells which of Postfix's programs wrote the line."""
    return "/" in program or program in _DAEMONS or _prefixed_daemon(program)


def _prefixed_daemon(program: str) -> bool:
    """Whether a tag has a dash in place of the slash, as in `postfix-qmgr`."""
    return program.startswith("postfix-") and program[8:] in _DAEMONS
