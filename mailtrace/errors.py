"""Errors that end a command, and exit statuses."""

from enum import IntEnum


class ExitStatus(IntEnum):
    """Exit statuses of the two commands; the README lists them."""

    OK = 0
    NOTHING_FOUND = 1
    ERROR = 2
    REFUSED = 3
    NO_MAIL_LINES = 4
    BUSY = 75
    """EX_TEMPFAIL of sysexits.h, so that a caller can tell a skipped run from one that is done."""
    INTERRUPTED = 130


class MailtraceError(Exception):
    """An error that ends a command with a message of one line: what went wrong, and what to do."""


class UsageError(MailtraceError):
    """A flag's value is invalid."""


class ConfigError(MailtraceError):
    """A configuration file cannot be read, or a setting in it or in the environment is invalid."""


class LogError(MailtraceError):
    """A log cannot be read."""


class LogMovedError(LogError):
    """A log is no longer the file that it was: newer logs must wait, so that the next run finds it."""


class StoreError(MailtraceError):
    """A store cannot do what was requested."""


class StoreMissingError(StoreError):
    """The store does not exist yet: nothing has been indexed."""


class StoreUnavailableError(StoreError):
    """The store does not answer; a later attempt may succeed."""

    is_reported = False
    """Whether the store has printed a message about the outage already; then it prints one about its end too."""
