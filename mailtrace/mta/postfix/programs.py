"""Which syslog tags are Postfix's, and which instance they name.

The tag is `syslog_name/daemon` (postconf(5), syslog_name), and syslog_name may contain slashes itself. rsyslog cuts it
at the first slash in RFC 5424 headers; journald's `_COMM` and some forwarders keep only the daemon.
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
"""Daemons of master(5) and commands whose names no other software uses."""

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
"""Every program that logs; other software uses some of these names too."""

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
"""How the names of other programs begin that log Postfix's queue IDs and addresses."""


def is_postfix(program: str) -> bool:
    """Return whether the tag alone shows that the line is Postfix's: `postfix/smtpd`, `postfix`, `mailout/qmgr`."""
    name, slash, _ = program.partition("/")
    if slash and name.startswith("postfix"):
        return True
    return name == "postfix" or program.rpartition("/")[2] in _UNMISTAKABLE or _prefixed_daemon(program)


def may_be_postfix(program: str) -> bool:
    """Return whether lines of this program may be Postfix's although the tag does not show it."""
    return not any(part.startswith(_OTHERS) for part in program.lower().split("/"))


def instance_of(program: str) -> str | None:
    """Return the Postfix instance that a tag names; None for the default one, or if the tag is only a daemon's name."""
    name, slash, _ = program.partition("/")
    return None if name in ("", "postfix") or (not slash and names_daemon(name)) else name


def names_daemon(program: str) -> bool:
    """Return whether a tag names one of Postfix's daemons or commands."""
    return "/" in program or program in _DAEMONS or _prefixed_daemon(program)


def _prefixed_daemon(program: str) -> bool:
    """Return whether a tag has a dash instead of the slash, as in `postfix-qmgr`."""
    return program.startswith("postfix-") and program[8:] in _DAEMONS
