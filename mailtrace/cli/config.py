"""What is configured beside the flags: the environment, over the files, over the defaults of the flags."""

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from mailtrace.cli.settings import SETTINGS, Kind, Setting
from mailtrace.errors import ConfigError

SYSTEM_FILE: Final = "/etc/mailtrace.toml"
_WORDS: Final = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
_KINDS: Final[dict[Kind, str]] = {
    str: 'a text in quotes, such as "{0}"',
    int: "a whole number without quotes, such as 90",
    bool: "true or false, without quotes",
}
_password = re.compile(r"(://[^/@:]*):[^/@]*@")


class Value(NamedTuple):
    """What a setting is, and where that was said."""

    value: Any
    origin: str
    """The file, the environment variable or the flag; `default`."""


def config_files(chosen: str | None, environ: Mapping[str, str]) -> list[Path]:
    """Return the files that configure: the chosen one, else the machine's and the user's, which may be missing."""
    if chosen:
        return [Path(chosen)]
    home = environ.get("XDG_CONFIG_HOME", "")
    if not home.startswith("/"):  # a relative one is to be ignored (XDG Base Directory Specification)
        home = os.path.expanduser("~/.config")  # noqa: PTH111 # Path's raises where there is no home
    return [Path(SYSTEM_FILE), Path(home, "mailtrace.toml")]


def configured(chosen: str | None, environ: Mapping[str, str]) -> dict[str, Value]:
    """Return what the files and the environment say, by the names of settings; values are as their flags take them.

    Raises:
        ConfigError: a file cannot be used, or the environment says neither yes nor no.
    """
    found: dict[str, Value] = {}
    for path in config_files(chosen, environ):
        if (handle := _opened(path, must_exist=bool(chosen))) is not None:
            with handle:
                found.update(_read(path, handle))
    for setting in SETTINGS:
        if text := environ.get(setting.environment):
            found[setting.name] = Value(_of_text(setting, text), setting.environment)
    return found


def _opened(path: Path, *, must_exist: bool) -> IO[bytes] | None:
    try:
        return path.open("rb")
    except OSError as error:
        if not must_exist and not _is_there(path):
            return None
        raise ConfigError(
            f"{path} cannot be read ({error.strerror}): mend that, or name another file with --config"
        ) from None


def _is_there(path: Path) -> bool:
    """Whether a file is there; not in a folder that is closed to this user, as root's home is after `runuser`."""
    return os.access(path, os.F_OK)


def _read(path: Path, handle: IO[bytes]) -> dict[str, Value]:
    from mailtrace.cli.toml import TOMLDecodeError, load  # noqa: PLC0415 # only those who have a file pay for it

    try:
        table = load(handle)
    except (TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path} is not TOML: {error}; see mailtrace.toml(5)") from error
    known = {setting.name: setting for setting in SETTINGS}
    is_public = bool(os.fstat(handle.fileno()).st_mode & stat.S_IROTH)
    for key, value in table.items():
        if key not in known:
            raise ConfigError(f"{path}: {key}: there is no such setting; {_nearest(key, known)}")
        if type(value) is not known[key].kind:
            raise ConfigError(
                f"{path}: {key} has a value of the wrong type: write {_KINDS[known[key].kind].format(key)}"
            )
        if is_public and hidden(known[key], value) != value:
            raise ConfigError(f"{path}: {key} is a secret, and everyone may read this file: chmod o= {path}")
    return {key: Value(value, str(path)) for key, value in table.items()}


def _nearest(key: str, known: Mapping[str, Setting]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 # only a complaint needs it

    near = get_close_matches(key.lower(), known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"


def _of_text(setting: Setting, text: str) -> Any:
    if setting.kind is not bool:
        return text
    if text.lower() not in _WORDS:
        raise ConfigError(f"{setting.environment}: {text!r} is neither yes nor no")
    return _WORDS[text.lower()]


def hidden(setting: Setting, value: Any) -> Any:
    """Return a value as it may be shown: a secret, and a password in a URL, as stars."""
    if value is None or value == "":
        return value
    if setting.secret:
        return "***"
    return _password.sub(r"\1:***@", value) if isinstance(value, str) else value


def shown(values: Mapping[Setting, Value], files: list[Path]) -> str:
    """Return what is in force as a configuration file, with where each value was said."""
    from json import dumps  # noqa: PLC0415 # only --show-config needs it

    lines = [f"# {path}: {'read' if _is_there(path) else 'not there'}" for path in files]
    for setting, (value, origin) in values.items():
        if value is None:
            lines.append(f"# {setting.name} is not set")
            continue
        lines.append(f"{setting.name} = {dumps(hidden(setting, value), ensure_ascii=False)} # {origin}")
    return "\n".join(lines)
