"""Settings from configuration files and the environment. Precedence: flags, environment, files, defaults."""

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import IO, Any, Final, NamedTuple

from mailtrace.cli.settings import SETTINGS, Kind, Setting
from mailtrace.errors import ConfigError
from mailtrace.stores.access import expanded, without_password

SYSTEM_FILE: Final = "/etc/mailtrace.toml"
_BOOLEANS: Final = {
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
    str: "text in quotes",
    int: "a whole number without quotes",
    bool: "true or false, without quotes",
}


class Value(NamedTuple):
    """The value of a setting, and where it was set."""

    value: Any
    origin: str
    """The name of the file, environment variable or flag, or `default`."""


def config_files(chosen: str | None, environ: Mapping[str, str]) -> list[Path]:
    """Return the configuration files: the chosen one, or the system's and the user's, which need not exist."""
    if chosen:
        return [Path(expanded(chosen))]
    home = environ.get("XDG_CONFIG_HOME", "")
    if not home.startswith("/"):  # relative paths are ignored, as the XDG Base Directory Specification requires
        home = os.path.expanduser("~/.config")  # noqa: PTH111 # Path.expanduser raises if there is no home
    return [Path(SYSTEM_FILE), Path(home, "mailtrace.toml")]


def configured(chosen: str | None, environ: Mapping[str, str]) -> dict[str, Value]:
    """Return the settings in the files and the environment, by name; flags' parsers check the values later.

    Raises:
        ConfigError: a file or one of its settings is invalid, or a variable is neither yes nor no.
    """
    found: dict[str, Value] = {}
    for path in config_files(chosen, environ):
        if (handle := _opened(path, must_exist=bool(chosen))) is not None:
            with handle:
                found.update(_read(path, handle))
    for setting in SETTINGS:
        if text := environ.get(setting.environment):
            found[setting.name] = Value(_parsed(setting, text), setting.environment)
    return found


def _opened(path: Path, *, must_exist: bool) -> IO[bytes] | None:
    try:
        return path.open("rb")
    except OSError as error:
        if not must_exist and not _exists(path):
            return None
        raise ConfigError(
            f"{path} cannot be read ({error.strerror}): fix it, or name another file with --config"
        ) from None


def _exists(path: Path) -> bool:
    """Whether a file exists; False in a folder closed to this user, such as root's home after `runuser`."""
    return os.access(path, os.F_OK)


def _read(path: Path, handle: IO[bytes]) -> dict[str, Value]:
    try:
        table = load_toml(handle)
    except (ValueError, OSError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}; see mailtrace.toml(5)") from error
    known = {setting.name: setting for setting in SETTINGS}
    is_public = bool(os.fstat(handle.fileno()).st_mode & stat.S_IROTH)
    for key, value in table.items():
        if key not in known:
            raise ConfigError(f"{path}: {key}: unknown setting; {_nearest(key, known)}")
        if type(value) is not known[key].kind:
            kind, example = _KINDS[known[key].kind], assignment(known[key], known[key].example)
            raise ConfigError(f"{path}: {key}: wrong type of value: write {kind}, such as {example}")
        if is_public and hidden(known[key], value) != value:
            raise ConfigError(
                f"{path}: {key} is a secret, but everyone may read this file: run chmod o= {quote(str(path))}"
            )
    return {key: Value(value, str(path)) for key, value in table.items()}


def load_toml(file: IO[bytes]) -> dict[str, Any]:
    """Return the contents of a TOML file.

    Raises:
        ValueError: it is not TOML, or not UTF-8.
    """
    if sys.version_info >= (3, 11):
        from tomllib import load  # noqa: PLC0415 # imported only if there is a file
    else:
        from tomli import load  # noqa: PLC0415
    return load(file)


def assignment(setting: Setting, value: Any) -> str:
    """Return a line of a configuration file."""
    from json import dumps  # noqa: PLC0415 # imported only for errors and --show-config

    return f"{setting.name} = {dumps(value, ensure_ascii=False)}"


def _nearest(key: str, known: Mapping[str, Setting]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 # imported only for an error

    near = get_close_matches(key.lower(), known, n=1)
    return f"did you mean {near[0]}?" if near else f"the settings are {', '.join(known)}"


def _parsed(setting: Setting, text: str) -> Any:
    if setting.kind is not bool:
        return text
    if text.lower() not in _BOOLEANS:
        raise ConfigError(f"{setting.environment}: {text!r} is neither yes nor no: set it to yes or no")
    return _BOOLEANS[text.lower()]


def hidden(setting: Setting, value: Any) -> Any:
    """Return a value with secrets replaced by `***`: the whole value, or the password in a URL."""
    if value is None or value == "":
        return value
    if setting.secret:
        return "***"
    return without_password(value) if isinstance(value, str) else value


def shown(values: Mapping[Setting, Value], files: list[Path]) -> str:
    """Return the values as a configuration file, with comments that say where each was set."""
    lines = [f"# {path}: {'read' if _exists(path) else 'does not exist'}" for path in files]
    for setting, (value, origin) in values.items():
        if value is None:
            lines.append(f"# {setting.name} is not set")
            continue
        lines.append(f"{assignment(setting, hidden(setting, value))} # {origin}")
    return "\n".join(lines)
