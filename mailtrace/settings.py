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
    Setting("user", about="the user as whom Elasticsearch is reached"),
    Setting("password", secret=True, about="the password of that user"),
    Setting("password_file", about="a file that holds the password, and that its owner alone may read"),
    Setting("api_key", secret=True, about="an API key for Elasticsearch, instead of a user"),
    Setting("api_key_file", about="a file that holds the API key, and that its owner alone may read"),
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
