"""The settings: what a configuration file and the environment can say as well as a flag.

A setting is called like its flag: `retention` in a file is `--retention` and `MAILTRACE_RETENTION` (`a_b` is `--a-b`).
What values it takes, its default and its help stand with the flag in the command's parser. One more setting is one more
line here.
"""

from typing import Any, Final, NamedTuple, TypeAlias

Kind: TypeAlias = type[str] | type[int] | type[bool]


class Setting(NamedTuple):
    """Something that can be configured."""

    name: str
    """The key in a file."""
    kind: Kind = str
    """What the file must hold."""
    command: str = ""
    """The one command that has it; empty where both have it."""
    secret: bool = False
    """Whether it is never shown, nor taken from a file that everyone may read."""
    about: str = ""
    """What it is, where no flag says so."""
    default: Any = None
    """What holds where nothing is said and its flag has no default."""

    @property
    def environment(self) -> str:
        """The name of its environment variable."""
        return f"MAILTRACE_{self.name.upper()}"

    @property
    def flag(self) -> str:
        """The flag that says it, where its command has one."""
        return "--" + self.name.replace("_", "-")


SECRETS: Final = (
    Setting("user", about="user name for Elasticsearch"),
    Setting("password", secret=True, about="password of that user"),
    Setting("password_file", about="file with the password, readable only by its owner"),
    Setting("api_key", secret=True, about="Elasticsearch API key, instead of a user and password"),
    Setting("api_key_file", about="file with the API key, readable only by its owner"),
)
"""Who comes to a secured Elasticsearch: no flag says it, for every user of a machine sees its command lines."""

SETTINGS: Final = (
    Setting("store"),
    Setting("tz"),
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
    """Return the settings that a command has."""
    return tuple(setting for setting in SETTINGS if setting.command in ("", command))
