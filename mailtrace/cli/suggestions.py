"""What to write instead of a flag that does not exist."""

import argparse
import re
from collections.abc import Iterator, Sequence
from shlex import quote

_is_number = re.compile(r"-\d+\Z", re.ASCII).match


def misread_flag(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> str:
    """Return the first argument that argparse would take for something else: `-10`, or `-from` for `-f rom`."""
    flags = parser._option_string_actions  # noqa: SLF001 # argparse has no public list of flags
    for flag, argument in _with_flags(parser, arguments):
        is_like_flag = not flag and argument.startswith("-") and argument not in flags
        if is_like_flag and (_is_number(argument) or f"-{argument}" in flags):
            return argument
    return ""


def lack_of_value(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> str:
    """Return what to write instead of the first value that argparse would take for a flag; empty if there is none."""
    flags = parser._option_string_actions  # noqa: SLF001
    for flag, argument in _with_flags(parser, arguments):
        is_value = not argument.startswith("-") or argument == "-" or " " in argument or _is_number(argument)
        if flag and not is_value and argument.partition("=")[0] not in flags:
            return f"{flag}: no value: if {argument} is the value, write {flag}={quote(argument)}"
    return ""


def _with_flags(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each argument, and the flag whose value it is, or empty text."""
    flags = parser._option_string_actions  # noqa: SLF001
    flag = ""
    for argument in arguments:
        yield flag, argument
        # `nargs` is None of a flag with one value, and 0 of one without.
        flag = argument if not flag and argument in flags and flags[argument].nargs is None else ""


def advice(parser: argparse.ArgumentParser, unknown: str) -> str:
    """Return what to write instead of an unknown flag; empty if no flag is similar."""
    flags = parser._option_string_actions  # noqa: SLF001
    name = unknown.partition("=")[0]
    if "@" in name:
        return f"if it is an address, write -- {quote(unknown)}"
    if _is_number(name):
        return f"write -r {name[1:]}" if "-r" in flags else ""
    if f"-{name}" in flags:
        return f"write -{name}"
    if len(name) == 2:
        return f"did you mean {name.swapcase()}?" if name.swapcase() in flags else ""
    return _nearest(flags, name)


def _nearest(flags: "dict[str, argparse.Action]", name: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 # imported only for an error

    # Also the words of the code: --sender is --from, --recipient is --to.
    known = {f"--{action.dest.replace('_', '-')}": action.option_strings[-1] for action in flags.values()}
    known |= {flag: flag for flag in flags if flag.startswith("--")}
    near = get_close_matches(name.lower().replace("_", "-"), known, n=1, cutoff=0.65)
    return f"did you mean {known[near[0]]}?" if near else ""
