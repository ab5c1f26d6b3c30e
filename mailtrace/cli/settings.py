"""The table of settings, which a configuration file or the environment can set.

A setting has the name of its flag: `retention` in a file is `--retention` and `MAILTRACE_RETENTION` (`a_b` is `--a-b`).
Its values, default and help are those of the flag in the command's parser. To add a setting, add a line here.
"""

from typing import Any, Final, NamedTuple, TypeAlias

Kind: TypeAlias = type[str] | type[int] | type[bool]


class Setting(NamedTuple):
    """A setting of one command or of both."""

    name: str
    """The key in a configuration file."""
    kind: Kind = str
    """The type of the value in a configuration file."""
    command: str = ""
    """The command that has it; empty if both have it."""
    secret: bool = False
    """Whether it is never shown, and not read from a file that everyone may read."""
    about: str = ""
    """Its description, if it has no flag."""
    default: Any = None
    """Its default, if its flag has none."""

    @property
    def environment(self) -> str:
        """The name of the environment variable."""
        return f"MAILTRACE_{self.name.upper()}"

    @property
    def flag(self) -> str:
        """The name of its flag; those in `SECRETS` have none."""
        return "--" + self.name.replace("_", "-")


SECRETS: Final = (
    Setting("user", about="user name for Elasticsearch"),
    Setting("password", secret=True, about="password of that user"),
    Setting("password_file", about="file with the password, readable only by its owner"),
    Setting("api_key", secret=True, about="Elasticsearch API key, instead of a user and password"),
    Setting("api_key_file", about="file with the API key, readable only by its owner"),
)
"""Credentials for Elasticsearch. They have no flags, because every user of the machine can see command lines."""

SETTINGS: Final = (
    Setting("store"),
    Setting("tz"),
    Setting("host", str, "mailtrace-index"),
    Setting("retention", int, "mailtrace-index"),
    Setting("index_period", str, "mailtrace-index"),
    Setting("wait", bool, "mailtrace-index", default=False),
    Setting("format", str, "mailtrace-search"),
    Setting("color", str, "mailtrace-search"),
    Setting("ca_certs"),
    Setting("client_cert"),
    Setting("client_key"),
    *SECRETS,
)


def settings_of(command: str) -> tuple[Setting, ...]:
    """Return the settings of a command."""
    return tuple(setting for setting in SETTINGS if setting.command in ("", command))
