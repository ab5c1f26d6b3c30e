"""Argument parsing, error messages and signals, shared by the two commands."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from getpass import getpass
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from mailtrace import __version__
from mailtrace.cli.config import Value, config_files, configured, shown
from mailtrace.cli.credentials import access_of, has_password
from mailtrace.cli.settings import SECRETS, Setting, settings_of
from mailtrace.cli.suggestions import advice, lack_of_value, misread_flag
from mailtrace.errors import ConfigError, ExitStatus, MailtraceError, StoreError, UsageError
from mailtrace.stores import open_store
from mailtrace.stores.access import Access
from mailtrace.stores.permissions import check_readable, check_writable

if TYPE_CHECKING:  # keeps `--help` quick
    from mailtrace.stores.base import Store

_NOT_GIVEN: Final = object()


class Parser(argparse.ArgumentParser):
    """A parser with the flags of both commands. It allows no abbreviations, and `-h` is the flag for hosts."""

    def __init__(self, prog: str, description: str, epilog: str) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            add_help=False,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.add_argument("--help", action="help", help="show this help and exit")
        self.add_argument(
            "--version", action="version", version=f"%(prog)s {__version__}", help="show the version and exit"
        )
        self.add_argument(
            "--config",
            metavar="FILE",
            help="use this configuration file instead of /etc/mailtrace.toml and the user's own",
        )
        self.add_argument(
            "--show-config", action="store_true", help="show each setting and where it was set, then exit"
        )
        self.add_argument(
            "--store",
            metavar="STORE",
            action=_Store,
            help="sqlite:PATH, http(s)://HOST:9200 (nodes of a cluster: URL,URL), or elasticsearch for"
            " http://localhost:9200 (default: the embedded store of this machine)",
        )
        self.add_argument(
            "--tz",
            metavar="ZONE",
            type=zone,
            default="",
            help="time zone of log stamps without one, and of the output (default: this machine's)",
        )

        certificates = self.add_argument_group("Secured Elasticsearch")
        option = certificates.add_argument
        option("--ca-certs", metavar="FILE", help="CA certificates to trust (default: the system's)")
        option("--client-cert", metavar="FILE", help="client certificate, in PEM format")
        option("--client-key", metavar="FILE", help="private key of the client certificate, if in a file of its own")

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:
        """Return the arguments, with the configured values of flags that were not given.

        Raises:
            UsageError: an argument is invalid.
            ConfigError: a configuration file cannot be read, or a setting is invalid.
        """
        settings = settings_of(self.prog)
        not_given = argparse.Namespace(**{setting.name: _NOT_GIVEN for setting in settings})
        given, after = _parted(sys.argv[1:] if args is None else args)
        if misread := misread_flag(self, given):
            self._refuse_flag(misread)
        if lack := lack_of_value(self, given):
            self.error(lack)
        # Flags may be given between words and files.
        try:
            arguments, unknown = super().parse_known_intermixed_args(given, namespace or not_given)
        except AttributeError as error:
            # What argparse makes of Ctrl-C while it parses.
            raise (error.__context__ if isinstance(error.__context__, KeyboardInterrupt) else error) from None
        if unknown:
            self._refuse_flag(unknown[0])
        self._add_positional(arguments, after)
        chosen = arguments.config or os.environ.get("MAILTRACE_CONFIG")
        found = configured(chosen, os.environ)
        values = {setting: self._value_of(setting, arguments, found) for setting in settings}
        if arguments.show_config:
            self._show(values, chosen)
        for setting, value in values.items():
            setattr(arguments, setting.name, value.value)
        arguments.origins = {setting.name: value for setting, value in values.items()}
        return arguments

    def _add_positional(self, arguments: argparse.Namespace, given: Sequence[str]) -> None:
        """Add the arguments after `--` to those before it: argparse would look for flags in them."""
        (action,) = (action for action in self._actions if not action.option_strings)
        values = [self._get_value(action, text) for text in given]
        setattr(arguments, action.dest, [*(getattr(arguments, action.dest) or []), *values])

    def _refuse_flag(self, unknown: str) -> NoReturn:
        near = advice(self, unknown)
        self.error(f"{unknown.partition('=')[0]}: unknown flag{near and f'; {near}'}")

    def _value_of(self, setting: Setting, arguments: argparse.Namespace, found: dict[str, Value]) -> Value:
        """The value of a setting: from the flag, or else as configured, or else the default."""
        action = next((each for each in self._actions if each.dest == setting.name), None)
        given = getattr(arguments, setting.name)
        if given is not _NOT_GIVEN:
            return Value(given, setting.flag)
        if setting.name not in found:
            default = setting.default if action is None or action.default is None else action.default
            return Value(default, "default")
        value, origin = found[setting.name]
        if action is None or setting.kind is bool:
            return Value(value, origin)
        try:
            return Value(self._get_values(action, [str(value)]), origin)
        except argparse.ArgumentError as error:
            where = origin if origin == setting.environment else f"{origin}: {setting.name}"
            raise ConfigError(f"{where}: {error.message}") from None

    def _show(self, values: dict[Setting, Value], chosen: str | None) -> NoReturn:
        from mailtrace.output.escape import safe  # noqa: PLC0415
        from mailtrace.stores import default_path  # noqa: PLC0415

        for setting, (value, origin) in values.items():
            if setting.name == "store" and not value:
                try:
                    values[setting] = Value(f"sqlite:{default_path()}", origin)
                except StoreError as error:  # show the problem instead of the store
                    values[setting] = Value("", f"{origin}; {error}")
        for line in shown(values, config_files(chosen, os.environ)).splitlines():
            self._print_message(f"{safe(line)}\n", sys.stdout)
        self.exit()

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print a message; unlike argparse, raise an error if that fails."""
        (file or sys.stderr).write(message)

    def error(self, message: str) -> NoReturn:
        """Raise a UsageError instead of exiting, as argparse does."""
        raise UsageError(f"{message}; for help: --help")


def _parted(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the arguments before and after the first `--`."""
    found = list(arguments)
    at = found.index("--") if "--" in found else len(found)
    return found[:at], found[at + 1 :]


class _Store(argparse.Action):
    """`--store`: refuse a URL with a password, because every user of the machine can see the command line."""

    def __call__(
        self, _parser: argparse.ArgumentParser, namespace: argparse.Namespace, value: Any, _option: str | None = None
    ) -> None:
        if has_password(value):
            raise UsageError(
                "--store: every user of this machine can see a password on the command line: leave it out, and"
                " set MAILTRACE_PASSWORD, MAILTRACE_PASSWORD_FILE or MAILTRACE_STORE"
            )
        setattr(namespace, self.dest, value)


def access_from(arguments: argparse.Namespace) -> Access:
    """Return the credentials for a secured store; on a terminal, the user is asked for a missing password.

    Raises:
        UsageError: flags or settings contradict each other, or a file with a secret is invalid.
    """
    secrets = {setting.environment: getattr(arguments, setting.name) or "" for setting in SECRETS}
    return access_of(
        secrets,
        ca_certs=arguments.ca_certs,
        client_cert=arguments.client_cert,
        client_key=arguments.client_key,
        ask=getpass if sys.stderr.isatty() else None,
    )


def store_from(arguments: argparse.Namespace, *, writes: bool = False, **options: Any) -> Store:
    """Return the store that the arguments name, to be searched or, with `writes`, to be written.

    Raises:
        UsageError: a flag or a setting is invalid; the message names the one that is.
        StoreError: this user may not read or write the store; the message says who may.
    """
    try:
        access = access_from(arguments)
        with _ended_by_interrupts():
            store = open_store(arguments.store, access=access, **options)
    except UsageError as error:
        raise UsageError(_with_origin(str(error), arguments.origins)) from error
    if not store.is_remote:
        (check_writable if writes else check_readable)(Path(store.name))
    return store


@contextmanager
def _ended_by_interrupts() -> Iterator[None]:
    """Let Ctrl-C end the process at once while a store is imported: orjson crashes if it is interrupted meanwhile."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, lambda *_: os._exit(ExitStatus.INTERRUPTED))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _with_origin(message: str, origins: Mapping[str, Value]) -> str:
    """A message that begins with a flag; if its value was configured, with its source instead."""
    for name, value in origins.items():
        flag = Setting(name).flag
        if message.startswith(f"{flag} ") and value.origin not in (flag, "default"):
            where = value.origin if value.origin.startswith("MAILTRACE_") else f"{value.origin}: {name}"
            return f"{where}: {message.removeprefix(f'{flag} ')}"
    return message


def zone(text: str) -> str:
    """Check the value of `--tz` and return it."""
    from mailtrace.syslog.timezones import zone_of  # noqa: PLC0415 # keeps `--help` quick

    try:
        zone_of(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def year(text: str) -> int:
    """Parse the value of `-y`: a year."""
    if not (text.isascii() and text.isdigit() and 1970 <= int(text) <= 2100):
        raise argparse.ArgumentTypeError(f"{text!r} is not a year: write four digits, such as 2011")
    return int(text)


def days(text: str) -> int:
    """Parse the value of `--retention`: a number of days."""
    if not (text.isascii() and text.isdigit() and int(text[:6]) >= 1 and len(text) <= 5):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days: write a whole number, such as 90")
    return int(text)


def count(text: str) -> int:
    """Parse the value of `-r`: a number of transactions or groups."""
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of results: write a whole number, such as 10")
    return int(text)


def run(prog: str, command: Callable[[Sequence[str]], ExitStatus], argv: Sequence[str] | None) -> int:
    """Run a command and return its exit status; print an error as one line on stderr, and ignore a closed pipe."""
    _open_closed_streams()
    if isinstance(sys.stdout, TextIOWrapper):
        # What its encoding lacks, such as an é in ASCII, is escaped, as Python does for standard error.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = _status_of(command, sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except MailtraceError as error:
        return _print_error(prog, str(error))
    except BrokenPipeError:
        _discard_output()
        return ExitStatus.OK
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return ExitStatus.INTERRUPTED
    except OSError as error:
        return _print_error(prog, _described(error))
    else:
        return status


def _status_of(command: Callable[[Sequence[str]], ExitStatus], argv: Sequence[str]) -> int:
    try:
        return command(argv)
    except SystemExit as end:  # how argparse ends after --help and --version
        return int(end.code or 0)


def _described(error: OSError) -> str:
    if error.filename is None and error.errno == errno.EBADF:
        return "standard output is closed: nothing was written"
    return f"{error.filename or 'output'}: {error.strerror or error}"


def _open_closed_streams() -> None:
    """Open the null device for output streams that the shell has closed (`>&-`), for which Python has None.

    What is written to standard output then is an error, as it would be without Python.
    """
    for name, mode in (("stdout", os.O_RDONLY), ("stderr", os.O_WRONLY)):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.open(os.devnull, mode), "w", encoding="utf-8"))  # noqa: SIM115, PTH123 # until the end


def _discard_output() -> None:
    """Discard what could not be written, which Python would try again when it ends."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def stop_at_signals(stop: Callable[[], None]) -> None:
    """Call `stop` at the first Ctrl-C or SIGTERM; the second one ends the process immediately."""

    def handle(number: int, _frame: object) -> None:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        stop()

    with suppress(ValueError):  # only the main thread may set signal handlers
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, handle)


def _print_error(prog: str, message: str) -> ExitStatus:
    from mailtrace.output.escape import safe  # noqa: PLC0415 # imported only for an error

    try:
        sys.stdout.flush()
    except OSError:
        _discard_output()
    with suppress(OSError):  # on a full disk, the status tells that something went wrong
        sys.stderr.write(f"{prog}: {safe(message)}\n")
    return ExitStatus.ERROR
