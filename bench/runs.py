"""Run commands as separate processes and measure time, CPU time and memory; commands to compare run in turns."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple, TypeVar

ROOT: Final = Path(__file__).parent.parent
_LAUNCH: Final = Path(__file__).with_name("launch.py")
INDEX: Final = str(Path(sys.executable).with_name("mailtrace-index"))
SEARCH: Final = str(Path(sys.executable).with_name("mailtrace-search"))

Name = TypeVar("Name")
"""The names of commands that are compared."""


class Command(NamedTuple):
    """A command to measure."""

    arguments: Sequence[str]
    before: Callable[[], object] = lambda: None
    """Called before each run, outside the measurement."""
    prints_seconds: bool = False
    """Whether the command itself prints the seconds to use, as JSON."""
    accepts: Sequence[int] = (0,)
    """Exit statuses of a successful run."""


class Run(NamedTuple):
    """The measurements of one run."""

    seconds: float
    cpu: float
    """CPU seconds, user and system."""
    peak: int
    """Peak memory in bytes."""
    output: str
    """Its standard output."""


class Runs(NamedTuple):
    """Several runs of one command."""

    runs: Sequence[Run]

    @property
    def seconds(self) -> float:
        """Median time."""
        return median(run.seconds for run in self.runs)

    @property
    def cpu(self) -> float:
        """Median CPU time."""
        return median(run.cpu for run in self.runs)

    @property
    def peak(self) -> float:
        """Peak memory of all runs, in MiB."""
        return max(run.peak for run in self.runs) / (1 << 20)

    def over(self, others: "Runs") -> float:
        """Return the ratio of these times to the others: the median of the ratios of each round."""
        return median(one.seconds / other.seconds for one, other in zip(self.runs, others.runs, strict=True))

    def cpu_over(self, others: "Runs") -> float:
        """Return the same ratio for CPU time: more reliable on a busy machine, but blind to threads and waiting."""
        return median(one.cpu / other.cpu for one, other in zip(self.runs, others.runs, strict=True))


def module(name: str, *arguments: object) -> list[str]:
    """Return the command that runs a module of this package."""
    return [sys.executable, "-m", f"bench.{name}", *map(str, arguments)]


def run(command: Command) -> Run:
    """Run a command once.

    Raises:
        SystemExit: it failed; the message contains its standard error.
    """
    command.before()
    launch = [sys.executable, "-I", "-S", str(_LAUNCH), *command.arguments]
    done = subprocess.run(launch, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    complaint, _, line = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")
    output = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        raise SystemExit(f"cannot start {' '.join(command.arguments)}: {complaint}\n{line}")
    took = json.loads(line)
    if took["status"] not in command.accepts:
        raise SystemExit(f"{' '.join(command.arguments)} ended with {took['status']}:\n{complaint[-2000:]}")
    seconds = json.loads(output)["seconds"] if command.prints_seconds else took["seconds"]
    return Run(seconds, took["cpu"], took["peak"], output)


def in_turns(commands: Mapping[Name, Command], rounds: int) -> dict[Name, Runs]:
    """Run every command once per round, so that other load on the machine affects all of them alike."""
    found: dict[Name, list[Run]] = {name: [] for name in commands}
    for number in range(rounds):
        for name, command in commands.items():
            _progress(f"  round {number + 1} of {rounds}: {name}\r")
            found[name].append(run(command))
    _progress("")
    return {name: Runs(runs) for name, runs in found.items()}


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\033[K{text}", end="", file=sys.stderr, flush=True)
