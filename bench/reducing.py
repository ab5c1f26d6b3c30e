"""Measure the work before a store: from log files to documents, and to bodies of bulk requests."""

import json

from bench.logs import MTAS, READING, TWICE, Log, Wanted, logs, of_lines
from bench.part import Options, Part, Table, shown
from bench.pflogsumm import pflogsumm
from bench.runs import Command, Runs, in_turns, module

_HEAD = ("what", "lines", "s", "CPU s", "lines/s", "MiB", "/ wc -l", "/ grep -c", "/ pflogsumm", "its CPU", "/ postfix")
_YARDSTICKS = ("wc -l", "grep -c", "pflogsumm")
_TWICE = "postfix, two processes"


def parse(options: Options) -> Part:
    """Measure parsing and reducing only."""
    return _measure("parse", "From log to documents", "counting", options)


def bodies(options: Options) -> Part:
    """Measure parsing, reducing and serialising to bulk bodies."""
    return _measure("bodies", "From log to bulk bodies", "bodies", options)


def _measure(name: str, title: str, store: str, options: Options) -> Part:
    wanted = {mta: of_lines(mta, options.lines) for mta in MTAS if mta in {"postfix", *options.mtas}}
    wanted["postfix iso8601"] = of_lines("postfix", options.lines, "iso8601")
    made = dict(zip(wanted, logs(list[Wanted](wanted.values())), strict=True))
    texts = {what: str(log.path) for what, log in made.items()} | {"postfix gzip": str(made["postfix"].gzipped)}
    lines = {what: log.lines for what, log in made.items()} | {"postfix gzip": made["postfix"].lines}
    commands = _yardsticks(made["postfix"])
    for what, text in texts.items():
        commands[what] = Command(module("command", store, *READING, text))
    commands[_TWICE] = Command(module("command", store, *READING, *TWICE, texts["postfix"]))
    found = in_turns(commands, options.rounds)
    _check({what: found[what] for what in (*texts, _TWICE)}, made)
    lines |= dict.fromkeys((*_YARDSTICKS, _TWICE), made["postfix"].lines)
    part = Part([Table(f"{title} (rounds: {options.rounds})", _HEAD, [])])
    part.notes.append("Ratios are per line. wc -l, grep -c and pflogsumm read the Postfix log.")
    part.notes.append(
        "`its CPU` compares only the CPU time with pflogsumm's, which is more reliable on a busy machine."
    )
    if "pflogsumm" not in found:
        part.notes.append("pflogsumm could not be installed here.")
    rows = [_row(what, found, lines, part.figures, name) for what in found]
    part.tables[0] = part.tables[0]._replace(rows=rows)
    return part


def _check(found: dict[str, Runs], made: dict[str, Log]) -> None:
    """Reject runs that lost documents."""
    for what, runs in found.items():
        wanted = made[what.removesuffix(" gzip").removesuffix(", two processes")].transactions
        for run in runs.runs:
            if json.loads(run.output)["documents"] < wanted:
                raise SystemExit(f"{what}: {run.output.strip()}, but {wanted} expected")


def _yardsticks(log: Log) -> dict[str, Command]:
    text = str(log.path)
    found = {"wc -l": Command(["wc", "-l", text]), "grep -c": Command(["grep", "-c", "status=sent", text])}
    if program := pflogsumm():
        found["pflogsumm"] = Command([program, text])
    return found


def _row(what: str, found: dict[str, Runs], lines: dict[str, int], figures: dict[str, float], name: str) -> list[str]:
    runs = found[what]
    figures[f"{name}: {what}: lines/s"] = lines[what] / runs.seconds
    figures[f"{name}: {what}: MiB"] = runs.peak
    measured = (shown(runs.seconds), shown(runs.cpu), shown(lines[what] / runs.seconds), shown(runs.peak))
    ratios = []
    for other in (*_YARDSTICKS, "postfix"):
        times, cpu = _times(runs, found.get(other), lines[other] / lines[what])
        figures |= {} if times is None else {f"{name}: {what} / {other}": times}
        ratios.append("" if times is None or other == what else shown(times))
        if other == "pflogsumm":
            ratios.append("" if cpu is None or other == what else shown(cpu))
    return [what, f"{lines[what]:,}", *measured, *ratios]


def _times(runs: Runs, others: Runs | None, share: float) -> tuple[float, float] | tuple[None, None]:
    """Return the ratios of time and of CPU time per line."""
    return (None, None) if others is None else (runs.over(others) * share, runs.cpu_over(others) * share)
