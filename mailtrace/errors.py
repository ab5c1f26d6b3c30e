"""What can go wrong, as one tree, and the exit statuses that tell it."""

from enum import IntEnum


class ExitStatus(IntEnum):
    """How the two commands end; see the README's table."""

    OK = 0
    NOTHING_FOUND = 1
    ERROR = 2
    REFUSED = 3
    NO_MAIL_LINES = 4
    INTERRUPTED = 130


class MailtraceError(Exception):
    """Something that ends a command: its text is one line that says what to do."""


class UsageError(MailtraceError):
    """A flag's value cannot be used."""


class ConfigError(MailtraceError):
    """A configuration file or an environment variable cannot be used."""


class LogError(MailtraceError):
    """A log cannot be read."""


class LogMovedError(LogError):
    """A log is no longer the file that it was: newer logs must wait, so that the next run finds it."""


class StoreError(MailtraceError):
    """A store cannot do what is asked."""


class StoreMissingError(StoreError):
    """Nothing has been indexed there yet."""


class StoreUnavailableError(StoreError):
    """The store does not answer now; later it may."""

    is_reported = False
    """Whether the store has told the admin so already; it then tells the end of it too."""
