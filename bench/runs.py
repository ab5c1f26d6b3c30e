"""Runs of commands as processes of their own: how long, how much CPU and memory; in turns where they are compared."""

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
"""By what runs that are compared are told apart."""


class Command(NamedTuple):
    """What is to be run."""

    arguments: Sequence[str]
    before: Callable[[], object] = lambda: None
    """Called before each run; it is not measured."""
    tells_seconds: bool = False
    """Whether it prints its own seconds, of the part that counts, as JSON."""
    accepts: Sequence[int] = (0,)
    """The exit statuses of a run that was right."""


class Run(NamedTuple):
    """What one run took."""

    seconds: float
    cpu: float
    """Seconds of CPU, user and system."""
    peak: int
    """The most memory it had, in bytes."""
    told: str
    """What it printed."""


class Runs(NamedTuple):
    """Several runs of one command."""

    runs: Sequence[Run]

    @property
    def seconds(self) -> float:
        """The median."""
        return median(run.seconds for run in self.runs)

    @property
    def cpu(self) -> float:
        """The median."""
        return median(run.cpu for run in self.runs)

    @property
    def peak(self) -> float:
        """The most of all runs, in MiB."""
        return max(run.peak for run in self.runs) / (1 << 20)

    def over(self, others: "Runs") -> float:
        """How many times as long these take as the others: the median of the ratios of each round."""
        return median(one.seconds / other.seconds for one, other in zip(self.runs, others.runs, strict=True))

    def cpu_over(self, others: "Runs") -> float:
        """The same of the CPU: on a busy machine the surer one, but threads and waiting do not show in it."""
        return median(one.cpu / other.cpu for one, other in zip(self.runs, others.runs, strict=True))


def module(name: str, *arguments: object) -> list[str]:
    """Return the command that runs a module of the bench."""
    return [sys.executable, "-m", f"bench.{name}", *map(str, arguments)]


def run(command: Command) -> Run:
    """Run a command once.

    Raises:
        SystemExit: it failed; what it complained of is shown.
    """
    command.before()
    launch = [sys.executable, "-I", "-S", str(_LAUNCH), *command.arguments]
    done = subprocess.run(launch, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    complaint, _, line = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")
    told = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        raise SystemExit(f"cannot start {' '.join(command.arguments)}: {complaint}\n{line}")
    took = json.loads(line)
    if took["status"] not in command.accepts:
        raise SystemExit(f"{' '.join(command.arguments)} ended with {took['status']}:\n{complaint[-2000:]}")
    seconds = json.loads(told)["seconds"] if command.tells_seconds else took["seconds"]
    return Run(seconds, took["cpu"], took["peak"], told)


def in_turns(commands: Mapping[Name, Command], rounds: int) -> dict[Name, Runs]:
    """Run every command once in each round, so that whatever else the machine does falls on all alike."""
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
