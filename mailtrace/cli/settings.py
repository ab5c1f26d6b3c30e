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
    example: Any = None
    """A value, for an error message."""

    @property
    def environment(self) -> str:
        """The name of the environment variable."""
        return f"MAILTRACE_{self.name.upper()}"

    @property
    def flag(self) -> str:
        """The name of its flag; those in `SECRETS` have none."""
        return "--" + self.name.replace("_", "-")


SECRETS: Final = (
    Setting("user", about="user name for Elasticsearch", example="mailtrace"),
    Setting("password", secret=True, about="password of that user", example="..."),
    Setting(
        "password_file", about="file with the password, readable only by its owner", example="/etc/mailtrace.password"
    ),
    Setting("api_key", secret=True, about="Elasticsearch API key, instead of a user and password", example="..."),
    Setting("api_key_file", about="file with the API key, readable only by its owner", example="/etc/mailtrace.key"),
)
"""Credentials for Elasticsearch. They have no flags, because every user of the machine can see command lines."""

SETTINGS: Final = (
    Setting("store", example="sqlite:/var/lib/mailtrace/mailtrace.db"),
    Setting("tz", example="Europe/Madrid"),
    Setting("retention", int, "mailtrace-index", example=90),
    Setting("index_period", str, "mailtrace-index", example="day"),
    Setting("wait", bool, "mailtrace-index", default=False, example=True),
    Setting("format", str, "mailtrace-search", example="text"),
    Setting("color", str, "mailtrace-search", example="auto"),
    Setting("ca_certs", example="/etc/ssl/certs/es.pem"),
    Setting("client_cert", example="/etc/ssl/private/mailtrace.pem"),
    Setting("client_key", example="/etc/ssl/private/mailtrace.key"),
    *SECRETS,
)


def settings_of(command: str) -> tuple[Setting, ...]:
    """Return the settings of a command."""
    return tuple(setting for setting in SETTINGS if setting.command in ("", command))
